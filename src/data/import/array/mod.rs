//! Arrays of any number type, whatever file they lie in, row by row: `.npy`, `.npz`, HDF5, MATLAB, CSV.
//!
//! What can be read in parts is: HDF5 datasets and `.npy` in C order. Everything else is in memory, in the
//! precision that its type needs.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5_metno::types::TypeDescriptor;
use ndarray::ArrayD;

use super::array_name::ArrayName;
use super::number_table::NumberTable;
use crate::data::error::DataError;
use crate::data::formats::element::Real;
use crate::data::formats::hdf5::{H5Dataset, H5File};
use crate::data::formats::mat5;
use crate::data::formats::npy::NpyHead;
use crate::data::formats::zip::ZipArchive;
use crate::files::{InputKind, open_input, read_input};

/// Where the bytes of a MATLAB v5 file tell their order; what stands there tells the format.
const MAT5_MARK: Range<usize> = 126..128;
/// Bytes read at a time of what is streamed into memory.
const PIECE: u64 = 1 << 20;

/// An array whose rows can be read.
#[derive(Debug)]
pub struct ArrayInput {
    name: PathBuf,
    path: PathBuf,
    shape: Vec<usize>,
    rows: Rows,
}

/// Where rows come from.
#[derive(Debug)]
enum Rows {
    /// A file of numbers, one row behind the other.
    Npy { file: File, head: NpyHead },
    /// A dataset; MATLAB's axes lie the other way round.
    Hdf5 { dataset: H5Dataset, is_reversed: bool, needs_double: bool },
    /// All numbers, row by row.
    Memory(Vec<f32>),
    /// The same of a type that single precision does not hold.
    MemoryDouble(Vec<f64>),
}

/// An array of a file, by the name it is chosen by.
type Listed = (String, Vec<usize>);

impl ArrayInput {
    /// Opens the array; `needed_for` stands in the error where the file is not there. A file that holds several arrays needs a name,
    /// unless one of them alone has `axes` axes.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`] for a format that is not read here, [`DataError::Invalid`] for an array that is
    /// not there, holds no plain numbers, or claims sizes that its file cannot hold.
    pub fn open(name: &ArrayName, axes: &[usize], needed_for: &str) -> Result<Self, DataError> {
        let start = start_of(&name.path, needed_for)?;
        let is_mat5 = matches!(start.get(MAT5_MARK), Some(b"IM" | b"MI"));
        let is_hdf5 = start.starts_with(b"\x89HDF") || start.starts_with(b"MATLAB 7.3");
        let (shape, rows) = match () {
            () if start.starts_with(b"\x93NUMPY") => npy(name)?,
            () if start.starts_with(b"PK") => npz(name, axes)?,
            () if is_hdf5 => hdf5(name, axes)?,
            () if has_ending(&name.path, &["csv", "txt"]) => csv(name, needed_for)?,
            () if is_mat5 => mat5(name, axes, needed_for)?,
            () => {
                let known = "as an array: it is no .npy, .npz, HDF5, MATLAB or .csv file";
                return Err(DataError::unreadable(&name.path, known));
            }
        };
        let array = Self { name: name.shown(), path: name.path.clone(), shape, rows };
        if array.shape.is_empty() || array.shape.contains(&0) {
            return Err(array.invalid("shape", "at least one number", format!("{:?}", array.shape)));
        }
        Ok(array)
    }

    /// File and name, for errors.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sizes of the axes, none of them 0.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Size of the first axis.
    pub fn num_rows(&self) -> usize {
        self.shape[0]
    }

    /// Numbers of a row: the product of the other axes.
    pub fn row_len(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// A [`DataError::Invalid`] about the array.
    pub fn invalid(
        &self,
        field: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> DataError {
        DataError::invalid(&self.name, field, expected, found)
    }

    /// Whether the type of the numbers holds more than single precision.
    pub fn needs_double(&self) -> bool {
        match &self.rows {
            Rows::Memory(_) => false,
            Rows::MemoryDouble(_) => true,
            Rows::Npy { head, .. } => head.element.needs_double(),
            Rows::Hdf5 { needs_double, .. } => *needs_double,
        }
    }

    /// Some rows in single or double precision, one behind the other, the last axis fastest. The caller bounds how many.
    ///
    /// # Errors
    /// [`DataError::unreadable`] for a file that ends early or is damaged; [`DataError::Invalid`] for rows beyond the array.
    pub fn rows<R: Real>(&mut self, rows: Range<usize>) -> Result<Vec<R>, DataError> {
        if rows.start > rows.end || rows.end > self.num_rows() {
            return Err(self.invalid("number of rows", format!("at least {}", rows.end), self.num_rows()));
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let row_len = self.row_len();
        match &mut self.rows {
            Rows::Memory(values) => Ok(in_precision(&values[rows.start * row_len..rows.end * row_len])),
            Rows::MemoryDouble(values) => Ok(in_precision(&values[rows.start * row_len..rows.end * row_len])),
            Rows::Npy { file, head } => {
                let row_bytes = (row_len * head.element.size()) as u64;
                let mut bytes = Vec::new();
                let num_bytes = rows.len() as u64 * row_bytes;
                file.seek(SeekFrom::Start(head.data_offset + rows.start as u64 * row_bytes))
                    .and_then(|_| file.take(num_bytes).read_to_end(&mut bytes))
                    .map_err(|error| DataError::unreadable(&self.name, error))?;
                if bytes.len() as u64 != num_bytes {
                    return Err(DataError::unreadable(&self.name, "it ends early"));
                }
                let mut values = Vec::with_capacity(rows.len() * row_len);
                head.element.decode(&bytes, head.is_big_endian, &mut values);
                Ok(values)
            }
            Rows::Hdf5 { dataset, is_reversed, .. } => {
                let others = self.shape[1..].iter().map(|axis| 0..*axis);
                let mut block: Vec<Range<usize>> = std::iter::once(rows).chain(others).collect();
                if !*is_reversed {
                    return dataset.read_block(&block);
                }
                block.reverse();
                let sizes: Vec<usize> = block.iter().map(ExactSizeIterator::len).collect();
                reversed(&self.name, sizes, dataset.read_block(&block)?)
            }
        }
    }

    /// All numbers in single precision.
    ///
    /// # Errors
    /// As [`ArrayInput::rows`].
    pub fn all(&mut self) -> Result<Vec<f32>, DataError> {
        self.rows(0..self.num_rows())
    }
}

/// The first bytes of a file, fewer where it is short.
fn start_of(path: &Path, needed_for: &str) -> Result<Vec<u8>, DataError> {
    let io = |error: std::io::Error| DataError::from_io(path, needed_for, &error);
    let mut start = Vec::new();
    let file = open_input(path, InputKind::Parts).map_err(io)?;
    file.take(MAT5_MARK.end as u64).read_to_end(&mut start).map_err(io)?;
    Ok(start)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

/// The array that is meant: the one that is named, the only one, or the only one of a wanted number of axes.
fn chosen(name: &ArrayName, listed: &[Listed], axes: &[usize]) -> Result<Listed, DataError> {
    let shown = |(name, shape): &Listed| format!("`{name}` {shape:?}");
    let all = || match listed {
        [] => "no array of numbers".to_string(),
        listed => listed.iter().map(shown).collect::<Vec<_>>().join(", "),
    };
    if let Some(wanted) = &name.variable {
        let wanted = wanted.trim_start_matches('/');
        return listed.iter().find(|(known, _)| known == wanted).cloned().ok_or_else(|| {
            DataError::invalid(
                &name.path,
                format!("array `{wanted}`"),
                "there",
                format!("not among: {}", all()),
            )
        });
    }
    let fitting: Vec<&Listed> = listed.iter().filter(|(_, shape)| axes.contains(&shape.len())).collect();
    match (listed, &fitting[..]) {
        ([only], _) => Ok(only.clone()),
        (_, [only]) => Ok((*only).clone()),
        ([], _) => Err(DataError::invalid(&name.path, "number of arrays of numbers", "at least one", 0)),
        _ => Err(DataError::invalid(
            &name.path,
            "the array that is meant",
            "a name behind the file, FILE:NAME",
            format!("not told; there are {}", all()),
        )),
    }
}

fn npy(name: &ArrayName) -> Result<(Vec<usize>, Rows), DataError> {
    if let Some(variable) = &name.variable {
        return Err(DataError::invalid(
            &name.path,
            format!("array `{variable}`"),
            "no name: .npy holds one array",
            "named",
        ));
    }
    let io = |error: std::io::Error| DataError::unreadable(&name.path, error);
    let mut file = open_input(&name.path, InputKind::Parts).map_err(io)?;
    let head = NpyHead::read(&name.path, &mut file)?;
    let file_bytes = file.metadata().map_err(io)?.len();
    let expected_bytes = head.data_offset.saturating_add(head.data_bytes);
    if file_bytes != expected_bytes {
        let expected = format!("{expected_bytes} bytes for its shape {:?}", head.shape);
        return Err(DataError::invalid(&name.path, "length of the file", expected, file_bytes));
    }
    if !head.is_fortran || head.shape.len() < 2 {
        return Ok((head.shape.clone(), Rows::Npy { file, head }));
    }
    let rows = match head.element.needs_double() {
        true => Rows::MemoryDouble(row_by_row(&name.path, &head, decoded(&name.path, &head, file)?)?),
        false => Rows::Memory(row_by_row(&name.path, &head, decoded(&name.path, &head, file)?)?),
    };
    Ok((head.shape, rows))
}

/// Numbers in another precision.
fn in_precision<R: Real>(values: &[impl Real]) -> Vec<R> {
    values.iter().map(|value| R::nearest((*value).into())).collect()
}

/// The numbers behind a header, row by row.
fn row_by_row<R: Real>(name: &Path, head: &NpyHead, values: Vec<R>) -> Result<Vec<R>, DataError> {
    if !head.is_fortran {
        return Ok(values);
    }
    reversed(name, head.shape.iter().rev().copied().collect(), values)
}

/// The numbers of an array of `stored` sizes with its axes the other way round.
fn reversed<R: Real>(name: &Path, stored: Vec<usize>, values: Vec<R>) -> Result<Vec<R>, DataError> {
    let array = ArrayD::from_shape_vec(stored, values).map_err(|error| DataError::unreadable(name, error))?;
    Ok(array.reversed_axes().iter().copied().collect())
}

/// The numbers behind a header, which grow with what is really there.
fn decoded<R: Real>(name: &Path, head: &NpyHead, mut source: impl Read) -> Result<Vec<R>, DataError> {
    let (mut values, mut bytes, mut left) = (Vec::new(), Vec::new(), head.data_bytes);
    while left > 0 {
        crate::interrupt::check()?;
        bytes.clear();
        let wanted = left.min(PIECE);
        source
            .by_ref()
            .take(wanted)
            .read_to_end(&mut bytes)
            .map_err(|error| DataError::unreadable(name, error))?;
        if bytes.len() as u64 != wanted {
            let found = format!("{} bytes too few", left - bytes.len() as u64);
            return Err(DataError::invalid(
                name,
                "numbers",
                format!("those of its shape {:?}", head.shape),
                found,
            ));
        }
        head.element.decode(&bytes, head.is_big_endian, &mut values);
        left -= wanted;
    }
    Ok(values)
}

fn npz(name: &ArrayName, axes: &[usize]) -> Result<(Vec<usize>, Rows), DataError> {
    let archive = ZipArchive::open(&name.path, "an array")?;
    let mut entries: Vec<String> =
        archive.names().filter(|entry| entry.ends_with(".npy")).map(Into::into).collect();
    // An archive's directory is a map without order.
    entries.sort();
    let head_of = |entry: &str| {
        let shown = PathBuf::from(crate::error::one_line(format!("{}:{entry}", name.path.display())));
        let mut reader = archive.reader(entry)?;
        Ok::<_, DataError>((NpyHead::read(&shown, &mut reader)?, reader))
    };
    let mut listed = Vec::new();
    for entry in &entries {
        // What is not of numbers is none to choose from.
        if let Ok((head, _)) = head_of(entry) {
            listed.push((entry.trim_end_matches(".npy").to_string(), head.shape));
        }
    }
    let (variable, _) = chosen(name, &listed, axes)?;
    let (head, mut reader) = head_of(&format!("{variable}.npy"))?;
    let rows = match head.element.needs_double() {
        true => Rows::MemoryDouble(row_by_row(&name.path, &head, decoded(&name.path, &head, &mut reader)?)?),
        false => Rows::Memory(row_by_row(&name.path, &head, decoded(&name.path, &head, &mut reader)?)?),
    };
    // The archive tells of damage when an entry's end is reached.
    let rest = std::io::copy(&mut reader, &mut std::io::sink())
        .map_err(|error| DataError::unreadable(&name.path, error))?;
    if rest > 0 {
        let expected = format!("the numbers of its shape {:?}", head.shape);
        return Err(DataError::invalid(
            &name.path,
            format!("array `{variable}`"),
            expected,
            format!("{rest} bytes more"),
        ));
    }
    Ok((head.shape, rows))
}

fn hdf5(name: &ArrayName, axes: &[usize]) -> Result<(Vec<usize>, Rows), DataError> {
    let file = H5File::open(&name.path, "an array")?;
    let listed = file.datasets();
    match name.variable.as_deref().map(|wanted| wanted.trim_start_matches('/')) {
        // It is there, and what is wrong with it is no secret.
        Some(wanted) if listed.iter().all(|(known, _)| known != wanted) && file.has(wanted) => {
            file.dataset(wanted)?;
        }
        None if listed.is_empty() => file.require_readable_members()?,
        _ => {}
    }
    let (variable, mut shape) = chosen(name, &listed, axes)?;
    let dataset = file.dataset(&variable)?;
    let element = dataset.element()?;
    if !matches!(element, TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_))
    {
        return Err(dataset.invalid("type", "real numbers", element));
    }
    dataset.require_plausible_size::<f32>()?;
    let is_reversed = dataset.is_of_matlab();
    if is_reversed {
        shape.reverse();
    }
    // As in `Element::needs_double`: types of more than two bytes, but for single precision.
    let is_single = matches!(element, TypeDescriptor::Float(_)) && element.size() <= size_of::<f32>();
    let needs_double = !is_single && element.size() > size_of::<u16>();
    Ok((shape, Rows::Hdf5 { dataset, is_reversed, needs_double }))
}

fn mat5(name: &ArrayName, axes: &[usize], needed_for: &str) -> Result<(Vec<usize>, Rows), DataError> {
    let bytes = read_input(&name.path, InputKind::Matlab)
        .map_err(|error| DataError::from_io(&name.path, needed_for, &error))?;
    let listed = mat5::list_arrays(&name.path, &bytes)?;
    let (variable, shape) = chosen(name, &listed, axes)?;
    let mut arrays = mat5::parse_arrays(&name.path, &bytes, &[&variable])?;
    let values = arrays.remove(&variable).map(|array| array.data).unwrap_or_default();
    let stored = shape.iter().rev().copied().collect();
    Ok((shape, Rows::MemoryDouble(reversed(&name.path, stored, values)?)))
}

fn csv(name: &ArrayName, needed_for: &str) -> Result<(Vec<usize>, Rows), DataError> {
    if let Some(variable) = &name.variable {
        let field = format!("array `{variable}`");
        return Err(DataError::invalid(&name.path, field, "no name: a table is one array", "named"));
    }
    let table = NumberTable::read(&name.path, needed_for)?;
    Ok((vec![table.num_rows, table.num_columns], Rows::MemoryDouble(table.values)))
}

#[cfg(test)]
mod tests;
