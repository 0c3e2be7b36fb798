//! Regions of the voxels: a table of 0/1 or label columns, or label volumes; and noise ceilings.

use std::collections::BTreeMap;
use std::path::Path;

use super::array::ArrayInput;
use super::array_name::ArrayName;
use super::betas::is_volume;
use super::number_table::NumberTable;
use super::voxels::VoxelPlaces;
use crate::data::error::DataError;
use crate::data::formats::nifti;
use crate::data::nsd::roi::RoiVolume;
use crate::data::nsd::tree::Hemisphere;
use crate::data::prepared::RoiLabels;

/// Largest label of a region.
const LARGEST_LABEL: f64 = 65_535.0;
/// Largest noise ceiling.
const WHOLE: f32 = 100.0;

/// What is known of every prepared voxel beside its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regions {
    /// Labels by region file or column.
    pub rois: BTreeMap<String, RoiLabels>,
    /// Half of the brain, where a name begins with `lh.` or `rh.`.
    pub hemisphere: Vec<Option<Hemisphere>>,
}

impl Regions {
    /// Reads tables (`.csv`, a row a column of the betas, a column a region) and label volumes. A column or volume of nothing but 0 and 1 is
    /// one region of its own name; other labels are regions `NAME-LABEL`. What differs in `lh.` or `rh.` in front is one region.
    ///
    /// # Errors
    /// [`DataError`] for files that cannot be read or do not fit the voxels, naming row and column of what is no label.
    pub fn read(paths: &[std::path::PathBuf], places: &VoxelPlaces) -> Result<Self, DataError> {
        let mut regions = Self { rois: BTreeMap::new(), hemisphere: vec![None; places.num_voxels()] };
        for path in paths {
            if is_volume(path) {
                regions.add_volume(path, places)?;
            } else {
                regions.add_table(path, places)?;
            }
        }
        for (name, roi) in &mut regions.rois {
            let is_one = roi.labels.iter().all(|label| *label <= 1);
            let labels = roi.labels.iter().filter(|label| **label > 0);
            let named = |label: i32| if is_one { name.clone() } else { format!("{name}-{label}") };
            roi.names = labels.map(|label| (*label, named(*label))).collect();
        }
        Ok(regions)
    }

    fn add_volume(&mut self, path: &Path, places: &VoxelPlaces) -> Result<(), DataError> {
        if !places.has_volume() {
            let expected = "a table, one row a voxel: the voxels have no places in a volume (`--mask` or `--coordinates` tells them)";
            return Err(DataError::invalid(path, "format of the regions", expected, "a volume"));
        }
        let volume = RoiVolume::read(path, Some(&places.space()))?;
        let labels = places.flat_index.iter().map(|voxel| volume.labels[*voxel].max(0)).collect();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = file.trim_end_matches(".gz").trim_end_matches(".nii");
        self.add(path, name, labels)
    }

    fn add_table(&mut self, path: &Path, places: &VoxelPlaces) -> Result<(), DataError> {
        let table = NumberTable::read(path, "the regions of the voxels")?;
        let Some(names) = &table.names else {
            return Err(DataError::invalid(path, "row 1", "names of the regions", "numbers"));
        };
        if table.num_rows != places.num_voxels() {
            let expected = format!("{}, one a voxel", places.num_voxels());
            return Err(DataError::invalid(path, "number of rows", expected, table.num_rows));
        }
        for (column, name) in names.iter().enumerate() {
            // The row numbers that pandas writes have no name.
            if name.is_empty() {
                continue;
            }
            let values = table.values[column..].iter().step_by(table.num_columns);
            let mut labels = Vec::with_capacity(table.num_rows);
            for (row, value) in values.enumerate() {
                if value.fract() != 0.0 || !(0.0..=LARGEST_LABEL).contains(value) {
                    let field = format!("column {}, row {}", table.column_name(column), row + 1);
                    return Err(DataError::invalid(path, field, "a label, 0 to 65535", value));
                }
                labels.push(*value as i32);
            }
            self.add(path, name, places.arrange_values(labels))?;
        }
        Ok(())
    }

    /// Adds labels; those of the two halves of the brain are one region.
    fn add(&mut self, path: &Path, name: &str, labels: Vec<i32>) -> Result<(), DataError> {
        let (side, name) = match (name.strip_prefix("lh."), name.strip_prefix("rh.")) {
            (Some(rest), _) => (Some(Hemisphere::Left), rest),
            (_, Some(rest)) => (Some(Hemisphere::Right), rest),
            _ => (None, name),
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_ .()'".contains(letter);
        if name.is_empty() || !name.chars().all(is_plain) || name.len() > 100 || name.starts_with('.') {
            let expected = "letters, digits, `-`, `_`, `.` and spaces, at most 100";
            let found = format!("`{}`", crate::error::one_line(name));
            return Err(DataError::invalid(path, "name of a region", expected, found));
        }
        let is_there = self.rois.contains_key(name);
        if is_there && side.is_none() {
            return Err(DataError::invalid(path, format!("region `{name}`"), "one of this name", "several"));
        }
        let roi = self
            .rois
            .entry(name.to_string())
            .or_insert_with(|| RoiLabels { labels: vec![0; labels.len()], names: BTreeMap::new() });
        for (voxel, label) in labels.into_iter().enumerate().filter(|(_, label)| *label > 0) {
            roi.labels[voxel] = label;
            self.hemisphere[voxel] = side.or(self.hemisphere[voxel]);
        }
        Ok(())
    }
}

/// Percent of a single trial's variance that can be explained at best, of every prepared voxel: an array of one number a column of the
/// betas, or a volume. NaN is "not known".
///
/// # Errors
/// [`DataError`] for a file that cannot be read or does not fit the voxels, naming the voxel of a number that is no percentage.
pub fn read_noise_ceiling(name: &ArrayName, places: &VoxelPlaces) -> Result<Vec<f32>, DataError> {
    let percent = if is_volume(&name.path) {
        if !places.has_volume() {
            let expected = "an array: the voxels have no places in a volume";
            return Err(DataError::invalid(&name.path, "format of the noise ceiling", expected, "a volume"));
        }
        let volume = nifti::read_volume(&name.path, "the noise ceiling")?;
        let volume = places.space().align(&name.path, volume)?;
        if volume.dims.len() != 3 {
            let found = format!("{:?}", volume.dims);
            return Err(DataError::invalid(&name.path, "size of the volume", "three axes", found));
        }
        places.flat_index.iter().map(|voxel| volume.data[*voxel] as f32).collect()
    } else {
        let mut array = ArrayInput::open(name, &[1, 2], "the noise ceiling")?;
        if array.shape().iter().product::<usize>() != places.num_voxels() || array.shape().len() > 2 {
            let expected = format!("{} numbers, one a voxel", places.num_voxels());
            return Err(array.invalid("shape", expected, format!("{:?}", array.shape())));
        }
        places.arrange_values(array.all()?)
    };
    match percent.iter().enumerate().find(|(_, value)| !value.is_nan() && !(0.0..=WHOLE).contains(*value)) {
        None => Ok(percent),
        Some((voxel, value)) => {
            let field = format!("noise ceiling of prepared voxel {voxel}");
            Err(DataError::invalid(name.shown(), field, "percent, 0 to 100, or NaN", value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, num_voxels: usize) -> Result<Regions, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rois.csv");
        std::fs::write(&path, text).unwrap();
        Regions::read(&[path], &VoxelPlaces::unknown(num_voxels)).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_regions_and_halves_are_joined() {
        let regions = read(",V1,areas,lh.FFA,rh.FFA\n0,1,0,1,0\n1,0,2,0,0\n2,0,3,0,1\n", 3).unwrap();
        assert_eq!(regions.rois.keys().collect::<Vec<_>>(), ["FFA", "V1", "areas"]);
        assert_eq!(regions.rois["V1"].names, [(1, "V1".to_string())].into());
        assert_eq!(regions.rois["areas"].names[&3], "areas-3");
        assert_eq!(regions.rois["FFA"].labels, [1, 0, 1]);
        assert_eq!(regions.hemisphere, [Some(Hemisphere::Left), None, Some(Hemisphere::Right)]);
    }

    #[test]
    fn what_is_no_label_is_named_by_row_and_column() {
        for (text, needle) in [
            ("V1\n1\n0.5\n", "column `V1`, row 2 is 0.5, expected a label"),
            ("V1\n1\n-1\n", "column `V1`, row 2 is -1"),
            ("V1\n1\n", "number of rows is 1, expected 2, one a voxel"),
            ("1\n1\n", "row 1 is numbers, expected names of the regions"),
            ("V1,V1\n1,1\n1,1\n", "region `V1` is several"),
            ("a/b\n1\n1\n", "name of a region is `a/b`"),
        ] {
            let error = read(text, 2).unwrap_err();
            assert!(error.contains("rois.csv") && error.contains(needle), "{needle}: {error}");
        }
    }

    #[test]
    fn a_noise_ceiling_is_a_percentage_of_every_voxel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nc.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let name: ArrayName = path.to_str().unwrap().parse().unwrap();
            read_noise_ceiling(&name, &VoxelPlaces::unknown(2)).map_err(|error| error.to_string())
        };
        assert_eq!(read("12.5\n100\n").unwrap(), [12.5, 100.0]);
        assert_eq!(read("0,1\n").unwrap(), [0.0, 1.0]);
        assert!(read("1\nNaN\n").unwrap()[1].is_nan());
        assert!(read("1\n101\n").unwrap_err().contains("prepared voxel 1 is 101"));
        assert!(read("1\n2\n3\n").unwrap_err().contains("2 numbers, one a voxel"));
    }
}
