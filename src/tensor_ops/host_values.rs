//! From tensors to host memory and back, without a copy where the tensor is the only owner.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use ndarray::Array2;

/// The values, row-major.
pub fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    match tensor.into_data().convert::<f32>().into_vec() {
        Ok(values) => values,
        // Only another element type could fail, and `convert` left none.
        Err(error) => unreachable!("single precision was asked for and not given: {error:?}"),
    }
}

/// The value of a tensor that holds one.
///
/// # Panics
/// For any other number of values: a mistake in the caller's shapes, which no default may hide.
pub fn scalar<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> f32 {
    match values(tensor)[..] {
        [value] => value,
        ref values => unreachable!("one value was expected and {} came", values.len()),
    }
}

/// The rows of a matrix.
pub fn rows<B: Backend>(matrix: Tensor<B, 2>) -> Array2<f32> {
    let [rows, columns] = matrix.dims();
    match Array2::from_shape_vec((rows, columns), values(matrix)) {
        Ok(rows) => rows,
        Err(error) => unreachable!("a tensor has as many values as its shape says: {error}"),
    }
}

/// The tensor of these values.
pub fn tensor<B: Backend, const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
