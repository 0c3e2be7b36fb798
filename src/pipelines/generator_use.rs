//! What a generator's snapshot says of its use: by which condition it was trained, with which mappers, in whose space.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::mapper_provenance::MapperProvenance;
use crate::data::split::{SplitConfig, SplitRule};
use crate::error::Error;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::{AnyMapperSnapshot, MapperTarget};
use crate::models::stylegan2::{ConditionHeads, GeneratorConfig};
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::snapshot::{GENERATOR_KIND, Snapshot};
use crate::training::gan::mappers::config::MapperMode;

/// Places of the two mappers in messages.
const PLACES: [&str; 2] = ["image mapper", "second mapper"];

/// What a training of a GAN writes into its snapshots; all of it is unknown of an imported network.
#[derive(Clone, Debug, Default, Deserialize)]
struct Origin {
    condition: Option<ConditionSource>,
    mappers: Option<MapperMode>,
    image_mapper_sha256: Option<String>,
    /// Of the second condition's mapper, whatever it predicts.
    caption_mapper_sha256: Option<String>,
    clip_sha256: Option<String>,
    resnet_sha256: Option<String>,
    split: Option<SplitConfig>,
    data: Option<DataOrigin>,
    /// By target, where the mappers were trained along.
    #[serde(default)]
    trained_mappers_sha256: BTreeMap<String, String>,
}

/// Images of a pretraining.
#[derive(Clone, Debug, Default, Deserialize)]
struct DataOrigin {
    split: Option<SplitConfig>,
}

/// How a generator was trained to be used.
#[derive(Clone, Debug)]
pub struct GeneratorUse {
    heads: ConditionHeads,
    origin: Origin,
    /// The origin as it stands in the snapshot.
    provenance: Value,
}

/// A mapper that is about to steer the generator.
#[derive(Clone, Copy, Debug)]
pub struct SteeringMapper<'a> {
    /// Its file.
    pub path: &'a Path,
    /// SHA-256 of the file.
    pub sha256: &'a str,
    /// What the file says of input and output.
    pub snapshot: &'a AnyMapperSnapshot,
    /// How it was trained, or where it was imported from.
    pub provenance: &'a Value,
}

impl GeneratorUse {
    /// Reads it from a generator's file.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing or is no generator's snapshot.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let snapshot = Snapshot::open(path, GENERATOR_KIND)?;
        Self::of_snapshot(&snapshot, &snapshot.config::<GeneratorConfig>()?)
    }

    /// The same of a snapshot that is open already.
    ///
    /// # Errors
    /// [`RunError::invalid`] for an origin that no training writes.
    pub fn of_snapshot(snapshot: &Snapshot, config: &GeneratorConfig) -> Result<Self, RunError> {
        let provenance = snapshot.provenance().clone();
        let origin = match provenance.as_object() {
            None => Origin::default(),
            Some(_) => Origin::deserialize(&provenance).map_err(|error| {
                RunError::invalid(snapshot.path(), "provenance", "what a training of a GAN writes", error)
            })?,
        };
        Ok(Self { heads: config.heads, origin, provenance })
    }

    /// The condition that the generator was trained on. Where the snapshot does not say: the image embedding for one head,
    /// an embedding for each of two.
    pub fn condition(&self) -> ConditionSource {
        self.origin.condition.unwrap_or(match self.heads {
            ConditionHeads::One => ConditionSource::Image,
            ConditionHeads::None | ConditionHeads::TwoByMaximum => ConditionSource::Both,
        })
    }

    /// Refuses a condition of two vectors for a generator with one head.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names the generator's file, at `path`.
    pub fn check_heads(&self, path: &Path, source: ConditionSource) -> Result<(), RunError> {
        if self.heads != ConditionHeads::One || !source.needs_two_heads() {
            return Ok(());
        }
        let expected =
            format!("2 as the condition `{source}` needs; this generator takes `{}`", self.condition());
        Err(RunError::invalid(path, "number of condition heads", expected, 1))
    }

    /// What does not belong together when these mappers steer the generator at `path` by `source`, a sentence each.
    pub fn misfits(
        &self,
        path: &Path,
        mappers: [SteeringMapper<'_>; 2],
        source: ConditionSource,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (index, mapper) in mappers.into_iter().enumerate() {
            if !source.uses()[index] {
                continue;
            }
            let (place, file, generator) = (PLACES[index], mapper.path.display(), path.display());
            if let Some(companion) = self.missed_companion(index, mapper) {
                let own = short(mapper.sha256);
                found.push(format!(
                    "`{file}` (SHA-256 {own}) is not the {place} that `{generator}` was finetuned with ({companion})"
                ));
            }
            if let Some(space) = self.other_space(mapper) {
                let own = short(&mapper.snapshot.target_network_sha256);
                found.push(format!(
                    "`{file}` predicts the space of another network (SHA-256 {own}) than `{generator}` was trained in \
                     (SHA-256 {})",
                    short(space)
                ));
            }
        }
        found
    }

    /// What is known of the mapper that belongs at this place, if `mapper` is another.
    fn missed_companion(&self, index: usize, mapper: SteeringMapper<'_>) -> Option<String> {
        let hashed =
            |expected: &String| (*expected != mapper.sha256).then(|| format!("SHA-256 {}", short(expected)));
        let Origin { condition, mappers, trained_mappers_sha256, .. } = &self.origin;
        let condition = condition.filter(|_| *mappers == Some(MapperMode::EndToEnd));
        if let Some(condition) = condition.filter(|condition| condition.uses()[index]) {
            let target = if index == 0 { "image".to_string() } else { condition.second_target().to_string() };
            if let Some(expected) = trained_mappers_sha256.get(&target) {
                return hashed(expected);
            }
            // Older snapshots do not name the mappers that were trained along, but these name the generator's training.
            let is_of_this_training = mapper.provenance.get("finetuned_with_gan") == Some(&self.provenance);
            return (!is_of_this_training).then(|| "one that was trained along with it".into());
        }
        let recorded = [&self.origin.image_mapper_sha256, &self.origin.caption_mapper_sha256];
        recorded[index].as_ref().and_then(hashed)
    }

    /// Hash of the network in whose space the generator was trained, if the mapper's is another.
    fn other_space(&self, mapper: SteeringMapper<'_>) -> Option<&str> {
        let found = &mapper.snapshot.target_network_sha256;
        let expected = match mapper.snapshot.target {
            MapperTarget::Resnet => &self.origin.resnet_sha256,
            MapperTarget::Image | MapperTarget::Caption => &self.origin.clip_sha256,
        };
        expected.as_deref().filter(|expected| !found.is_empty() && expected != found)
    }

    /// Images that were trained on under another split than `split`, a sentence for each network: pictures of them are none of
    /// images that the networks never saw.
    ///
    /// # Errors
    /// [`RunError::invalid`] for a mapper whose snapshot cannot be read.
    pub fn split_misfits(
        &self,
        path: &Path,
        mappers: [SteeringMapper<'_>; 2],
        source: ConditionSource,
        split: &SplitConfig,
    ) -> Result<Vec<String>, RunError> {
        let Origin { split: own, data, .. } = &self.origin;
        let own = own.as_ref().or_else(|| data.as_ref()?.split.as_ref());
        let mut found = vec![(path, own.cloned())];
        for (mapper, _) in mappers.into_iter().zip(source.uses()).filter(|(_, is_used)| *is_used) {
            let training = MapperProvenance::<IgnoredAny>::of_provenance(mapper.path, mapper.provenance)?;
            found.push((mapper.path, training.map(|training| training.split)));
        }
        let others = found
            .into_iter()
            .filter_map(|(path, own)| Some((path, own.filter(|own| !split.is_same_as_stored(own))?)));
        let sentence = |(path, own): (&Path, SplitConfig)| {
            format!(
                "`{}` was trained under another split ({}) than this ({}): images called held out may be among those it has seen",
                path.display(),
                said(&own),
                said(split)
            )
        };
        Ok(others.map(sentence).collect())
    }
}

/// Says what does not belong together, or refuses it.
///
/// # Errors
/// All of it in one line, as bad input, where `strict` is set.
pub fn refuse_or_warn(misfits: &[String], strict: bool, progress: &mut dyn Progress) -> Result<(), Error> {
    if strict && !misfits.is_empty() {
        return Err(Error::bad_input(misfits.join("; ")));
    }
    misfits.iter().for_each(|misfit| progress.warning(misfit));
    Ok(())
}

/// A split in words.
fn said(split: &SplitConfig) -> String {
    match split.rule {
        SplitRule::FirstAppearance => format!("first {} of the images", split.train_fraction),
        SplitRule::Shared1000 => "all but the shared images".into(),
        SplitRule::Given | SplitRule::Random | SplitRule::Pictures | SplitRule::File => split.to_string(),
    }
}

/// The first digits of a hash, enough to tell files apart.
pub fn short(sha256: &str) -> String {
    match sha256.char_indices().nth(12) {
        Some((end, _)) => format!("{}…", &sha256[..end]),
        None => sha256.to_string(),
    }
}
