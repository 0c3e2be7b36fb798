//! Where the kernels of [`crate::kernels`] take over from Burn's operators: single precision on the CPU.
//!
//! Every layer that has kernels keeps its portable formulation beside them and asks here.

use std::any::TypeId;

use burn::tensor::{DType, Tensor, backend::Backend};

use super::backend::{Base, Diff, Diff2};

/// Whether kernels that record no gradient may take over: single precision on the CPU, and no gradient is recorded.
pub fn kernels_apply<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> bool {
    is_single_on_cpu(tensor) && !B::ad_enabled(&tensor.device())
}

/// Whether kernels that record gradients may take over: single precision on the CPU at a level of autodiff that they know.
///
/// Networks are generic over any backend, these kernels exist for three. Which of them a backend is, its type says at run
/// time; a bound on every network instead would reach through the whole program.
pub fn tracked_kernels_apply<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> bool {
    let level = TypeId::of::<B>();
    let is_plain = level == TypeId::of::<Base>() && !B::ad_enabled(&tensor.device());
    let is_known = is_plain || level == TypeId::of::<Diff>() || level == TypeId::of::<Diff2>();
    is_known && is_single_on_cpu(tensor)
}

/// Whether a tensor is in single precision on the CPU.
pub fn is_single_on_cpu<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> bool {
    tensor.dtype() == DType::F32 && B::name(&tensor.device()).contains("flex")
}
