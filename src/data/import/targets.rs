//! Embeddings that come along with the pictures: what an image mapper may aim at in place of CLIP's.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array2, Axis};

use super::array::ArrayInput;
use super::array_name::ArrayName;
use super::pictures::Pictures;
use super::trials::read_table;
use crate::data::error::DataError;
use crate::data::formats::hdf5::H5Writer;
use crate::error::one_line;

/// Embeddings in the folder of an imported subject: dataset `targets`, f32 `[images, embed_dim]`.
pub const TARGETS_FILE: &str = "targets.h5";

/// Reads an array with a row a picture, `[rows, embed_dim]`, and returns the rows of `images` in their order.
///
/// With `names` (a table with the column `image`) row i is that of the picture in row i of the table. Without, row i is picture i of an
/// array of pictures, or the i-th picture of a folder in order of first appearance.
///
/// # Errors
/// [`DataError`] for files that cannot be read, another number of rows, a picture without a row, and a number that is not finite.
pub fn read_targets(
    name: &ArrayName,
    names: Option<&Path>,
    images: &[String],
    pictures: &Pictures,
) -> Result<Array2<f32>, DataError> {
    let mut array = ArrayInput::open(name, &[2], "the embeddings of the pictures")?;
    let [num_rows, width] = array.shape()[..] else {
        return Err(array.invalid("shape", "[pictures, embed_dim]", format!("{:?}", array.shape())));
    };
    let row_of = rows_by_name(&array, names, images, pictures)?;
    let rows = images.iter().map(|image| {
        row_of.get(image.as_str()).copied().ok_or_else(|| {
            let field = format!("embedding of `{}`", one_line(image));
            DataError::invalid(
                names.unwrap_or(array.name()),
                field,
                "a row for every picture that was shown",
                "none",
            )
        })
    });
    let rows: Vec<usize> = rows.collect::<Result<_, _>>()?;
    let all = Array2::from_shape_vec((num_rows, width), array.all()?)
        .map_err(|error| DataError::unreadable(array.name(), error))?;
    if let Some(((row, column), value)) = all.indexed_iter().find(|(_, value)| !value.is_finite()) {
        let field = format!("row {}, column {}", row + 1, column + 1);
        return Err(array.invalid(field, "a finite number", value));
    }
    Ok(all.select(Axis(0), &rows))
}

/// Rows of the embeddings by the name of their picture.
fn rows_by_name(
    array: &ArrayInput,
    names: Option<&Path>,
    images: &[String],
    pictures: &Pictures,
) -> Result<HashMap<String, usize>, DataError> {
    let num_rows = array.num_rows();
    let all: Vec<String> = match (names, pictures.count()) {
        (Some(path), _) => {
            let table = read_table(path, "the pictures of the embeddings")?;
            let column = table.column("image")?;
            (0..table.num_rows())
                .map(|row| table.text(row, column).map(Into::into))
                .collect::<Result<_, _>>()?
        }
        (None, Some((count, _))) => (0..count).map(|number| number.to_string()).collect(),
        (None, None) => images.to_vec(),
    };
    if all.len() != num_rows {
        let expected = format!("{}, one a picture", all.len());
        return Err(array.invalid("number of rows", expected, num_rows));
    }
    Ok(all.into_iter().zip(0..).collect())
}

/// Writes the embeddings below the folder of an imported subject.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_targets(root: &Path, targets: &Array2<f32>) -> Result<(), DataError> {
    let writer = H5Writer::create(&root.join(TARGETS_FILE))?;
    let values: Vec<f32> = targets.iter().copied().collect();
    drop(writer.write("targets", &[targets.nrows(), targets.ncols()], &values)?);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::import::pictures::PixelOrder;

    #[test]
    fn rows_belong_to_pictures_by_number_or_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().parse::<ArrayName>().unwrap()
        };
        let pictures =
            Pictures::open(&[at("p.csv", "1,2,3,4\n5,6,7,8\n9,9,9,9\n")], PixelOrder::Rows).unwrap();
        let targets = at("t.csv", "0,1\n2,3\n4,5\n");
        let images = ["2", "0"].map(String::from);
        let read = |targets: &ArrayName, names: Option<&Path>| {
            let found = read_targets(targets, names, &images, &pictures).map_err(|error| error.to_string());
            found.map(|found| found.into_raw_vec_and_offset().0)
        };
        assert_eq!(read(&targets, None).unwrap(), [4.0, 5.0, 0.0, 1.0]);
        let names = at("names.csv", "image\n0\n2\n7\n").path;
        assert_eq!(read(&targets, Some(&names)).unwrap(), [2.0, 3.0, 0.0, 1.0]);
        let names = at("few.csv", "image\n0\n1\n7\n").path;
        assert!(read(&targets, Some(&names)).unwrap_err().contains("embedding of `2` is none"));
        let short = at("short.csv", "0,1\n2,3\n");
        assert!(read(&short, None).unwrap_err().contains("number of rows is 2, expected 3, one a picture"));
        let broken = at("broken.csv", "0,1\n2,nan\n4,5\n");
        assert!(read(&broken, None).unwrap_err().contains("row 2, column 2 is NaN"));
    }
}
