//! One vector with a random half of its positions taken from another (docs/spec/gan-training.md §1.1, "mix").

use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::Rng;
use rand::seq::index;

use super::similarity::unit_norm;

/// Which positions are taken from the other vector: 1 in a random half of every row, else 0.
///
/// # Shapes
/// - output: `[rows, width]`
pub fn half_mask<B: Backend>(
    rows: usize,
    width: usize,
    rng: &mut impl Rng,
    device: &B::Device,
) -> Tensor<B, 2> {
    let mut mask = vec![0.0_f32; rows * width];
    for row in mask.chunks_mut(width.max(1)) {
        // Exactly half of the positions of each row, not each with probability ½.
        index::sample(rng, width, width / 2).iter().for_each(|place| row[place] = 1.0);
    }
    Tensor::from_data(TensorData::new(mask, [rows, width]), device)
}

/// `vector`, the masked positions from `other`, at unit norm.
///
/// # Shapes
/// - vector, other, mask, output: `[rows, width]`
pub fn mix_halves<B: Backend>(vector: Tensor<B, 2>, other: Tensor<B, 2>, mask: Tensor<B, 2>) -> Tensor<B, 2> {
    let kept = mask.clone().neg().add_scalar(1.0);
    unit_norm(vector * kept + other * mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::keyed_rng;

    #[test]
    fn half_of_every_row_comes_from_the_other() {
        let mask = half_mask::<Base>(20, 9, &mut keyed_rng(1, "mask", 0), &cpu());
        let sums: Vec<f32> = mask.clone().sum_dim(1).into_data().to_vec().unwrap();
        assert_eq!(sums, [4.0; 20]);
        let columns: Vec<f32> = mask.clone().sum_dim(0).into_data().to_vec().unwrap();
        assert!(columns.iter().all(|count| (2.0..=16.0).contains(count)), "{columns:?}");
        let ones = Tensor::<Base, 2>::ones([20, 9], &cpu());
        let mixed = mix_halves(ones.clone(), ones.mul_scalar(-2.0), mask.clone());
        let negative: Vec<f32> = mixed.clone().lower_elem(0.0).float().into_data().to_vec().unwrap();
        assert_eq!(negative, mask.into_data().to_vec::<f32>().unwrap());
        let norms: Vec<f32> = (mixed.clone() * mixed).sum_dim(1).into_data().to_vec().unwrap();
        assert!(norms.iter().all(|norm| (norm - 1.0).abs() < 1e-5));
    }
}
