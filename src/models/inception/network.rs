//! Stem, eleven blocks, pooled features (docs/spec/checkpoints.md §6).

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::conv_unit::{BranchPool, ConvUnit, halving_max_pool};
use super::mixed5::Mixed5;
use super::mixed6::{Mixed6, Mixed6a};
use super::mixed7::{Mixed7, Mixed7a};
use super::preprocess::InceptionPreprocessing;

/// See the [module documentation](super).
#[derive(Module, Debug)]
#[expect(missing_docs, reason = "the published names of the parts")]
pub struct Inception<B: Backend> {
    pub conv2d_1a_3x3: ConvUnit<B>,
    pub conv2d_2a_3x3: ConvUnit<B>,
    pub conv2d_2b_3x3: ConvUnit<B>,
    pub conv2d_3b_1x1: ConvUnit<B>,
    pub conv2d_4a_3x3: ConvUnit<B>,
    pub mixed_5b: Mixed5<B>,
    pub mixed_5c: Mixed5<B>,
    pub mixed_5d: Mixed5<B>,
    pub mixed_6a: Mixed6a<B>,
    pub mixed_6b: Mixed6<B>,
    pub mixed_6c: Mixed6<B>,
    pub mixed_6d: Mixed6<B>,
    pub mixed_6e: Mixed6<B>,
    pub mixed_7a: Mixed7a<B>,
    pub mixed_7b: Mixed7<B>,
    pub mixed_7c: Mixed7<B>,
}

impl<B: Backend> Inception<B> {
    /// Pooled features of images of any size.
    ///
    /// # Shapes
    /// - pixels_255: `[batch, 3, height, width]`, RGB, 0..255 (what 8-bit pictures hold)
    /// - output: `[batch, 2048]`, not negative
    pub fn features(&self, pixels_255: Tensor<B, 4>, preprocessing: InceptionPreprocessing) -> Tensor<B, 2> {
        self.forward(preprocessing.apply(pixels_255))
    }

    /// Pooled features of prepared images.
    ///
    /// # Shapes
    /// - x: `[batch, 3, height, width]`, about −1..1; 299×299 as published, at least 75×75
    /// - output: `[batch, 2048]`, not negative
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = self.conv2d_1a_3x3.forward(x); // [B, 32, 149, 149]
        let x = self.conv2d_2a_3x3.forward(x); // [B, 32, 147, 147]
        let x = halving_max_pool(self.conv2d_2b_3x3.forward(x)); // [B, 64, 73, 73]
        let x = self.conv2d_3b_1x1.forward(x); // [B, 80, 73, 73]
        let x = halving_max_pool(self.conv2d_4a_3x3.forward(x)); // [B, 192, 35, 35]
        let x = self.mixed_5d.forward(self.mixed_5c.forward(self.mixed_5b.forward(x))); // [B, 288, 35, 35]
        let x = self.mixed_6a.forward(x); // [B, 768, 17, 17]
        let x = self.mixed_6c.forward(self.mixed_6b.forward(x));
        let x = self.mixed_6e.forward(self.mixed_6d.forward(x));
        let x = self.mixed_7a.forward(x); // [B, 1280, 8, 8]
        let x = self.mixed_7b.forward(x, BranchPool::Mean);
        let x = self.mixed_7c.forward(x, BranchPool::Maximum); // [B, 2048, 8, 8]
        let [batch, channels, height, width] = x.dims();
        x.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
    }
}

#[cfg(test)]
mod tests {
    use crate::models::inception::InceptionConfig;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    #[test]
    fn the_smallest_image_and_the_published_size_give_features() {
        let config = InceptionConfig { channel_divisor: 16 };
        let network = config.init::<Base>(1, &cpu()).unwrap();
        for side in [75, 299] {
            let x = normal([2, 3, side, side], &mut keyed_rng(0, "x", 0), &cpu());
            let features: Vec<f32> = network.forward(x).into_data().to_vec().unwrap();
            assert_eq!(features.len(), 2 * config.feature_width());
            assert!(features.iter().all(|value| value.is_finite() && *value >= 0.0));
            assert!(features.iter().any(|value| *value > 0.0));
        }
    }
}
