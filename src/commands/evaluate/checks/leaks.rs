//! Pictures on both sides of the split, and mappers that were trained with other pictures held out.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use ndarray::{ArrayView1, ArrayView2, Axis};
use serde::Deserialize;

use super::super::baselines::Targets;
use super::checked::Checked;
use super::found::LeakCheck;
use crate::data::split::SplitRecord;
use crate::error::Result;
use crate::files::file_is_there;
use crate::metrics::near_duplicates::pairs_across;
use crate::metrics::trust::lures::first_of_images;
use crate::pipelines::targets::decoded_pairs::Aims;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::run::error::RunError;
use crate::run::run_dir::SUMMARY_FILE;

/// Cosine above which two image targets are of one picture.
const NEAR: f64 = 0.999;
/// Their lengths differ by less than this share: targets of few dimensions have the same direction by chance.
const NEAR_LENGTH: f64 = 0.05;
/// Pairs that are named.
const SHOWN: usize = 3;

impl Checked<'_> {
    /// Looks for pictures on both sides, by identity, by pixels and by image targets as far as those are there.
    ///
    /// # Errors
    /// A request to stop.
    pub(super) fn leaks(&self, targets: &Targets) -> Result<LeakCheck> {
        let train_images = self.training_images();
        let (known, held): (BTreeSet<u64>, BTreeSet<u64>) =
            (train_images.iter().copied().collect(), self.ids.iter().copied().collect());
        let train: Vec<usize> =
            first_of_images(&train_images).into_iter().map(|row| self.split.train[row]).collect();
        let held_out: Vec<usize> =
            first_of_images(self.ids).into_iter().map(|row| self.split.validation[row]).collect();
        let mut pairs = Vec::new();
        let mut found = LeakCheck {
            same_image: held.intersection(&known).count(),
            same_pixels: None,
            near_targets: None,
            examples: Vec::new(),
        };
        for aims in targets.aims() {
            match aims.target() {
                DecodedTarget::Pixels => {
                    let same = same_rows(&aims, &train, &held_out);
                    found.same_pixels = Some(same.len());
                    pairs.extend(same);
                }
                DecodedTarget::Image | DecodedTarget::Resnet => {
                    let near = near_rows(&aims, &train, &held_out)?;
                    found.near_targets = Some(found.near_targets.unwrap_or(0).max(near.len()));
                    pairs.extend(near);
                }
                // Two pictures may have the same caption.
                DecodedTarget::Caption => {}
            }
        }
        let name = |trial: usize| self.subject.image_name(self.subject.trials()[trial].nsd_id);
        pairs.sort_unstable();
        pairs.dedup();
        found.examples = pairs
            .iter()
            .take(SHOWN)
            .map(|(one, other)| [name(train[*one]), name(held_out[*other])])
            .collect();
        Ok(found)
    }
}

/// Positions of training and held-out trials whose targets are equal to the last bit: every pair of them.
fn same_rows(aims: &Aims<'_>, train: &[usize], held_out: &[usize]) -> Vec<(usize, usize)> {
    equal_rows(aims.fitted(train).view(), aims.fitted(held_out).view())
}

fn equal_rows(known: ArrayView2<'_, f32>, held_out: ArrayView2<'_, f32>) -> Vec<(usize, usize)> {
    let bits = |row: ArrayView1<'_, f32>| row.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    let mut of_bits: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
    for (at, row) in known.rows().into_iter().enumerate() {
        of_bits.entry(bits(row)).or_default().push(at);
    }
    let rows = held_out.rows().into_iter().enumerate();
    let pairs = |(at, row)| {
        let same = of_bits.get(&bits(row)).into_iter().flatten();
        same.map(move |known| (*known, at)).collect::<Vec<_>>()
    };
    rows.flat_map(pairs).collect()
}

/// Positions of training and held-out trials whose targets, less the mean training target, are nearly the same.
fn near_rows(aims: &Aims<'_>, train: &[usize], held_out: &[usize]) -> Result<Vec<(usize, usize)>> {
    let (mut known, mut held_out) = (aims.fitted(train), aims.fitted(held_out));
    if let Some(mean) = known.mean_axis(Axis(0)) {
        known -= &mean;
        held_out -= &mean;
    }
    let length = |row: ArrayView1<'_, f32>| row.dot(&row).sqrt();
    let mut pairs = pairs_across(known.view(), held_out.view(), NEAR)?;
    pairs.retain(|(one, other)| {
        let (one, other) = (length(known.row(*one)), length(held_out.row(*other)));
        f64::from((one - other).abs()) < NEAR_LENGTH * f64::from(one.max(other))
    });
    Ok(pairs)
}

/// The part of a training's summary that says which pictures it held out.
#[derive(Deserialize)]
struct TrainingSummary {
    split_record: Option<SplitRecord>,
}

/// Which pictures a mapper's training held out, where its run's summary lies beside it and says so; none of a snapshot that was taken
/// elsewhere.
///
/// # Errors
/// A summary that cannot be opened.
pub(in crate::commands::evaluate) fn recorded_split(mapper: &Path) -> Result<Option<SplitRecord>> {
    let Some(path) = mapper.parent().map(|folder| folder.join(SUMMARY_FILE)) else { return Ok(None) };
    if !file_is_there(&path)? {
        return Ok(None);
    }
    // Beside a snapshot that was copied there may be a file of this name that is no summary.
    let summary = serde_json::from_slice::<TrainingSummary>(&RunError::read(&path, "`evaluate`")?).ok();
    Ok(summary.and_then(|summary| summary.split_record))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn every_pair_of_equal_pictures_is_found() {
        let (known, held_out) =
            (array![[1.0_f32, 2.0], [1.0, 2.0], [3.0, 4.0]], array![[1.0_f32, 2.0], [5.0, 6.0], [1.0, 2.0]]);
        assert_eq!(equal_rows(known.view(), held_out.view()), [(0, 0), (1, 0), (0, 2), (1, 2)]);
    }
}
