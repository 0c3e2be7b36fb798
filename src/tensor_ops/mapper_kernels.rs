//! The mapper by kernels, as one operation of the autodiff graph: parameters in, embeddings out.
//!
//! Only first-order gradients exist, and none for the betas: where either is asked for, the caller keeps to the portable
//! formulation.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Tensor, TensorPrimitive, backend::Backend};

use super::backend::{Base, Diff};
use super::host_values::{tensor, values};
use super::kernel_choice::{is_single_on_cpu, kernels_apply};
use super::same_type::same_type;
use crate::kernels::mapper::network_pass::{MapperKernels, SampleState};

pub use crate::kernels::mapper::network_pass::KernelShape;

/// Embeddings by the kernels, or nothing where they do not apply.
///
/// # Shapes
/// - parameters: one vector, as [`KernelShape::parameter_lens`] says; made only if the kernels apply
/// - betas: `[batch, signal_len]`, output: `[batch, embed_dim]`
pub fn forward_by_kernels<B: Backend>(
    shape: KernelShape,
    parameters: impl FnOnce() -> Tensor<B, 1>,
    betas: &Tensor<B, 2>,
) -> Option<Tensor<B, 2>> {
    let (batch, device) = (betas.dims()[0], betas.device());
    if kernels_apply(betas) {
        // Laid out anew for every batch, because weights change with every step; 1.2 million values are little beside
        // a pass.
        let kernels = MapperKernels::new(shape, &values(parameters()));
        let (embeddings, _) = kernels.forward(&values(betas.clone()), false);
        return Some(tensor(embeddings, [batch, shape.embed_dim], &device));
    }
    let betas: Tensor<Diff, 2> = same_type(betas.clone())?;
    let betas = is_single_on_cpu(&betas).then(|| betas.into_primitive().tensor())?;
    // The kernels know no gradient in the betas; the portable formulation does.
    if betas.is_tracked() {
        return None;
    }
    let parameters: Tensor<Diff, 1> = same_type(parameters())?;
    let betas: Tensor<Base, 2> = Tensor::from_primitive(TensorPrimitive::Float(betas.primitive));
    same_type(tracked_forward(shape, parameters, betas))
}

fn tracked_forward(
    shape: KernelShape,
    parameters: Tensor<Diff, 1>,
    betas: Tensor<Base, 2>,
) -> Tensor<Diff, 2> {
    let (batch, device) = (betas.dims()[0], betas.device());
    let parameters = parameters.into_primitive().tensor();
    // Inner activations are kept only for a backward pass that will come.
    let keep = parameters.is_tracked();
    let flat: Tensor<Base, 1> = Tensor::from_primitive(TensorPrimitive::Float(parameters.primitive));
    let kernels = MapperKernels::new(shape, &values(flat));
    let (embeddings, samples) = kernels.forward(&values(betas), keep);
    let embeddings: Tensor<Base, 2> = tensor(embeddings, [batch, shape.embed_dim], &device);
    let embeddings = embeddings.into_primitive().tensor();
    let prepared = Backward::<Base, 1>::prepare::<NoCheckpointing>(KernelGradient, [parameters.node]);
    let embeddings = match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(Arc::new(Passed { kernels, samples }), embeddings),
        OpsKind::UnTracked(prepared) => prepared.finish(embeddings),
    };
    Tensor::from_primitive(TensorPrimitive::Float(embeddings))
}

/// What the forward pass leaves.
#[derive(Debug)]
struct Passed {
    kernels: MapperKernels,
    samples: Vec<SampleState>,
}

#[derive(Debug)]
struct KernelGradient;

impl Backward<Base, 1> for KernelGradient {
    type State = Arc<Passed>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Base>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        let gradient: Tensor<Base, 2> = Tensor::from_primitive(TensorPrimitive::Float(gradient));
        let device = gradient.device();
        let flat = ops.state.kernels.backward(&ops.state.samples, &values(gradient));
        let len = flat.len();
        let flat: Tensor<Base, 1> = tensor(flat, [len], &device);
        gradients.register::<Base>(parent.id, flat.into_primitive().tensor());
    }
}
