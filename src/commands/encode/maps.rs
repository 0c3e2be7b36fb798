//! A value per voxel as NIfTI volumes, and seen through the brain.

use std::path::PathBuf;

use crate::data::error::DataError;
use crate::data::formats::nifti::{Frame, write_volume_at};
use crate::data::prepared::PreparedSubject;
use crate::report::{BrainView, Viewpoint};
use crate::run::run_dir::RunDir;

/// Below this ceiling a voxel's share of it says nothing.
const LEAST_CEILING: f64 = 0.1;
/// Seconds between trials, for the headers of volumes that have no time axis.
const REPETITION_TIME: f64 = 1.0;

/// A picture: what it shows, from where, and its file inside the run folder.
pub(super) type View = (String, String, String);

/// A value per prepared voxel.
pub(super) struct Maps<'a> {
    /// In front of the names of files.
    pub prefix: &'a str,
    pub accuracy: &'a [f64],
    pub ceiling: Option<&'a [f64]>,
}

impl Maps<'_> {
    /// Accuracy, ceiling and their difference as NIfTI volumes in the subject's functional space; NaN outside the prepared voxels. The
    /// path of the accuracies.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_volumes(&self, dir: &RunDir, subject: &PreparedSubject) -> Result<PathBuf, DataError> {
        let provenance = subject.provenance();
        let write = |name: String, values: &[f64]| {
            let mut volume = vec![f32::NAN; provenance.grid.iter().product()];
            for (voxel, value) in subject.flat_index().iter().zip(values) {
                volume[*voxel] = *value as f32;
            }
            let path = dir.join(&name);
            let size = provenance.resolution.voxel_size_mm();
            let affine = provenance.position.as_ref().map(|position| &position.affine);
            let values = Frame::F32(&volume);
            write_volume_at(&path, &provenance.grid, values, affine, size, REPETITION_TIME).map(|()| path)
        };
        if let Some(ceiling) = self.ceiling {
            write("noise_ceiling.nii.gz".into(), ceiling)?;
            let difference: Vec<f64> =
                self.accuracy.iter().zip(ceiling).map(|(accuracy, ceiling)| accuracy - ceiling).collect();
            write(format!("{}accuracy_minus_ceiling.nii.gz", self.prefix), &difference)?;
        }
        write(format!("{}accuracy.nii.gz", self.prefix), self.accuracy)
    }

    /// The maps through the brain, from four sides.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_views(&self, dir: &RunDir, subject: &PreparedSubject) -> crate::error::Result<Vec<View>> {
        let share: Option<Vec<f64>> = self.ceiling.map(|ceiling| {
            let of = |(r, ceiling): (&f64, &f64)| {
                if *ceiling >= LEAST_CEILING { (r / ceiling).max(0.0) } else { f64::NAN }
            };
            self.accuracy.iter().zip(ceiling).map(of).collect()
        });
        let top = self.ceiling.unwrap_or(self.accuracy).iter().copied().filter(|value| value.is_finite());
        let top = top.fold(0.1, f64::max);
        let mut views = Vec::new();
        let maps = [
            ("accuracy", Some(self.accuracy), top),
            ("noise ceiling", self.ceiling, top),
            ("share of the ceiling", share.as_deref(), 1.0),
        ];
        for (name, values, top) in maps {
            let Some(values) = values else { continue };
            let view = BrainView {
                grid: subject.provenance().grid,
                voxels: subject.flat_index(),
                values,
                range: (0.0, top),
            };
            for from in Viewpoint::ALL {
                let file = format!("views/{}{name} {}.png", self.prefix, from.name()).replace(' ', "-");
                let mut png = std::io::Cursor::new(Vec::new());
                view.draw(from).write_to(&mut png, image::ImageFormat::Png)?;
                dir.write_atomic(&file, &png.into_inner())?;
                views.push((format!("{name}, 0 to {top:.2}"), from.name().to_string(), file));
            }
        }
        Ok(views)
    }
}
