//! Time and peak memory of reading the voxels of `nsdgeneral` from one full session (750 × 83 × 104 × 81).
//!
//! `cargo bench --bench betas -- FILE`; FILE is written first (1.05 GB) when it is not there. The voxels (flat indices)
//! are written beside it as `FILE.voxels.npy`, so that other software can be given the same task. Peak memory is that of
//! the process, so compare runs that find FILE written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use mindreader::data::nsd::betas::{BetasFormat, SessionFile, SessionWriter, read_session};
use mindreader::data::standardize::zscore_in_place;

const GRID: [usize; 3] = [81, 104, 83];
const NUM_VOXELS: usize = 15_724;
const NUM_TRIALS: usize = 750;

/// A folded sheet in the back of the volume, about as scattered as visual cortex.
fn voxels() -> Vec<usize> {
    let [x_len, y_len, z_len] = GRID;
    let mut by_depth: Vec<(u64, usize)> = Vec::new();
    for z in 0..z_len {
        for y in 0..y_len / 2 {
            for x in 0..x_len {
                let [a, b, c] = [(x, 40.0, 34.0), (y, 30.0, 28.0), (z, 41.0, 34.0)]
                    .map(|(at, centre, radius)| (at as f64 - centre) / radius);
                let folds =
                    0.12 * ((x as f64 * 0.55).sin() + (y as f64 * 0.6).cos() + (z as f64 * 0.5).sin());
                let depth = ((a * a + b * b + c * c).sqrt() - 0.8 + folds).abs();
                by_depth.push(((depth * 1e9) as u64, x + x_len * (y + y_len * z)));
            }
        }
    }
    by_depth.sort_unstable();
    let mut voxels: Vec<usize> = by_depth[..NUM_VOXELS].iter().map(|(_, voxel)| *voxel).collect();
    voxels.sort_unstable();
    voxels
}

fn write_session(path: &Path) {
    let plane_len = GRID[0] * GRID[1];
    let writer = SessionWriter::create(path, GRID).unwrap();
    let mut state = 1_u32;
    for z in 0..GRID[2] {
        let plane: Vec<i16> = (0..NUM_TRIALS * plane_len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 20) as i16 - 2048
            })
            .collect();
        writer.write_plane(z, &plane).unwrap();
    }
    writer.finish().unwrap();
}

/// The voxels as a NumPy file of little-endian 64-bit integers.
fn write_npy(path: &Path, voxels: &[usize]) {
    let mut header = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({},), }}", voxels.len());
    header.push_str(&" ".repeat(117 - header.len()));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(voxels.iter().flat_map(|voxel| (*voxel as i64).to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let scratch = tempfile::tempdir().unwrap();
    let path = given.map_or_else(|| scratch.path().join("betas_session01.hdf5"), PathBuf::from);
    let voxels = voxels();
    if !path.is_file() {
        let start = Instant::now();
        write_session(&path);
        write_npy(&path.with_extension("voxels.npy"), &voxels);
        println!("write: {:.2} s", start.elapsed().as_secs_f64());
    }
    let file = SessionFile { session: 1, path, format: BetasFormat::Hdf5 };
    for _ in 0..3 {
        let start = Instant::now();
        let mut betas = read_session(&file, GRID, &voxels).unwrap();
        let read = start.elapsed();
        let sum: f64 = betas.iter().map(|beta| f64::from(*beta)).sum();
        zscore_in_place(&mut betas);
        let both = start.elapsed();
        println!(
            "read {:?} in {:.3} s, with z-scores {:.3} s; sum {sum:.3}",
            betas.dim(),
            read.as_secs_f64(),
            both.as_secs_f64()
        );
    }
    if let Some(peak) = peak_memory_mib() {
        println!("peak memory: {peak:.0} MiB");
    }
}
