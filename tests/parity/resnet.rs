//! The narrow bottleneck network of `resnet_tiny` (torchvision's code path) and the vectors of `lowlevel_vector`.
//!
//! Catches: the stride on the wrong convolution, ReLU before the sum, a wrong ε, batch statistics where stored ones belong
//! (and the reverse), the biased variance in the running one, maxima over the wrong set.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use mindreader::models::resnet::low_level::{
    CHANNEL_AVERAGE_SCALE, LowLevelConfig, Maxima, centred_unit_vector, channel_average_01, low_level_vector,
    max_and_mean, preprocess, vector_01,
};
use mindreader::models::resnet::{Resnet, ResnetConfig, Stage};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::training::gan::low_level::FrozenResnet;
use mindreader::weights::resnet50::{config_from_shapes, foreign_name, reason_unused};

use crate::foreign_weights::fill;
use crate::golden::{Golden, assert_close, values};

fn network<B: Backend>(num_classes: Option<usize>, device: &B::Device) -> Option<Resnet<B>> {
    let golden = Golden::open("resnet_tiny")?;
    let shape_of = |key: &str| {
        let name = format!("weights.{key}");
        golden.has(&name).then(|| golden.f32(&name).1)
    };
    let config = config_from_shapes(&shape_of).unwrap();
    let expected =
        ResnetConfig { stem_width: 16, planes: [16, 32, 64, 128], blocks: [1, 2, 1, 1], num_classes: None };
    assert_eq!(config, expected);
    let mut network = ResnetConfig { num_classes, ..config }.init::<B>(0, device).unwrap();
    fill(&mut network, &golden, "weights.", foreign_name, reason_unused);
    Some(network)
}

#[test]
fn every_stage_and_the_classifier_match() {
    let Some(network) = network::<Base>(Some(10), &cpu()) else { return };
    let Some(golden) = Golden::open("resnet_tiny") else { return };
    let features = network.forward(golden.tensor("input.x", &cpu()));
    for (name, actual) in [
        ("stem", values(features.stem)),
        ("maxpool", values(features.maxpool)),
        ("layer1", values(features.layer1)),
        ("layer2", values(features.layer2)),
        ("layer3", values(features.layer3)),
        ("layer4", values(features.layer4)),
        ("pooled", values(features.pooled)),
        ("fc", values(features.class_scores.unwrap())),
    ] {
        golden.expect(&format!("output.{name}"), &actual);
    }
}

#[test]
fn the_frozen_network_passes_gradients_to_the_image() {
    let Some(network) = network::<Diff>(None, &cpu()) else { return };
    let Some(golden) = Golden::open("resnet_tiny") else { return };
    // With fixed weights, as the generator's loss uses it, and with trainable ones.
    for network in [network.clone().no_grad(), network] {
        let x = golden.tensor::<Diff, 4>("input.x", &cpu()).require_grad();
        let cotangent = golden.tensor::<Diff, 2>("input.cotangent", &cpu());
        let gradients = (network.forward(x.clone()).pooled * cotangent).sum().backward();
        golden.expect("grad.x", &values(x.grad(&gradients).unwrap()));
        assert!(network.bn1.running_mean.val().grad(&gradients).is_none());
    }
}

fn training_pass_matches<B: Backend>(device: &B::Device) {
    let Some(mut network) = network::<B>(Some(10), device) else { return };
    let Some(golden) = Golden::open("resnet_tiny") else { return };
    let features = network.forward_training(golden.tensor("input.x", device));
    golden.expect("train.fc", &values(features.class_scores.unwrap()));
    golden.expect("train.bn1.running_mean", &values(network.bn1.running_mean.val()));
    golden.expect("train.bn1.running_var", &values(network.bn1.running_var.val()));
}

#[test]
fn a_training_pass_matches_with_and_without_gradients() {
    training_pass_matches::<Base>(&cpu());
    training_pass_matches::<Diff>(&cpu());
}

#[test]
fn low_level_vectors_of_generated_images_match() {
    let Some(network) = network::<Base>(None, &cpu()) else { return };
    let Some(golden) = Golden::open("lowlevel_vector") else { return };
    let images: Tensor<Base, 4> = golden.tensor("input.img", &cpu());
    let compare = |name: &str, actual: Vec<f32>| golden.expect(&format!("output.{name}"), &actual);
    let prepared = preprocess(images.clone());
    compare("preprocessed", values(prepared.clone()));
    compare("layer2", values(network.stage(prepared, Stage::Two)));
    let vector = low_level_vector(&network, images.clone(), Stage::Two, Maxima::WholeBatch);
    compare("run_res", values(vector.clone()));
    compare("run_res_scaled", values(centred_unit_vector(vector, Stage::Two)));
    let vector = low_level_vector(&network, images.clone(), Stage::Two, Maxima::PerImage);
    compare("per_image_reading", values(vector));
    // As the generator's loss asks for it.
    let resnet = FrozenResnet::new(network);
    compare("run_res", values(resnet.of_real(images.clone(), &LowLevelConfig::default())));
    let tracked = Tensor::<Diff, 4>::from_inner(images.clone());
    compare("run_res", values(resnet.of_generated(tracked, &LowLevelConfig::default())));
    let per_image = LowLevelConfig { maxima: Maxima::PerImage, ..Default::default() };
    compare("per_image_reading", values(resnet.of_real(images, &per_image)));
}

#[test]
fn targets_of_the_resnet_mapper_match() {
    let Some(network) = network::<Base>(None, &cpu()) else { return };
    let Some(golden) = Golden::open("lowlevel_vector") else { return };
    let pixels_01: Tensor<Base, 4> = golden.tensor("nsdres.img", &cpu());
    let compare = |name: &str, actual: Vec<f32>| golden.expect(&format!("nsdres.{name}"), &actual);
    let vector = max_and_mean(network.stage(pixels_01.clone(), Stage::Two), Maxima::PerImage);
    compare("vector", values(vector.clone()));
    compare("vector_01", values(vector_01(vector, Stage::Two)));
    let average = channel_average_01(&network, pixels_01.clone());
    compare("chan_avg_layer4_01", values(average.clone()));
    let pooled = values(network.forward(pixels_01).pooled.div_scalar(CHANNEL_AVERAGE_SCALE));
    assert_close("pooled / 18.5", &values(average), &pooled, 1e-6);
}
