//! Sizes of the classifier and the categories that it tells.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, between, in_range};

/// Sizes that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierSizes {
    /// Height and width of its pictures in pixels; others are resized.
    pub side: usize,
    /// Channels at every resolution, each half of the one before; the last is the number of features.
    pub widths: Vec<usize>,
}

impl Default for ClassifierSizes {
    fn default() -> Self {
        Self { side: 64, widths: vec![16, 32, 64, 128] }
    }
}

/// COCO's two groups of categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassKind {
    /// Can be counted: a dog.
    Thing,
    /// Cannot: sky.
    Stuff,
}

/// A category that the network tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneClass {
    /// COCO's id.
    pub id: u32,
    /// COCO's name.
    pub name: String,
    /// Thing or stuff.
    pub kind: ClassKind,
}

/// Everything that decides a network's shape and the meaning of its outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Sizes.
    pub sizes: ClassifierSizes,
    /// Share of a picture's area from which on a category counts as shown, in (0, 1).
    pub min_share: f64,
    /// Categories in the order of the outputs, things first.
    pub classes: Vec<SceneClass>,
}

/// Most channels of a resolution, and pixels of a side, that are taken for meant.
const LARGEST: usize = 4096;

impl ClassifierSizes {
    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// [`SettingError`] that names the first field out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let count = self.widths.len();
        if !(2..=8).contains(&count) || self.widths.iter().any(|width| !(1..=LARGEST).contains(width)) {
            let expected = format!("2 to 8 numbers of channels from 1 to {LARGEST}");
            return Err(SettingError::new("widths", expected, format!("{:?}", self.widths)));
        }
        let multiple = 1 << (count - 1);
        if self.side == 0 || self.side > LARGEST || !self.side.is_multiple_of(multiple) {
            let times = count - 1;
            let expected = format!("a multiple of {multiple} up to {LARGEST}, which is halved {times} times");
            return Err(SettingError::new("side", expected, self.side));
        }
        Ok(())
    }

    /// Values of the convolutions between resolutions: no network of these sizes has fewer.
    pub fn least_values(&self) -> u128 {
        self.widths.windows(2).map(|pair| 9 * pair[0] as u128 * pair[1] as u128).sum()
    }

    /// Values of one picture and its first features.
    pub fn least_activations(&self) -> u128 {
        let widest = self.widths.first().copied().unwrap_or(0) as u128;
        (self.side as u128).pow(2) * (3 + widest)
    }

    /// Values of a picture's feature vector.
    pub fn num_features(&self) -> usize {
        self.widths.last().copied().unwrap_or(0)
    }
}

impl ClassifierConfig {
    /// Checks sizes and categories.
    ///
    /// # Errors
    /// [`SettingError`] that names the first field out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.sizes.validate()?;
        in_range("min_share", self.min_share, between(0.0, 1.0))?;
        if self.classes.is_empty() || !self.classes.is_sorted_by_key(|class| class.kind) {
            let found = format!("{} in another order", self.classes.len());
            return Err(SettingError::new("classes", "at least one, things first", found));
        }
        Ok(())
    }

    /// Outputs of a kind.
    pub fn range(&self, kind: ClassKind) -> Range<usize> {
        let num_things = self.classes.iter().filter(|class| class.kind == ClassKind::Thing).count();
        match kind {
            ClassKind::Thing => 0..num_things,
            ClassKind::Stuff => num_things..self.classes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_range_are_named() {
        assert_eq!(ClassifierSizes::default().validate(), Ok(()));
        let of = |side, widths: &[usize]| {
            ClassifierSizes { side, widths: widths.to_vec() }.validate().unwrap_err().to_string()
        };
        assert_eq!(
            of(60, &[16, 32, 64, 128]),
            "`side`: found 60, expected a multiple of 8 up to 4096, which is halved 3 times"
        );
        assert!(of(64, &[16]).contains("`widths`: found [16]"));
        assert!(of(64, &[16, 0]).contains("`widths`"));
        assert!(of(0, &[4, 8]).contains("`side`"));
    }

    #[test]
    fn classes_are_things_then_stuff() {
        let class = |id, kind| SceneClass { id, name: id.to_string(), kind };
        let mut config = ClassifierConfig {
            sizes: ClassifierSizes::default(),
            min_share: 0.005,
            classes: vec![
                class(1, ClassKind::Thing),
                class(92, ClassKind::Stuff),
                class(93, ClassKind::Stuff),
            ],
        };
        assert_eq!(config.validate(), Ok(()));
        assert_eq!((config.range(ClassKind::Thing), config.range(ClassKind::Stuff)), (0..1, 1..3));
        config.classes.reverse();
        assert_eq!(config.validate().unwrap_err().field, "classes");
        config.min_share = 1.0;
        assert_eq!(config.validate().unwrap_err().field, "min_share");
    }
}
