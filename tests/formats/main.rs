//! File formats against the packages that brain scientists use: what h5py, nibabel and scipy.io write is read with equal
//! values, and what the program writes is read back by them; ridge regression with their coefficients; then malformed files, one
//! per kind of error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod hdf5;
mod image_archives;
mod malformed;
mod mat5;
mod mutations;
mod nifti;
mod odd_betas;
mod own_data;
mod phantom;
mod prepare;
mod python;
mod ridge;
mod small_tree;
