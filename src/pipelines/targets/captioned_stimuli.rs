//! NSD's images joined to COCO's captions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::data::coco::captions::CaptionTable;
use crate::data::error::DataError;
use crate::data::nsd::stim_info::StimInfo;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::{AnnotationKind, NsdTree};
use crate::data::trial::{CocoId, NsdId, Trial};

/// Images, and the captions of the photographs that they were cut from.
pub struct CaptionedStimuli {
    stimuli: Stimuli,
    stimuli_path: PathBuf,
    info: StimInfo,
    captions: CaptionTable,
    annotations: PathBuf,
}

impl CaptionedStimuli {
    /// Opens the images, the stimulus table and every COCO caption file below an NSD root.
    ///
    /// # Errors
    /// [`DataError`] for whatever is missing or cannot be read.
    pub fn open(nsd_root: &Path) -> Result<Self, DataError> {
        let tree = NsdTree::new(nsd_root);
        let files = tree.annotations_present(AnnotationKind::Captions)?;
        if files.is_empty() {
            let first = tree.annotations(AnnotationKind::Captions, "train2017");
            return Err(DataError::missing(first, "the captions of the images"));
        }
        Ok(Self {
            stimuli: Stimuli::open(&tree.stimuli())?,
            stimuli_path: tree.stimuli(),
            info: StimInfo::read(&tree.stim_info())?,
            captions: CaptionTable::read(&files)?,
            annotations: tree.annotations_dir(),
        })
    }

    /// The folder of the captions.
    pub fn annotations(&self) -> &Path {
        &self.annotations
    }

    /// The image file.
    pub fn stimuli_path(&self) -> &Path {
        &self.stimuli_path
    }

    /// The image as shown.
    ///
    /// # Errors
    /// As [`Stimuli::image`].
    pub fn image(&self, image: NsdId) -> Result<RgbImage, DataError> {
        self.stimuli.image(image)
    }

    /// The photograph that an image was cut from.
    ///
    /// # Errors
    /// As [`StimInfo::row`].
    pub fn photograph(&self, image: NsdId) -> Result<CocoId, DataError> {
        Ok(self.info.row(image)?.coco_id)
    }

    /// The captions of an image, at least one.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when its photograph has none.
    pub fn captions(&self, image: NsdId) -> Result<&[String], DataError> {
        let photograph = self.photograph(image)?;
        match self.captions.captions(photograph) {
            [] => {
                let field = format!("captions of {photograph} ({image})");
                Err(DataError::invalid(&self.annotations, field, "at least one caption", "none"))
            }
            captions => Ok(captions),
        }
    }
}

/// The distinct images of trials, ascending.
pub fn distinct_images(trials: impl IntoIterator<Item = Trial>) -> Vec<NsdId> {
    trials.into_iter().map(|trial| trial.nsd_id).collect::<BTreeSet<_>>().into_iter().collect()
}
