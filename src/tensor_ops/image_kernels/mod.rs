//! The image networks' layers by the kernels of [`crate::kernels`], with gradients of any order.
//!
//! Every operation is bilinear ([`trilinear_form`]) or linear ([`linear`]) but for the activation, whose derivative is linear again.
//! Derivatives therefore stay within these few operations: each is defined once on host memory ([`levels`]), and the
//! rule that differentiates it ([`tracked`]) is the same at every level of autodiff. [`layers`] is the way in from generic code.

#[cfg(test)]
mod comparison;
pub mod layers;
pub mod levels;
pub mod linear;
pub mod modulated;
pub mod tracked;
pub mod trilinear_form;
