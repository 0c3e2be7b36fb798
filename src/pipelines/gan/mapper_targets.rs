//! What mappers that are finetuned with the GAN aim at, and the betas that they read.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::image::stimulus_view::{ResizeChain, StimulusView};
use crate::data::split::SplitConfig;
use crate::data::targets::{DEFAULT_THRESHOLD, TargetScale, TargetScaling};
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::{Mapper, MapperSnapshot, MapperTarget, RESNET_CENTRE};
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::targets::resnet_vectors::{ResnetSnapshot, ResnetVector, stimulus_vectors};
use crate::pipelines::targets::sentences::{CaptionSource, SHORTEN, SentencesByImage};
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::tensor_ops::backend::Base;
use crate::training::gan::mappers::joint::MapperStart;
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};

/// A mapper as training starts from it; `network` is its [`LoadedMapper::papers`].
pub(crate) fn mapper_start<'a>(
    (network, snapshot): &'a (&'a Mapper<Base>, MapperSnapshot),
    mapper: &'a LoadedMapper,
) -> MapperStart<'a> {
    MapperStart { network, snapshot, sha256: &mapper.sha256, provenance: &mapper.provenance }
}

/// Refuses to finetune a mapper on another split than its own: images that neither may see would be seen by one of them. A mapper
/// that does not say on which split it was trained is refused, too.
///
/// # Errors
/// [`RunError::Invalid`] naming the mapper's file.
pub(crate) fn check_split(
    path: &Path,
    mapper: &LoadedMapper,
    split: &SplitConfig,
) -> crate::error::Result<()> {
    let Some(training) = MapperProvenance::<IgnoredAny>::of_provenance(path, &mapper.provenance)? else {
        let expected = "the split that the mapper was trained on: without it, images held out from the GAN may be among \
                        those that the mapper has seen";
        return Err(RunError::invalid(path, "settings.split", expected, "none").into());
    };
    training.require_split(path, split, "finetuning")
}

/// The part of a mapper's settings that says how it was shown the stimuli.
#[derive(Deserialize)]
struct TrainedView {
    /// Unknown of mappers from before there was a choice.
    resize_chain: Option<ResizeChain>,
}

/// Refuses to finetune an image mapper on stimuli of other sizes than it was trained on. One that does not say is taken.
///
/// # Errors
/// [`RunError::Invalid`] naming the mapper's file.
pub(crate) fn check_view(path: &Path, mapper: &LoadedMapper, view: StimulusView) -> Result<(), RunError> {
    if mapper.snapshot.target != MapperTarget::Image {
        return Ok(());
    }
    let training = MapperProvenance::<TrainedView>::of_provenance(path, &mapper.provenance)?;
    match training.and_then(|training| training.mapper.resize_chain) {
        Some(chain) if chain != view.chain => {
            let expected = format!("{}, `train_mapper.resize_chain` of this finetuning", view.chain);
            Err(RunError::invalid(path, "settings.mapper.resize_chain", expected, chain))
        }
        _ => Ok(()),
    }
}

/// What the targets of the second mapper are made of.
pub(crate) struct SecondTargets<'a> {
    /// What the conditions are made of: it says of which space the second mapper's vectors are.
    pub source: ConditionSource,
    /// Which caption of an image the mapper aims at.
    pub caption_choice: CaptionChoice,
    /// ResNet-50 snapshot; read for a ResNet mapper.
    pub resnet: Option<&'a Path>,
    /// NSD's stimuli; read for a ResNet mapper.
    pub stimuli: &'a Path,
    /// Vetted captions; read for a caption mapper.
    pub captions: &'a Path,
}

impl SecondTargets<'_> {
    /// Unit vectors that the second mapper aims at; nothing where it has no part in the condition. `images` are the distinct
    /// images trained on, `image_of_sample` says which of them each sample shows.
    ///
    /// # Errors
    /// Captions, images or networks that are missing or do not fit.
    pub fn read(
        &self,
        clip: &ClipSnapshot,
        images: &[NsdId],
        image_of_sample: &[usize],
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Option<EmbeddingTargets>> {
        if !self.source.uses()[1] {
            return Ok(None);
        }
        Ok(Some(match self.source.second_target() {
            MapperTarget::Resnet => self.of_resnet(images, image_of_sample, bench)?,
            MapperTarget::Image | MapperTarget::Caption => {
                self.of_captions(clip, images, image_of_sample, bench)?
            }
        }))
    }

    fn of_resnet(
        &self,
        images: &[NsdId],
        image_of_sample: &[usize],
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<EmbeddingTargets> {
        let needed = || {
            RunError::missing("paths.resnet", "the targets of a ResNet mapper: set it with `--resnet FILE`")
        };
        let resnet = ResnetSnapshot::open(self.resnet.ok_or_else(needed)?, bench.device)?;
        let vectors = stimulus_vectors(&resnet, ResnetVector::MaxAndMean, self.stimuli, images, bench)?;
        let centred = vectors - RESNET_CENTRE as f32;
        let rows: Vec<_> = (0..images.len()).map(|image| image..image + 1).collect();
        let scale = TargetScale { clamp: 0.0, scaling: TargetScaling::UnitNorm };
        Ok(EmbeddingTargets::new(&centred, &rows, image_of_sample, CaptionChoice::First, scale))
    }

    fn of_captions(
        &self,
        clip: &ClipSnapshot,
        images: &[NsdId],
        image_of_sample: &[usize],
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<EmbeddingTargets> {
        let vetted = VettedCaptions::read(self.captions)?;
        vetted.warn_of_other_clip(&clip.sha256);
        let sentences =
            images.iter().map(|image| vetted.of(*image)).collect::<Result<SentencesByImage, _>>()?;
        let image = |image: usize| images[image].to_string();
        let source = CaptionSource { file: self.captions, image: &image, cure: SHORTEN };
        let raw = sentences.embed(clip, LongText::Error, &source, bench)?;
        let scale = TargetScale { clamp: DEFAULT_THRESHOLD, scaling: TargetScaling::UnitNorm };
        Ok(EmbeddingTargets::new(
            &raw,
            sentences.rows_of_image(),
            image_of_sample,
            self.caption_choice,
            scale,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::mapper::MapperConfig;
    use crate::run::snapshot::{MAPPER_KIND, save_snapshot};
    use crate::tensor_ops::backend::cpu;
    use serde_json::{Value, json};

    fn snapshot() -> MapperSnapshot {
        let network = MapperConfig {
            signal_len: 16,
            num_blocks: 1,
            hidden: 4,
            fc: 4,
            embed_dim: 4,
            ..Default::default()
        };
        MapperSnapshot {
            network,
            target: MapperTarget::Image,
            num_voxels: 14,
            padding_left: 1,
            subject: "subj01".into(),
            roi: "nsdgeneral".into(),
            voxels_sha256: None,
            target_network_sha256: String::new(),
        }
    }

    /// A mapper whose snapshot says `origin` of its training.
    fn mapper(path: &Path, origin: &Value) -> LoadedMapper {
        let snapshot = snapshot();
        let weights = snapshot.network.init::<Base>(0, &cpu()).unwrap();
        save_snapshot(path, MAPPER_KIND, &snapshot, origin, &weights).unwrap();
        LoadedMapper::open(path, &cpu()).unwrap()
    }

    #[test]
    fn a_mapper_of_another_split_or_of_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mapper.safetensors");
        let split = SplitConfig::default();
        let found = |origin: Value| {
            check_split(&path, &mapper(&path, &origin), &split).map_err(|error| error.to_string())
        };
        let trained = |split: Value| {
            let data = snapshot();
            let settings =
                json!({"mapper": {}, "data": data, "num_trials": 3, "betas": "measured", "split": split});
            json!({"phases": [], "settings": settings})
        };
        assert_eq!(found(trained(json!(split))), Ok(()));
        let error = found(trained(json!({"rule": "first-appearance", "train_fraction": 0.5}))).unwrap_err();
        assert!(error.contains("mapper.safetensors") && error.contains("settings.split"), "{error}");
        let mut without = trained(json!(null));
        without["settings"].as_object_mut().unwrap().remove("split");
        for origin in [json!({}), json!({"imported_from": "a file"}), trained(json!(null)), without] {
            let error = found(origin).unwrap_err();
            assert!(error.contains("mapper.safetensors") && error.contains("settings"), "{error}");
        }
    }

    #[test]
    fn an_image_mapper_is_finetuned_on_stimuli_of_its_own_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mapper.safetensors");
        let check = |settings: Value| {
            let split = SplitConfig::default();
            let settings = json!({
                "mapper": settings, "data": snapshot(), "num_trials": 3, "betas": "measured", "split": split,
            });
            let mapper = mapper(&path, &json!({"phases": [], "settings": settings}));
            check_view(&path, &mapper, StimulusView::default()).map_err(|error| error.to_string())
        };
        assert_eq!(check(json!({"resize_chain": "through-256"})), Ok(()));
        assert_eq!(check(json!({})), Ok(()));
        let error = check(json!({"resize_chain": "direct"})).unwrap_err();
        assert!(error.contains("mapper.safetensors") && error.contains("direct"), "{error}");
        assert!(error.contains("through-256, `train_mapper.resize_chain` of this finetuning"), "{error}");
    }
}
