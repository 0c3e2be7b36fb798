//! The backend types that programs above the models are written for.
//!
//! `Dispatch` picks CPU (Flex) or CUDA at run time, so one monomorphisation serves both.

use burn::backend::Autodiff;

/// Plain tensors: inference.
pub type Base = burn::Dispatch;
/// Tensors with gradients: training.
pub type Diff = Autodiff<Base>;
/// Tensors with gradients of gradients: R1 and path length.
pub type Diff2 = Autodiff<Diff>;
/// The device of all three.
pub type Device = burn::DispatchDevice;

/// The CPU. `Device::default()` is never used: with CUDA compiled in it panics where no driver is installed.
pub fn cpu() -> Device {
    Device::Flex(Default::default())
}
