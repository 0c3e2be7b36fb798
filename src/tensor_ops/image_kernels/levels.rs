//! The operations at every level of autodiff, beginning with none: tensors of the plain backend on the CPU.

use std::sync::Arc;

use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Shape, Tensor, TensorData, TensorPrimitive, backend::Backend};

use super::linear::Linear;
use super::trilinear_form::{Argument, ConvForm, Form, PlainFinish};
use crate::kernels::convolution::modulation::{Finish, NoiseValues};
use crate::kernels::planes::channel_sums;
use crate::kernels::sides::Sides;
use crate::tensor_ops::backend::{Base, Device, cpu};
use crate::tensor_ops::host_values;

/// Activation and clamp: `clamp(slope · x)`, the slope by the sign of x; both are positive.
#[derive(Clone, Copy, Debug)]
pub struct Bend {
    /// Slopes at negative and other values, gain included.
    pub slopes: [f32; 2],
    /// Bound on the magnitude; infinite for none.
    pub clamp: f32,
}

/// A backend whose tensors these operations take.
pub trait ImageKernels: Backend {
    /// `form` with `open` left open at the two other arguments, in order.
    fn apply_form(
        form: Form,
        open: Argument,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// `map(x)`.
    fn apply_linear(map: Linear, x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradients of [`Self::apply_form`] for its two arguments, as far as the other one was kept.
    fn form_slopes(
        form: Form,
        open: Argument,
        [a, b]: [Option<FloatTensor<Self>>; 2],
        slope: FloatTensor<Self>,
    ) -> [Option<FloatTensor<Self>>; 2] {
        // With `open` left open the result r is `∂T/∂open`, and a slope s at r has the shape of `open`. The gradient
        // of `⟨s, r⟩ = T(…, open = s)` in one argument is T with that argument left open and s put in for `open`.
        let [first, second] = open.others();
        let of_a = b.map(|b| {
            let (p, q) = in_order((second, b), (open, slope.clone()));
            Self::apply_form(form, first, p, q)
        });
        let of_b = a.map(|a| {
            let (p, q) = in_order((first, a), (open, slope));
            Self::apply_form(form, second, p, q)
        });
        [of_a, of_b]
    }

    /// `bend(conv(x, w) + bias)`, and where every value lies.
    fn conv_layer(
        form: ConvForm,
        bend: Bend,
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, Arc<Sides>);

    /// Slopes behind an activation to slopes before it, and their sum by channel if `sums` are wanted.
    ///
    /// # Shapes
    /// - slope: `shape`, output: `shape` and `[channels]`
    fn through_bend(
        shape: [usize; 4],
        sides: Arc<Sides>,
        slope: FloatTensor<Self>,
        sums: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        let slope = Self::apply_linear(Linear::Slopes(sides, shape), slope);
        let sums = sums.then(|| Self::apply_linear(Linear::ChannelSums(shape), slope.clone()));
        (slope, sums)
    }

    /// `bend(x + strength · maps + bias)`, and where every value lies; no gradient for the maps.
    ///
    /// # Shapes
    /// - x: `shape`, bias: `[channels]`, strength: `[1]`, maps: `[1 or batch, height, width]`
    fn finish(
        shape: [usize; 4],
        bend: Bend,
        maps: Option<Arc<Vec<f32>>>,
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        strength: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, Arc<Sides>);
}

/// Two arguments of a form in order.
fn in_order<T>(p: (Argument, T), q: (Argument, T)) -> (T, T) {
    if p.0 < q.0 { (p.1, q.1) } else { (q.1, p.1) }
}

/// Values of a tensor of any rank.
pub(super) fn values(tensor: FloatTensor<Base>) -> Vec<f32> {
    host_values::values(of_any_rank(tensor))
}

/// The value of a tensor that holds one.
pub(super) fn scalar(tensor: FloatTensor<Base>) -> f32 {
    host_values::scalar(of_any_rank(tensor))
}

/// The rank of the wrapper plays no part in reading.
fn of_any_rank(tensor: FloatTensor<Base>) -> Tensor<Base, 1> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

/// The tensor of these values.
pub(super) fn tensor(values: Vec<f32>, shape: Vec<usize>) -> FloatTensor<Base> {
    Base::float_from_data(TensorData::new(values, Shape::from(shape)), &device())
}

fn device() -> Device {
    cpu()
}

/// The same operations, each tensor read once: reading one that is in use elsewhere copies it.
impl ImageKernels for Base {
    fn apply_form(
        form: Form,
        open: Argument,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        tensor(form.evaluate(open, &values(a), &values(b)), form.shape_of(open))
    }

    fn apply_linear(map: Linear, x: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor(map.apply(values(x)), map.output_shape())
    }

    fn form_slopes(
        form: Form,
        open: Argument,
        [a, b]: [Option<FloatTensor<Self>>; 2],
        slope: FloatTensor<Self>,
    ) -> [Option<FloatTensor<Self>>; 2] {
        let [first, second] = open.others();
        let slope = values(slope);
        let of_a = b.map(|b| {
            let (p, q) = (values(b), &slope[..]);
            let (p, q) = in_order((second, &p[..]), (open, q));
            tensor(form.evaluate(first, p, q), form.shape_of(first))
        });
        let of_b = a.map(|a| {
            let (p, q) = (values(a), &slope[..]);
            let (p, q) = in_order((first, &p[..]), (open, q));
            tensor(form.evaluate(second, p, q), form.shape_of(second))
        });
        [of_a, of_b]
    }

    fn through_bend(
        shape: [usize; 4],
        sides: Arc<Sides>,
        slope: FloatTensor<Self>,
        sums: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        let mut slope = values(slope);
        sides.multiply(&mut slope);
        let sums = sums.then(|| {
            let [batch, channels, height, width] = shape;
            tensor(channel_sums(&slope, [batch, channels], height * width), vec![channels])
        });
        (tensor(slope, shape.to_vec()), sums)
    }

    fn conv_layer(
        form: ConvForm,
        bend: Bend,
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, Arc<Sides>) {
        let after = PlainFinish { bias: &values(bias), slopes: bend.slopes, clamp: bend.clamp };
        let y = form.layer(&values(x), &values(w), &after);
        let sides = Sides::of_results(&y, bend.slopes, bend.clamp);
        (tensor(y, Form::Conv(form).shape_of(Argument::Y)), Arc::new(sides))
    }

    fn finish(
        shape: [usize; 4],
        bend: Bend,
        maps: Option<Arc<Vec<f32>>>,
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        strength: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, Arc<Sides>) {
        let [batch, channels, height, width] = shape;
        let strength = scalar(strength);
        let finish = Finish {
            // Demodulation is an operation of its own at this level.
            scale: &vec![1.0; batch * channels],
            bias: &values(bias),
            noise: maps.as_ref().map(|maps| NoiseValues { maps, strength }),
            slopes: bend.slopes,
            clamp: bend.clamp,
        };
        let mut y = values(x);
        finish.apply_all(&mut y, height * width);
        let sides = Sides::of_results(&y, bend.slopes, bend.clamp);
        (tensor(y, shape.to_vec()), Arc::new(sides))
    }
}
