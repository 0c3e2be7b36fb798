//! NIfTI against nibabel.

use mindreader::data::formats::nifti::{Frame, NiftiReader, read_volume, write_volume};

use crate::python;

/// `value(x, y, z, t)` of all files that Python writes here, exact in every type used.
fn value(x: usize, y: usize, z: usize, t: usize) -> f64 {
    x as f64 + 10.0 * y as f64 - 20.0 * z as f64 + 100.0 * t as f64
}

const WRITE: &str = r#"
import numpy as np, nibabel as nib, gzip
x, y, z, t = np.meshgrid(np.arange(5), np.arange(4), np.arange(3), np.arange(2), indexing='ij')
values = x + 10.0 * y - 20.0 * z + 100.0 * t
def save(name, array, endian='<', slope=None):
    header = nib.Nifti1Header(endianness=endian)
    header.set_data_dtype(array.dtype)
    image = nib.Nifti1Image(array, np.diag([1.8, 1.8, 1.8, 1]), header)
    image.set_data_dtype(array.dtype)
    if slope:
        image.header.set_slope_inter(*slope)
    nib.save(image, name)
for dtype in ['int8', 'int16', 'int32', 'int64', 'float32', 'float64']:
    for ending in ['nii', 'nii.gz']:
        save(f'{dtype}-3d.{ending}', values[..., 0].astype(dtype))
        save(f'{dtype}-4d.{ending}', (values if dtype != 'int8' else values[..., :1].repeat(2, 3)).astype(dtype))
for dtype in ['uint8', 'uint16', 'uint32', 'uint64']:
    save(f'{dtype}.nii.gz', np.abs(values[..., 0]).astype(dtype))
for dtype in ['>i2', '>f4', '>f8']:
    save(f'big-{dtype[1:]}.nii', values.astype(dtype), '>')
# Scaled by the header: stored int16 times 0.5 plus 3.
raw = nib.Nifti1Image(values.astype('int16'), np.eye(4))
raw.header.set_slope_inter(0.5, 3)
raw.header.set_data_dtype('int16')
with open('scaled.nii', 'wb') as out:
    header = raw.header.copy()
    header['vox_offset'] = 352
    header['scl_slope'], header['scl_inter'] = 0.5, 3
    header['magic'] = b'n+1'
    out.write(header.binaryblock + b'\0' * 4 + values.astype('<i2').tobytes('F'))
# One gzip member after the other, as parallel compressors write them.
data = open('float32-4d.nii', 'rb').read()
with open('members.nii.gz', 'wb') as out:
    for first in range(0, len(data), 100):
        out.write(gzip.compress(data[first:first + 100]))
"#;

#[test]
fn volumes_written_by_nibabel_are_read() {
    let Some(python) = python::find("nifti::volumes_written_by_nibabel_are_read") else { return };
    let folder = tempfile::tempdir().unwrap();
    python::run(python, folder.path(), WRITE);
    let check = |name: &str, frames: usize, expected: &dyn Fn(usize, usize, usize, usize) -> f64| {
        let volume = read_volume(&folder.path().join(name), "the test").unwrap();
        let dims: &[usize] = if frames == 1 { &[5, 4, 3] } else { &[5, 4, 3, 2] };
        assert_eq!(volume.dims, dims, "{name}");
        let mut values = volume.data.iter();
        for t in 0..frames {
            for z in 0..3 {
                for y in 0..4 {
                    for x in 0..5 {
                        assert_eq!(*values.next().unwrap(), expected(x, y, z, t), "{name} {x} {y} {z} {t}");
                    }
                }
            }
        }
        assert!(values.next().is_none());
    };
    for dtype in ["int8", "int16", "int32", "int64", "float32", "float64"] {
        for ending in ["nii", "nii.gz"] {
            check(&format!("{dtype}-3d.{ending}"), 1, &value);
            let first_frame = |x, y, z, _| value(x, y, z, 0);
            check(&format!("{dtype}-4d.{ending}"), 2, if dtype == "int8" { &first_frame } else { &value });
        }
    }
    for dtype in ["uint8", "uint16", "uint32", "uint64"] {
        check(&format!("{dtype}.nii.gz"), 1, &|x, y, z, t| value(x, y, z, t).abs());
    }
    for name in ["big-i2.nii", "big-f4.nii", "big-f8.nii", "members.nii.gz"] {
        check(name, 2, &value);
    }
    check("scaled.nii", 2, &|x, y, z, t| value(x, y, z, t) * 0.5 + 3.0);
}

const READ: &str = r#"
import numpy as np, nibabel as nib, gzip
def check(name, dtype, dims, tr):
    image = nib.load(name)
    h = image.header
    assert image.get_data_dtype() == np.dtype(dtype), image.get_data_dtype()
    # From the bytes: nibabel shows some fields in its own way after loading.
    raw = (gzip.open if name.endswith('gz') else open)(name, 'rb').read()
    assert np.frombuffer(raw[:4], '<i4') == 348 and raw[344:352] == b'n+1' + bytes(5)
    assert np.frombuffer(raw[108:120], '<f4').tolist() == [352, 0, 0]
    want = [len(dims)] + list(dims) + [1] * (7 - len(dims))
    assert h['dim'].tolist() == want, h['dim']
    v = np.float32(1.8)
    pixdim = np.frombuffer(raw[76:108], '<f4').tolist()
    assert pixdim == [0, v, v, v, np.float32(tr), 1, 1, 1], pixdim
    assert np.allclose(h.get_zooms(), ([1.8] * 3 + [tr])[:len(dims)])
    assert h['qform_code'] == 0 and h['sform_code'] == 1 and h['xyzt_units'] == 0 and h['intent_code'] == 0
    offsets = [-np.float32((n - 1) / 2 * 1.8) for n in dims[:3]]
    assert np.allclose(image.affine, [[v, 0, 0, offsets[0]], [0, v, 0, offsets[1]], [0, 0, v, offsets[2]], [0, 0, 0, 1]], rtol=0, atol=1e-5), image.affine
    assert nib.aff2axcodes(image.affine) == ('R', 'A', 'S')
    x, y, z, t = np.meshgrid(np.arange(5), np.arange(4), np.arange(3), np.arange(2), indexing='ij')
    values = x + 10.0 * y - 20.0 * z + 100.0 * t
    values = values if len(dims) == 4 else values[..., 0]
    assert np.array_equal(np.asanyarray(image.dataobj), values.astype(dtype))
for ending in ['nii', 'nii.gz']:
    check('roi.' + ending, 'float64', (5, 4, 3), 1)
    check('ncsnr.' + ending, 'float32', (5, 4, 3), 1)
    check('betas.' + ending, 'int16', (5, 4, 3, 2), 4 / 3)
print(nib.load('betas.nii.gz').affine[:3, 3].tolist())
"#;

#[test]
fn volumes_written_here_are_read_by_nibabel_with_nsds_header() {
    let Some(python) = python::find("nifti::volumes_written_here_are_read_by_nibabel_with_nsds_header")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut values = Vec::new();
    for t in 0..2 {
        for z in 0..3 {
            for y in 0..4 {
                values.extend((0..5).map(|x| value(x, y, z, t)));
            }
        }
    }
    let whole: Vec<i16> = values.iter().map(|value| *value as i16).collect();
    let single: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    for ending in ["nii", "nii.gz"] {
        let path = |name: &str| folder.path().join(format!("{name}.{ending}"));
        write_volume(&path("roi"), &[5, 4, 3], Frame::F64(&values[..60]), 1.8, 1.0).unwrap();
        write_volume(&path("ncsnr"), &[5, 4, 3], Frame::F32(&single[..60]), 1.8, 1.0).unwrap();
        write_volume(&path("betas"), &[5, 4, 3, 2], Frame::I16(&whole), 1.8, 4.0 / 3.0).unwrap();
    }
    assert_eq!(std::fs::metadata(folder.path().join("roi.nii")).unwrap().len(), 352 + 60 * 8);
    let offsets = python::run(python, folder.path(), READ);
    let offsets: Vec<f64> = serde_json::from_str(&offsets).unwrap();
    for (offset, size) in offsets.iter().zip([5.0, 4.0, 3.0]) {
        assert!((offset + (size - 1.0) / 2.0 * 1.8).abs() < 1e-5);
    }
}

#[test]
fn a_reader_gives_frames_one_by_one_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.nii.gz");
    write_volume(&path, &[1, 1, 1, 2], Frame::I16(&[7, 9]), 1.0, 1.0).unwrap();
    let mut reader = NiftiReader::open(&path, "the test").unwrap();
    let mut frame = Vec::new();
    for expected in [7.0, 9.0] {
        reader.read_frame(&mut frame).unwrap();
        assert_eq!(frame, [expected]);
    }
    let error = reader.read_frame(&mut frame).unwrap_err().to_string();
    assert!(error.contains("number of frames is 2, expected 3"), "{error}");
}

#[test]
fn a_compressed_volume_without_its_checksum_or_with_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.nii.gz");
    let values = [0.5_f32, 1.5, -2.0, 7.25];
    write_volume(&path, &[2, 2, 1], Frame::F32(&values), 1.8, 0.0).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_volume(&path, "the test").map(|volume| volume.data).map_err(|error| error.to_string())
    };
    let end = whole.len();
    assert!(read(&whole[..end - 8]).unwrap_err().contains("the file ends inside the checksum of its gzip"));
    for place in [end - 8, end - 4] {
        let mut flipped = whole.clone();
        flipped[place] ^= 1;
        assert!(read(&flipped).unwrap_err().contains("the checksum of its gzip stream"), "byte {place}");
    }
    assert_eq!(read(&[&whole[..], &[0; 512]].concat()).unwrap(), [0.5, 1.5, -2.0, 7.25]);
}
