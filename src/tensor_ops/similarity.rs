//! Unit norm, second-moment normalisation, cosine matrices.

use burn::tensor::{Tensor, backend::Backend};

/// Keeps the norm of a zero row, and its gradient, finite; far below the square of any real row.
const NORM_EPSILON: f64 = 1e-16;

/// Every row divided by its Euclidean norm; a zero row stays zero.
///
/// # Shapes
/// - x, output: `[batch, features]`
pub fn unit_norm<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    // The epsilon stands inside the root: the root's own slope at 0 is infinite.
    let squared = (x.clone() * x.clone()).sum_dim(1); // [B, 1]
    x / squared.add_scalar(NORM_EPSILON).sqrt()
}

/// Every row divided by its root mean square (docs/spec/generator.md §1.6); a zero row stays zero.
///
/// # Shapes
/// - x, output: `[batch, features]`
pub fn second_moment_norm<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let squared = (x.clone() * x.clone()).mean_dim(1);
    x / squared.add_scalar(1e-8).sqrt()
}

/// Cosine of every row of `a` with every row of `b`.
///
/// # Shapes
/// - a: `[n, features]`, b: `[m, features]`, output: `[n, m]`, range −1..1
pub fn cosine_matrix<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    unit_norm(a).matmul(unit_norm(b).transpose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};

    #[test]
    fn second_moment_of_the_reference() {
        let x = Tensor::<Base, 2>::from_floats([[3.0, 4.0], [0.0, 0.0]], &cpu());
        let y: Vec<f32> = second_moment_norm(x).into_data().to_vec().unwrap();
        assert!((y[0] - 0.848528).abs() < 1e-6 && (y[1] - 1.131371).abs() < 1e-6);
        assert_eq!(y[2..], [0.0, 0.0]);
    }

    #[test]
    fn zero_rows_have_finite_gradients() {
        let x = Tensor::<Diff, 2>::zeros([1, 3], &cpu()).require_grad();
        let gradients = unit_norm(x.clone()).sum().backward();
        let gradient: Vec<f32> = x.grad(&gradients).unwrap().into_data().to_vec().unwrap();
        assert!(gradient.iter().all(|g| g.is_finite()));
    }

    #[test]
    fn cosines_lie_between_orthogonal_and_equal() {
        let a = Tensor::<Base, 2>::from_floats([[2.0, 0.0], [0.0, 3.0]], &cpu());
        let b = Tensor::<Base, 2>::from_floats([[1.0, 0.0], [1.0, 1.0]], &cpu());
        let s: Vec<f32> = cosine_matrix(a, b).into_data().to_vec().unwrap();
        let half = std::f32::consts::FRAC_1_SQRT_2;
        for (actual, expected) in s.iter().zip([1.0, half, 0.0, half]) {
            assert!((actual - expected).abs() < 1e-6);
        }
    }
}
