//! HDF5 against h5py: betas in every layout, images, prepared files.

use mindreader::data::formats::hdf5::{H5File, H5Writer};
use mindreader::data::nsd::betas::{BetasFormat, SessionFile, read_session, write_session};
use mindreader::data::nsd::stimuli::Stimuli;
use mindreader::data::trial::NsdId;
use ndarray::Array2;

use crate::python;

/// Stored value of voxel `v` (flat index) in trial `t`, in all files here.
fn stored(t: usize, v: usize) -> i16 {
    ((t * 31 + v * 7) % 1000) as i16 * if v.is_multiple_of(2) { 1 } else { -30 }
}

const GRID: [usize; 3] = [6, 5, 4];
const WRITE: &str = r#"
import h5py, numpy as np
t, v = np.meshgrid(np.arange(750), np.arange(6 * 5 * 4), indexing='ij')
stored = (t * 31 + v * 7) % 1000 * np.where(v % 2 == 0, 1, -30)
stored = stored.reshape(750, 4, 5, 6)
psc = stored / 300
def save(name, data, **options):
    with h5py.File(name, 'w', libver=options.pop('libver', 'earliest')) as f:
        f.create_dataset('betas', data=data, **options)
voxel = (750, 1, 1, 1)
save('voxel-chunks.hdf5', stored.astype('<i2'), chunks=voxel)
save('voxel-chunks-latest.hdf5', stored.astype('<i2'), chunks=voxel, libver='latest')
save('voxel-chunks-big-endian.hdf5', stored.astype('>i2'), chunks=voxel)
save('voxel-chunks-float.hdf5', psc.astype('<f4'), chunks=voxel)
save('voxel-chunks-gzip.hdf5', stored.astype('<i2'), chunks=voxel, compression='gzip')
save('contiguous.hdf5', stored.astype('<i2'))
save('contiguous-float.hdf5', psc.astype('<f4'))
save('double.hdf5', psc)
save('trial-chunks-gzip.hdf5', stored.astype('<i2'), chunks=(1, 4, 5, 6), compression='gzip', shuffle=True)
save('odd-chunks.hdf5', stored.astype('<i2'), chunks=(100, 3, 2, 4), compression='gzip', fletcher32=True)
save('half-voxel-chunks.hdf5', stored.astype('<i2'), chunks=(400, 1, 1, 1))
save('flat.hdf5', stored.reshape(750, -1)[:, [0, 1, 7, 50, 119]].astype('<f8') / 300)
with h5py.File('userblock.hdf5', 'w', userblock_size=512) as f:
    f.create_dataset('betas', data=stored.astype('<i2'), chunks=voxel)
with h5py.File('sparse.hdf5', 'w') as f:
    d = f.create_dataset('betas', (750, 4, 5, 6), '<i2', chunks=voxel)
    d[:, 0, 0, 0:2] = stored[:, 0, 0, 0:2]
    d[:, 3, 4, 5] = stored[:, 3, 4, 5]
with h5py.File('sparse-fill.hdf5', 'w') as f:
    d = f.create_dataset('betas', (750, 4, 5, 6), '<i2', chunks=voxel, fillvalue=600)
    d[:, 0, 0, 0] = stored[:, 0, 0, 0]
with h5py.File('stimuli.hdf5', 'w') as f:
    d = f.create_dataset('imgBrick', (5, 425, 425, 3), 'u1', chunks=(1, 425, 425, 3))
    d[3, 100, 200] = (1, 2, 3)
"#;

#[test]
fn betas_written_by_h5py_are_read_in_every_layout() {
    let Some(python) = python::find("hdf5::betas_written_by_h5py_are_read_in_every_layout") else { return };
    let folder = tempfile::tempdir().unwrap();
    python::run(python, folder.path(), WRITE);
    let voxels = [0, 1, 7, 50, 119];
    let read = |name: &str| {
        let path = folder.path().join(name);
        read_session(&SessionFile { session: 1, path, format: BetasFormat::Hdf5 }, GRID, &voxels).unwrap()
    };
    let expected = |t: usize, column: usize| f32::from(stored(t, voxels[column])) / 300.0;
    for name in [
        "voxel-chunks.hdf5",
        "voxel-chunks-latest.hdf5",
        "voxel-chunks-big-endian.hdf5",
        "voxel-chunks-float.hdf5",
        "voxel-chunks-gzip.hdf5",
        "contiguous.hdf5",
        "contiguous-float.hdf5",
        "double.hdf5",
        "trial-chunks-gzip.hdf5",
        "odd-chunks.hdf5",
        "half-voxel-chunks.hdf5",
        "flat.hdf5",
        "userblock.hdf5",
    ] {
        let betas = read(name);
        assert_eq!(betas.dim(), (750, 5), "{name}");
        for ((t, column), beta) in betas.indexed_iter() {
            let difference = (beta - expected(t, column)).abs();
            assert!(
                difference <= expected(t, column).abs() * 1e-7,
                "{name} trial {t} column {column}: {beta}"
            );
        }
    }
    let sparse = read("sparse.hdf5");
    let filled = read("sparse-fill.hdf5");
    for t in 0..750 {
        let row: Vec<f32> = sparse.row(t).to_vec();
        assert_eq!(row, [expected(t, 0), expected(t, 1), 0.0, 0.0, expected(t, 4)]);
        let row: Vec<f32> = filled.row(t).to_vec();
        assert_eq!(row, [expected(t, 0), 2.0, 2.0, 2.0, 2.0]);
    }
    let stimuli = Stimuli::open(&folder.path().join("stimuli.hdf5")).unwrap();
    assert_eq!(stimuli.num_images(), 5);
    assert_eq!(stimuli.image(NsdId(3)).unwrap().get_pixel(200, 100).0, [1, 2, 3]);
}

const READ: &str = r#"
import h5py, numpy as np
with h5py.File('betas_session01.hdf5') as f:
    assert list(f) == ['betas'], list(f)
    d = f['betas']
    assert d.shape == (750, 4, 5, 6) and d.dtype == np.dtype('<i2'), (d.shape, d.dtype)
    assert d.chunks == (750, 1, 1, 1) and d.compression is None and d.maxshape == d.shape and d.fillvalue == 0
    t, v = np.meshgrid(np.arange(750), np.arange(6 * 5 * 4), indexing='ij')
    stored = (t * 31 + v * 7) % 1000 * np.where(v % 2 == 0, 1, -30)
    kept = np.isin(v, [0, 1, 7, 50, 119])
    assert np.array_equal(d[:].reshape(750, -1), np.where(kept, stored, 0))
with h5py.File('datasets.h5') as f:
    assert f.attrs['text'] == 'naïve' and isinstance(f.attrs['text'], str)
    assert f['group/floats'].dtype == np.dtype('<f4') and f['group/floats'][:].tolist() == [[1.5, -2], [0, 3]]
    assert f['group/floats'].attrs['unit'] == 'percent'
    assert f['integers'].dtype == np.dtype('<i4') and f['integers'][:].tolist() == [-7, 70000]
    assert f['bytes'].dtype == np.dtype('u1') and f['bytes'][:].tolist() == [[255], [0]]
"#;

#[test]
fn files_written_here_are_read_by_h5py() {
    let Some(python) = python::find("hdf5::files_written_here_are_read_by_h5py") else { return };
    let folder = tempfile::tempdir().unwrap();
    let voxels = [0, 1, 7, 50, 119];
    let betas = Array2::from_shape_fn((750, 5), |(t, column)| stored(t, voxels[column]));
    write_session(&folder.path().join("betas_session01.hdf5"), GRID, &voxels, &betas).unwrap();
    let writer = H5Writer::create(&folder.path().join("datasets.h5")).unwrap();
    writer.text_attribute("text", "naïve").unwrap();
    writer.group("group").unwrap();
    let floats = writer.write::<f32>("group/floats", &[2, 2], &[1.5, -2.0, 0.0, 3.0]).unwrap();
    floats.text_attribute("unit", "percent").unwrap();
    drop(floats);
    drop(writer.write::<i32>("integers", &[2], &[-7, 70_000]).unwrap());
    drop(writer.write::<u8>("bytes", &[2, 1], &[255, 0]).unwrap());
    writer.finish().unwrap();
    python::run(python, folder.path(), READ);
}

#[test]
fn text_attributes_of_h5py_are_read() {
    let Some(python) = python::find("hdf5::text_attributes_of_h5py_are_read") else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = "import h5py\nwith h5py.File('a.h5', 'w') as f:\n    f.attrs['text'] = 'naïve'\n    f.attrs['number'] = 3\n";
    python::run(python, folder.path(), script);
    let file = H5File::open(&folder.path().join("a.h5"), "the test").unwrap();
    assert_eq!(file.text_attribute("text").unwrap(), "naïve");
    let error = file.text_attribute("number").unwrap_err().to_string();
    assert!(error.contains("attribute `number` of `/` is int64, expected one text"), "{error}");
}
