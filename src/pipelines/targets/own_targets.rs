//! Embeddings that a lab brought along in place of CLIP's: one row a picture, as `import` keeps them.

use std::path::Path;

use ndarray::Array2;

use crate::data::error::DataError;
use crate::data::formats::hdf5::H5File;
use crate::data::trial::NsdId;
use crate::files::{InputKind, open_input, say_used};
use crate::pipelines::run_folder::ContentHash;

/// Embeddings of pictures, and a hash that tells them from others.
pub(crate) struct OwnTargets {
    /// `[images, embed_dim]`, in the order asked for.
    pub rows: Array2<f32>,
    /// Of all rows of the file.
    pub sha256: String,
}

impl OwnTargets {
    /// Whether a file holds embeddings rather than a network that makes them: HDF5 is no snapshot's form.
    pub fn are_in(path: &Path) -> bool {
        use std::io::Read;
        let mut start = [0; 4];
        let read = open_input(path, InputKind::Parts).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == *b"\x89HDF"
    }

    /// The embeddings of `images`.
    ///
    /// # Errors
    /// [`DataError`] for a file without them, or with fewer rows than the images need.
    pub fn read(path: &Path, images: &[NsdId]) -> Result<Self, DataError> {
        let file = H5File::open(path, "the embeddings of the pictures")?;
        let dataset = file.dataset("targets")?;
        let shape = dataset.require_axes(2)?;
        let all = Array2::from_shape_vec((shape[0], shape[1]), dataset.read_all::<f32>()?)
            .map_err(|error| dataset.unreadable(&error))?;
        if let Some(beyond) = images.iter().find(|image| image.row() >= all.nrows()) {
            let expected = format!("more than {}, an image of the trials", beyond.row());
            return Err(dataset.invalid("number of rows", expected, all.nrows()));
        }
        let rows: Vec<usize> = images.iter().map(|image| image.row()).collect();
        let sha256 = ContentHash::of_array(&all);
        say_used("the embeddings of the pictures", path);
        Ok(Self { rows: all.select(ndarray::Axis(0), &rows), sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::hdf5::H5Writer;

    #[test]
    fn rows_are_those_of_the_images() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.h5");
        assert!(!OwnTargets::are_in(&path));
        let writer = H5Writer::create(&path).unwrap();
        drop(writer.write("targets", &[3, 2], &[0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap());
        writer.finish().unwrap();
        assert!(OwnTargets::are_in(&path));
        let found = OwnTargets::read(&path, &[NsdId(2), NsdId(0)]).unwrap();
        assert_eq!(found.rows.into_raw_vec_and_offset().0, [4.0, 5.0, 0.0, 1.0]);
        let Err(error) = OwnTargets::read(&path, &[NsdId(3)]) else { panic!("there are three") };
        assert!(
            error.to_string().contains("number of rows of `/targets` is 3, expected more than 3"),
            "{error}"
        );
    }
}
