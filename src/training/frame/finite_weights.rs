//! Are all weights of a network numbers?

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{ElementConversion, Tensor, backend::Backend};

/// Whether every float parameter is finite.
pub fn all_finite<B: Backend, M: Module<B>>(network: &M) -> bool {
    let mut finite = Finite(true);
    network.visit(&mut finite);
    finite.0
}

struct Finite(bool);

impl<B: Backend> ModuleVisitor<B> for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        // The sum of absolute values is finite only if every one of them is.
        self.0 = self.0 && param.val().detach().abs().sum().into_scalar().elem::<f32>().is_finite();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use burn::nn::{Linear, LinearConfig};

    #[test]
    fn one_value_that_is_no_number_is_found() {
        let layer: Linear<Base> = LinearConfig::new(2, 2).init(&cpu());
        assert!(all_finite(&layer));
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut broken = layer.clone();
            broken.weight = broken
                .weight
                .map(|weight| weight.slice_assign([1..2, 0..1], Tensor::from_floats([[value]], &cpu())));
            assert!(!all_finite(&broken), "{value}");
        }
    }
}
