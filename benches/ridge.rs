//! Time of a ridge decoder's fit: penalty per output by cross-validation, then all rows.
//!
//! `cargo bench --bench ridge -- FOLDER` as `scripts/bench_ridge.py` calls it: in FOLDER lie `sizes` (rows, predictors, outputs,
//! folds), `x` and `y` (f32, row by row); coefficients are written to `weights` and the chosen penalties to `chosen` (f64).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

// Arrays are written by Python here.
#[allow(dead_code)]
mod turns;

use std::fs;
use std::path::Path;

use mindreader::training::ridge::decoder::{RidgeDecoderConfig, fit_ridge_decoder};
use ndarray::Array2;

fn matrix(path: &Path, columns: usize) -> Array2<f32> {
    let bytes = fs::read(path).unwrap();
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Array2::from_shape_vec((values.len() / columns, columns), values).unwrap()
}

fn main() {
    let Some(folder) = turns::folder() else {
        println!("scripts/bench_ridge.py makes the data and calls this bench");
        return;
    };
    let sizes = fs::read_to_string(folder.join("sizes")).unwrap();
    let sizes: Vec<usize> = sizes.split_whitespace().map(|size| size.parse().unwrap()).collect();
    let [rows, predictors, outputs, folds] = sizes[..] else { panic!("four sizes") };
    let (x, y) = (matrix(&folder.join("x"), predictors), matrix(&folder.join("y"), outputs));
    let images: Vec<u64> = (0..rows as u64).collect();
    let all: Vec<usize> = (0..rows).collect();
    let config = RidgeDecoderConfig { folds, ..RidgeDecoderConfig::default() };
    turns::serve(|| {
        let fit = fit_ridge_decoder(x.view(), y.view(), &images, &all, &config, &[]).unwrap();
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        fs::write(folder.join("weights"), bytes(fit.weights.as_slice().unwrap())).unwrap();
        let chosen: Vec<u8> = fit.selection.chosen.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(folder.join("chosen"), chosen).unwrap();
        Vec::new()
    });
}
