//! The discriminator against `discriminator_s4` and `discriminator_s2`: scores, semantic embeddings, gradients.
//!
//! Catches: a projection summed per sample where the published one sums the batch, groups of the minibatch
//! deviation taken from neighbours, a skip path without its gain. Tolerances are the manifest's.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use mindreader::models::stylegan2::{Condition, ConditionHeads, HeadNormalisation, ProjectionTerm};
use mindreader::tensor_ops::backend::{Diff, cpu};

use crate::golden::{Golden, values};
use crate::stylegan2_weights::{
    discriminator_config, discriminator_path, golden_discriminator, gradients_by_path,
};

fn condition(golden: &Golden, heads: ConditionHeads) -> Condition<Diff> {
    let fts = golden.tensor::<Diff, 2>("input.fts", &cpu());
    match heads {
        ConditionHeads::TwoByMaximum => Condition::two(fts.clone().narrow(1, 0, 24), fts.narrow(1, 24, 16)),
        _ => Condition::one(fts),
    }
}

fn run(set: &str, heads: ConditionHeads) {
    let Some(golden) = Golden::open(set) else { return };
    let condition = condition(&golden, heads);
    let image = golden.tensor::<Diff, 4>("input.img", &cpu());
    for (mode, normalisation) in [("norm", HeadNormalisation::UnitNorm), ("nonorm", HeadNormalisation::Off)] {
        let mut base = None;
        for (name, projection) in [
            ("base_logits", ProjectionTerm::Off),
            ("logits", ProjectionTerm::BatchSum),
            ("logits_per_sample_reading", ProjectionTerm::PerSample),
        ] {
            let config = discriminator_config(heads, normalisation, projection);
            let Some(discriminator) = golden_discriminator(set, &config) else { return };
            let output = discriminator.forward(image.clone(), &condition);
            golden.expect(&format!("output.{mode}.{name}"), &values(output.score.clone()));
            match projection {
                ProjectionTerm::Off => base = Some(output.score),
                // What the projection adds to a sample's own score.
                ProjectionTerm::PerSample => {
                    let alignment = output.score - base.clone().unwrap();
                    golden.expect(&format!("output.{mode}.semantic_per_sample"), &values(alignment));
                }
                ProjectionTerm::BatchSum => {}
            }
            for (head, embedding) in ["d_fts", "d_fts2"].iter().zip(output.semantic_embeddings) {
                let label = format!("output.{mode}.{head}");
                golden.expect(&label, &values(embedding));
            }
        }
    }
}

fn run_gradients(set: &str, heads: ConditionHeads) {
    let Some(golden) = Golden::open(set) else { return };
    let config = discriminator_config(heads, HeadNormalisation::UnitNorm, ProjectionTerm::BatchSum);
    let Some(discriminator) = golden_discriminator(set, &config) else { return };
    let image = golden.tensor::<Diff, 4>("input.img", &cpu()).require_grad();
    let cotangent = golden.tensor::<Diff, 2>("input.cotangent", &cpu());
    let output = discriminator.forward(image.clone(), &condition(&golden, heads));
    let mut gradients = (output.score * cotangent).sum().backward();
    let expect = |name: &str, actual: Vec<f32>| golden.expect(name, &actual);
    let image_gradient: Tensor<_, 4> = image.grad(&gradients).unwrap();
    expect("grad.img", values(image_gradient));
    let gradients = GradientsParams::from_module(&mut gradients, &discriminator);
    let by_path = gradients_by_path(&discriminator, &gradients);
    let mut compared = 0;
    for name in golden.names().iter().filter_map(|name| name.strip_prefix("grad.b")) {
        let path = discriminator_path(&format!("b{name}"));
        let gradient = by_path.get(&path).unwrap_or_else(|| panic!("no gradient of {path}"));
        expect(&format!("grad.b{name}"), gradient.clone());
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} gradients compared");
}

#[test]
fn two_heads_forward() {
    run("discriminator_s4", ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_forward() {
    run("discriminator_s2", ConditionHeads::One);
}

#[test]
fn two_heads_gradients() {
    run_gradients("discriminator_s4", ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_gradients() {
    run_gradients("discriminator_s2", ConditionHeads::One);
}
