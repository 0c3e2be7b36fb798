//! A duplicated condition head changes nothing while both conditions are equal (docs/spec/gan-training.md §9): on the
//! golden weights.

use std::path::Path;

use burn::tensor::Tensor;
use mindreader::models::stylegan2::{Condition, Noise, Truncation};
use mindreader::tensor_ops::backend::{Base, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};
use mindreader::tensor_ops::similarity::unit_norm;
use mindreader::weights::foreign::{ForeignNetwork, ForeignTensor};
use mindreader::weights::readers::read_foreign;
use mindreader::weights::report::Strictness;
use mindreader::weights::stylegan2::{GanHints, SecondHead, read_discriminator, read_generator};

/// The weights of a golden set as a state dict of one head; none (after saying so) where the file is missing.
fn one_head(set: &str) -> Option<ForeignNetwork> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = format!("{set}.safetensors");
    let places = [root.join("tests/golden").join(&file), root.join("../shared/golden").join(&file)];
    let Some(path) = places.into_iter().find(|path| path.is_file()) else {
        eprintln!("skipped: {file} is missing");
        return None;
    };
    let tensors: std::collections::BTreeMap<String, ForeignTensor> =
        read_foreign(&path).unwrap().networks[""]
            .tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix("weights.")?.to_string(), tensor.clone())))
            .filter(|(name, _)| ![".pre_01.", ".pre_11.", ".fts2."].iter().any(|part| name.contains(part)))
            .collect();
    Some(ForeignNetwork { tensors, ..Default::default() })
}

fn hints() -> GanHints {
    GanHints { conv_clamp: Some(0.0), ..Default::default() }
}

fn relative_error<const D: usize>(a: Tensor<Base, D>, b: Tensor<Base, D>) -> f32 {
    let scale = b.clone().abs().max().into_scalar();
    assert!(scale > 1e-3);
    (a - b).abs().max().into_scalar() / scale
}

#[test]
fn the_generator_draws_the_same_image() {
    let Some(foreign) = one_head("generator_s4") else { return };
    let read = |second_head| {
        let filled = read_generator::<Base>(&foreign, &hints(), second_head, &cpu()).unwrap();
        assert_eq!(filled.report.refusal(Strictness::Strict), None);
        filled
    };
    let (one, two) = (read(SecondHead::AsStored), read(SecondHead::Duplicate));
    assert_eq!((one.config.condition_dims(), two.config.condition_dims()), (vec![24], vec![24, 24]));
    let mut rng = keyed_rng(1, "inputs", 0);
    let z = normal([2, 64], &mut rng, &cpu());
    let t = unit_norm(normal([2, 24], &mut rng, &cpu()));
    let other = unit_norm(normal([2, 24], &mut rng, &cpu()));
    let of_one =
        one.network.forward(z.clone(), &Condition::one(t.clone()), &Noise::Constant, Truncation::NONE);
    let draw = |condition| two.network.forward(z.clone(), &condition, &Noise::Constant, Truncation::NONE);
    let error = relative_error(draw(Condition::two(t.clone(), t.clone())), of_one.clone());
    eprintln!("duplicated head of the golden generator: relative error {error:.2e}");
    assert!(error <= 1e-6, "{error:.3e}");
    assert!(relative_error(draw(Condition::two(t, other)), of_one) > 1e-3, "the second head matters");
}

#[test]
fn the_discriminator_scores_alike() {
    let Some(foreign) = one_head("discriminator_s4") else { return };
    let read = |second_head| {
        let filled = read_discriminator::<Base>(&foreign, &hints(), second_head, &cpu()).unwrap();
        assert_eq!(filled.report.refusal(Strictness::Strict), None);
        filled.network
    };
    let (one, two) = (read(SecondHead::AsStored), read(SecondHead::Duplicate));
    let mut rng = keyed_rng(2, "inputs", 0);
    let image = normal([4, 3, 32, 32], &mut rng, &cpu());
    let t = unit_norm(normal([4, 24], &mut rng, &cpu()));
    let of_one = one.forward(image.clone(), &Condition::one(t.clone())).score;
    let of_two = two.forward(image, &Condition::two(t.clone(), t)).score;
    let error = relative_error(of_two, of_one);
    assert!(error <= 1e-6, "{error:.3e}");
}
