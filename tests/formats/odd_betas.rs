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
    for (name, part) in [
        ("dangling.hdf5", "leads nowhere"),
        ("nan-beta.hdf5", "beta of trial 3, voxel 50 is NaN"),
        ("nan-inter.nii.gz", "scl_inter is NaN"),
    ] {
        let error = read(name).unwrap_err();
        assert!(error.contains(part), "{name}: {error}");
    }
    // Where the source is gone the library hands out its fill value, and such a session is refused as a dead one.
    for name in ["virtual-gone.hdf5", "virtual-other.hdf5"] {
        let betas = read(name).unwrap();
        let error = refuse_dead_session(Path::new(name), &constant_voxels(&betas), &VoxelTable::default());
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
