//! From tensors to host memory and back, without a copy where the tensor is the only owner.

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};

/// Whether the kernels of this folder may take over: single precision on the CPU, and no gradient is recorded.
pub fn kernels_apply<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> bool {
    is_single_on_cpu(tensor) && !B::ad_enabled(&tensor.device())
}

/// Whether a tensor is in single precision on the CPU.
pub fn is_single_on_cpu<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> bool {
    tensor.dtype() == DType::F32 && B::name(&tensor.device()).contains("flex")
}

/// The values, row-major.
pub fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    // Only another element type could fail, and those are converted.
    tensor.into_data().convert::<f32>().into_vec().unwrap_or_default()
}

/// The tensor of these values.
pub fn tensor<B: Backend, const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
