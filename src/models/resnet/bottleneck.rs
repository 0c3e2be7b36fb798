//! The residual block: 1×1, 3×3, 1×1, each with a batch norm, and the shortcut.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, backend::Backend};

use crate::models::batch_norm::BatchNorm;
use crate::models::plain_conv::{PlainConv, PlainConvConfig};

/// Output channels per inner channel.
pub const EXPANSION: usize = 4;
/// ε of every batch norm (PyTorch's default).
pub const EPSILON: f64 = 1e-5;

/// How a convolution and the norm behind it are applied: frozen, or with the statistics of the batch.
pub type ConvNorm<'a, B> = dyn FnMut(&PlainConv<B>, &BatchNorm<B>, Tensor<B, 4>) -> Tensor<B, 4> + 'a;

/// `relu(x' + bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))))`, x' the input or its projection.
///
/// The stride sits on the 3×3 convolution.
#[derive(Module, Debug)]
pub struct Bottleneck<B: Backend> {
    /// `[planes, channels_in, 1, 1]`
    pub conv1: PlainConv<B>,
    /// Norm of `conv1`.
    pub bn1: BatchNorm<B>,
    /// `[planes, planes, 3, 3]`
    pub conv2: PlainConv<B>,
    /// Norm of `conv2`.
    pub bn2: BatchNorm<B>,
    /// `[4·planes, planes, 1, 1]`
    pub conv3: PlainConv<B>,
    /// Norm of `conv3`.
    pub bn3: BatchNorm<B>,
    /// Projection of the input where its size changes: `[4·planes, channels_in, 1, 1]` and its norm. A pair, so that its
    /// paths are torchvision's `downsample.0` and `downsample.1`.
    pub downsample: Option<(PlainConv<B>, BatchNorm<B>)>,
}

impl<B: Backend> Bottleneck<B> {
    pub(super) fn new(
        channels_in: usize,
        planes: usize,
        stride: usize,
        seed: u64,
        name: &str,
        device: &B::Device,
    ) -> Self {
        let channels_out = planes * EXPANSION;
        let conv = |part: &str, config: PlainConvConfig| config.init(seed, &format!("{name}.{part}"), device);
        let norm = |channels: usize| BatchNorm::new(channels, EPSILON, device);
        // Only where the sum would not fit: elsewhere the shortcut is the input itself.
        let projects = stride != 1 || channels_in != channels_out;
        Self {
            conv1: conv("conv1", PlainConvConfig::square(channels_in, planes, 1, 1, 0)),
            bn1: norm(planes),
            conv2: conv("conv2", PlainConvConfig::square(planes, planes, 3, stride, 1)),
            bn2: norm(planes),
            conv3: conv("conv3", PlainConvConfig::square(planes, channels_out, 1, 1, 0)),
            bn3: norm(channels_out),
            downsample: projects.then(|| {
                let config = PlainConvConfig::square(channels_in, channels_out, 1, stride, 0);
                (conv("downsample.0", config), norm(channels_out))
            }),
        }
    }

    /// One block.
    ///
    /// # Shapes
    /// - x: `[batch, channels_in, height, width]`
    /// - output: `[batch, 4·planes, ⌈height / stride⌉, ⌈width / stride⌉]`
    pub fn forward(&self, x: Tensor<B, 4>, conv_norm: &mut ConvNorm<'_, B>) -> Tensor<B, 4> {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => conv_norm(conv, norm, x.clone()),
            None => x.clone(),
        };
        let x = relu(conv_norm(&self.conv1, &self.bn1, x));
        let x = relu(conv_norm(&self.conv2, &self.bn2, x));
        relu(conv_norm(&self.conv3, &self.bn3, x) + shortcut)
    }
}
