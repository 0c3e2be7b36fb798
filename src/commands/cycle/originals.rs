//! The pictures that go round: held-out stimuli, or those of a folder.

use image::RgbImage;
use ndarray::Array2;

use super::config::CycleSettings;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::image::stimulus_view::StimulusView;
use crate::data::image_collection::ImageCollection;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::feature_cache::file_identity;
use crate::pipelines::targets::stimulus_embeddings::{embed_pictures, embed_stimuli};
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, choose_trials};
use crate::pipelines::workbench::Workbench;

/// Pictures in their order.
pub(super) enum Originals {
    /// Images that training never saw, with all their presentations.
    HeldOut { stimuli: Stimuli, images: Vec<ChosenTrial> },
    /// Pictures without betas; the places of those that are taken.
    Folder { collection: ImageCollection, places: Vec<usize> },
}

impl Originals {
    /// Those of the settings.
    ///
    /// # Errors
    /// Stimuli or a folder that cannot be read, a split without held-out images.
    pub fn open(settings: &CycleSettings, prepared: &PreparedSubject) -> Result<Self> {
        let limit = settings.cycle.limit;
        let Some(folder) = &settings.images else {
            let choice = TrialChoice::Validation;
            let images = choose_trials(prepared, &settings.split, choice, Repeats::Average, limit)?;
            return Ok(Self::HeldOut { stimuli: Stimuli::open(&settings.stimuli)?, images });
        };
        let collection = ImageCollection::open(folder)?;
        let (all, limit) = (collection.len(), if limit == 0 { collection.len() } else { limit });
        let count = all.min(limit);
        let places = (0..count).map(|number| number * all / count).collect();
        Ok(Self::Folder { collection, places })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::HeldOut { images, .. } => images.len(),
            Self::Folder { places, .. } => places.len(),
        }
    }

    /// The held-out images with their trials; none of a folder.
    pub fn held_out(&self) -> Option<&[ChosenTrial]> {
        match self {
            Self::HeldOut { images, .. } => Some(images),
            Self::Folder { .. } => None,
        }
    }

    /// Name of a picture for people.
    pub fn name(&self, index: usize) -> String {
        match self {
            Self::HeldOut { images, .. } => format!("nsd{:05}", images[index].nsd_id.0),
            Self::Folder { collection, places } => collection.names()[places[index]].clone(),
        }
    }

    /// Identities for intervals: pictures are resampled.
    pub fn ids(&self) -> Vec<u64> {
        match self {
            Self::HeldOut { images, .. } => images.iter().map(|image| u64::from(image.nsd_id.0)).collect(),
            Self::Folder { places, .. } => places.iter().map(|place| *place as u64).collect(),
        }
    }

    /// Places in the random streams of z and noise: a held-out image has those that `reconstruct --repeats average` gives it.
    pub fn positions(&self) -> Vec<u64> {
        match self {
            Self::HeldOut { images, .. } => images.iter().map(|image| image.position(1, 0)).collect(),
            Self::Folder { .. } => self.ids(),
        }
    }

    /// A picture, cut to its middle square.
    ///
    /// # Errors
    /// A picture that cannot be read.
    pub fn picture(&self, index: usize) -> Result<RgbImage> {
        Ok(match self {
            Self::HeldOut { stimuli, images } => stimuli.image(images[index].nsd_id)?,
            Self::Folder { collection, places } => middle_square(&collection.image(places[index])?),
        })
    }

    /// The same at the generator's size.
    ///
    /// # Errors
    /// As [`Originals::picture`].
    pub fn resized(&self, index: usize, side: u32) -> Result<RgbImage> {
        Ok(resize_pil(&self.picture(index)?, side, side, Filter::Bicubic))
    }

    /// Raw embeddings of CLIP, `[pictures, embed_dim]`, each picture as `view` shows it.
    ///
    /// # Errors
    /// A picture that cannot be read, a cache that cannot be written.
    pub fn embed(
        &self,
        settings: &CycleSettings,
        clip: &ClipSnapshot,
        view: StimulusView,
        bench: &mut Workbench<'_>,
    ) -> Result<Array2<f32>> {
        match self {
            Self::HeldOut { images, .. } => {
                let images: Vec<_> = images.iter().map(|image| image.nsd_id).collect();
                embed_stimuli(clip, &settings.stimuli, &images, view, bench)
            }
            Self::Folder { collection, places } => {
                let sources: Vec<String> = collection
                    .sources()
                    .iter()
                    .map(|path| file_identity(path))
                    .collect::<std::result::Result<_, _>>()?;
                let source = format!("cycle {places:?} {} {view:?}", sources.join("\n"));
                let mut load = |place: usize| Ok(view.of(middle_square(&collection.image(places[place])?)));
                embed_pictures(clip, &source, places.len(), &mut load, bench)
            }
        }
    }
}

/// The largest square in the middle.
fn middle_square(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    image::imageops::crop_imm(picture, (width - side) / 2, (height - side) / 2, side, side).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_wide_picture_is_taken() {
        let picture = RgbImage::from_fn(5, 3, |x, _| image::Rgb([x as u8, 0, 0]));
        let square = middle_square(&picture);
        assert_eq!(square.dimensions(), (3, 3));
        assert_eq!(square.get_pixel(0, 0).0[0], 1);
    }
}
