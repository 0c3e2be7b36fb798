//! The phantom's head: two folded cortical sheets in NSD's grid, with NSD's regions on them.
//!
//! Each hemisphere is an ellipsoid whose surface is pushed inwards by a smooth field, and cortex is the layer
//! around that surface: for the distance `d(p)` to the ellipsoid and the field `n(p)`, the voxels with
//! `|s(p)| < t/2 · |∇s(p)|`, `s = d + t/2 + a (1 + n)/2` (thickness `t`, fold depth `a`).
//!
//! A point of the sheet is addressed by two angles seen from the middle of its hemisphere: the distance `alpha`
//! from the occipital pole, and the azimuth `psi` around it (0° medial, 90° dorsal, ±180° lateral, −90° ventral).
//! Regions are drawn in (`alpha`/`alpha_max`, `psi`), where `alpha_max` is the edge of nsdgeneral: `atlas`.

use super::atlas;
use super::config::PhantomConfig;
use super::cortical_voxel::{CorticalVoxel, SheetPoint};
use super::noise_field::smooth_field;
use crate::data::nsd::tree::Hemisphere;

/// The volume with its sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Anatomy {
    /// Voxels `[X, Y, Z]`.
    pub grid: [usize; 3],
    /// Whether a voxel lies in the brain, x fastest.
    pub brain: Vec<bool>,
    /// Cortical voxels, ascending by index.
    pub cortex: Vec<CorticalVoxel>,
}

/// Share of the grid that the head fills.
const FILLING: f64 = 0.95;

impl Anatomy {
    /// Folds the sheets and cuts nsdgeneral out of them, with exactly the configured number of voxels (or all
    /// cortical voxels, should there be fewer).
    pub fn grow(config: &PhantomConfig) -> Self {
        let grid = config.grid();
        let sheets =
            [Sheet::new(grid, Hemisphere::Left, config), Sheet::new(grid, Hemisphere::Right, config)];
        // Voxel centres are whole numbers, so the middle of the volume lies between two of them for an even size.
        let middle = (grid[0] as f64 - 1.0) / 2.0;
        let mut brain = vec![false; grid.iter().product()];
        let mut cortex = Vec::new();
        for (flat_index, inside) in brain.iter_mut().enumerate() {
            let p = position(grid, flat_index);
            let (sheet, hemisphere) =
                if p[0] < middle { (&sheets[0], Hemisphere::Left) } else { (&sheets[1], Hemisphere::Right) };
            // Half a voxel beyond the ellipsoid: a voxel whose centre lies just outside still belongs to it.
            *inside = sheet.distance(p) < 0.5;
            if *inside && sheet.is_cortex(p) {
                let point = sheet.address(p);
                cortex.push(CorticalVoxel { flat_index, hemisphere, point, is_visual: false });
            }
        }
        // Nearest to the occipital pole first; ties by index, so that the count is exact.
        let mut order: Vec<usize> = (0..cortex.len()).collect();
        let reach = |index: &usize| atlas::reach(cortex[*index].point);
        order.sort_by(|a, b| reach(a).total_cmp(&reach(b)).then(a.cmp(b)));
        order.truncate(config.num_nsdgeneral_voxels());
        let alpha_max = order.last().map_or(1.0, reach).max(1e-6);
        for index in order {
            cortex[index].is_visual = true;
        }
        for voxel in &mut cortex {
            // From here on the first coordinate is 1 at the edge of nsdgeneral.
            voxel.point.extent = atlas::reach(voxel.point) / alpha_max;
        }
        Self { grid, brain, cortex }
    }
}

/// Voxel coordinates of an index.
pub fn position(grid: [usize; 3], flat_index: usize) -> [f64; 3] {
    [flat_index % grid[0], flat_index / grid[0] % grid[1], flat_index / (grid[0] * grid[1])].map(|i| i as f64)
}

/// The surface of one hemisphere.
struct Sheet {
    centre: [f64; 3],
    semi_axes: [f64; 3],
    lateral: f64,
    thickness: f64,
    fold_depth: f64,
    fold_length: f64,
    seed: u64,
}

impl Sheet {
    fn new(grid: [usize; 3], hemisphere: Hemisphere, config: &PhantomConfig) -> Self {
        let half = grid.map(|size| size as f64 / 2.0 * FILLING);
        let lateral = if hemisphere == Hemisphere::Left { -1.0 } else { 1.0 };
        let middle = grid.map(|size| (size as f64 - 1.0) / 2.0);
        // Real folds are about 10 mm wide; on coarse grids they shrink with the head, but never below the grid.
        let scale = (grid[1] as f64 / 104.0).clamp(0.0, 1.0);
        Self {
            centre: [middle[0] + lateral * half[0] / 2.0, middle[1], middle[2]],
            semi_axes: [half[0] / 2.0, half[1], half[2]],
            lateral,
            thickness: 1.2 + 1.1 * scale,
            fold_depth: 10.0 * scale * scale,
            fold_length: 4.0 + 3.5 * scale,
            seed: config.seed ^ if hemisphere == Hemisphere::Left { 0x51 } else { 0xa7 },
        }
    }

    fn scaled(&self, p: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|axis| (p[axis] - self.centre[axis]) / self.semi_axes[axis])
    }

    /// Distance to the ellipsoid in voxels, negative inside (first order).
    fn distance(&self, p: [f64; 3]) -> f64 {
        let u = self.scaled(p);
        let rho = norm(u).max(1e-6);
        // `ρ = |u|` grows at this rate per voxel; `(ρ − 1)/|∇ρ|` is the distance to first order, good near the
        // surface, which is where it is used.
        let slope: [f64; 3] = std::array::from_fn(|axis| u[axis] / (rho * self.semi_axes[axis]));
        (rho - 1.0) / norm(slope).max(1e-6)
    }

    /// `s(p)` of the module's equation.
    fn level(&self, p: [f64; 3]) -> f64 {
        let field = smooth_field(p.map(|x| x / self.fold_length), self.seed);
        self.distance(p) + self.thickness / 2.0 + self.fold_depth * (1.0 + field) / 2.0
    }

    fn is_cortex(&self, p: [f64; 3]) -> bool {
        const STEP: f64 = 0.5;
        // `s` is no distance where the sheet folds: divided by its slope it is one, and the layer keeps its
        // thickness. The bounds stop it from tearing where the field is flat or steep.
        let gradient: [f64; 3] = std::array::from_fn(|axis| {
            let (mut before, mut after) = (p, p);
            before[axis] -= STEP;
            after[axis] += STEP;
            (self.level(after) - self.level(before)) / (2.0 * STEP)
        });
        self.level(p).abs() < self.thickness / 2.0 * norm(gradient).clamp(0.7, 3.0)
    }

    fn address(&self, p: [f64; 3]) -> SheetPoint {
        let u = self.scaled(p);
        let rho = norm(u).max(1e-6);
        // Mirrored, so that the same azimuth means the same place in both hemispheres.
        let medial = -u[0] * self.lateral;
        SheetPoint {
            extent: (-u[1] / rho).clamp(-1.0, 1.0).acos().to_degrees(),
            azimuth: u[2].atan2(medial).to_degrees(),
        }
    }
}

fn norm(v: [f64; 3]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}
