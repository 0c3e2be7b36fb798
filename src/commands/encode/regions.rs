//! Accuracy of voxels and regions, beside the control and the noise ceiling.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::error::Error;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::voxel_accuracy::{VoxelAccuracies, mean_over, voxel_accuracies};

/// Means over the voxels of a region.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionAccuracy {
    /// Voxels of the region.
    pub num_voxels: usize,
    /// Mean of Pearson's r between predicted and measured betas of single trials.
    pub accuracy: f64,
    /// Its interval over the held-out images; unknown in files of older versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval: Option<Interval>,
    /// The same of an encoder that was fitted to exchanged betas, where one was: the floor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<Interval>,
    /// Mean of the largest r that the noise leaves, `√(ceiling of single trials)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ceiling: Option<f64>,
}

/// The prepared voxels as a whole, and its regions.
pub(super) struct Regions {
    /// Nothing for the whole, which comes first; then `file:name`.
    names: Vec<String>,
    /// Places of the voxels.
    voxels: Vec<Vec<usize>>,
}

impl Regions {
    /// Those of a subject that have voxels.
    pub fn of(subject: &PreparedSubject) -> Self {
        let whole: Vec<usize> = (0..subject.num_voxels()).collect();
        let mut found = BTreeMap::new();
        for file in subject.rois() {
            let Some(roi) = subject.roi(file) else { continue };
            for (label, name) in &roi.names {
                let inside: Vec<usize> =
                    (0..roi.labels.len()).filter(|voxel| roi.labels[*voxel] == *label).collect();
                if !inside.is_empty() {
                    found.insert(format!("{file}:{name}"), inside);
                }
            }
        }
        let (names, voxels): (Vec<_>, Vec<_>) = std::iter::once((String::new(), whole)).chain(found).unzip();
        Self { names, voxels }
    }

    /// Accuracies of `predicted`, with their intervals over the held-out images.
    ///
    /// # Shapes
    /// - predicted, measured: `[held-out trials, voxels]`
    ///
    /// # Errors
    /// Somebody asked to stop.
    pub fn accuracies(
        &self,
        inputs: &Inputs,
        predicted: ArrayView2<'_, f32>,
        measured: ArrayView2<'_, f32>,
        bootstrap: &BootstrapConfig,
    ) -> crate::error::Result<VoxelAccuracies> {
        voxel_accuracies(predicted, measured, &inputs.held_out_images, &self.voxels, bootstrap)?
            .ok_or_else(|| Error::failure("predicted and measured betas differ in shape"))
    }
}

/// What was found of every voxel and region.
pub(super) struct Scores {
    pub measured: VoxelAccuracies,
    pub control: Option<VoxelAccuracies>,
}

impl Scores {
    /// The whole, and the regions by name; regions in which no voxel has an accuracy are left out.
    ///
    /// # Errors
    /// No voxel has one.
    pub fn by_region(
        &self,
        regions: &Regions,
        inputs: &Inputs,
    ) -> crate::error::Result<(RegionAccuracy, BTreeMap<String, RegionAccuracy>)> {
        let mut found = BTreeMap::new();
        for (at, (name, voxels)) in regions.names.iter().zip(&regions.voxels).enumerate() {
            let Some(interval) = self.measured.of_regions[at] else { continue };
            let accuracy = RegionAccuracy {
                num_voxels: voxels.len(),
                accuracy: interval.mean,
                interval: Some(interval),
                control: self.control.as_ref().and_then(|control| control.of_regions[at]),
                ceiling: inputs.ceiling.as_ref().and_then(|ceiling| mean_over(ceiling, voxels)),
            };
            found.insert(name.clone(), accuracy);
        }
        let all = found.remove("").ok_or_else(|| {
            let field = format!("betas of the {} held-out trials", inputs.split.validation.len());
            let expected =
                "at least one voxel in which they, and what is predicted of them, are not constant";
            DataError::invalid(inputs.subject.path(), field, expected, "none")
        })?;
        Ok((all, found))
    }
}
