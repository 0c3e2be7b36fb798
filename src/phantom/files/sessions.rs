//! Betas of a session with the maps that NSD writes beside them, and the noise ceiling over all sessions.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis, s};

use super::super::config::{BetaFiles, PhantomConfig};
use super::super::responses::SessionBetas;
use super::volumes::{RESOLUTION, write_map};
use crate::data::error::DataError;
use crate::data::formats::nifti::{ElementType, Frame, NiftiWriter};
use crate::data::nsd::betas::{BetasFormat, SessionFile, SessionWriter, read_session};
use crate::data::nsd::noise_ceiling::compute_ncsnr;
use crate::data::nsd::tree::{DEFAULT_BETAS_VERSION, NsdTree};
use crate::data::standardize::zscore_in_place;
use crate::data::trial::{NsdId, TRIALS_PER_SESSION, Trial};
use crate::interrupt;

/// Betas held at once while the noise ceiling is computed: 256 MB.
const VALUES_AT_ONCE: usize = 64 << 20;

/// Sums over sessions that whole-experiment maps need.
pub struct SessionMaps {
    grid: [usize; 3],
    voxels: Vec<usize>,
    mean_sum: Vec<f64>,
    /// For each brain voxel, the sessions (0-based) in which it was measured throughout.
    valid_sessions: Vec<Vec<u16>>,
    num_sessions: u16,
}

impl SessionMaps {
    /// For the brain voxels of a grid.
    pub fn new(grid: [usize; 3], voxels: Vec<usize>) -> Self {
        let count = voxels.len();
        Self {
            grid,
            voxels,
            mean_sum: vec![0.0; count],
            valid_sessions: vec![Vec::new(); count],
            num_sessions: 0,
        }
    }

    /// Writes one session (1-based): betas, `meanbeta_sessionNN`, `valid_sessionNN`.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn write_session(
        &mut self,
        tree: &NsdTree,
        config: &PhantomConfig,
        session: u16,
        betas: &SessionBetas,
    ) -> Result<(), DataError> {
        let subject = config.subject;
        let path = tree.betas_hdf5(subject, RESOLUTION, DEFAULT_BETAS_VERSION, session);
        write_hdf5(&path, self.grid, betas)?;
        if config.beta_files == BetaFiles::Both {
            let path = tree.betas_nifti(subject, RESOLUTION, DEFAULT_BETAS_VERSION, session);
            write_nifti(&path, self.grid, betas)?;
        }
        let mut means = Vec::with_capacity(self.voxels.len());
        for (index, is_valid) in betas.is_valid.iter().enumerate() {
            let sum: f64 = betas.column(index).iter().map(|value| f64::from(*value)).sum();
            let mean = sum / TRIALS_PER_SESSION as f64;
            self.mean_sum[index] += mean;
            means.push(mean as f32);
            if *is_valid {
                self.valid_sessions[index].push(self.num_sessions);
            }
        }
        self.num_sessions += 1;
        let means = self.volume(&means, 0.0);
        let path = tree.mean_beta_session(subject, RESOLUTION, DEFAULT_BETAS_VERSION, session);
        write_map(&path, self.grid, Frame::F32(&means))?;
        let mut valid = vec![0_i16; self.num_voxels()];
        for (voxel, is_valid) in self.voxels.iter().zip(&betas.is_valid) {
            valid[*voxel] = i16::from(*is_valid);
        }
        write_map(&tree.valid_session(subject, RESOLUTION, session), self.grid, Frame::I16(&valid))
    }

    /// Writes `meanbeta`, `valid` and `ncsnr`, the last one from the session files; `tick` is told how many brain
    /// voxels are done. Returns the ratio per brain voxel.
    ///
    /// # Errors
    /// [`DataError::unwritable`], or whatever reading the session files back brings up.
    pub fn write_maps(
        &self,
        tree: &NsdTree,
        config: &PhantomConfig,
        trials: &[Trial],
        tick: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<f32>, DataError> {
        let sessions = f64::from(self.num_sessions.max(1));
        let subject = config.subject;
        let means: Vec<f32> = self.mean_sum.iter().map(|sum| (sum / sessions) as f32).collect();
        let betas_dir = tree.betas_dir(subject, RESOLUTION, DEFAULT_BETAS_VERSION);
        write_map(&betas_dir.join("meanbeta.nii.gz"), self.grid, Frame::F32(&self.volume(&means, 0.0)))?;
        let shares: Vec<f32> =
            self.valid_sessions.iter().map(|valid| (valid.len() as f64 / sessions) as f32).collect();
        let valid = tree.functional_dir(subject, RESOLUTION).join("valid.nii.gz");
        write_map(&valid, self.grid, Frame::F32(&self.volume(&shares, 0.0)))?;
        let ncsnr = self.ncsnr(tree, config, trials, tick)?;
        let path = tree.ncsnr(subject, RESOLUTION, DEFAULT_BETAS_VERSION);
        write_map(&path, self.grid, Frame::F32(&self.volume(&ncsnr, f32::NAN)))?;
        Ok(ncsnr)
    }

    /// As NSD computes it, over the sessions in which a voxel was valid; NaN for one that never was.
    fn ncsnr(
        &self,
        tree: &NsdTree,
        config: &PhantomConfig,
        trials: &[Trial],
        tick: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<f32>, DataError> {
        let files: Vec<SessionFile> = (1..=self.num_sessions)
            .map(|session| SessionFile {
                session,
                path: tree.betas_hdf5(config.subject, RESOLUTION, DEFAULT_BETAS_VERSION, session),
                format: BetasFormat::Hdf5,
            })
            .collect();
        let mut ncsnr = vec![f32::NAN; self.voxels.len()];
        // All trials of some voxels at a time: the ceiling needs a voxel's whole history, and a full subject's betas
        // do not fit in memory.
        let block = (VALUES_AT_ONCE / trials.len().max(1)).max(1);
        for first in (0..self.voxels.len()).step_by(block) {
            let last = (first + block).min(self.voxels.len());
            let voxels = &self.voxels[first..last];
            let mut betas = Array2::zeros((trials.len(), voxels.len()));
            for (index, file) in files.iter().enumerate() {
                let mut session = read_session(file, self.grid, voxels)?;
                zscore_in_place(&mut session);
                let start = index * TRIALS_PER_SESSION;
                betas.slice_mut(s![start..start + TRIALS_PER_SESSION, ..]).assign(&session);
            }
            for (sessions, columns) in self.by_validity(first, last) {
                let rows: Vec<usize> = sessions
                    .iter()
                    .flat_map(|session| {
                        let start = usize::from(*session) * TRIALS_PER_SESSION;
                        start..start + TRIALS_PER_SESSION
                    })
                    .collect();
                let images: Vec<NsdId> = rows.iter().map(|row| trials[*row].nsd_id).collect();
                // Nearly all voxels are valid in all sessions: no copy for them.
                let is_whole = rows.len() == trials.len() && columns.len() == voxels.len();
                let ratios = if is_whole {
                    compute_ncsnr(betas.view(), &images)
                } else {
                    let part = betas.select(Axis(1), &columns).select(Axis(0), &rows);
                    compute_ncsnr(part.view(), &images)
                };
                for (column, ratio) in columns.into_iter().zip(ratios) {
                    ncsnr[first + column] = ratio;
                }
            }
            interrupt::check()?;
            tick(last as u64, self.voxels.len() as u64);
        }
        Ok(ncsnr)
    }

    /// Columns of a block of voxels, grouped by the sessions in which they are valid (at least one).
    fn by_validity(&self, first: usize, last: usize) -> BTreeMap<&[u16], Vec<usize>> {
        let mut groups: BTreeMap<&[u16], Vec<usize>> = BTreeMap::new();
        for (column, sessions) in self.valid_sessions[first..last].iter().enumerate() {
            if !sessions.is_empty() {
                groups.entry(sessions).or_default().push(column);
            }
        }
        groups
    }

    fn num_voxels(&self) -> usize {
        self.grid.iter().product()
    }

    /// A volume with the values of the brain voxels.
    fn volume(&self, values: &[f32], outside: f32) -> Vec<f32> {
        let mut volume = vec![outside; self.num_voxels()];
        for (voxel, value) in self.voxels.iter().zip(values) {
            volume[*voxel] = *value;
        }
        volume
    }
}

fn write_hdf5(path: &std::path::Path, grid: [usize; 3], betas: &SessionBetas) -> Result<(), DataError> {
    let plane_len = grid[0] * grid[1];
    let writer = SessionWriter::create(path, grid)?;
    let mut plane = vec![0_i16; TRIALS_PER_SESSION * plane_len];
    for z in 0..grid[2] {
        // Brain voxels ascend by flat index, so those of a plane are one range.
        let first = betas.voxels.partition_point(|voxel| *voxel < z * plane_len);
        let last = betas.voxels.partition_point(|voxel| *voxel < (z + 1) * plane_len);
        // Outside the brain the stored number is 0, as in NSD.
        plane.fill(0);
        for index in first..last {
            let place = betas.voxels[index] - z * plane_len;
            for (trial, value) in betas.column(index).iter().enumerate() {
                plane[trial * plane_len + place] = *value;
            }
        }
        writer.write_plane(z, &plane)?;
    }
    writer.finish()
}

fn write_nifti(path: &std::path::Path, grid: [usize; 3], betas: &SessionBetas) -> Result<(), DataError> {
    let dims = [grid[0], grid[1], grid[2], TRIALS_PER_SESSION];
    let (size, interval) = (RESOLUTION.voxel_size_mm(), RESOLUTION.repetition_time_secs());
    let mut writer = NiftiWriter::create(path, &dims, ElementType::I16, size, interval)?;
    let mut frame = vec![0_i16; grid.iter().product()];
    for trial in 0..TRIALS_PER_SESSION {
        for (index, voxel) in betas.voxels.iter().enumerate() {
            frame[*voxel] = betas.betas_x300[index * TRIALS_PER_SESSION + trial];
        }
        writer.write_frame(Frame::I16(&frame))?;
    }
    writer.finish()
}
