//! Bilinear operations on images, each with both of its adjoints.
//!
//! A convolution is the form `T(x, w, y) = Σ y · conv(x, w)` with one argument left open: the result of the convolution with y
//! open, the gradients with x or w open. The same form differentiates them all, any number of times.

use crate::kernels::convolution::direct_conv::direct_conv3;
use crate::kernels::convolution::downsampling_conv::downsampling_conv3;
use crate::kernels::convolution::kernel_slope::{
    downsampling_kernel_slope, pointwise_kernel_slope, same_kernel_slope, sample_kernel_slope,
};
use crate::kernels::convolution::modulation::Finish;
use crate::kernels::convolution::pointwise_conv::{PointwiseKernels, pointwise_conv};
use crate::kernels::convolution::upsampling_conv::modulated_upsampling_conv3;
use crate::kernels::convolution::winograd::{ConvShape, is_supported, modulated_conv3};
use crate::kernels::planes::{dot_planes, scaled_planes};

/// An argument of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Argument {
    /// Images that go in.
    X,
    /// Kernels or factors.
    W,
    /// Images that come out.
    Y,
}

impl Argument {
    /// The two others, in order.
    pub fn others(self) -> [Self; 2] {
        match self {
            Self::X => [Self::W, Self::Y],
            Self::W => [Self::X, Self::Y],
            Self::Y => [Self::X, Self::W],
        }
    }
}

/// A convolution of the image networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvKind {
    /// 3×3 cross-correlation with padding 1.
    Same,
    /// 3×3 transposed convolution of stride 2, then the filter `[1, 3, 3, 1]` with gain 4.
    Up,
    /// The filter `[1, 3, 3, 1]`, then 3×3 cross-correlation of stride 2.
    Down,
    /// 1×1.
    Pointwise,
    /// 1×1 with kernels of every sample's own, `[batch, out, in]`.
    SamplePointwise,
}

/// Channels from which on Winograd's transforms pay: measured on one core, 16² pixels of 16 samples take 0.36 ms directly and
/// 0.72 ms by Winograd with 16 channels, 1.2 and 1.6 ms with 32, 3.9 and 3.7 ms with 64.
const FEWEST_FOR_WINOGRAD: usize = 48;

/// A convolution with its sizes.
#[derive(Clone, Copy, Debug)]
pub struct ConvForm {
    /// Kernel size and resampling of the convolution.
    pub kind: ConvKind,
    /// Number of images.
    pub batch: usize,
    /// Channels and sides of the input image; the output's follow from `kind`.
    pub shape: ConvShape,
}

impl ConvForm {
    /// The form, if the kernels can take it.
    pub fn new(
        kind: ConvKind,
        [batch, channels_in, height, width]: [usize; 4],
        channels_out: usize,
    ) -> Option<Self> {
        let shape = ConvShape { channels_in, channels_out, height, width };
        let fits = match kind {
            ConvKind::Down => height.is_multiple_of(2) && width.is_multiple_of(2),
            _ => true,
        };
        let has_values = batch * channels_in * channels_out * height * width > 0;
        (fits && has_values).then_some(Self { kind, batch, shape })
    }

    /// Rows and columns of the output.
    pub fn output_size(&self) -> [usize; 2] {
        let ConvShape { height, width, .. } = self.shape;
        match self.kind {
            ConvKind::Same | ConvKind::Pointwise | ConvKind::SamplePointwise => [height, width],
            ConvKind::Up => [2 * height, 2 * width],
            ConvKind::Down => [height / 2, width / 2],
        }
    }

    /// Shape of the output.
    pub fn output_dims(&self) -> [usize; 4] {
        let [height, width] = self.output_size();
        [self.batch, self.shape.channels_out, height, width]
    }

    /// What the transposed convolution takes in.
    fn output_shape(&self) -> ConvShape {
        let [height, width] = self.output_size();
        let ConvShape { channels_in, channels_out, .. } = self.shape;
        ConvShape { channels_in: channels_out, channels_out: channels_in, height, width }
    }

    fn shape_of(&self, argument: Argument) -> Vec<usize> {
        let ConvShape { channels_in, channels_out, height, width } = self.shape;
        let side = if self.kind == ConvKind::Pointwise { 1 } else { 3 };
        match argument {
            Argument::X => vec![self.batch, channels_in, height, width],
            Argument::W if self.kind == ConvKind::SamplePointwise => {
                vec![self.batch, channels_out, channels_in]
            }
            Argument::W => vec![channels_out, channels_in, side, side],
            Argument::Y => self.output_dims().to_vec(),
        }
    }

    /// `finish(conv(x, w))`.
    pub fn layer(&self, x: &[f32], w: &[f32], after: &PlainFinish<'_>) -> Vec<f32> {
        let ConvShape { channels_in, channels_out, .. } = self.shape;
        // Styles and demodulation of 1: the modulated kernels serve plain convolutions, too.
        let factors = vec![1.0; self.batch * channels_in.max(channels_out)];
        let styles = &factors[..self.batch * channels_in];
        self.modulated(x, w, styles, after.finish(&factors[..self.batch * channels_out]))
    }

    /// `finish(conv(x · styles, w))`; only convolutions that the generator modulates read the styles.
    pub fn modulated(&self, x: &[f32], w: &[f32], styles: &[f32], finish: Finish<'_>) -> Vec<f32> {
        let ConvShape { channels_in, channels_out, height, width } = self.shape;
        match self.kind {
            ConvKind::Same if channels_in < FEWEST_FOR_WINOGRAD || !is_supported(self.shape) => {
                direct_conv3(x, w, styles, finish, self.shape)
            }
            ConvKind::Same => modulated_conv3(x, w, styles, finish, self.shape),
            ConvKind::Up => modulated_upsampling_conv3(x, w, styles, finish, self.shape),
            ConvKind::Down => downsampling_conv3(x, w, finish, self.shape),
            ConvKind::Pointwise | ConvKind::SamplePointwise => {
                let sizes = [channels_in, channels_out];
                let kernels = PointwiseKernels { values: w, transposed: false };
                let mut y = pointwise_conv(x, kernels, sizes, height * width);
                finish.apply_all(&mut y, height * width);
                y
            }
        }
    }

    /// `conv` transposed in its images: from slopes at the output to slopes at the input.
    pub fn to_input(self, w: &[f32], y: &[f32]) -> Vec<f32> {
        let ConvShape { channels_in, channels_out, .. } = self.shape;
        let transposed = |kind, gain: f32, reverse| {
            let form = Self { kind, batch: self.batch, shape: self.output_shape() };
            // Transposing exchanges inputs and outputs. A correlation with padding 1 becomes one with its taps
            // reversed; upsampling and downsampling read the same kernel in opposite orientation already.
            let kernels = swap_channels(w, channels_in, gain, reverse);
            form.layer(y, &kernels, &PlainFinish::none(&vec![0.0; channels_in]))
        };
        match self.kind {
            ConvKind::Same => transposed(ConvKind::Same, 1.0, true),
            // The two resampling convolutions are each other's transposes up to the gain of the filter.
            ConvKind::Up => transposed(ConvKind::Down, 4.0, false),
            ConvKind::Down => transposed(ConvKind::Up, 0.25, false),
            ConvKind::Pointwise | ConvKind::SamplePointwise => {
                let [height, width] = self.output_size();
                let kernels = PointwiseKernels { values: w, transposed: true };
                pointwise_conv(y, kernels, [channels_out, channels_in], height * width)
            }
        }
    }

    /// From images and slopes at the output to slopes of the kernels.
    pub fn to_kernels(self, x: &[f32], y: &[f32]) -> Vec<f32> {
        match self.kind {
            ConvKind::Same => same_kernel_slope(x, y, self.shape),
            ConvKind::Down => downsampling_kernel_slope(x, y, self.shape),
            ConvKind::Up => {
                // Upsampling is the transpose of downsampling: its kernel's gradient is that one's with images and
                // slopes exchanged, times the gain 4 between the two filters.
                let swapped = downsampling_kernel_slope(y, x, self.output_shape());
                swap_channels(&swapped, self.shape.channels_out, 4.0, false)
            }
            ConvKind::Pointwise => pointwise_kernel_slope(x, y, self.shape),
            ConvKind::SamplePointwise => sample_kernel_slope(x, y, self.shape),
        }
    }
}

/// `[out, in, 3, 3]` to `[in, out, 3, 3]`, the taps in reverse order if asked for; `inputs` is the second axis of `w`.
fn swap_channels(w: &[f32], inputs: usize, gain: f32, reverse: bool) -> Vec<f32> {
    let kernels = w.as_chunks::<9>().0;
    let outputs = kernels.len() / inputs.max(1);
    let mut swapped = Vec::with_capacity(w.len());
    for input in 0..inputs {
        for output in 0..outputs {
            let kernel = kernels[output * inputs + input].map(|value| value * gain);
            match reverse {
                true => swapped.extend(kernel.iter().rev()),
                false => swapped.extend(kernel),
            }
        }
    }
    swapped
}

/// Bias and activation behind a convolution, without noise and demodulation.
#[derive(Clone, Copy, Debug)]
pub struct PlainFinish<'a> {
    /// `[out]`
    pub bias: &'a [f32],
    /// Slopes of the activation at negative and other values.
    pub slopes: [f32; 2],
    /// Bound on the magnitude; infinite for none.
    pub clamp: f32,
}

impl<'a> PlainFinish<'a> {
    /// Nothing: `bias` is zero.
    pub fn none(bias: &'a [f32]) -> Self {
        Self { bias, slopes: [1.0; 2], clamp: f32::INFINITY }
    }

    fn finish(&self, scale: &'a [f32]) -> Finish<'a> {
        Finish { scale, bias: self.bias, noise: None, slopes: self.slopes, clamp: self.clamp }
    }
}

/// A trilinear form.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// `Σ y · conv(x, w)`.
    Conv(ConvForm),
    /// `Σ y · x · w` with a factor w per sample and channel, `[batch, channels]`; all images `[batch, channels, height, width]`.
    Channels([usize; 4]),
}

impl Form {
    /// Shape of an argument.
    pub fn shape_of(&self, argument: Argument) -> Vec<usize> {
        match (self, argument) {
            (Self::Conv(form), _) => form.shape_of(argument),
            (Self::Channels([batch, channels, ..]), Argument::W) => vec![*batch, *channels],
            (Self::Channels(shape), _) => shape.to_vec(),
        }
    }

    /// The form with `open` left open: `a` and `b` are the two others, in order.
    pub fn evaluate(&self, open: Argument, a: &[f32], b: &[f32]) -> Vec<f32> {
        match (self, open) {
            (Self::Conv(form), Argument::X) => form.to_input(a, b),
            (Self::Conv(form), Argument::W) => form.to_kernels(a, b),
            (Self::Conv(form), Argument::Y) => {
                form.layer(a, b, &PlainFinish::none(&vec![0.0; form.shape.channels_out]))
            }
            (Self::Channels([_, _, height, width]), Argument::W) => dot_planes(a, b, height * width),
            (Self::Channels(_), Argument::X) => scaled_planes(b, a),
            (Self::Channels(_), Argument::Y) => scaled_planes(a, b),
        }
    }
}
