use std::io::Write;

use super::*;
use crate::data::formats::hdf5::H5Writer;

/// A file of the numbers 0, 1, 2, … in C or Fortran order.
fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    let text = format!("{text:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn open(&self, name: &str) -> Result<ArrayInput, String> {
        let name: ArrayName = self.0.path().join(name).to_str().unwrap().parse().unwrap();
        ArrayInput::open(&name, &[2], "a test").map_err(|error| error.to_string())
    }

    fn refused(&self, name: &str, needle: &str) {
        let error = self.open(name).unwrap_err();
        assert!(
            error.contains(name.split(':').next().unwrap()) && error.contains(needle),
            "{needle}: {error}"
        );
    }
}

/// `[[0, 1, 2], [3, 4, 5]]`, whatever the format.
fn check(mut array: ArrayInput) {
    assert_eq!((array.shape(), array.num_rows(), array.row_len()), (&[2, 3][..], 2, 3));
    assert_eq!(array.rows::<f32>(1..2).unwrap(), [3.0, 4.0, 5.0]);
    assert_eq!(array.rows::<f64>(0..1).unwrap(), [0.0, 1.0, 2.0]);
    assert_eq!(array.all().unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert!(
        array.rows::<f32>(1..3).unwrap_err().to_string().contains("number of rows is 2, expected at least 3")
    );
    assert!(array.rows::<f32>(2..2).unwrap().is_empty());
}

#[test]
fn npy_of_both_orders_and_of_any_byte_order_is_read() {
    let folder = Folder::new();
    let big: Vec<u8> = (0..6_i16).flat_map(i16::to_be_bytes).collect();
    folder.write("c.npy", &npy(">i2", "False", "(2, 3)", &big));
    check(folder.open("c.npy").unwrap());
    let fortran: Vec<u8> = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0_f64].iter().flat_map(|n| n.to_le_bytes()).collect();
    folder.write("f.npy", &npy("<f8", "True", "(2, 3)", &fortran));
    check(folder.open("f.npy").unwrap());
}

#[test]
fn archives_tell_their_arrays() {
    let folder = Folder::new();
    let bytes = npy("|u1", "False", "(2, 3)", &[0, 1, 2, 3, 4, 5]);
    let pack = |entries: &[(&str, &[u8])]| {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    folder.write("one.npz", &pack(&[("betas.npy", &bytes), ("notes.txt", b"x")]));
    check(folder.open("one.npz").unwrap());
    folder.write("two.npz", &pack(&[("a.npy", &bytes), ("b.npy", &bytes)]));
    check(folder.open("two.npz:b").unwrap());
    folder.refused("two.npz", "not told; there are `a` [2, 3], `b` [2, 3]");
    folder.refused("two.npz:c", "array `c` is not among: `a` [2, 3], `b` [2, 3]");
    folder.write("short.npz", &pack(&[("a.npy", &bytes[..bytes.len() - 2])]));
    folder.refused("short.npz", "2 bytes too few");
    folder.write("long.npz", &pack(&[("a.npy", &[&bytes[..], b"xy"].concat())]));
    folder.refused("long.npz", "2 bytes more");
}

#[test]
fn hdf5_is_read_by_name_or_where_one_array_fits() {
    let folder = Folder::new();
    let path = folder.0.path().join("b.h5");
    let writer = H5Writer::create(&path).unwrap();
    writer.group("sub").unwrap();
    drop(writer.write("sub/betas", &[2, 3], &[0_u16, 1, 2, 3, 4, 5]).unwrap());
    drop(writer.write("affine", &[4], &[1.0_f32; 4]).unwrap());
    writer.finish().unwrap();
    check(folder.open("b.h5").unwrap());
    check(folder.open("b.h5:sub/betas").unwrap());
    check(folder.open("b.h5:/sub/betas").unwrap());
    folder.refused("b.h5:x", "not among: `affine` [4], `sub/betas` [2, 3]");
}

#[test]
fn matlab_is_read_in_its_own_order() {
    let folder = Folder::new();
    let path = folder.0.path().join("m.mat");
    let values = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
    mat5::write_arrays(&path, &[("fmri", &[2, 3], &values), ("label", &[1, 2], &[1.0, 2.0])]).unwrap();
    check(folder.open("m.mat:fmri").unwrap());
    folder.refused("m.mat", "not told; there are `fmri` [2, 3], `label` [1, 2]");
    folder.refused("m.mat:x", "array `x` is not among: `fmri` [2, 3]");
    let bytes = std::fs::read(&path).unwrap();
    folder.write("cut.mat", &bytes[..bytes.len() - 40]);
    folder.refused("cut.mat:fmri", "MATLAB v5");
}

#[test]
fn what_is_no_array_is_refused_before_anything_is_made_of_its_size() {
    let folder = Folder::new();
    folder.write("huge.npy", &npy("<f8", "False", "(1000000, 1000000)", &[0; 8]));
    folder.refused("huge.npy", "expected 8000000000128 bytes for its shape");
    folder.write("short.npy", &npy("<f4", "False", "(2, 3)", &[0; 20]));
    folder.refused("short.npy", "length of the file is 148");
    folder.write("empty.npy", &npy("<f4", "False", "(0, 3)", &[]));
    folder.refused("empty.npy", "shape is [0, 3], expected at least one number");
    folder.write("object.npy", &npy("|O", "False", "(1,)", b"pickle"));
    folder.refused("object.npy", "Python objects");
    folder.write("named.npy", &npy("|u1", "False", "(2, 3)", &[0; 6]));
    folder.refused("named.npy:x", "array `x` is named");
    folder.write("t.csv", b"a,b,c\n0,1,2\n3,4,5\n");
    check(folder.open("t.csv").unwrap());
    folder.refused("t.csv:x", "array `x` is named");
    folder.write("pickle.pkl", b"\x80\x04]q\x00.");
    folder.refused("pickle.pkl", "it is no .npy, .npz, HDF5, MATLAB or .csv file");
    folder.write("none", b"");
    folder.refused("none", "it is no .npy");
    folder.refused("absent.npy", "is missing; it is needed for a test");
    folder.refused("", "a folder");
}

#[test]
fn hdf5_of_the_newest_layout_with_every_filter_is_read() {
    let folder = Folder::new();
    let path = folder.0.path().join("new.h5");
    {
        let file =
            hdf5_metno::File::with_options().with_fapl(|access| access.libver_latest()).create(path).unwrap();
        let numbers = ndarray::array![[0.0_f64, 1.0, 2.0], [3.0, 4.0, 5.0]];
        let builder = file.new_dataset_builder().chunk((1, 2)).shuffle().deflate(4).fletcher32();
        builder.with_data(&numbers).create("b").unwrap();
    }
    check(folder.open("new.h5").unwrap());
    check(folder.open("new.h5:b").unwrap());
}

#[test]
fn what_is_wrong_with_the_only_array_is_said() {
    let folder = Folder::new();
    let path = folder.0.path().join("link.h5");
    hdf5_metno::File::create(path).unwrap().link_external("gone.h5", "/b", "b").unwrap();
    folder.refused("link.h5", "dataset `/b` is a link that leads nowhere");
    folder.refused("link.h5:b", "dataset `/b` is a link that leads nowhere");
}
