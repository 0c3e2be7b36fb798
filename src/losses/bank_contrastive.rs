//! Cosine distance and InfoNCE against a bank of all targets: what finds the image among the others.
//!
//! Specification: docs/spec/decoders.md §3.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::tensor_ops::similarity::unit_norm;

/// Temperature and weight of the contrastive terms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BankContrastiveConfig {
    /// τ: logits are cosines over τ; above 0.
    pub temperature: f64,
    /// Weight of both contrastive terms' mean against the cosine distance.
    pub weight: f64,
}

impl Default for BankContrastiveConfig {
    fn default() -> Self {
        Self { temperature: 0.1, weight: 1.0 }
    }
}

/// `mean(1 − cos(pᵢ, tᵢ)) + weight · ½ (F + B)` as `[1]` (InfoNCE: van den Oord et al. 2018, <https://arxiv.org/abs/1807.03748>):
///
/// - F: cross-entropy of each prediction's cosines with the whole bank, over τ, against its image;
/// - B: cross-entropy of each target's cosines with the batch's predictions, over τ, against the predictions of its image. Several
///   trials of one image are equally right.
///
/// # Shapes
/// - predicted: `[batch, embed_dim]`, any norm
/// - bank: `[images, embed_dim]`, rows of norm 1, each image once
/// - image: row of the bank of every prediction
///
/// # Panics
/// When there are not as many images as predictions.
pub fn cosine_and_bank_contrastive<B: Backend>(
    predicted: Tensor<B, 2>,
    bank: Tensor<B, 2>,
    image: &[usize],
    config: &BankContrastiveConfig,
) -> Tensor<B, 1> {
    let ([batch, _], device) = (predicted.dims(), predicted.device());
    assert_eq!(image.len(), batch, "an image per prediction");
    let rows: Vec<i64> = image.iter().map(|row| *row as i64).collect();
    let rows = Tensor::<B, 1, Int>::from_data(TensorData::new(rows, [batch]), &device);
    let target = bank.clone().select(0, rows);
    let predicted = unit_norm(predicted);
    let cosine = (predicted.clone() * target.clone()).sum_dim(1).mean();

    let over = predicted.div_scalar(config.temperature);
    let forward =
        log_sum_exp(over.clone().matmul(bank.transpose()), 1) - cosine.clone().div_scalar(config.temperature);
    let within = over.matmul(target.transpose()); // [predictions, targets]
    let positives = (within.clone() * shares_of_images(image, &device)).sum();
    let backward = log_sum_exp(within, 0) - positives.div_scalar(batch as f64);

    cosine.neg().add_scalar(1.0) + (forward + backward).mul_scalar(0.5 * config.weight)
}

/// Mean of `ln Σ exp` along `axis`.
fn log_sum_exp<B: Backend>(logits: Tensor<B, 2>, axis: usize) -> Tensor<B, 1> {
    // A constant to the gradient: it cancels.
    let most = logits.clone().detach().max_dim(axis);
    let sums = (logits - most.clone()).exp().sum_dim(axis);
    (sums.log() + most).mean()
}

/// `[i, j]`: 1 over the number of predictions of j's image where i is one of them, else 0.
fn shares_of_images<B: Backend>(image: &[usize], device: &B::Device) -> Tensor<B, 2> {
    let count = image.len();
    let of_column: Vec<f32> = image
        .iter()
        .map(|image_of_column| 1.0 / image.iter().filter(|image| *image == image_of_column).count() as f32)
        .collect();
    let mut shares = vec![0.0_f32; count * count];
    for (row, image_of_row) in image.iter().enumerate() {
        for (column, image_of_column) in image.iter().enumerate() {
            if image_of_row == image_of_column {
                shares[row * count + column] = of_column[column];
            }
        }
    }
    Tensor::from_data(TensorData::new(shares, [count, count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Diff, cpu};

    /// Written down in PyTorch 2.15 with `log_softmax`, in double precision; images 2, 0, 2 of four, τ = 0.1 and weight 1.
    #[test]
    fn value_and_gradient_of_pytorch() {
        let device = cpu();
        let predicted = Tensor::<Diff, 2>::from_floats(PREDICTED, &device).require_grad();
        let bank = Tensor::<Diff, 2>::from_floats(BANK, &device);
        let loss = cosine_and_bank_contrastive(
            predicted.clone(),
            bank,
            &[2, 0, 2],
            &BankContrastiveConfig::default(),
        );
        let value: Vec<f32> = loss.clone().into_data().to_vec().unwrap();
        assert!((value[0] - LOSS).abs() < 2e-5 * LOSS, "{value:?}");
        let gradient: Vec<f32> = predicted.grad(&loss.backward()).unwrap().into_data().to_vec().unwrap();
        for (found, expected) in gradient.iter().zip(GRADIENT.iter().flatten()) {
            assert!((found - expected).abs() < 2e-5, "{gradient:?}");
        }
    }

    const PREDICTED: [[f32; 3]; 3] = [[0.9, -0.2, 0.4], [0.1, 1.5, -0.3], [0.5, 0.5, 0.1]];
    const BANK: [[f32; 3]; 4] = [[0.6, 0.8, 0.0], [0.0, 0.6, 0.8], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]];
    const LOSS: f32 = 1.342_435_5;
    const GRADIENT: [[f32; 3]; 3] = [
        [0.181_944_8, 0.173_095_1, -0.322_828_3],
        [-0.624_418_7, 0.008_206_4, -0.167_107_6],
        [-2.618_453_4, 2.640_956_7, -0.112_516_7],
    ];
}
