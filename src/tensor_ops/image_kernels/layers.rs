//! From generic code to the kernels: each function answers `None` where they do not apply
//! ([`crate::tensor_ops::kernel_choice`]), and the caller goes the portable way.

use std::any::TypeId;
use std::sync::Arc;

use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive, backend::Backend};

use super::levels::{Bend, ImageKernels};
use super::linear::Linear;
use super::modulated::{self, ModulatedForm};
use super::trilinear_form::{Argument, ConvForm, ConvKind, Form};
use crate::tensor_ops::backend::{Base, Diff, Diff2};
use crate::tensor_ops::bias_act::BiasAct;
use crate::tensor_ops::host_values::values;
use crate::tensor_ops::kernel_choice::tracked_kernels_apply;
use crate::tensor_ops::same_type::same_type;

/// Whether [`Bend`] describes what follows a linear map: a piecewise linear activation with positive slopes.
fn bend_of(bias_act: &BiasAct) -> Option<Bend> {
    let slopes = bias_act.slopes()?;
    let clamp = bias_act.clamp.map_or(f32::INFINITY, |clamp| clamp as f32);
    (slopes[0] > 0.0 && slopes[1] > 0.0 && clamp > 0.0).then_some(Bend { slopes, clamp })
}

/// `act(conv(x, weight) + bias)`.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, weight: `[out, in, k, k]`, bias: `[out]`
/// - output: `[batch, out, height', width']`
pub fn conv_layer<B: Backend>(
    kind: ConvKind,
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: Option<&Tensor<B, 1>>,
    bias_act: &BiasAct,
) -> Option<Tensor<B, 4>> {
    let form = ConvForm::new(kind, x.dims(), weight.dims()[0]).filter(|_| tracked_kernels_apply(x))?;
    let bend = bend_of(bias_act)?;
    // Without bias only a gain is left (the discriminator's skips): linear, so it can go into the kernel, and the
    // layer is the plain bilinear form.
    let Some(bias) = bias else {
        let is_plain_gain = bend.slopes[0] == bend.slopes[1] && bend.clamp.is_infinite();
        let weight = is_plain_gain.then(|| weight.clone().mul_scalar(bias_act.gain))?;
        return conv(kind, x, &weight);
    };
    let inputs = vec![primitive(x), primitive(weight), primitive(bias)];
    route::<B, 4>(inputs, &ConvLayer { form, bend })
}

/// `conv(x, weight)`.
///
/// # Shapes
/// - as [`conv_layer`]
pub fn conv<B: Backend>(kind: ConvKind, x: &Tensor<B, 4>, weight: &Tensor<B, 4>) -> Option<Tensor<B, 4>> {
    let form = ConvForm::new(kind, x.dims(), weight.dims()[0]).filter(|_| tracked_kernels_apply(x))?;
    route::<B, 4>(vec![primitive(x), primitive(weight)], &Bilinear(Form::Conv(form)))
}

/// `kernels · x` for every pixel, with kernels of every sample's own.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, kernels: `[batch, out, in]`, output: `[batch, out, height, width]`
pub fn sample_pointwise_conv<B: Backend>(x: &Tensor<B, 4>, kernels: &Tensor<B, 3>) -> Option<Tensor<B, 4>> {
    let form = ConvForm::new(ConvKind::SamplePointwise, x.dims(), kernels.dims()[1])
        .filter(|_| tracked_kernels_apply(x))?;
    route::<B, 4>(vec![primitive(x), primitive(kernels)], &Bilinear(Form::Conv(form)))
}

/// `x` times a factor per sample and channel.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, factors: `[batch, channels]`
pub fn scale_channels<B: Backend>(x: &Tensor<B, 4>, factors: &Tensor<B, 2>) -> Option<Tensor<B, 4>> {
    let has_values = x.shape().num_elements() > 0;
    let form = (tracked_kernels_apply(x) && has_values).then(|| Form::Channels(x.dims()))?;
    route::<B, 4>(vec![primitive(x), primitive(factors)], &Bilinear(form))
}

/// `act(x + strength · maps + bias)`; the maps get no gradient.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, bias: `[channels]`
/// - noise: maps `[1 or batch, 1, height, width]` and strength `[1]`
pub fn finish<B: Backend>(
    x: &Tensor<B, 4>,
    bias: &Tensor<B, 1>,
    noise: Option<&(Tensor<B, 4>, Tensor<B, 1>)>,
    bias_act: &BiasAct,
) -> Option<Tensor<B, 4>> {
    let has_values = x.shape().num_elements() > 0;
    let bend = bend_of(bias_act).filter(|_| tracked_kernels_apply(x) && has_values)?;
    let (maps, strength) = noise_values(noise, &x.device())?;
    let inputs = vec![primitive(x), primitive(bias), strength];
    route::<B, 4>(inputs, &FinishLayer { shape: x.dims(), bend, maps })
}

/// A modulated layer, its demodulation given: one operation where only first-order gradients exist, several elsewhere.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, weight: `[out, in, 3, 3]`, styles: `[batch, in]`, demodulation: `[batch, out]`
/// - others as [`finish`]; output: `[batch, out, height', width']`
pub fn modulated_layer<B: Backend>(
    kind: ConvKind,
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    [styles, demodulation]: [&Tensor<B, 2>; 2],
    bias: &Tensor<B, 1>,
    noise: Option<&(Tensor<B, 4>, Tensor<B, 1>)>,
    bias_act: &BiasAct,
) -> Option<Tensor<B, 4>> {
    // The fused operation knows only first derivatives. R1 and path length run at `Diff2` and take the parts, each of
    // which can be differentiated again.
    if TypeId::of::<B>() != TypeId::of::<Diff>() {
        let y = conv(kind, &scale_channels(x, styles)?, weight)?;
        return finish(&scale_channels(&y, demodulation)?, bias, noise, bias_act);
    }
    let conv = ConvForm::new(kind, x.dims(), weight.dims()[0]).filter(|_| tracked_kernels_apply(x))?;
    let bend = bend_of(bias_act)?;
    let (maps, strength) = noise_values(noise, &x.device())?;
    let inputs = [
        primitive(x),
        primitive(weight),
        primitive(styles),
        primitive(demodulation),
        primitive(bias),
        strength,
    ];
    let inputs: [FloatTensor<Diff>; 6] = same_type(inputs)?;
    let y = modulated::modulated_layer(&ModulatedForm { conv, bend, maps }, inputs);
    same_type(y).map(|y| Tensor::from_primitive(TensorPrimitive::Float(y)))
}

/// Twice the size by the filter `[1, 3, 3, 1]`.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, output: `[batch, channels, 2·height, 2·width]`
pub fn upsample2<B: Backend>(x: &Tensor<B, 4>) -> Option<Tensor<B, 4>> {
    let has_values = x.shape().num_elements() > 0;
    let map = (tracked_kernels_apply(x) && has_values).then(|| Linear::Upsample(x.dims(), 1.0))?;
    route::<B, 4>(vec![primitive(x)], &Mapped(map))
}

/// Half the size by the filter `[1, 3, 3, 1]`.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, output: `[batch, channels, height/2, width/2]`
pub fn downsample2<B: Backend>(x: &Tensor<B, 4>) -> Option<Tensor<B, 4>> {
    let [batch, channels, height, width] = x.dims();
    let fits = height.is_multiple_of(2) && width.is_multiple_of(2) && batch * channels * height * width > 0;
    let map = (tracked_kernels_apply(x) && fits).then(|| Linear::Downsample(x.dims(), 1.0))?;
    route::<B, 4>(vec![primitive(x)], &Mapped(map))
}

type NoiseInputs<B> = (Option<Arc<Vec<f32>>>, FloatTensor<B>);

/// Maps on the host, and their strength; nothing if the maps would need a gradient.
fn noise_values<B: Backend>(
    noise: Option<&(Tensor<B, 4>, Tensor<B, 1>)>,
    device: &B::Device,
) -> Option<NoiseInputs<B>> {
    let Some((maps, strength)) = noise else {
        return Some((None, primitive(&Tensor::<B, 1>::zeros([1], device))));
    };
    (!maps.is_require_grad()).then(|| (Some(Arc::new(values(maps.clone()))), primitive(strength)))
}

fn primitive<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> FloatTensor<B> {
    tensor.clone().into_primitive().tensor()
}

/// An operation that is the same at every level.
trait Job {
    fn run<K: ImageKernels>(&self, inputs: Vec<FloatTensor<K>>) -> Option<FloatTensor<K>>;
}

struct ConvLayer {
    form: ConvForm,
    bend: Bend,
}

impl Job for ConvLayer {
    fn run<K: ImageKernels>(&self, inputs: Vec<FloatTensor<K>>) -> Option<FloatTensor<K>> {
        let [x, w, bias] = inputs.try_into().ok()?;
        Some(K::conv_layer(self.form, self.bend, x, w, bias).0)
    }
}

struct Bilinear(Form);

impl Job for Bilinear {
    fn run<K: ImageKernels>(&self, inputs: Vec<FloatTensor<K>>) -> Option<FloatTensor<K>> {
        let [x, w] = inputs.try_into().ok()?;
        Some(K::apply_form(self.0, Argument::Y, x, w))
    }
}

struct FinishLayer {
    shape: [usize; 4],
    bend: Bend,
    maps: Option<Arc<Vec<f32>>>,
}

impl Job for FinishLayer {
    fn run<K: ImageKernels>(&self, inputs: Vec<FloatTensor<K>>) -> Option<FloatTensor<K>> {
        let [x, bias, strength] = inputs.try_into().ok()?;
        Some(K::finish(self.shape, self.bend, self.maps.clone(), x, bias, strength).0)
    }
}

struct Mapped(Linear);

impl Job for Mapped {
    fn run<K: ImageKernels>(&self, inputs: Vec<FloatTensor<K>>) -> Option<FloatTensor<K>> {
        let [x] = inputs.try_into().ok()?;
        Some(K::apply_linear(self.0.clone(), x))
    }
}

/// Runs a job at the level that `B` is.
fn route<B: Backend, const D: usize>(inputs: Vec<FloatTensor<B>>, job: &impl Job) -> Option<Tensor<B, D>> {
    let level = TypeId::of::<B>();
    let result = if level == TypeId::of::<Base>() {
        at_level::<B, Base>(inputs, job)
    } else if level == TypeId::of::<Diff>() {
        at_level::<B, Diff>(inputs, job)
    } else if level == TypeId::of::<Diff2>() {
        at_level::<B, Diff2>(inputs, job)
    } else {
        None
    };
    result.map(|result| Tensor::from_primitive(TensorPrimitive::Float(result)))
}

fn at_level<B: Backend, K: ImageKernels>(
    inputs: Vec<FloatTensor<B>>,
    job: &impl Job,
) -> Option<FloatTensor<B>> {
    // `B` and `K` are the same type here, which the compiler cannot know: the way there and back is checked at run
    // time.
    let inputs: Vec<FloatTensor<K>> = same_type(inputs)?;
    same_type(job.run::<K>(inputs)?)
}
