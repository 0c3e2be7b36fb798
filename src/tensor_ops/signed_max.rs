//! The value of larger magnitude, with its sign (docs/spec/generator.md §5, "structure 5").

use burn::tensor::{Tensor, backend::Backend};

/// Element-wise: whichever of `a` and `b` is larger in magnitude; opposite signs of equal magnitude give the negative one.
///
/// # Shapes
/// - a, b, output: the same
pub fn signed_max<B: Backend, const D: usize>(a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
    let b_is_larger = b.clone().abs().greater(a.clone().abs());
    // A tie of equal signs leaves `a`, which is `b`; only opposite signs need the rule.
    let is_tie = b.clone().abs().equal(a.clone().abs());
    let negative_of_tie = a.clone().abs().neg();
    let opposite = is_tie.bool_and(b.clone().not_equal(a.clone()));
    a.mask_where(b_is_larger, b).mask_where(opposite, negative_of_tie)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn worked_example_of_the_reference() {
        let x = Tensor::<Base, 1>::from_floats([2.0, -3.0, 1.0, -1.0, 2.0, 0.0], &cpu());
        let y = Tensor::from_floats([-1.0, 2.0, 1.0, -1.0, -2.0, 0.0], &cpu());
        let joined: Vec<f32> = signed_max(x, y).into_data().to_vec().unwrap();
        assert_eq!(joined, [2.0, -3.0, 1.0, -1.0, -2.0, 0.0]);
    }
}
