//! Betas that other tools write in ways of their own: behind links, put together from several files, with invalid voxels as NaN.

use std::path::Path;

use mindreader::data::nsd::betas::{BetasFormat, SessionFile, read_session};
use mindreader::data::nsd::constant_voxels::{constant_voxels, refuse_dead_session};
use mindreader::data::prepared::VoxelTable;
use ndarray::Array2;

use crate::python;

const GRID: [usize; 3] = [6, 5, 4];
const VOXELS: [usize; 4] = [0, 7, 50, 119];

/// `inner.hdf5` is NSD's own layout; the others lead to it, or differ from it in one thing.
const WRITE: &str = r#"
import h5py, numpy as np, gzip, struct, nibabel as nib
t, v = np.meshgrid(np.arange(750), np.arange(6 * 5 * 4), indexing='ij')
stored = ((t * 31 + v * 7) % 1000).reshape(750, 4, 5, 6).astype('<i2')
voxel = (750, 1, 1, 1)
with h5py.File('inner.hdf5', 'w') as f:
    f.create_dataset('betas', data=stored, chunks=voxel)
with h5py.File('external-link.hdf5', 'w') as f:
    f['betas'] = h5py.ExternalLink('inner.hdf5', '/betas')
    # Other bytes where the inner file has its chunks.
    f.create_dataset('padding', data=np.full(400000, 77, '<i2'))
with h5py.File('soft-link.hdf5', 'w') as f:
    f.create_dataset('a/b', data=stored, chunks=voxel)
    f['betas'] = h5py.SoftLink('/a/b')
with h5py.File('dangling.hdf5', 'w') as f:
    f['betas'] = h5py.ExternalLink('gone.hdf5', '/betas')
def virtual(name, source, dataset='betas'):
    layout = h5py.VirtualLayout((750, 4, 5, 6), '<i2')
    layout[:] = h5py.VirtualSource(source, dataset, (750, 4, 5, 6))
    with h5py.File(name, 'w', libver='latest') as f:
        f.create_virtual_dataset('betas', layout)
virtual('virtual.hdf5', 'inner.hdf5')
virtual('virtual-gone.hdf5', 'gone.hdf5')
virtual('virtual-other.hdf5', 'inner.hdf5', 'other')
with h5py.File('external-storage.hdf5', 'w') as f:
    stored.tofile('raw.bin')
    f.create_dataset('betas', (750, 4, 5, 6), '<i2', external=[('raw.bin', 0, stored.nbytes)])
psc = (stored / 300).astype('<f4')
psc.reshape(750, -1)[:, 7] = np.nan
with h5py.File('nan-voxel.hdf5', 'w') as f:
    f.create_dataset('betas', data=psc)
psc.reshape(750, -1)[3, 50] = np.nan
with h5py.File('nan-beta.hdf5', 'w') as f:
    f.create_dataset('betas', data=psc)
image = nib.Nifti1Image(stored.transpose(3, 2, 1, 0), np.eye(4))
image.header.set_slope_inter(1, 0)
nib.save(image, 'plain.nii')
coarse = ((t * 31 + v * 7) % 64 / 32).reshape(750, 4, 5, 6)
with h5py.File('lzf.hdf5', 'w') as f:
    f.create_dataset('betas', data=stored, chunks=(50, 2, 5, 6), compression='lzf', shuffle=True)
with h5py.File('half.hdf5', 'w') as f:
    f.create_dataset('betas', data=coarse.astype('<f2'))
with h5py.File('half-voxels-lzf.hdf5', 'w') as f:
    f.create_dataset('betas', data=coarse.astype('>f2'), chunks=voxel, compression='lzf')
with h5py.File('half-voxels.hdf5', 'w') as f:
    f.create_dataset('betas', data=coarse.astype('<f2'), chunks=voxel)
# 16 bits with another exponent: the library's conversion knows it, its size alone does not.
brain_float = h5py.h5t.IEEE_F32LE.copy()
brain_float.set_fields(15, 7, 8, 0, 7)
brain_float.set_size(2)
brain_float.set_ebias(127)
with h5py.File('brain-float.hdf5', 'w') as f:
    space = h5py.h5s.create_simple((750, 4, 5, 6))
    d = h5py.h5d.create(f.id, b'betas', brain_float, space)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, coarse.astype('<f4'))
def raw_chunk(name, filter):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((750, 4, 5, 6))
    plist.set_filter(filter, h5py.h5z.FLAG_OPTIONAL, (3,))
    with h5py.File(name, 'w') as f:
        d = h5py.h5d.create(f.id, b'betas', h5py.h5t.STD_I16LE, h5py.h5s.create_simple((750, 4, 5, 6)), plist)
        d.write_direct_chunk((0, 0, 0, 0), stored.tobytes(), 0)
raw_chunk('zstd.hdf5', 32015)
raw_chunk('damaged.hdf5', h5py.h5z.FILTER_DEFLATE)
whole = open('lzf.hdf5', 'rb').read()
open('cut.hdf5', 'wb').write(whole[:-3000])
open('page.hdf5', 'wb').write(b'<html>404 Not Found</html>')
raw = bytearray(open('plain.nii', 'rb').read())
raw[112:120] = struct.pack('<ff', 1.0, np.nan)
open('nan-inter.nii.gz', 'wb').write(gzip.compress(bytes(raw)))
"#;

fn expected(trial: usize, voxel: usize) -> f32 {
    ((trial * 31 + voxel * 7) % 1000) as f32 / 300.0
}

#[test]
fn links_and_virtual_datasets_give_the_betas_or_an_error_and_never_other_bytes() {
    let Some(python) = python::find("odd_betas::links_and_virtual_datasets") else { return };
    let folder = tempfile::tempdir().unwrap();
    python::run(python, folder.path(), WRITE);
    let read = |name: &str| -> Result<Array2<f32>, String> {
        let format = if name.contains("nii") { BetasFormat::Nifti } else { BetasFormat::Hdf5 };
        let file = SessionFile { session: 1, path: folder.path().join(name), format };
        read_session(&file, GRID, &VOXELS).map_err(|error| error.to_string())
    };
    for name in ["inner.hdf5", "external-link.hdf5", "soft-link.hdf5", "virtual.hdf5"] {
        let betas = read(name).unwrap();
        for ((trial, column), beta) in betas.indexed_iter() {
            assert_eq!(*beta, expected(trial, VOXELS[column]), "{name}, trial {trial}, column {column}");
        }
    }
    let betas = read("lzf.hdf5").unwrap();
    assert!(betas.indexed_iter().all(|((trial, column), beta)| *beta == expected(trial, VOXELS[column])));
    for name in ["half.hdf5", "half-voxels-lzf.hdf5", "half-voxels.hdf5", "brain-float.hdf5"] {
        for ((trial, column), beta) in read(name).unwrap().indexed_iter() {
            let expected = ((trial * 31 + VOXELS[column] * 7) % 64) as f32 / 32.0;
            assert_eq!(*beta, expected, "{name}, trial {trial}, column {column}");
        }
    }
    for (name, part) in [
        (
            "zstd.hdf5",
            "zstd.hdf5` cannot be read: dataset `/betas`: it is compressed in a way that is not read here",
        ),
        ("damaged.hdf5", "damaged.hdf5` cannot be read: dataset `/betas`: its compressed values are damaged"),
        ("cut.hdf5", "cut.hdf5` cannot be read: it is truncated: "),
        ("page.hdf5", "page.hdf5` cannot be read: it is no HDF5 file"),
        ("dangling.hdf5", "leads nowhere"),
        ("nan-beta.hdf5", "beta of trial 3, voxel 50 of the volume (x 2, y 3, z 1 from 0) is NaN"),
        ("nan-inter.nii.gz", "scl_inter is NaN"),
    ] {
        let error = read(name).unwrap_err();
        assert!(error.contains(part), "{name}: {error}");
        // The library's insides: `H5Dread(): can't …`.
        assert!(!error.contains("():") && !error.contains('\n'), "{name}: {error}");
    }
    // Where the source is gone the library hands out its fill value, and such a session is refused as a dead one.
    for name in ["virtual-gone.hdf5", "virtual-other.hdf5"] {
        let betas = read(name).unwrap();
        let error = refuse_dead_session(
            Path::new(name),
            "all trials",
            "prepare.allow_constant",
            &constant_voxels(&betas),
            &VoxelTable::default(),
        );
        assert!(error.unwrap_err().to_string().contains("constant in 4 of 4 voxels"), "{name}");
    }
    // Invalid throughout, as GLMsingle's masks write it.
    let masked = read("nan-voxel.hdf5").unwrap();
    assert!(masked.column(1).iter().all(|beta| *beta == 0.0));
    assert_eq!(masked[[9, 2]], expected(9, 50));
    // Where raw bytes lie outside, they are found or their absence is said.
    match read("external-storage.hdf5") {
        Ok(betas) => assert_eq!(betas[[5, 3]], expected(5, 119)),
        Err(error) => assert!(error.contains("external-storage.hdf5"), "{error}"),
    }
}
