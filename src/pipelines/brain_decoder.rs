//! The whole chain from betas to pictures: padding, two mappers, unit norm, generator.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use image::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::generator_use::{GeneratorUse, SteeringMapper};
use super::mapper_input::check_input;
use super::mapper_provenance::{check_padding, say_mapper_used};
use super::pictures::picture::pictures;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::{
    AnyMapperSnapshot, Mapper, MapperNetwork, MapperNetworkConfig, MapperSnapshot, MapperTarget,
};
use crate::models::stylegan2::{Condition, Generator, GeneratorConfig, HALF_RESOLUTIONS, Noise, Truncation};
use crate::run::error::RunError;
use crate::run::precision::Precision;
use crate::run::snapshot::{GENERATOR_KIND, MAPPER_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::host_values::values;
use crate::tensor_ops::random::{keyed_rng, normal};
use crate::tensor_ops::similarity::unit_norm;

/// The three snapshots that decode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecoderPaths {
    /// Image mapper.
    pub image_mapper: PathBuf,
    /// Mapper of the second condition: of captions, or of ResNet vectors for [`ConditionSource::ImageResnet`].
    #[serde(rename = "caption_mapper")]
    pub second_mapper: PathBuf,
    /// Generator.
    pub generator: PathBuf,
}

/// Per-pixel noise while drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelNoise {
    /// The maps stored with the network: the same picture every time (docs/spec/open-questions.md OQ-56).
    #[default]
    Constant,
    /// New maps for every picture, from the seed.
    Random,
    /// None.
    Off,
}

/// Decoded embeddings of a batch of trials, as the mappers predict them or as they steer a generator.
#[derive(Clone, Debug)]
pub struct DecodedEmbeddings {
    /// `[trials, embed_dim]`, CLIP's image space.
    pub image: Tensor<Base, 2>,
    /// `[trials, embed_dim]`, the second mapper's: CLIP's caption space, or a ResNet mapper's vector.
    pub second: Tensor<Base, 2>,
}

/// How pictures are drawn from embeddings.
#[derive(Clone, Debug)]
pub struct DrawOptions {
    /// Which embeddings steer the generator.
    pub source: ConditionSource,
    /// Pull of w towards its mean; 1 is none.
    pub truncation_psi: f64,
    /// Per-pixel noise.
    pub noise: PixelNoise,
    /// Decides z and random noise maps.
    pub seed: u64,
}

/// Hashes of the networks, for manifests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecoderHashes {
    /// SHA-256 of the image mapper's snapshot.
    pub image_mapper: String,
    /// SHA-256 of the second mapper's snapshot.
    #[serde(rename = "caption_mapper")]
    pub second_mapper: String,
    /// SHA-256 of the generator's snapshot.
    pub generator: String,
}

/// Two mappers and a generator.
#[derive(Debug)]
pub struct BrainDecoder {
    image_mapper: LoadedMapper,
    second_mapper: LoadedMapper,
    generator: Generator<Base>,
    generator_config: GeneratorConfig,
    generator_use: GeneratorUse,
    hashes: DecoderHashes,
    paths: DecoderPaths,
    device: Device,
}

/// A mapper with what it was trained for.
#[derive(Debug)]
pub struct LoadedMapper {
    network: MapperNetwork<Base>,
    /// What the snapshot says of the mapper's input and output.
    pub snapshot: AnyMapperSnapshot,
    /// How it was trained, or where it was imported from.
    pub provenance: Value,
    /// SHA-256 of the snapshot.
    pub sha256: String,
}

impl LoadedMapper {
    /// Reads a mapper's snapshot.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing or holds no such mapper.
    pub fn open(path: &Path, device: &Device) -> Result<Self, RunError> {
        let file = Snapshot::open_unsaid(path, MAPPER_KIND)?;
        let snapshot: AnyMapperSnapshot = file.claimed_config()?;
        let network = match snapshot.network.init(device).map_err(|error| file.unfit(error))? {
            MapperNetwork::Paper(empty) => MapperNetwork::Paper(file.load_into(empty)?),
            MapperNetwork::Ridge(empty) => MapperNetwork::Ridge(file.load_into(empty)?),
            MapperNetwork::Residual(empty) => MapperNetwork::Residual(file.load_into(empty)?),
            MapperNetwork::KernelRidge(empty) => MapperNetwork::KernelRidge(file.load_into(empty)?),
        };
        say_mapper_used(path, &snapshot, file.provenance());
        check_padding(path, &snapshot, file.provenance())?;
        network.check_values().map_err(|fault| RunError::from(fault.at(path)))?;
        Ok(Self { network, snapshot, provenance: file.provenance().clone(), sha256: file.sha256().into() })
    }

    /// Refuses betas of another subject, of other regions or other voxels.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names the prepared file.
    pub fn check_input(&self, prepared: &PreparedSubject) -> Result<(), RunError> {
        check_input(&self.snapshot, &self.provenance, prepared)
    }

    /// The paper's network with its snapshot, which alone is trained further with a GAN.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names `path`, which the mapper was read from, where it is of another kind.
    pub fn papers(&self, path: &Path) -> Result<(&Mapper<Base>, MapperSnapshot), RunError> {
        match (&self.network, &self.snapshot.network) {
            (MapperNetwork::Paper(network), MapperNetworkConfig::Paper(sizes)) => {
                Ok((network, self.snapshot.with_network(sizes.clone())))
            }
            (_, other) => {
                let expected = "`paper`, the kind that is finetuned end to end (`train-mapper --kind paper`)";
                Err(RunError::invalid(path, "kind of mapper", expected, format!("`{}`", other.kind())))
            }
        }
    }

    /// One embedding per trial, of unit norm.
    ///
    /// # Shapes
    /// - betas: `[trials, voxels]`, z-scored within session, unpadded; output: `[trials, embed_dim]`
    pub fn embed(&self, betas: &Array2<f32>, device: &Device) -> Tensor<Base, 2> {
        unit_norm(self.predict(betas, device))
    }

    /// One vector per trial as it steers a generator: as [`LoadedMapper::embed`], a ResNet mapper's about zero.
    ///
    /// # Shapes
    /// - as [`LoadedMapper::embed`]
    pub fn condition(&self, betas: &Array2<f32>, device: &Device) -> Tensor<Base, 2> {
        self.snapshot.condition(self.predict(betas, device))
    }

    /// One vector per trial as the network gives it, of any norm.
    ///
    /// # Shapes
    /// - as [`LoadedMapper::embed`]
    pub fn predict(&self, betas: &Array2<f32>, device: &Device) -> Tensor<Base, 2> {
        self.network.forward(self.snapshot.signal(betas, device))
    }

    fn in_half(self) -> Self {
        Self { network: self.network.in_half(), ..self }
    }

    fn steering<'a>(&'a self, path: &'a Path) -> SteeringMapper<'a> {
        let Self { snapshot, provenance, sha256, .. } = self;
        SteeringMapper { path, sha256, snapshot, provenance }
    }
}

/// Refuses embeddings that are no numbers; `path` is the file of the mapper that predicted them.
///
/// # Errors
/// [`RunError::Invalid`] that names the file.
pub(crate) fn require_finite(path: &Path, embeddings: &Tensor<Base, 2>) -> Result<(), RunError> {
    if values(embeddings.clone()).iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    let expected = "finite numbers: its weights are absurd, or its betas are";
    Err(RunError::invalid(path, "embeddings that it predicts", expected, "NaN or an infinity"))
}

impl BrainDecoder {
    /// Reads the three networks. Whether they fit together depends on the condition: [`BrainDecoder::check_source`].
    ///
    /// # Errors
    /// [`RunError`] that names the file that cannot be used.
    pub fn open(paths: &DecoderPaths, device: &Device) -> Result<Self, RunError> {
        let image = LoadedMapper::open(&paths.image_mapper, device)?;
        let second = LoadedMapper::open(&paths.second_mapper, device)?;
        let file = Snapshot::open(&paths.generator, GENERATOR_KIND)?;
        let (generator_config, network) =
            file.network(|config: &GeneratorConfig| config.init::<Base>(0, device))?;
        let hashes = DecoderHashes {
            image_mapper: image.sha256.clone(),
            second_mapper: second.sha256.clone(),
            generator: file.sha256().into(),
        };
        Ok(Self {
            image_mapper: image,
            second_mapper: second,
            generator: network,
            generator_use: GeneratorUse::of_snapshot(&file, &generator_config)?,
            generator_config,
            hashes,
            paths: paths.clone(),
            device: device.clone(),
        })
    }

    /// The same networks in another number format. The caller has checked the device for it.
    pub fn with_precision(self, precision: Precision) -> Self {
        match precision {
            Precision::Single => self,
            Precision::Half => Self {
                image_mapper: self.image_mapper.in_half(),
                second_mapper: self.second_mapper.in_half(),
                generator: self.generator.with_half_resolutions(HALF_RESOLUTIONS),
                ..self
            },
        }
    }

    /// The condition that the generator was trained on.
    pub fn condition(&self) -> ConditionSource {
        self.generator_use.condition()
    }

    /// Refuses a source that the generator's heads or the mappers do not serve.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names the file that does not fit.
    pub fn check_source(&self, source: ConditionSource) -> Result<(), RunError> {
        let DecoderPaths { image_mapper, second_mapper, generator } = &self.paths;
        self.generator_use.check_heads(generator, source)?;
        for (part, path, mapper, wanted) in [
            (0, image_mapper, &self.image_mapper, MapperTarget::Image),
            (1, second_mapper, &self.second_mapper, source.second_target()),
        ] {
            let found = mapper.snapshot.target;
            if source.uses()[part] && wanted != found {
                let expected = format!("`{wanted}`, which the condition `{source}` is made of");
                return Err(RunError::invalid(path, "target", expected, format!("`{found}`")));
            }
        }
        let [first, second] =
            [&self.image_mapper, &self.second_mapper].map(|mapper| mapper.snapshot.network.embed_dim());
        let field = "width of the embedding";
        if source.uses() == [true; 2] && !source.needs_two_heads() && first != second {
            let expected = format!("{first} as the image mapper's");
            return Err(RunError::invalid(second_mapper, field, expected, second));
        }
        let dims = self.generator_config.condition_dims();
        let steering = match source {
            ConditionSource::Both | ConditionSource::ImageResnet => {
                [(image_mapper, first), (second_mapper, second)]
            }
            ConditionSource::Caption => [(second_mapper, second); 2],
            _ => [(image_mapper, first); 2],
        };
        for ((path, width), dim) in steering.into_iter().zip(&dims) {
            if width != *dim {
                let expected = format!("{dims:?} as the generator takes");
                return Err(RunError::invalid(path, field, expected, width));
            }
        }
        Ok(())
    }

    /// What does not belong together, a sentence each: mappers that the generator was not made for; where `held_out` says which
    /// images are called held out, networks that were trained under another split.
    ///
    /// # Errors
    /// [`RunError::invalid`] for a mapper whose origin cannot be read.
    pub fn misfits(
        &self,
        sources: &[ConditionSource],
        held_out: Option<&SplitConfig>,
    ) -> Result<Vec<String>, RunError> {
        let mappers = [
            self.image_mapper.steering(&self.paths.image_mapper),
            self.second_mapper.steering(&self.paths.second_mapper),
        ];
        let mut found: Vec<String> = Vec::new();
        for source in sources {
            let mut misfits = self.generator_use.misfits(&self.paths.generator, mappers, *source);
            if let Some(split) = held_out {
                let generator = &self.paths.generator;
                misfits.extend(self.generator_use.split_misfits(generator, mappers, *source, split)?);
            }
            misfits.retain(|misfit| !found.contains(misfit));
            found.extend(misfits);
        }
        Ok(found)
    }

    /// The image mapper and its file.
    pub fn image_mapper(&self) -> (&Path, &LoadedMapper) {
        (&self.paths.image_mapper, &self.image_mapper)
    }

    /// The second mapper and its file.
    pub fn second_mapper(&self) -> (&Path, &LoadedMapper) {
        (&self.paths.second_mapper, &self.second_mapper)
    }

    /// Where the networks compute.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What the second mapper predicts.
    pub fn second_target(&self) -> MapperTarget {
        self.second_mapper.snapshot.target
    }

    /// Refuses betas that the mappers were not trained for.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names `prepared`.
    pub fn check_input(&self, prepared: &PreparedSubject) -> Result<(), RunError> {
        self.image_mapper.check_input(prepared)?;
        self.second_mapper.check_input(prepared)
    }

    /// Hashes of the snapshots.
    pub fn hashes(&self) -> &DecoderHashes {
        &self.hashes
    }

    /// Height and width of the pictures.
    pub fn resolution(&self) -> usize {
        self.generator_config.resolution
    }

    /// Betas to embeddings as they steer the generator, unit norm.
    ///
    /// # Shapes
    /// - betas: `[trials, voxels]`, z-scored within session, unpadded
    pub fn embed(&self, betas: &Array2<f32>) -> DecodedEmbeddings {
        self.steering(&self.predict(betas))
    }

    /// Betas to embeddings as the mappers give them, of any norm.
    ///
    /// # Shapes
    /// - as [`BrainDecoder::embed`]
    pub fn predict(&self, betas: &Array2<f32>) -> DecodedEmbeddings {
        DecodedEmbeddings {
            image: self.image_mapper.predict(betas, &self.device),
            second: self.second_mapper.predict(betas, &self.device),
        }
    }

    /// Refuses embeddings that are no numbers, as a mapper of absurd weights makes them: a picture of them would be black.
    ///
    /// # Errors
    /// [`RunError::Invalid`] that names the mapper's file.
    pub fn require_finite(&self, decoded: &DecodedEmbeddings) -> Result<(), RunError> {
        let DecoderPaths { image_mapper, second_mapper, .. } = &self.paths;
        require_finite(image_mapper, &decoded.image)?;
        require_finite(second_mapper, &decoded.second)
    }

    /// Predicted embeddings as they steer the generator.
    pub fn steering(&self, predicted: &DecodedEmbeddings) -> DecodedEmbeddings {
        DecodedEmbeddings {
            image: self.image_mapper.snapshot.condition(predicted.image.clone()),
            second: self.second_mapper.snapshot.condition(predicted.second.clone()),
        }
    }

    /// Embeddings of unit norm to pictures. z and noise of a picture depend on the seed and its entry of `positions` alone.
    pub fn draw(
        &self,
        embeddings: &DecodedEmbeddings,
        positions: &[u64],
        options: &DrawOptions,
    ) -> Vec<RgbImage> {
        self.draw_from(self.latents(positions, options.seed), embeddings, positions, options)
    }

    /// The z that [`BrainDecoder::draw`] draws from: `[positions, z_dim]`.
    pub fn latents(&self, positions: &[u64], seed: u64) -> Tensor<Base, 2> {
        let z = positions.iter().map(|position| {
            let mut rng = keyed_rng(seed, "reconstruct z", *position);
            normal([1, self.generator_config.z_dim], &mut rng, &self.device)
        });
        Tensor::cat(z.collect(), 0)
    }

    /// As [`BrainDecoder::draw`] from a given z; `positions` then decide noise and mixtures alone.
    ///
    /// # Shapes
    /// - z: `[pictures, z_dim]`, as many rows as embeddings and positions
    pub fn draw_from(
        &self,
        z: Tensor<Base, 2>,
        embeddings: &DecodedEmbeddings,
        positions: &[u64],
        options: &DrawOptions,
    ) -> Vec<RgbImage> {
        let DecodedEmbeddings { image, second } = embeddings.clone();
        let count = self.generator_config.condition_dims().len();
        let heads = options.source.heads(image, second, options.seed, positions);
        // A generator with one head takes the first of the two.
        let condition = Condition { heads: heads.into_iter().take(count).collect() };
        let noise = match options.noise {
            PixelNoise::Constant => Noise::Constant,
            PixelNoise::Off => Noise::Off,
            PixelNoise::Random => {
                let of_picture = |position: &u64| {
                    let mut rng = keyed_rng(options.seed, "reconstruct noise", *position);
                    self.generator.random_noise(1, &mut rng, &self.device)
                };
                Noise::joined(positions.iter().map(of_picture).collect())
            }
        };
        let truncation = Truncation { psi: options.truncation_psi, cutoff: None };
        pictures(self.generator.forward(z, &condition, &noise, truncation))
    }
}
