//! How CLIP embeddings enter the styles (docs/spec/generator.md §5): no head, one, or two joined by an element-wise
//! maximum.
//!
//! Every modulated layer owns its heads: condition → hidden → code; the code stands before w in the style's input.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Tensor, backend::Backend};

use super::config::GeneratorConfig;
use super::equalized::{EqualizedLinear, LinearOptions};
use super::weight_init::WeightInit;
use crate::tensor_ops::activation::LEAKY_RELU;

/// Condition vectors of a batch, one tensor per head.
#[derive(Clone, Debug)]
pub struct Condition<B: Backend> {
    /// `[batch, condition_dim]` each, image embedding first; unit norm is the caller's duty.
    pub heads: Vec<Tensor<B, 2>>,
}

impl<B: Backend> Condition<B> {
    /// For a network without heads.
    pub fn none() -> Self {
        Self { heads: vec![] }
    }

    /// One head: `[batch, condition_dim]`.
    pub fn one(embedding: Tensor<B, 2>) -> Self {
        Self { heads: vec![embedding] }
    }

    /// Image embedding and caption embedding, `[batch, condition_dim]` each.
    pub fn two(image: Tensor<B, 2>, caption: Tensor<B, 2>) -> Self {
        Self { heads: vec![image, caption] }
    }

    /// The same with every head mapped.
    pub fn map<C: Backend>(self, map: impl Fn(Tensor<B, 2>) -> Tensor<C, 2>) -> Condition<C> {
        Condition { heads: self.heads.into_iter().map(map).collect() }
    }
}

/// Condition to code, for one head of one layer.
#[derive(Module, Debug)]
pub struct ConditionHead<B: Backend> {
    hidden: EqualizedLinear<B>,
    code: EqualizedLinear<B>,
}

impl<B: Backend> ConditionHead<B> {
    fn init(config: &GeneratorConfig, condition_dim: usize, init: &WeightInit<B>) -> Self {
        // `⌊(f + 512)/2⌋`, and μ = 0.01 as in the mapping network (docs/spec/generator.md §5).
        let hidden_dim = (condition_dim + config.code_dim) / 2;
        let options = LinearOptions { activation: LEAKY_RELU, lr_multiplier: 0.01, bias: 0.0 };
        Self {
            hidden: EqualizedLinear::init(condition_dim, hidden_dim, options, &init.child("hidden")),
            code: EqualizedLinear::init(hidden_dim, config.code_dim, options, &init.child("code")),
        }
    }

    fn forward(&self, condition: Tensor<B, 2>) -> Tensor<B, 2> {
        self.code.forward(self.hidden.forward(condition))
    }
}

/// Condition and w to the styles of one layer.
#[derive(Module, Debug)]
pub struct StyleCode<B: Backend> {
    heads: Vec<ConditionHead<B>>,
    affine: EqualizedLinear<B>,
}

impl<B: Backend> StyleCode<B> {
    pub(super) fn init(config: &GeneratorConfig, channels: usize, init: &WeightInit<B>) -> Self {
        let heads: Vec<_> = config
            .condition_dims()
            .into_iter()
            .enumerate()
            .map(|(index, dim)| ConditionHead::init(config, dim, &init.child(&format!("heads.{index}"))))
            .collect();
        let code_dim = if heads.is_empty() { 0 } else { config.code_dim };
        // Styles are factors: a bias of 1 lets every channel pass at the start.
        let options = LinearOptions { bias: 1.0, ..LinearOptions::default() };
        let affine = EqualizedLinear::init(code_dim + config.w_dim, channels, options, &init.child("affine"));
        Self { heads, affine }
    }

    /// Styles of a layer.
    ///
    /// # Shapes
    /// - w: `[batch, w_dim]`
    /// - output: `[batch, channels]`
    ///
    /// # Panics
    /// When the number of conditions is not the number of heads.
    pub fn forward(&self, w: Tensor<B, 2>, condition: &Condition<B>) -> Tensor<B, 2> {
        assert_eq!(condition.heads.len(), self.heads.len(), "one condition vector per head");
        let code = self
            .heads
            .iter()
            .zip(&condition.heads)
            .map(|(head, condition)| head.forward(condition.clone()))
            .reduce(maximum);
        match code {
            // The order of the two halves is that of stored weights.
            Some(code) => self.affine.forward(Tensor::cat(vec![code, w], 1)),
            None => self.affine.forward(w),
        }
    }

    /// The same with a second head that starts as a copy of the first (docs/spec/gan-training.md §9).
    pub(super) fn with_duplicated_head(mut self) -> Self {
        if let [head] = self.heads.as_slice() {
            // With equal heads and equal conditions the maximum is either code: the network computes what it did
            // before.
            let copy = head.clone().map(&mut NewIds);
            self.heads.push(copy);
        }
        self
    }
}

/// Element-wise maximum whose gradient is shared equally at ties, which duplicated heads produce everywhere.
fn maximum<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    // Written with constant shares: a maximum by selection gives a tie's whole gradient to one side, so that of two equal heads
    // only one would move.
    let a_is_larger = a.clone().greater(b.clone()).float().cast(a.dtype());
    let is_tie = a.clone().equal(b.clone()).float().cast(a.dtype());
    let share = a_is_larger + is_tie.mul_scalar(0.5);
    a * share.clone() + b * (share.neg().add_scalar(1.0))
}

/// Gives copies their own identity: optimisers keep their moments by parameter id.
pub(super) struct NewIds;

impl<B: Backend> ModuleMapper<B> for NewIds {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (_, tensor, mapper) = param.consume();
        let is_trained = tensor.is_require_grad();
        let tensor = tensor.detach().set_require_grad(is_trained);
        Param::from_mapped_value(ParamId::new(), tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Diff, cpu};

    #[test]
    fn ties_share_the_gradient() {
        let device = cpu();
        let a = Tensor::<Diff, 2>::from_floats([[1.0, 2.0, 5.0]], &device).require_grad();
        let b = Tensor::<Diff, 2>::from_floats([[1.0, 3.0, 4.0]], &device).require_grad();
        let joined = maximum(a.clone(), b.clone());
        let values: Vec<f32> = joined.clone().into_data().to_vec().unwrap();
        assert_eq!(values, [1.0, 3.0, 5.0]);
        let gradients = joined.sum().backward();
        let of_a: Vec<f32> = a.grad(&gradients).unwrap().into_data().to_vec().unwrap();
        let of_b: Vec<f32> = b.grad(&gradients).unwrap().into_data().to_vec().unwrap();
        assert_eq!(of_a, [0.5, 0.0, 1.0]);
        assert_eq!(of_b, [0.5, 1.0, 0.0]);
    }
}
