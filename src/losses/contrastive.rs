//! InfoNCE between two batches of embeddings, in both directions.
//!
//! Specification: docs/spec/mapper.md §4 (loss of the mappers), docs/spec/gan-training.md §3 (`C(A, B)` of the
//! generator and discriminator).
//! `S_ij = cos(a_i, b_j)`; rows are `a` (predictions, images), columns are `b` (targets, conditions).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::regression::squared_error_and_cosine;

/// Floor of the product of two norms.
const NORM_PRODUCT_FLOOR: f32 = 1e-8;
/// Floor under the root of a squared norm: the root's slope stays finite for a vector of zeros.
const SQUARED_NORM_FLOOR: f32 = 1e-30;

/// Logits of the softmax, from cosine S and temperature τ (docs/spec/gan-training.md §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContrastiveForm {
    /// `S/τ`: the paper's InfoNCE.
    #[default]
    Scaled,
    /// `exp(S/τ)`, exponentiated once more by the softmax: what Lafite's released weights were tuned with.
    LafiteExp,
}

/// Temperature, direction and logits of InfoNCE (van den Oord et al. 2018, <https://arxiv.org/abs/1807.03748>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastiveConfig {
    /// Temperature τ; at 0 or below the similarity itself is used, without a softmax.
    pub temperature: f64,
    /// Share λ of the softmax over `b` for each row of `a`; `1 − λ` goes to the softmax over `a` for each row of
    /// `b`. Exactly 0: only the latter; outside (0, 1) otherwise: only the former.
    pub row_share: f64,
    /// Logits of the softmax: `S/τ`, or its exponential.
    pub form: ContrastiveForm,
}

impl Default for ContrastiveConfig {
    /// τ = 0.5, λ = 0.5 (docs/spec/mapper.md §4).
    fn default() -> Self {
        Self { temperature: 0.5, row_share: 0.5, form: ContrastiveForm::Scaled }
    }
}

/// `S_ij = cos(a_i, b_j)`, the product of the norms floored at 1e−8.
///
/// # Shapes
/// - a: `[rows, embed_dim]`, b: `[columns, embed_dim]`
/// - output: `[rows, columns]`
pub fn cosine_similarity_matrix<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    let norm = |x: Tensor<B, 2>| x.square().sum_dim(1).clamp_min(SQUARED_NORM_FLOOR).sqrt(); // [rows, 1]
    let norms = norm(a.clone()) * norm(b.clone()).transpose(); // [rows, columns]
    a.matmul(b.transpose()) / norms.clamp_min(NORM_PRODUCT_FLOOR)
}

/// Log-likelihood of the matching pair, per sample, without the offset `ln τ`.
///
/// # Shapes
/// - a, b: `[batch, embed_dim]`
/// - output: `[batch]`, to be maximised
pub fn pair_log_likelihood<B: Backend>(
    a: Tensor<B, 2>,
    b: Tensor<B, 2>,
    config: &ContrastiveConfig,
) -> Tensor<B, 1> {
    // `S_ij`, row a_i, column b_j; the pairs that belong together stand on the diagonal, all others of the batch are
    // the negatives. The value thus depends on the batch's size.
    let similarity = cosine_similarity_matrix(a, b);
    if config.temperature <= 0.0 {
        return diagonal(similarity);
    }
    let logits = match config.form {
        ContrastiveForm::Scaled => similarity / config.temperature,
        // At most e^(1/τ), 7.4 at τ = 0.5: logits, not yet probabilities. Kept with its oversight, because released
        // weights were tuned with it (docs/spec/open-questions.md OQ-04).
        ContrastiveForm::LafiteExp => (similarity / config.temperature).exp(),
    };
    // Axis 1: for each a_i among all b. Axis 0: for each b_i among all a. As logarithms, so that a share of 0 in
    // single precision is a number and not −∞.
    let over = |axis: usize| diagonal(log_softmax(logits.clone(), axis));
    let share = config.row_share;
    if share == 0.0 {
        over(0)
    } else if share > 0.0 && share < 1.0 {
        over(1) * share + over(0) * (1.0 - share)
    } else {
        over(1)
    }
}

/// `C(A, B)` of the GAN losses: [`pair_log_likelihood`] plus `ln τ` (none at τ ≤ 0). The loss is `−weight · mean`.
pub fn contrast<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>, config: &ContrastiveConfig) -> Tensor<B, 1> {
    let likelihood = pair_log_likelihood(a, b, config);
    // The published q carries a factor τ inside its logarithm: a constant without gradient (docs/spec/gan-training.md
    // §3).
    if config.temperature > 0.0 { likelihood.add_scalar(config.temperature.ln()) } else { likelihood }
}

/// The mappers' contrastive loss: minus the mean of [`pair_log_likelihood`], as `[1]`.
pub fn contrastive_loss<B: Backend>(
    predicted: Tensor<B, 2>,
    target: Tensor<B, 2>,
    config: &ContrastiveConfig,
) -> Tensor<B, 1> {
    pair_log_likelihood(predicted, target, config).mean().neg()
}

/// `(1 − contrastive_weight) · squared_error_and_cosine + contrastive_weight · contrastive_loss`, as `[1]`.
pub fn squared_error_cosine_and_contrastive<B: Backend>(
    predicted: Tensor<B, 2>,
    target: Tensor<B, 2>,
    cosine_weight: f64,
    contrastive_weight: f64,
    config: &ContrastiveConfig,
) -> Tensor<B, 1> {
    let regression = squared_error_and_cosine(predicted.clone(), target.clone(), cosine_weight);
    regression * (1.0 - contrastive_weight) + contrastive_loss(predicted, target, config) * contrastive_weight
}

/// The diagonal of a square matrix, `[n, n]` → `[n]`.
fn diagonal<B: Backend>(matrix: Tensor<B, 2>) -> Tensor<B, 1> {
    let [rows, columns] = matrix.dims();
    let identity = Tensor::<B, 2>::eye(rows.max(columns), &matrix.device()).slice([0..rows, 0..columns]);
    (matrix * identity).sum_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};

    fn values(tensor: Tensor<Base, 1>) -> Vec<f32> {
        tensor.into_data().to_vec().unwrap()
    }

    fn config(row_share: f64, form: ContrastiveForm) -> ContrastiveConfig {
        ContrastiveConfig { row_share, form, ..ContrastiveConfig::default() }
    }

    fn assert_all(actual: &[f32], expected: &[f32]) {
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 2e-6, "{actual:?} is not {expected:?}");
        }
    }

    #[test]
    fn check_values_of_the_mapper_loss() {
        let device = cpu();
        let predicted = Tensor::<Base, 2>::from_data([[1.0, 0.0], [0.0, 2.0]], &device);
        let target = Tensor::<Base, 2>::from_data([[0.6, 0.8], [0.0, 1.0]], &device);
        let config = ContrastiveConfig::default();
        let contrastive = contrastive_loss(predicted.clone(), target.clone(), &config);
        assert_all(&values(contrastive), &[0.454_060]);
        let full = squared_error_cosine_and_contrastive(predicted, target, 0.6, 0.5, &config);
        assert_all(&values(full), &[0.377_030]);
    }

    #[test]
    fn check_values_of_the_gan_form_for_every_share() {
        let device = cpu();
        let a = Tensor::<Base, 2>::eye(2, &device);
        let b = Tensor::<Base, 2>::from_data([[1.0, 0.0], [1.0, 1.0]], &device);
        let of = |share, form| values(contrast(a.clone(), b.clone(), &config(share, form)));
        assert_all(&of(0.0, ContrastiveForm::Scaled), &[-0.820_075, -1.386_294]);
        assert_all(&of(0.5, ContrastiveForm::Scaled), &[-0.977_885, -1.148_532]);
        assert_all(&of(1.0, ContrastiveForm::Scaled), &[-1.135_695, -0.910_769]);
        assert_all(&of(7.0, ContrastiveForm::Scaled), &[-1.135_695, -0.910_769]);
        assert_all(&of(0.0, ContrastiveForm::LafiteExp), &[-0.694_826, -1.386_294]);
        assert_all(&of(0.5, ContrastiveForm::LafiteExp), &[-0.712_531, -1.061_469]);
        assert_all(&of(1.0, ContrastiveForm::LafiteExp), &[-0.730_237, -0.736_644]);
    }

    #[test]
    fn without_temperature_it_is_the_cosine_and_zeros_keep_finite_gradients() {
        let device = cpu();
        let a = Tensor::<Diff, 2>::from_data([[0.0, 0.0], [3.0, 4.0]], &device).require_grad();
        let b = Tensor::<Diff, 2>::from_data([[1.0, 0.0], [1.0, 0.0]], &device);
        for temperature in [0.0, 0.5] {
            let config = ContrastiveConfig { temperature, ..ContrastiveConfig::default() };
            let value = contrast(a.clone(), b.clone(), &config);
            if temperature == 0.0 {
                assert_all(&value.clone().into_data().to_vec::<f32>().unwrap(), &[0.0, 0.6]);
            }
            let slopes = a.grad(&value.sum().backward()).unwrap().into_data().to_vec::<f32>().unwrap();
            assert!(slopes.iter().all(|slope| slope.is_finite()), "{slopes:?}");
        }
    }
}
