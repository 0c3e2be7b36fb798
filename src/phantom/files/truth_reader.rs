//! `truth.h5` read back, by what scores a pipeline. A decoder has no business here.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_metno::H5Type;

use super::super::scenes::captions::CaptionQuality;
use super::super::voxel_kind::VoxelKind;
use crate::data::error::DataError;
use crate::data::formats::hdf5::{H5Dataset, H5File};

const NEEDED_FOR: &str = "the truth of the phantom";

/// A voxel that responds to images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrueVoxel {
    /// Name of its kind: one of [`VoxelKind::NAMES`].
    pub kind: &'static str,
    /// Signal-to-noise ratio.
    pub ncsnr: f64,
}

/// An image of the phantom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrueImage {
    /// Whether it shows a category that earlier images do not show.
    pub is_novel: bool,
    /// The image whose scene it shows again.
    pub twin_of: Option<u32>,
}

/// Kinds and noise ceilings of voxels, grades of captions and contents of images that a phantom was written from.
#[derive(Clone, Debug, PartialEq)]
pub struct PhantomTruth {
    /// Responsive voxels by their index in the volume, x fastest; all others respond to nothing.
    pub voxels: BTreeMap<usize, TrueVoxel>,
    /// Grades of generated captions by COCO picture, in the order of their annotations.
    pub captions: BTreeMap<u64, Vec<CaptionQuality>>,
    /// Images by their 0-based number.
    pub images: BTreeMap<u32, TrueImage>,
}

impl PhantomTruth {
    /// Reads `truth.h5`.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`], and [`DataError::Invalid`] naming the dataset.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let file = H5File::open(path, NEEDED_FOR)?;
        let flat_index: Vec<i64> = file.dataset("voxels/flat_index")?.read_all()?;
        let count = flat_index.len();
        let kinds = coded(&file.dataset("voxels/kind")?, count, &VoxelKind::NAMES)?;
        let ratios: Vec<f32> = sized(&file.dataset("voxels/ncsnr")?, count)?;
        let mut voxels = BTreeMap::new();
        for ((index, kind), ncsnr) in flat_index.into_iter().zip(kinds).zip(ratios) {
            let index = usize::try_from(index)
                .map_err(|_| DataError::invalid(path, "voxels/flat_index", "indices of 0 or more", index))?;
            if !(ncsnr >= 0.0 && ncsnr.is_finite()) {
                return Err(DataError::invalid(path, "voxels/ncsnr", "ratios of 0 or more", ncsnr));
            }
            voxels.insert(index, TrueVoxel { kind, ncsnr: f64::from(ncsnr) });
        }
        let annotations: Vec<u64> = file.dataset("captions/annotation_id")?.read_all()?;
        let count = annotations.len();
        let pictures: Vec<u64> = sized(&file.dataset("captions/coco_id")?, count)?;
        let grades = coded(&file.dataset("captions/quality")?, count, &CaptionQuality::ALL)?;
        let mut rows: Vec<(u64, u64, CaptionQuality)> = pictures
            .into_iter()
            .zip(annotations)
            .zip(grades)
            .map(|((picture, annotation), grade)| (picture, annotation, grade))
            .collect();
        // The order in which the captions file lists them, which is how a caption finds its grade.
        rows.sort_by_key(|(picture, annotation, _)| (*picture, *annotation));
        let mut captions: BTreeMap<u64, Vec<CaptionQuality>> = BTreeMap::new();
        for (picture, _, grade) in rows {
            captions.entry(picture).or_default().push(grade);
        }
        Ok(Self { voxels, captions, images: images(&file, path)? })
    }
}

fn images(file: &H5File, path: &Path) -> Result<BTreeMap<u32, TrueImage>, DataError> {
    let ids: Vec<u32> = file.dataset("images/nsd_id")?.read_all()?;
    let novel = coded(&file.dataset("images/is_novel")?, ids.len(), &[false, true])?;
    let twins: Vec<i64> = sized(&file.dataset("images/twin_of")?, ids.len())?;
    let known: BTreeMap<u32, bool> = ids.iter().copied().zip(novel).collect();
    ids.into_iter()
        .zip(twins)
        .map(|(id, twin)| {
            let twin_of = u32::try_from(twin).ok();
            if twin != -1 && !twin_of.is_some_and(|twin| twin != id && known.contains_key(&twin)) {
                return Err(DataError::invalid(path, "images/twin_of", "other images or −1", twin));
            }
            Ok((id, TrueImage { is_novel: known[&id], twin_of }))
        })
        .collect()
}

fn sized<T: H5Type>(dataset: &H5Dataset, count: usize) -> Result<Vec<T>, DataError> {
    dataset.require_shape(&[count])?;
    dataset.read_all()
}

/// Numbers that stand for the members of a list.
fn coded<T: Copy>(dataset: &H5Dataset, count: usize, names: &[T]) -> Result<Vec<T>, DataError> {
    let codes: Vec<u8> = sized(dataset, count)?;
    codes
        .into_iter()
        .map(|code| {
            let name = names.get(usize::from(code)).copied();
            name.ok_or_else(|| dataset.invalid("codes", format!("0 to {}", names.len() - 1), code))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::hdf5::H5Writer;

    /// A truth without voxels and captions, with three images.
    fn read(novel: [u8; 3], twins: [i64; 3]) -> Result<PhantomTruth, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.h5");
        let writer = H5Writer::create(&path).unwrap();
        for group in ["voxels", "images", "captions"] {
            writer.group(group).unwrap();
        }
        writer.write::<i64>("voxels/flat_index", &[1], &[4]).unwrap();
        writer.write::<u8>("voxels/kind", &[1], &[0]).unwrap();
        writer.write::<f32>("voxels/ncsnr", &[1], &[0.5]).unwrap();
        for name in ["captions/annotation_id", "captions/coco_id"] {
            writer.write::<u64>(name, &[1], &[1]).unwrap();
        }
        writer.write::<u8>("captions/quality", &[1], &[0]).unwrap();
        writer.write::<u32>("images/nsd_id", &[3], &[7, 8, 9]).unwrap();
        writer.write("images/is_novel", &[3], &novel).unwrap();
        writer.write("images/twin_of", &[3], &twins).unwrap();
        writer.finish().unwrap();
        PhantomTruth::read(&path)
    }

    #[test]
    fn images_tell_of_novelty_and_twins() {
        let images = read([0, 1, 0], [-1, -1, 7]).unwrap().images;
        let image = |is_novel, twin_of| TrueImage { is_novel, twin_of };
        let expected = [(7, image(false, None)), (8, image(true, None)), (9, image(false, Some(7)))];
        assert_eq!(images, BTreeMap::from(expected));
    }

    #[test]
    fn twins_of_no_image_and_other_codes_are_named() {
        let error = |novel, twins| read(novel, twins).unwrap_err().to_string();
        for twin in [-2, 8, 100, i64::MAX] {
            assert!(error([0, 0, 0], [-1, twin, -1]).contains("images/twin_of"), "{twin}");
        }
        assert!(error([0, 0, 2], [-1, -1, -1]).contains("images/is_novel"));
    }
}
