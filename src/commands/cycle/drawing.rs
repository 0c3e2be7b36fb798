//! Picture to betas to picture: the networks that take a picture round, and what they make of it.

use image::RgbImage;
use ndarray::Array2;

use super::config::CycleSettings;
use super::originals::Originals;
use crate::data::prepared::PreparedSubject;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::models::condition_source::ConditionSource;
use crate::models::encoder::EncodingSpace;
use crate::pipelines::brain_decoder::{BrainDecoder, DrawOptions};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::encoding::snapshot::LoadedEncoder;
use crate::pipelines::pictures::picture_features::FeatureNetwork;
use crate::pipelines::trial_choice::betas_of;
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;

/// Pictures through CLIP at a time.
const BATCH: usize = 32;

/// Everything that was opened, and fits together.
pub(super) struct Networks {
    pub encoder: LoadedEncoder,
    pub decoder: BrainDecoder,
    pub clip: FeatureNetwork,
    pub condition: ConditionSource,
}

/// Pictures and betas of the same images, in one order.
pub(super) struct Cycled {
    pub originals: Vec<RgbImage>,
    pub predicted: Array2<f32>,
    pub cycled: Vec<RgbImage>,
    /// Betas, and what is drawn from them; none of a folder.
    pub measured: Option<(Array2<f32>, Vec<RgbImage>)>,
}

/// CLIP embeddings of the same pictures, `[pictures, embed_dim]`.
pub(super) struct Features {
    pub originals: Array2<f32>,
    pub cycled: Array2<f32>,
    pub measured: Option<Array2<f32>>,
}

/// Opens the networks and refuses what does not fit.
///
/// # Errors
/// A file that is missing, or does not fit the others; it is named.
pub(super) fn open_networks(
    settings: &CycleSettings,
    prepared: &PreparedSubject,
    device: &Device,
) -> Result<Networks> {
    let encoder = LoadedEncoder::open(&settings.encoder, device)?;
    let wrong = |field: &str, expected: String, found: String| {
        Err(RunError::invalid(&settings.encoder, field, expected, found).into())
    };
    if encoder.snapshot.space != EncodingSpace::Image {
        let found = encoder.snapshot.space.to_string();
        return wrong("space", "`image`: a picture has no captions (`encode --space image`)".into(), found);
    }
    if encoder.provenance.latents.own_targets {
        let expected = "embeddings of CLIP, which any picture has".into();
        return wrong("latents", expected, "embeddings that were imported".into());
    }
    let clip = ClipSnapshot::open(&settings.clip, device)?;
    if encoder.snapshot.latent_networks_sha256 != [clip.sha256.clone()] {
        let expected = format!("{}, that of `{}`", clip.sha256, settings.clip.display());
        return wrong("sha256 of CLIP", expected, encoder.snapshot.latent_networks_sha256.join(", "));
    }
    encoder.require_voxels(prepared)?;
    if settings.images.is_none() {
        encoder.require_split(&settings.split)?;
    }
    let decoder = BrainDecoder::open(&settings.networks, device)?;
    decoder.check_input(prepared)?;
    let condition = settings.cycle.condition.unwrap_or(decoder.condition());
    decoder.check_source(condition)?;
    Ok(Networks { encoder, decoder, clip: FeatureNetwork::Clip(Box::new(clip)), condition })
}

/// What the encoder reads of the originals.
///
/// # Errors
/// A picture that cannot be read.
pub(super) fn latents(
    settings: &CycleSettings,
    networks: &Networks,
    originals: &Originals,
    bench: &mut Workbench<'_>,
) -> Result<Array2<f32>> {
    let FeatureNetwork::Clip(clip) = &networks.clip else {
        return Err(Error::failure("likeness is measured by CLIP"));
    };
    let form = networks.encoder.provenance.latents;
    let mut rows = originals.embed(settings, clip, form.view, bench)?;
    form.scale().apply(&mut rows);
    Ok(rows)
}

/// Predicts betas, and draws them and the measured ones with the same z.
///
/// # Errors
/// Betas or a picture that cannot be read, embeddings that are no numbers; somebody asked to stop.
pub(super) fn draw_all(
    settings: &CycleSettings,
    networks: &Networks,
    prepared: &PreparedSubject,
    originals: &Originals,
    latents: &Array2<f32>,
    progress: &mut dyn Progress,
) -> Result<Cycled> {
    let Networks { encoder, decoder, .. } = networks;
    let predicted = encoder.predict(latents, decoder.device())?;
    let side = decoder.resolution() as u32;
    let mut shown = Vec::with_capacity(originals.len());
    for index in 0..originals.len() {
        interrupt::check()?;
        shown.push(originals.resized(index, side)?);
    }
    let measured = originals.held_out().map(|chosen| betas_of(prepared, chosen)).transpose()?;
    let rounds = 1 + usize::from(measured.is_some());
    progress.start("drawing pictures", (rounds * originals.len()) as u64);
    let positions = originals.positions();
    let cycled = draw(settings, networks, &predicted, &positions, 0, progress)?;
    let measured = match measured {
        Some(betas) => {
            let pictures = draw(settings, networks, &betas, &positions, cycled.len(), progress)?;
            Some((betas, pictures))
        }
        None => None,
    };
    Ok(Cycled { originals: shown, predicted, cycled, measured })
}

/// Pictures of betas, a row each; `done` were drawn before.
fn draw(
    settings: &CycleSettings,
    networks: &Networks,
    betas: &Array2<f32>,
    positions: &[u64],
    done: usize,
    progress: &mut dyn Progress,
) -> Result<Vec<RgbImage>> {
    let options = DrawOptions {
        source: networks.condition,
        truncation_psi: settings.cycle.truncation_psi,
        noise: settings.cycle.noise,
        seed: settings.seed,
    };
    let size = settings.cycle.batch.max(1);
    let mut pictures = Vec::with_capacity(positions.len());
    for (batch, positions) in positions.chunks(size).enumerate() {
        interrupt::check()?;
        let first = batch * size;
        let rows = betas.slice(ndarray::s![first..first + positions.len(), ..]).to_owned();
        let embeddings = networks.decoder.embed(&rows);
        networks.decoder.require_finite(&embeddings)?;
        pictures.extend(networks.decoder.draw(&embeddings, positions, &options));
        progress.advance((done + pictures.len()) as u64, "");
    }
    Ok(pictures)
}

/// CLIP embeddings of pictures, `[pictures, embed_dim]`.
///
/// # Errors
/// Somebody asked to stop.
pub(super) fn clip_features(networks: &Networks, pictures: &[RgbImage]) -> Result<Array2<f32>> {
    let mut values = Vec::new();
    for batch in pictures.chunks(BATCH) {
        interrupt::check()?;
        values.extend(networks.clip.features(batch, networks.decoder.device()));
    }
    Ok(Array2::from_shape_vec((pictures.len(), networks.clip.width()), values)?)
}
