//! Snapshots of a GAN in training: the averaged generator at every checkpoint, and its distance from real pictures when due.
//!
//! Files are `snapshots/generator-NNNNNNNN.safetensors`, named after the images seen, as the sample sheets are. Mappers that are
//! trained along lie beside as `mapper-image-NNNNNNNN.safetensors` and the like: a generator draws from what they decode.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::distance::{MeasuredDistances, SampleDistance, SetDistance};
use super::snapshot_config::SnapshotConfig;
use crate::files::file_is_there;
use crate::models::mapper::MapperTarget;
use crate::models::stylegan2::GeneratorConfig;
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{GENERATOR_KIND, save_snapshot};
use crate::tensor_ops::backend::Device;
use crate::training::gan::mappers::outputs::companion_mapper;
use crate::training::gan::snapshot_origin::SnapshotOrigin;
use crate::training::gan::tick::Tick;

/// Folder in the run.
const FOLDER: &str = "snapshots";

/// What a run kept and measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SnapshotSummary {
    /// Snapshots of the averaged generator, oldest first; mappers that were trained along lie beside each.
    pub generators: Vec<PathBuf>,
    /// Distances, where there was a feature network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frechet: Option<SampleDistanceSummary>,
}

/// Distances of a training.
#[derive(Clone, Debug, Serialize)]
pub struct SampleDistanceSummary {
    /// What the number may be called.
    pub name: &'static str,
    /// SHA-256 of the feature network's weights.
    pub features_sha256: String,
    /// The snapshot with the smallest distance to the first set.
    pub best: Option<BestSnapshot>,
    /// The last distances.
    pub last: Vec<SetDistance>,
}

/// The best snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BestSnapshot {
    /// Its file.
    pub generator: PathBuf,
    /// The mappers that belong to it, where they were trained along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mappers: Vec<PathBuf>,
    /// The real pictures whose distance chose it.
    pub chosen_on: &'static str,
    /// What the choice means for its distances.
    pub note: &'static str,
    /// Real images that training had shown.
    pub images_seen: u64,
    /// Its distance.
    pub value: f64,
}

/// A line of `metrics.jsonl` with distances.
#[derive(Serialize)]
struct DistanceEvent {
    tick: u64,
    images_seen: u64,
    frechet: MeasuredDistances,
}

/// Any line of `metrics.jsonl`, as far as distances are asked for.
#[derive(Deserialize)]
struct EventWithDistance {
    images_seen: Option<u64>,
    frechet: Option<MeasuredDistances>,
}

/// What a training calls at every report.
pub(crate) struct GanSnapshots<'a> {
    pub config: &'a SnapshotConfig,
    pub generator: &'a GeneratorConfig,
    pub provenance: &'a Value,
    pub run: &'a RunDir,
    pub device: &'a Device,
    pub distance: Option<SampleDistance>,
    /// The last distances measured.
    pub last: Vec<SetDistance>,
}

impl GanSnapshots<'_> {
    /// Whether a distance is measured at this report.
    pub fn measures(&self, tick: &Tick<'_>) -> bool {
        let ticks = self.config.frechet_ticks;
        let is_time = tick.tick > 0 && ticks > 0 && (tick.is_last || tick.tick.is_multiple_of(ticks));
        is_time && self.distance.is_some()
    }

    /// Draws from other conditions from now on: one `[samples, width]` per head, further ones are left aside.
    pub fn set_conditions(&mut self, heads: Vec<Array2<f32>>) {
        if let Some(distance) = &mut self.distance {
            let count = distance.heads.len();
            distance.heads = heads.into_iter().take(count).collect();
        }
    }

    /// Writes the generator and measures it, where it is time for that; removes what need not stay.
    ///
    /// # Errors
    /// Files that cannot be written; a distance that cannot be computed.
    pub fn on_tick(&mut self, tick: &Tick<'_>) -> Result<(), RunError> {
        let measured = self.distance.as_ref().filter(|_| self.measures(tick));
        if !tick.is_checkpoint && measured.is_none() {
            return Ok(());
        }
        let origin = SnapshotOrigin::new(self.provenance, tick.images_seen);
        let path = self.run.join(&file_name(tick.images_seen));
        let trained_mappers_sha256 = match tick.mappers {
            Some(mappers) => mappers.save_beside(&path, &origin)?.sha256,
            None => BTreeMap::new(),
        };
        let origin = SnapshotOrigin { trained_mappers_sha256, ..origin };
        // Written before it is measured: a distance in the metrics always had its snapshot.
        save_snapshot(&path, GENERATOR_KIND, self.generator, &origin, tick.generator_ema)?;
        if let Some(distance) = measured {
            let distances = distance
                .measure(tick.generator_ema, self.generator.z_dim, self.config, self.device)
                .map_err(|error| RunError::invalid(&path, "Fréchet distance", "one", error))?;
            let frechet = distance.measured(self.config, &distances);
            let event = DistanceEvent { tick: tick.tick, images_seen: tick.images_seen, frechet };
            tick.log.append(tick.images_seen, &event)?;
            self.last = distances;
        }
        self.remove_old(tick.images_seen)
    }

    /// Removes snapshots beyond the newest and the best, and those that a run killed after its checkpoint left.
    fn remove_old(&self, images_seen: u64) -> Result<(), RunError> {
        let best = self.best()?.map(|best| best.images_seen);
        let mut found = self.found();
        found.reverse();
        let mut num_newest = 0;
        for (number, path) in found {
            let is_of_this_course = number <= images_seen;
            num_newest += usize::from(is_of_this_course);
            let is_new = self.config.keep == 0 || num_newest <= self.config.keep;
            if !(is_of_this_course && (is_new || best == Some(number))) {
                for file in companions(&path)?.into_iter().chain([path]) {
                    std::fs::remove_file(&file).map_err(|error| RunError::unwritable(&file, error))?;
                }
            }
        }
        Ok(())
    }

    /// Snapshots in the folder, oldest first.
    fn found(&self) -> Vec<(u64, PathBuf)> {
        let entries = std::fs::read_dir(self.run.join(FOLDER)).into_iter().flatten().flatten();
        let mut found: Vec<(u64, PathBuf)> = entries
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let number = name.strip_prefix("generator-")?.strip_suffix(".safetensors")?.parse().ok()?;
                Some((number, entry.path()))
            })
            .collect();
        found.sort();
        found
    }

    /// The snapshot with the smallest distance of those that can be compared, the earliest of equals.
    fn best(&self) -> Result<Option<BestSnapshot>, RunError> {
        let Some(distance) = &self.distance else { return Ok(None) };
        let protocol = distance.protocol(self.config);
        let headline = distance.real.first().map_or("", |real| real.name);
        let mut best: Option<BestSnapshot> = None;
        for event in self.run.events().read::<EventWithDistance>()? {
            let (Some(frechet), Some(images_seen)) = (event.frechet, event.images_seen) else { continue };
            let Some(value) = frechet.to(headline) else { continue };
            let generator = self.run.join(&file_name(images_seen));
            let is_better = best.as_ref().is_none_or(|best| value < best.value);
            // A snapshot that was removed can no longer be the best.
            if frechet.protocol == protocol && is_better && file_is_there(&generator)? {
                let (mappers, note) = (companions(&generator)?, meaning(headline));
                best =
                    Some(BestSnapshot { generator, mappers, chosen_on: headline, note, images_seen, value });
            }
        }
        Ok(best)
    }

    /// What the run has in the end.
    ///
    /// # Errors
    /// Metrics that cannot be read.
    pub fn summary(self) -> Result<SnapshotSummary, RunError> {
        let best = self.best()?;
        let generators = self.found().into_iter().map(|(_, path)| path).collect();
        let frechet = self.distance.map(|distance| SampleDistanceSummary {
            name: distance.network.kind().distance_name(),
            features_sha256: distance.network.sha256().to_string(),
            best,
            last: self.last,
        });
        Ok(SnapshotSummary { generators, frechet })
    }
}

/// The mappers that lie beside a generator.
fn companions(generator: &Path) -> Result<Vec<PathBuf>, RunError> {
    let mut found = Vec::new();
    for target in [MapperTarget::Image, MapperTarget::Caption, MapperTarget::Resnet] {
        let path = companion_mapper(generator, target);
        found.extend(file_is_there(&path)?.then_some(path));
    }
    Ok(found)
}

/// What it means that the smallest distance to these real pictures chose the best snapshot.
fn meaning(real: &str) -> &'static str {
    match real {
        "test" => {
            "chosen by its distance to the test images: that distance is too small by the choice; \
             `finetune_gan.validation_fraction` keeps training images apart for it"
        }
        "validation" => {
            "chosen by its distance to images kept apart from training: the test images had no part in it"
        }
        _ => "chosen by its distance to the training images",
    }
}

fn file_name(images_seen: u64) -> String {
    format!("{FOLDER}/generator-{images_seen:08}.safetensors")
}
