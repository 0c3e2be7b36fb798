//! The files of a run: every picture, the sheet, the manifest.

use std::path::PathBuf;

use image::RgbImage;
use ndarray::{Array2, ArrayView1};

use super::drawing::{Cycled, Features};
use super::originals::Originals;
use super::summary::CycleEntry;
use crate::error::Result;
use crate::metrics::correlation::pearson;
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::report::image_grid::contact_sheet;
use crate::run::run_dir::RunDir;

/// Most columns of the sheet.
const MOST_SHOWN: usize = 12;
/// Pixels between pictures of the sheet.
const GAP: u32 = 2;

/// Writes every picture, and `manifest.json` with what was found of each.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write_pictures(
    originals: &Originals,
    cycled: &Cycled,
    features: &Features,
    run: &RunDir,
) -> Result<PathBuf> {
    let mut entries = Vec::with_capacity(originals.len());
    for index in 0..originals.len() {
        let write = |what: &str, picture: &RgbImage| -> Result<String> {
            let file = format!("images/{index:05}-{what}.png");
            run.write_png(&file, picture)?;
            Ok(file)
        };
        let measured = cycled.measured.as_ref();
        entries.push(CycleEntry {
            name: originals.name(index),
            trials: originals.held_out().map_or_else(Vec::new, |images| images[index].trials.clone()),
            original: write("original", &cycled.originals[index])?,
            cycled: write("cycled", &cycled.cycled[index])?,
            measured: measured.map(|(_, pictures)| write("measured", &pictures[index])).transpose()?,
            cycled_to_original: cosine(&features.cycled, &features.originals, index),
            cycled_to_measured: features
                .measured
                .as_ref()
                .map(|measured| cosine(&features.cycled, measured, index)),
            betas_r: measured.and_then(|(betas, _)| correlation(&cycled.predicted, betas, index)),
        });
    }
    Ok(run.write_atomic(MANIFEST_FILE, &serde_json::to_vec_pretty(&entries)?)?)
}

/// Pictures side by side, at most twelve, evenly spread: originals, from measured betas, cycled.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write_sheet(cycled: &Cycled, run: &RunDir) -> Result<PathBuf> {
    let step = cycled.originals.len().div_ceil(MOST_SHOWN).max(1);
    let of = |pictures: &[RgbImage]| pictures.iter().step_by(step).cloned().collect::<Vec<_>>();
    let measured = cycled.measured.as_ref().map(|(_, pictures)| of(pictures));
    let rows: Vec<Vec<RgbImage>> =
        std::iter::once(of(&cycled.originals)).chain(measured).chain([of(&cycled.cycled)]).collect();
    Ok(run.write_png("sheet.png", &contact_sheet(&rows, GAP))?)
}

fn row(of: &Array2<f32>, index: usize) -> Vec<f64> {
    let row: ArrayView1<'_, f32> = of.row(index);
    row.iter().map(|value| f64::from(*value)).collect()
}

/// Cosine of two rows; 0 where one has no length.
fn cosine(one: &Array2<f32>, other: &Array2<f32>, index: usize) -> f64 {
    let [one, other] = [one, other].map(|rows| row(rows, index));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norms = (product(&one, &one) * product(&other, &other)).sqrt();
    if norms > 0.0 { product(&one, &other) / norms } else { 0.0 }
}

fn correlation(predicted: &Array2<f32>, measured: &Array2<f32>, index: usize) -> Option<f64> {
    pearson(&row(predicted, index), &row(measured, index))
}
