//! What classifiers are given: betas, vectors of the images, and what mappers decode from the betas.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use super::config::{ClassifierInput, MappedTraining};
use super::settings::ClassifySettings;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::interrupt;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{LoadedMapper, require_finite};
use crate::pipelines::inference::{TransductiveReason, of_epochs};
use crate::pipelines::mapper_betas::require_variation;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::tensor_ops::backend::Device;
use crate::tensor_ops::host_values::values;

/// Trials per forward pass of a mapper.
const BATCH: usize = 64;

/// A row per training trial and a row per held-out trial.
#[derive(Clone, Debug)]
pub(super) struct Features {
    pub train: Array2<f32>,
    pub test: Array2<f32>,
}

/// A mapper, and the space that it decodes into.
pub(super) struct DecodingMapper {
    path: PathBuf,
    mapper: LoadedMapper,
}

impl DecodingMapper {
    /// Opens a mapper into `target`, and refuses betas of others than it was trained on.
    fn open(
        path: &Path,
        target: MapperTarget,
        subject: &PreparedSubject,
        device: &Device,
    ) -> crate::error::Result<Self> {
        let mapper = LoadedMapper::open(path, device)?;
        mapper.check_input(subject)?;
        let found = mapper.snapshot.target;
        if found != target {
            return Err(RunError::invalid(path, "target", format!("`{target}`"), format!("`{found}`")).into());
        }
        Ok(Self { path: path.to_path_buf(), mapper })
    }

    /// What is decoded from betas `[trials, voxels]`, in the form of what the mapper aims at: embeddings at unit norm, ResNet vectors
    /// as they are.
    ///
    /// # Errors
    /// A request to stop; weights that decode no numbers.
    pub fn decoded(&self, betas: ArrayView2<'_, f32>, device: &Device) -> crate::error::Result<Array2<f32>> {
        let width = self.width();
        let mut decoded = Array2::zeros((betas.nrows(), width));
        for first in (0..betas.nrows()).step_by(BATCH) {
            interrupt::check()?;
            let end = betas.nrows().min(first + BATCH);
            let rows = betas.slice(s![first..end, ..]).to_owned();
            let vectors = match self.mapper.snapshot.target {
                MapperTarget::Resnet => self.mapper.predict(&rows, device),
                MapperTarget::Image | MapperTarget::Caption => self.mapper.embed(&rows, device),
            };
            require_finite(&self.path, &vectors)?;
            let out = decoded.slice_mut(s![first..end, ..]);
            out.into_iter().zip(values(vectors)).for_each(|(out, value)| *out = value);
        }
        Ok(decoded)
    }

    fn width(&self) -> usize {
        self.mapper.snapshot.network.embed_dim()
    }
}

/// Betas, mappers and vectors of a subject.
pub(super) struct FeatureReader {
    betas: Features,
    image: Space,
    resnet: Space,
}

/// A space that mappers decode into.
#[derive(Default)]
struct Space {
    mapper: Option<DecodingMapper>,
    /// Vectors of the images.
    vectors: Option<Features>,
}

impl FeatureReader {
    /// Reads betas and mappers, and computes or finds the vectors of the images.
    ///
    /// # Errors
    /// A file that cannot be used, a mapper of other betas or of another split.
    pub fn open(
        settings: &ClassifySettings,
        subject: &PreparedSubject,
        split: &Split,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Self> {
        bench.progress.start("reading betas", 0);
        let betas =
            Features { train: subject.betas_of(&split.train)?, test: subject.betas_of(&split.validation)? };
        let rows: Vec<usize> = (0..betas.train.nrows()).collect();
        require_variation(subject.path(), betas.train.view(), &rows)?;
        bench.progress.finish("");
        let mut space = |target| Space::open(target, settings, subject, split, bench);
        Ok(Self { image: space(MapperTarget::Image)?, resnet: space(MapperTarget::Resnet)?, betas })
    }

    /// Betas of training and held-out trials.
    pub fn betas(&self) -> &Features {
        &self.betas
    }

    /// The mapper behind an input.
    pub fn mapper(&self, input: ClassifierInput) -> Option<&DecodingMapper> {
        match input {
            ClassifierInput::ClipMapped => self.image.mapper.as_ref(),
            ClassifierInput::ResnetMapped => self.resnet.mapper.as_ref(),
            ClassifierInput::Fmri | ClassifierInput::ClipImage | ClassifierInput::ResnetImage => None,
        }
    }

    /// An input; none of what the subject does not have.
    ///
    /// # Errors
    /// As [`DecodingMapper::decoded`].
    pub fn of(
        &self,
        input: ClassifierInput,
        training: MappedTraining,
        device: &Device,
    ) -> crate::error::Result<Option<Cow<'_, Features>>> {
        let space = match input {
            ClassifierInput::Fmri => return Ok(Some(Cow::Borrowed(&self.betas))),
            ClassifierInput::ClipImage | ClassifierInput::ClipMapped => &self.image,
            ClassifierInput::ResnetImage | ClassifierInput::ResnetMapped => &self.resnet,
        };
        if !input.is_mapped() {
            return Ok(space.vectors.as_ref().map(Cow::Borrowed));
        }
        let (Some(mapper), Some(vectors)) = (&space.mapper, &space.vectors) else { return Ok(None) };
        let train = match training {
            MappedTraining::Decoded => mapper.decoded(self.betas.train.view(), device)?,
            MappedTraining::Image => vectors.train.clone(),
        };
        let test = mapper.decoded(self.betas.test.view(), device)?;
        Ok(Some(Cow::Owned(Features { train, test })))
    }

    /// How held-out trials had a part in the mappers.
    ///
    /// # Errors
    /// A mapper whose provenance cannot be read.
    pub fn reasons(&self) -> crate::error::Result<Vec<TransductiveReason>> {
        let mut reasons = Vec::new();
        for mapper in [&self.image, &self.resnet].into_iter().filter_map(|space| space.mapper.as_ref()) {
            reasons.extend(of_epochs(&mapper.path, &mapper.mapper.snapshot, &mapper.mapper.provenance)?);
        }
        Ok(reasons)
    }
}

impl Space {
    fn open(
        target: MapperTarget,
        settings: &ClassifySettings,
        subject: &PreparedSubject,
        split: &Split,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Self> {
        let (path, network) = match target {
            MapperTarget::Resnet => (&settings.resnet_mapper, settings.targets.resnet.clone()),
            _ => (&settings.image_mapper, settings.targets.image_or_clip(target)),
        };
        let Some(network) = network else { return Ok(Self::default()) };
        let open = |path: &PathBuf| DecodingMapper::open(path, target, subject, bench.device);
        let mapper = path.as_ref().map(open).transpose()?;
        let source = match &mapper {
            Some(DecodingMapper { path, mapper }) => {
                let split = (&settings.split, "classification");
                settings.targets.source_of_mapper(path, mapper, split)?
            }
            None => settings.targets.source(target, network, &settings.targets.mapper.for_target(target)),
        };
        let targets = TrialTargets::load(source, subject, bench)?;
        if let Some(DecodingMapper { path, mapper }) = &mapper {
            targets.require(path, mapper)?;
        }
        let of = |trials: &[usize]| targets.single(trials);
        Ok(Self { mapper, vectors: Some(Features { train: of(&split.train), test: of(&split.validation) }) })
    }
}

/// Brings every value of an input to mean 0 and deviation 1 over the training trials.
#[derive(Clone, Debug)]
pub(super) struct Scaling {
    mean: Array1<f32>,
    /// 1 over the deviation; of a value that never changes 1.
    factor: Array1<f32>,
}

impl Scaling {
    /// By the moments of training rows.
    pub fn of(train: &Array2<f32>) -> Self {
        let rows = train.nrows().max(1) as f64;
        let mean = train.fold_axis(Axis(0), 0.0_f64, |sum, value| sum + f64::from(*value)) / rows;
        let mut squares = Array1::<f64>::zeros(train.ncols());
        for row in train.rows() {
            let of_row = squares.iter_mut().zip(row).zip(&mean);
            of_row.for_each(|((square, value), mean)| *square += (f64::from(*value) - mean).powi(2));
        }
        let factor = squares.mapv(|square| {
            let deviation = (square / rows).sqrt();
            if deviation > 0.0 { (1.0 / deviation) as f32 } else { 1.0 }
        });
        Self { mean: mean.mapv(|mean| mean as f32), factor }
    }

    /// The rows, scaled.
    pub fn apply(&self, rows: Array2<f32>) -> Array2<f32> {
        (rows - &self.mean) * &self.factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn values_are_scaled_by_the_training_trials() {
        let scaling = Scaling::of(&array![[1.0, 5.0], [3.0, 5.0]]);
        assert_eq!(scaling.apply(array![[4.0, 6.0], [2.0, 5.0]]), array![[2.0, 1.0], [0.0, 0.0]]);
    }
}
