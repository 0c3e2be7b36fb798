//! What decides the result of a step: the settings that its numbers depend on, and the files that it reads.
//!
//! Paths and the device are no part of it: files may be moved, and work may go on elsewhere than where it was begun.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::work::Work;
use crate::commands::finetune_gan::FinetuneGanSettings;
use crate::commands::prepare;
use crate::commands::pretrain_gan::{PretrainGanSettings, PretrainImages};
use crate::commands::reconstruct::ReconstructSettings;
use crate::commands::score::TRUTH;
use crate::data::nsd::tree::{AnnotationKind, NsdTree};
use crate::data::split::SplitConfig;
use crate::error::{Error, FileError, Result};
use crate::files::{file_is_there, folder_is_there};
use crate::interrupt;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::pipelines::chain_record::{CHAIN_FORMAT, FileRecord, StepId};
use crate::pipelines::drawing_manifest::{MANIFEST_FILE, Manifest};
use crate::run::error::RunError;
use crate::run::snapshot::hex;
use crate::training::gan::mappers::config::MapperMode;
use crate::training::gan::run_files::{DISCRIMINATOR_FILE, GENERATOR_FILE};

/// A file that decides a step, by what it is to it.
pub(super) struct Input {
    /// `prepared`, `CLIP`, …
    pub role: String,
    /// The file.
    pub path: PathBuf,
}

/// Settings and inputs of a step.
pub(super) struct Decisive {
    settings: Value,
    /// The files, in an order that does not depend on where they are.
    pub inputs: Vec<Input>,
}

impl Decisive {
    fn new(settings: impl Serialize) -> Result<Self> {
        Ok(Self { settings: serde_json::to_value(settings)?, inputs: vec![] })
    }

    fn with(mut self, role: impl Into<String>, path: impl AsRef<Path>) -> Self {
        self.inputs.push(Input { role: role.into(), path: path.as_ref().to_path_buf() });
        self
    }

    fn with_some(self, role: &str, path: Option<impl AsRef<Path>>) -> Self {
        match path {
            Some(path) => self.with(role, path),
            None => self,
        }
    }

    /// A file that is read only where it is there.
    fn with_present(self, role: &str, path: &Path) -> Result<Self> {
        Ok(if file_is_there(path)? { self.with(role, path) } else { self })
    }

    /// Images and captions of an NSD tree.
    fn with_captioned_stimuli(self, nsd: &Path) -> Result<Self> {
        let tree = NsdTree::new(nsd);
        let with = self.with("stimuli", tree.stimuli()).with("stimulus table", tree.stim_info());
        with.with_annotations(&tree, AnnotationKind::Captions)
    }

    fn with_annotations(mut self, tree: &NsdTree, kind: AnnotationKind) -> Result<Self> {
        for path in tree.annotations_present(kind)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            self = self.with(name, path);
        }
        Ok(self)
    }

    /// The stored split, if there is one.
    fn with_split(self, split: &SplitConfig) -> Self {
        self.with_some("split", split.file.as_ref())
    }

    fn with_networks(self, networks: &DecoderPaths) -> Self {
        self.with("image mapper", &networks.image_mapper)
            .with("second mapper", &networks.second_mapper)
            .with("generator", &networks.generator)
    }

    /// SHA-256 of the step, its settings and the content of `files`, which are its inputs in their order.
    ///
    /// # Errors
    /// Settings that are no JSON.
    pub fn identity(&self, id: &StepId, files: &[FileRecord]) -> Result<String> {
        let contents: Vec<(&str, String)> = self
            .inputs
            .iter()
            .zip(files)
            .map(|(input, file)| (input.role.as_str(), file.content()))
            .collect();
        let whole = serde_json::to_vec(&(CHAIN_FORMAT, id, &self.settings, contents))?;
        Ok(hex(&Sha256::digest(whole)))
    }
}

impl Work {
    /// What decides its result.
    ///
    /// # Errors
    /// An input that is missing or cannot be looked at.
    pub fn decisive(&self) -> Result<Decisive> {
        match self {
            Self::Prepare(settings) => {
                let what = json!([settings.subject, settings.resolution, settings.prepare]);
                let tree = NsdTree::new(&settings.nsd_root);
                let files = prepare::source_files(settings)?;
                let with = |all: Decisive, file: PathBuf| all.with(tree.relative(&file), file);
                Ok(files.into_iter().fold(Decisive::new(what)?, with))
            }
            Self::PretrainClip(settings) => {
                Decisive::new((pathless(&settings.split), &settings.pretrain_clip))?
                    .with_split(&settings.split)
                    .with("prepared", &settings.prepared)
                    .with_captioned_stimuli(&settings.nsd)
            }
            Self::ScreenCaptions(settings) => {
                Decisive::new((&settings.screen_captions, &settings.stimulus_view))?
                    .with("prepared", &settings.prepared)
                    .with("CLIP", &settings.clip)
                    .with_captioned_stimuli(&settings.nsd)
            }
            Self::Mapper(settings) => {
                let mapper = settings.mapper.for_target(settings.target);
                let captions = (settings.target == MapperTarget::Caption).then_some(&settings.captions);
                let what = (settings.target, settings.betas, pathless(&settings.split), mapper.decisive()?);
                Ok(Decisive::new(what)?
                    .with_split(&settings.split)
                    .with("prepared", &settings.prepared)
                    .with("stimuli", &settings.stimuli)
                    .with("target network", &settings.target_network)
                    .with_some("captions", captions))
            }
            Self::PretrainGan(settings) => pretraining(settings),
            Self::FinetuneGan(settings) => finetuning(settings),
            Self::Reconstruct(settings) => reconstruction(settings),
            Self::Microstim(settings) => {
                let what =
                    (pathless(&settings.split), &settings.microstim, settings.seed, settings.precision);
                Ok(Decisive::new(what)?
                    .with_split(&settings.split)
                    .with("prepared", &settings.prepared)
                    .with("stimuli", &settings.stimuli)
                    .with("CLIP", &settings.clip)
                    .with_networks(&settings.networks))
            }
            _ => self.decisive_of_numbers(),
        }
    }

    /// The same of the steps that count and compare.
    fn decisive_of_numbers(&self) -> Result<Decisive> {
        match self {
            Self::Evaluate(settings) => {
                let data = &settings.data;
                let mut what =
                    Decisive::new((&settings.evaluate, pathless(&data.split), data.mapper.decisive()?))?
                        .with_split(&data.split)
                        .with("prepared", &data.prepared)
                        .with("stimuli", &data.stimuli)
                        .with_some("CLIP", settings.clip.as_ref())
                        .with_some("own targets", settings.own_targets.as_ref())
                        .with_some("ResNet", settings.resnet.as_ref())
                        .with_present("captions", &data.captions)?;
                for (number, mapper) in settings.mappers.iter().enumerate() {
                    what = what.with(format!("mapper {number}"), mapper);
                }
                for (number, mapper) in settings.controls.iter().enumerate() {
                    what = what.with(format!("control mapper {number}"), mapper);
                }
                for (number, split) in data.compared_splits.iter().enumerate() {
                    what = what.with(format!("compared split {number}"), split);
                }
                Ok(what)
            }
            Self::EvaluateImages(settings) => {
                let mut what = Decisive::new(&settings.evaluate_images)?
                    .with("features", settings.features.path())
                    .with_some("classifier", settings.classifier.as_ref())
                    .with("manifest", settings.evaluated.join(MANIFEST_FILE));
                for entry in Manifest::read(&settings.evaluated, "the pictures to evaluate")?.images {
                    for file in [entry.file, entry.ground_truth] {
                        what = what.with(file.clone(), settings.evaluated.join(file));
                    }
                }
                Ok(what)
            }
            Self::Encode(settings, noise_ceiling) => {
                let data = &settings.data;
                let what = Decisive::new((&settings.encode, pathless(&data.split), data.mapper.decisive()?))?
                    .with_split(&data.split)
                    .with("prepared", &data.prepared)
                    .with("stimuli", &data.stimuli)
                    .with("CLIP", &data.target_network)
                    .with_some("captions", settings.has_captions().then_some(&data.captions));
                match noise_ceiling {
                    Some(volume) => what.with_present("noise ceiling", volume),
                    None => Ok(what),
                }
            }
            Self::Score(settings, _) => Decisive::new(())?
                .with("truth", settings.nsd.join(TRUTH))
                .with("prepared", &settings.prepared)
                .with_present("captions", &settings.probabilities),
            Self::Report(_, results) => Decisive::new(results),
            _ => Err(Error::failure("a step that is decided by nothing")),
        }
    }
}

/// The split without the place of its file, whose content decides.
fn pathless(split: &SplitConfig) -> SplitConfig {
    SplitConfig { file: None, ..split.clone() }
}

/// Pictures, and what the true embeddings of others are made of.
fn reconstruction(settings: &ReconstructSettings) -> Result<Decisive> {
    let what = (pathless(&settings.split), &settings.reconstruct, settings.seed, settings.precision);
    let mut all = Decisive::new((what, settings.is_control))?
        .with_split(&settings.split)
        .with("prepared", &settings.prepared)
        .with("stimuli", &settings.stimuli)
        .with_networks(&settings.networks);
    if let Some(targets) = &settings.targets {
        all = all
            .with_some("CLIP", targets.clip.as_ref())
            .with_some("own targets", targets.own_targets.as_ref())
            .with_some("ResNet", targets.resnet.as_ref())
            .with_present("captions", &targets.captions)?;
    }
    Ok(all)
}

fn pretraining(settings: &PretrainGanSettings) -> Result<Decisive> {
    let config = &settings.pretrain_gan;
    let what = match &settings.images {
        PretrainImages::Stimuli { nsd, prepared, captions, split, view } => {
            Decisive::new((config, pathless(split), view))?
                .with_split(split)
                .with("prepared", prepared)
                .with("stimuli", NsdTree::new(nsd).stimuli())
                .with_present("captions", captions)?
        }
        PretrainImages::Collection { images, annotations } => {
            let is_folder = folder_is_there(images)?;
            let listing = if is_folder { Some(listing_sha256(images)?) } else { None };
            Decisive::new((config, listing))?
                .with_some("images", (!is_folder).then_some(images))
                .with_some("annotations", annotations.as_ref())
        }
    };
    let features = settings.features.as_ref().map(|features| features.path());
    let what = what.with("CLIP", &settings.clip).with_some("ResNet", settings.resnet.as_ref());
    Ok(what.with_some("features", features))
}

fn finetuning(settings: &FinetuneGanSettings) -> Result<Decisive> {
    let config = &settings.finetune_gan;
    let aims_at_captions = config.mappers.mode == MapperMode::EndToEnd
        && config.condition.uses()[1]
        && config.condition.second_target() == MapperTarget::Caption;
    let features = settings.features.as_ref().map(|features| features.path());
    Ok(Decisive::new((config, pathless(&settings.split), settings.stimulus_view))?
        .with_split(&settings.split)
        .with("prepared", &settings.prepared)
        .with("stimuli", NsdTree::new(&settings.nsd).stimuli())
        .with("CLIP", &settings.clip)
        .with("image mapper", &settings.image_mapper)
        .with("second mapper", &settings.second_mapper)
        .with("generator", settings.gan.join(GENERATOR_FILE))
        .with("discriminator", settings.gan.join(DISCRIMINATOR_FILE))
        .with_some("ResNet", settings.resnet.as_ref())
        .with_some("features", features)
        .with_some("captions", aims_at_captions.then_some(&settings.captions)))
}

/// SHA-256 of names, sizes and times of everything below a folder of images, which has too many to be read each time.
fn listing_sha256(folder: &Path) -> Result<String> {
    let mut found = Vec::new();
    list_below(folder, folder, &mut BTreeSet::new(), &mut found)?;
    found.sort();
    Ok(hex(&Sha256::digest(serde_json::to_vec(&found)?)))
}

/// Adds the files of a folder, behind links too; `known` are the folders that were listed, for links may lead in a circle.
fn list_below(
    root: &Path,
    folder: &Path,
    known: &mut BTreeSet<PathBuf>,
    found: &mut Vec<(String, u64, u64)>,
) -> Result<(), RunError> {
    let unreadable = |error: std::io::Error| FileError::from_io(folder, "`--images`", &error);
    if !known.insert(std::fs::canonicalize(folder).map_err(unreadable)?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        interrupt::check()?;
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            // No image has such a name, and editors keep links there that lead nowhere.
            Err(_) if entry.file_name().to_string_lossy().starts_with('.') => continue,
            Err(error) => return Err(FileError::from_io(&path, "`--images`", &error).into()),
        };
        if metadata.is_dir() {
            list_below(root, &path, known, found)?;
        } else if metadata.is_file() {
            let seconds = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.push((name, metadata.len(), seconds.map_or(0, |time| time.as_secs())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn images_behind_links_are_listed_and_links_that_lead_nowhere_are_named() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("elsewhere/deep")).unwrap();
        std::fs::create_dir(at("images")).unwrap();
        std::fs::write(at("elsewhere/deep/a.png"), b"1").unwrap();
        symlink(at("elsewhere"), at("images/link")).unwrap();
        symlink(at("images"), at("elsewhere/circle")).unwrap();
        symlink("gone", at("images/.#a.png")).unwrap();
        let first = listing_sha256(&at("images")).unwrap();
        assert_eq!(listing_sha256(&at("images")).unwrap(), first);
        std::fs::write(at("elsewhere/deep/b.png"), b"12").unwrap();
        assert_ne!(listing_sha256(&at("images")).unwrap(), first);
        symlink("gone", at("images/c.png")).unwrap();
        assert!(listing_sha256(&at("images")).unwrap_err().to_string().contains("c.png"));
    }
}
