//! ws → image: a constant input, blocks by resolution, and a skip path that sums their RGB (docs/spec/generator.md §3
//! and §4).

use burn::module::{Module, Param};
use burn::tensor::{FloatDType, Tensor, backend::Backend};

use super::condition::Condition;
use super::config::GeneratorConfig;
use super::modulated_layer::{ModulatedLayer, ToRgb};
use super::noise::Noise;
use super::weight_init::WeightInit;
use crate::tensor_ops::half::single;
use crate::tensor_ops::resample_conv::Resampling;
use crate::tensor_ops::upfirdn::{FirFilter, upsample2};

/// One resolution. The first block has no `conv0`: it starts from the constant.
#[derive(Module, Debug)]
pub struct SynthesisBlock<B: Backend> {
    conv0: Option<ModulatedLayer<B>>,
    conv1: ModulatedLayer<B>,
    torgb: ToRgb<B>,
}

/// All resolutions from 4 up.
#[derive(Module, Debug)]
pub struct SynthesisNetwork<B: Backend> {
    constant: Param<Tensor<B, 3>>,
    blocks: Vec<SynthesisBlock<B>>,
    /// From this resolution on, features are in half precision.
    #[module(skip)]
    half_from: Option<usize>,
}

impl<B: Backend> SynthesisNetwork<B> {
    pub(super) fn init(config: &GeneratorConfig, init: &WeightInit<B>) -> Self {
        let num_blocks = config.resolution.ilog2() as usize - 1;
        let blocks = (0..num_blocks)
            .map(|index| {
                let resolution = 4 << index;
                let init = init.child(&format!("blocks.{index}"));
                let channels = config.channels(resolution);
                let conv0 = (index > 0).then(|| {
                    let widths = [config.channels(resolution / 2), channels];
                    ModulatedLayer::init(config, widths, resolution, Resampling::Up2, &init.child("conv0"))
                });
                let widths = [channels, channels];
                let keep = Resampling::Keep;
                let conv1 = ModulatedLayer::init(config, widths, resolution, keep, &init.child("conv1"));
                let torgb = ToRgb::init(config, channels, &init.child("torgb"));
                SynthesisBlock { conv0, conv1, torgb }
            })
            .collect();
        Self { constant: init.normal("constant", [config.channels(4), 4, 4], 1.0), blocks, half_from: None }
    }

    /// The image of a batch of style codes.
    ///
    /// # Shapes
    /// - ws: `[batch, num_ws, w_dim]`, output: `[batch, image_channels, resolution, resolution]`
    pub fn forward(&self, ws: Tensor<B, 3>, condition: &Condition<B>, noise: &Noise<B>) -> Tensor<B, 4> {
        let batch = ws.dims()[0];
        let filter = FirFilter::resampling();
        let mut codes = StyleCodes { ws, next: 0 };
        let mut layer = 0;
        // No latent enters here: all of w and of the condition acts through the styles.
        let mut x = self.constant.val().unsqueeze::<4>().repeat_dim(0, batch); // [B, C, 4, 4]
        let mut image: Option<Tensor<B, 4>> = None;
        for (index, block) in self.blocks.iter().enumerate() {
            if self.half_from.is_some_and(|resolution| 4 << index >= resolution) {
                x = x.cast(FloatDType::F16);
            }
            if let Some(conv0) = &block.conv0 {
                x = conv0.forward(x, codes.take(), condition, noise.of_layer(layer));
                layer += 1;
            }
            x = block.conv1.forward(x, codes.take(), condition, noise.of_layer(layer));
            layer += 1;
            // toRGB looks at the features through the w of the layer that follows, which is why the last block needs one w more
            // than it has convolutions.
            let rgb;
            (x, rgb) = block.torgb.forward(x, codes.peek(), condition);
            // The image adds up in single precision.
            let rgb = single(rgb);
            image = Some(match image {
                Some(image) => upsample2(image, &filter) + rgb,
                None => rgb,
            });
        }
        // At least the 4 × 4 block exists.
        image.unwrap_or(x)
    }

    /// Styles of every layer in order of execution, `[batch, in]` each; those of toRGB include the gain of its weight.
    pub fn styles(&self, ws: Tensor<B, 3>, condition: &Condition<B>) -> Vec<Tensor<B, 2>> {
        let mut codes = StyleCodes { ws, next: 0 };
        let mut styles = vec![];
        for block in &self.blocks {
            if let Some(conv0) = &block.conv0 {
                styles.push(conv0.styles(codes.take(), condition));
            }
            styles.push(block.conv1.styles(codes.take(), condition));
            styles.push(block.torgb.styles(codes.peek(), condition));
        }
        styles
    }

    /// The `count` highest resolutions in half precision, none below 8.
    pub(super) fn with_half_resolutions(self, count: usize) -> Self {
        let resolution = 2 << self.blocks.len();
        // `resolution` is that of the image, 4 · 2^(blocks − 1).
        let half_from = (count > 0).then(|| (resolution >> (count - 1).min(usize::BITS as usize - 1)).max(8));
        Self { half_from, ..self }
    }

    pub(super) fn with_duplicated_head(self) -> Self {
        let blocks = self
            .blocks
            .into_iter()
            .map(|block| SynthesisBlock {
                conv0: block.conv0.map(ModulatedLayer::with_duplicated_head),
                conv1: block.conv1.with_duplicated_head(),
                torgb: block.torgb.with_duplicated_head(),
            })
            .collect();
        Self { blocks, ..self }
    }
}

/// Hands out one w per convolution; toRGB reads the w of the next convolution without using it up.
struct StyleCodes<B: Backend> {
    ws: Tensor<B, 3>,
    next: usize,
}

impl<B: Backend> StyleCodes<B> {
    fn take(&mut self) -> Tensor<B, 2> {
        let w = self.peek();
        self.next += 1;
        w
    }

    fn peek(&self) -> Tensor<B, 2> {
        self.ws.clone().narrow(1, self.next, 1).squeeze_dim(1)
    }
}
