//! Gradient of VICReg through the expander against the numeric one.
//!
//! Catches: batch statistics taken for constants, a gradient that stops before the prediction, an expander that only one
//! of the two branches trains, a wrong factor.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use mindreader::losses::vicreg::{VicregConfig, vicreg};
use mindreader::models::batch_norm::BatchObserver;
use mindreader::models::mapper::{Expander, ExpanderConfig};
use mindreader::tensor_ops::backend::{Diff, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};

use crate::numeric_slope::{check, double};

/// The expander and, in place of a mapper, its prediction.
#[derive(Module, Debug)]
struct Joint<B: Backend> {
    predicted: Param<Tensor<B, 2>>,
    expander: Expander<B>,
}

#[test]
fn gradients_of_prediction_and_expander_equal_the_numeric_ones() {
    let expander = ExpanderConfig { embed_dim: 5, width: 7 }.init(3, &cpu());
    let predicted = normal([12, 5], &mut keyed_rng(7, "predicted", 0), &cpu());
    let joint = Joint::<Diff> { predicted: Param::from_tensor(predicted), expander };
    let target = double([12, 5], "target", 0);
    let reached = check("VICReg", &joint, |joint: &Joint<Diff>| {
        let mut observer = BatchObserver::default();
        let predicted = joint.expander.forward_training(joint.predicted.val(), &mut observer);
        let target = joint.expander.forward_training(Tensor::from_inner(target.clone()), &mut observer);
        vicreg(predicted, target, &VicregConfig::default())
    });
    // The prediction; weight, bias, scale and shift of two layers; the last weight.
    assert_eq!(reached, 10);
}
