//! A whole modulated layer as one operation of the first level of autodiff: nothing is kept but what goes in and comes out.
//!
//! Second-order gradients exist for the parts alone, see [`super::layers`].

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::ops::FloatTensor;
use rayon::prelude::*;

use super::levels::{Bend, scalar, tensor, values};
use super::trilinear_form::{Argument, ConvForm, Form};
use crate::kernels::convolution::modulation::{Finish, NoiseValues};
use crate::kernels::planes::{dot_planes, over_batch, scaled_planes};
use crate::kernels::simd::vectorised;
use crate::tensor_ops::backend::{Base, Diff};

/// Sizes and constants of a layer.
#[derive(Clone, Debug)]
pub struct ModulatedForm {
    /// Convolution, with the sizes of its images.
    pub conv: ConvForm,
    /// Activation behind noise and bias, with gain and clamp.
    pub bend: Bend,
    /// Noise `[1 or batch, height', width']`, which gets no gradient.
    pub maps: Option<Arc<Vec<f32>>>,
}

/// `bend(conv(x · styles, w) · demodulation + strength · maps + bias)`.
///
/// # Shapes
/// - inputs: x `[batch, in, height, width]`, w `[out, in, 3, 3]`, styles `[batch, in]`, demodulation `[batch, out]`, bias `[out]`,
///   strength `[1]`
/// - output: `[batch, out, height', width']`
pub fn modulated_layer(form: &ModulatedForm, inputs: [FloatTensor<Diff>; 6]) -> FloatTensor<Diff> {
    let nodes = inputs.each_ref().map(|input| input.node.clone());
    let [x, w, styles, demodulation, bias, strength] = inputs.map(|input| input.primitive);
    let [styles, demodulation, bias] = [styles, demodulation, bias].map(values);
    let strength = scalar(strength);
    let finish = Finish {
        scale: &demodulation,
        bias: &bias,
        noise: form.maps.as_ref().map(|maps| NoiseValues { maps, strength }),
        slopes: form.bend.slopes,
        clamp: form.bend.clamp,
    };
    let y = form.conv.modulated(&values(x.clone()), &values(w.clone()), &styles, finish);
    let y = tensor(y, form.conv.output_dims().to_vec());
    let prepared = Backward::<Base, 6>::prepare::<NoCheckpointing>(ModulatedRule, nodes);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (form, result) = (form.clone(), y.clone());
            prepared.finish(Passed { form, x, w, styles, demodulation, bias, strength, y }, result)
        }
        // Nothing is kept where no input needs a gradient.
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

/// What the forward pass leaves; images and kernels are shared with the network.
#[derive(Clone, Debug)]
struct Passed {
    form: ModulatedForm,
    x: FloatTensor<Base>,
    w: FloatTensor<Base>,
    styles: Vec<f32>,
    demodulation: Vec<f32>,
    bias: Vec<f32>,
    strength: f32,
    y: FloatTensor<Base>,
}

/// Sums over one plane of slopes before the activation.
#[derive(Clone, Copy, Debug, Default)]
struct PlaneSums {
    slope: f32,
    times_noise: f32,
    /// Times what went into the activation.
    times_input: f32,
}

/// Turns slopes at the output into slopes at the convolution's sums, and takes what the other inputs need on the way.
fn through_finish(
    form: &ModulatedForm,
    demodulation: &[f32],
    y: &[f32],
    slope: &mut [f32],
) -> Vec<PlaneSums> {
    let [_, channels, height, width] = form.conv.output_dims();
    let pixels = height * width;
    let planes = slope.par_chunks_exact_mut(pixels).zip(y.par_chunks_exact(pixels)).zip(demodulation);
    let sums = planes.enumerate().map(|(plane, ((slope, y), demodulation))| {
        let map = form.maps.as_ref().map(|maps| {
            let sample = if maps.len() > pixels { plane / channels } else { 0 };
            &maps[sample * pixels..][..pixels]
        });
        through_plane(slope, y, map, *demodulation, form.bend)
    });
    sums.collect()
}

fn through_plane(
    slope: &mut [f32],
    y: &[f32],
    map: Option<&[f32]>,
    demodulation: f32,
    bend: Bend,
) -> PlaneSums {
    const LANES: usize = 16;
    let Bend { slopes: [negative, other], clamp } = bend;
    // What went into the activation is not kept: where the clamp does not bite it is the result divided by the slope,
    // and where it bites the gradient is 0.
    let inverse = [1.0 / negative, 1.0 / other];
    vectorised(|| {
        // Three sums of a plane in one pass over memory, each in 16 parts: enough for the widest vectors, and the
        // same order on every processor.
        let mut sums = [[0.0; LANES]; 3];
        let mut start = 0;
        for (slope, y) in slope.chunks_mut(LANES).zip(y.chunks(LANES)) {
            let map = map.map(|map| &map[start..][..y.len()]);
            start += y.len();
            for (i, (slope, y)) in slope.iter_mut().zip(y).enumerate() {
                let is_negative = *y < 0.0;
                let factor = if is_negative { negative } else { other };
                let before = *slope * if y.abs() >= clamp { 0.0 } else { factor };
                sums[0][i] += before;
                sums[1][i] += before * map.map_or(0.0, |map| map[i]);
                sums[2][i] += before * y * if is_negative { inverse[0] } else { inverse[1] };
                *slope = before * demodulation;
            }
        }
        let [slope, times_noise, times_input] = sums.map(|sums| sums.iter().sum());
        PlaneSums { slope, times_noise, times_input }
    })
}

#[derive(Debug)]
struct ModulatedRule;

impl Backward<Base, 6> for ModulatedRule {
    type State = Passed;

    fn backward(self, ops: Ops<Self::State, 6>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let Passed { form, x, w, styles, demodulation, bias, strength, y } = ops.state;
        let conv = form.conv;
        let [batch, channels_out, ..] = conv.output_dims();
        // `x' = x · style` goes into the convolution. The chain from behind: finish, convolution transposed, style.
        let mut slope = values(gradients.consume::<Base>(&ops.node));
        let sums = through_finish(&form, &demodulation, &values(y), &mut slope);
        let [node_x, node_w, node_styles, node_demodulation, node_bias, node_strength] = ops.parents;
        if let Some(node) = node_bias {
            let slopes: Vec<f32> = sums.iter().map(|sums| sums.slope).collect();
            let slopes = over_batch(&slopes, [batch, channels_out]);
            gradients.register::<Base>(node.id, tensor(slopes, vec![channels_out]));
        }
        if let Some(node) = node_strength {
            let sum: f64 = sums.iter().map(|sums| f64::from(sums.times_noise)).sum();
            gradients.register::<Base>(node.id, tensor(vec![sum as f32], vec![1]));
        }
        if let Some(node) = node_demodulation {
            // What went into the activation less noise and bias is the demodulated sum.
            let slopes = sums.iter().zip(&demodulation).enumerate().map(|(plane, (sums, demodulation))| {
                let bias = bias[plane % channels_out];
                (sums.times_input - strength * sums.times_noise - bias * sums.slope) / demodulation
            });
            let slopes = slopes.collect();
            gradients.register::<Base>(node.id, tensor(slopes, vec![batch, channels_out]));
        }
        let form = Form::Conv(conv);
        let x = values(x);
        if let Some(node) = node_w {
            let of_w = conv.to_kernels(&scaled_planes(&x, &styles), &slope);
            gradients.register::<Base>(node.id, tensor(of_w, form.shape_of(Argument::W)));
        }
        if node_x.is_none() && node_styles.is_none() {
            return;
        }
        // The gradient of `x · style`: the style's is its product with x, summed over the plane; x's is itself times
        // the style.
        let of_scaled = conv.to_input(&values(w), &slope);
        if let Some(node) = node_styles {
            let pixels = conv.shape.height * conv.shape.width;
            let of_styles = dot_planes(&of_scaled, &x, pixels);
            gradients.register::<Base>(node.id, tensor(of_styles, vec![batch, conv.shape.channels_in]));
        }
        if let Some(node) = node_x {
            let of_x = scaled_planes(&of_scaled, &styles);
            gradients.register::<Base>(node.id, tensor(of_x, form.shape_of(Argument::X)));
        }
    }
}
