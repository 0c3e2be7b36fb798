//! Sizes of the network.

use burn::module::Param;
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::bottleneck::{Bottleneck, EPSILON, EXPANSION};
use super::network::{ClassHead, Resnet};
use crate::error::{SettingError, in_range};
use crate::models::batch_norm::BatchNorm;
use crate::models::plain_conv::PlainConvConfig;

/// Widest layer and deepest stage that are accepted: far above every published network.
const MOST: usize = 1 << 14;

/// Sizes of a [`Resnet`]. The default is ResNet-50 without classifier (VICReg's `resnet50.pth`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResnetConfig {
    /// Channels after the first convolution. ResNet-50: 64.
    pub stem_width: usize,
    /// Inner channels of the four stages; a stage gives four times as many. ResNet-50: 64, 128, 256, 512.
    pub planes: [usize; 4],
    /// Blocks of the four stages. ResNet-50: 3, 4, 6, 3.
    pub blocks: [usize; 4],
    /// Classes of the linear layer behind the pooled features; none: features only.
    pub num_classes: Option<usize>,
}

impl Default for ResnetConfig {
    fn default() -> Self {
        Self { stem_width: 64, planes: [64, 128, 256, 512], blocks: [3, 4, 6, 3], num_classes: None }
    }
}

impl ResnetConfig {
    /// Width of the pooled features. ResNet-50: 2048.
    pub fn feature_width(&self) -> usize {
        self.planes[3] * EXPANSION
    }

    /// Checks that there are channels, blocks and classes.
    ///
    /// # Errors
    /// [`SettingError`] that names the first field out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let planes = self.planes.map(|found| ("planes", found));
        let blocks = self.blocks.map(|found| ("blocks", found));
        let classes = self.num_classes.map(|found| ("num_classes", found));
        let fields = [("stem_width", self.stem_width)].into_iter().chain(planes).chain(blocks).chain(classes);
        fields.into_iter().try_for_each(|(field, found)| in_range(field, found, 1..=MOST))
    }

    /// A network with convolutions drawn from `seed` and neutral norms.
    ///
    /// # Errors
    /// As [`ResnetConfig::validate`].
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Resnet<B>, SettingError> {
        self.validate()?;
        let mut channels = self.stem_width;
        let mut stage = |index: usize| -> Vec<Bottleneck<B>> {
            (0..self.blocks[index])
                .map(|block| {
                    // The first stage keeps the size of the pooled stem, each later one halves it.
                    let stride = if index > 0 && block == 0 { 2 } else { 1 };
                    let name = format!("layer{}.{block}", index + 1);
                    let planes = self.planes[index];
                    let built = Bottleneck::new(channels, planes, stride, seed, &name, device);
                    channels = planes * EXPANSION;
                    built
                })
                .collect()
        };
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(&mut stage);
        Ok(Resnet {
            conv1: PlainConvConfig::square(3, self.stem_width, 7, 2, 3).init(seed, "conv1", device),
            bn1: BatchNorm::new(self.stem_width, EPSILON, device),
            layer1,
            layer2,
            layer3,
            layer4,
            fc: self.num_classes.map(|classes| ClassHead {
                weight: Param::from_tensor(Tensor::zeros([classes, self.feature_width()], device)),
                bias: Param::from_tensor(Tensor::zeros([classes], device)),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_range_and_unknown_keys_are_named() {
        let empty = ResnetConfig { blocks: [3, 0, 6, 3], ..ResnetConfig::default() };
        assert_eq!(empty.validate().unwrap_err().to_string(), "`blocks`: found 0, expected 1 to 16384");
        let wide = ResnetConfig { num_classes: Some(1 << 40), ..ResnetConfig::default() };
        assert_eq!(wide.validate().unwrap_err().field, "num_classes");
        assert!(ResnetConfig::default().validate().is_ok());
        assert!(serde_json::from_str::<ResnetConfig>(r#"{"plane": [1, 2, 3, 4]}"#).is_err());
    }
}
