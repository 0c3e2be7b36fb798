//! One level of autodiff on top of any other: the rules that differentiate the operations into themselves.

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::ops::FloatTensor;

use super::levels::{Bend, ImageKernels};
use super::linear::Linear;
use super::trilinear_form::{Argument, ConvForm, Form};
use crate::kernels::sides::Sides;

impl<B: ImageKernels> ImageKernels for Autodiff<B> {
    fn apply_form(
        form: Form,
        open: Argument,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        // `B` may itself record gradients. Then this call, and those of the rules below, are recorded by it like any
        // others: differentiating the backward pass once more needs no further rules, and is as exact as the forward
        // pass.
        let kept = kept::<B>(&a, &b);
        let result = B::apply_form(form, open, a.primitive, b.primitive);
        let prepared =
            Backward::<B, 2>::prepare::<NoCheckpointing>(BilinearRule { form, open }, [a.node, b.node]);
        // Compute-bound in Burn's words: the output is kept, never made anew in the backward pass.
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(kept, result),
            OpsKind::UnTracked(prepared) => prepared.finish(result),
        }
    }

    fn apply_linear(map: Linear, x: FloatTensor<Self>) -> FloatTensor<Self> {
        let result = B::apply_linear(map.clone(), x.primitive);
        let prepared = Backward::<B, 1>::prepare::<NoCheckpointing>(LinearRule, [x.node]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(map, result),
            OpsKind::UnTracked(prepared) => prepared.finish(result),
        }
    }

    fn conv_layer(
        form: ConvForm,
        bend: Bend,
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, Arc<Sides>) {
        let kept = kept::<B>(&x, &w);
        let (y, sides) = B::conv_layer(form, bend, x.primitive, w.primitive, bias.primitive);
        let nodes = [x.node, w.node, bias.node];
        let prepared = Backward::<B, 3>::prepare::<NoCheckpointing>(ConvLayerRule { form }, nodes);
        let y = match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((kept, sides.clone()), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        };
        (y, sides)
    }

    fn finish(
        shape: [usize; 4],
        bend: Bend,
        maps: Option<Arc<Vec<f32>>>,
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        strength: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, Arc<Sides>) {
        let (y, sides) =
            B::finish(shape, bend, maps.clone(), x.primitive, bias.primitive, strength.primitive);
        let nodes = [x.node, bias.node, strength.node];
        let prepared = Backward::<B, 3>::prepare::<NoCheckpointing>(FinishRule { shape }, nodes);
        let y = match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((sides.clone(), maps), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        };
        (y, sides)
    }
}

/// The two arguments, as far as a backward pass will need them: each serves the other's gradient.
fn kept<B: ImageKernels>(
    a: &FloatTensor<Autodiff<B>>,
    b: &FloatTensor<Autodiff<B>>,
) -> [Option<FloatTensor<B>>; 2] {
    [b.is_tracked().then(|| a.primitive.clone()), a.is_tracked().then(|| b.primitive.clone())]
}

#[derive(Debug)]
struct BilinearRule {
    form: Form,
    open: Argument,
}

impl<B: ImageKernels> Backward<B, 2> for BilinearRule {
    type State = [Option<FloatTensor<B>>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<B>(&ops.node);
        let slopes = B::form_slopes(self.form, self.open, ops.state, slope);
        for (node, slope) in ops.parents.into_iter().zip(slopes) {
            if let Some((node, slope)) = node.zip(slope) {
                gradients.register::<B>(node.id, slope);
            }
        }
    }
}

#[derive(Debug)]
struct LinearRule;

impl<B: ImageKernels> Backward<B, 1> for LinearRule {
    type State = Linear;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<B>(node.id, B::apply_linear(ops.state.adjoint(), slope));
        }
    }
}

#[derive(Debug)]
struct ConvLayerRule {
    form: ConvForm,
}

impl<B: ImageKernels> Backward<B, 3> for ConvLayerRule {
    type State = ([Option<FloatTensor<B>>; 2], Arc<Sides>);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (kept, sides) = ops.state;
        let [node_x, node_w, node_bias] = ops.parents;
        let slope = gradients.consume::<B>(&ops.node);
        // The sides are data, not a tensor: the derivative of the activation is treated as constant, which it is but
        // for single points.
        let (slope, sums) = B::through_bend(self.form.output_dims(), sides, slope, node_bias.is_some());
        if let Some((node, sums)) = node_bias.zip(sums) {
            gradients.register::<B>(node.id, sums);
        }
        let slopes = B::form_slopes(Form::Conv(self.form), Argument::Y, kept, slope);
        for (node, slope) in [node_x, node_w].into_iter().zip(slopes) {
            if let Some((node, slope)) = node.zip(slope) {
                gradients.register::<B>(node.id, slope);
            }
        }
    }
}

#[derive(Debug)]
struct FinishRule {
    shape: [usize; 4],
}

impl<B: ImageKernels> Backward<B, 3> for FinishRule {
    type State = (Arc<Sides>, Option<Arc<Vec<f32>>>);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let shape = self.shape;
        let (sides, maps) = ops.state;
        let [node_x, node_bias, node_strength] = ops.parents;
        let slope = gradients.consume::<B>(&ops.node);
        let (slope, sums) = B::through_bend(shape, sides, slope, node_bias.is_some());
        if let Some((node, sums)) = node_bias.zip(sums) {
            gradients.register::<B>(node.id, sums);
        }
        if let Some((node, maps)) = node_strength.zip(maps) {
            gradients.register::<B>(node.id, B::apply_linear(Linear::NoiseSum(maps, shape), slope.clone()));
        }
        if let Some(node) = node_x {
            gradients.register::<B>(node.id, slope);
        }
    }
}
