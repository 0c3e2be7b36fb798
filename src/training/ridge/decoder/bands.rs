//! Banded ridge: groups of voxels with scales of their own.
//!
//! A scale before the fit is a penalty per band (Nunez-Elizalde, Huth & Gallant 2019, *Voxelwise encoding models with non-spherical
//! multivariate normal priors*). Scales are drawn at random, their shares from Dirichlet's distribution, and the draw with the
//! least cross-validated error counts (Dupré la Tour et al. 2022, *Feature-space selection with banded ridge regression*).

use ndarray::{ArrayView2, CowArray, Ix2};
use rand::RngExt;
use rand_distr::Gamma;
use rayon::prelude::*;

use crate::tensor_ops::random::keyed_rng;
use crate::training::ridge::RidgeError;

/// Concentrations of Dirichlet's distribution, in turn: shares of any kind, and shares that leave most bands out.
const CONCENTRATIONS: [f64; 2] = [1.0, 0.1];

/// Which band every kept voxel belongs to.
pub(super) struct Bands {
    of_voxel: Vec<usize>,
    count: usize,
}

impl Bands {
    /// Kept voxels that no group names are a last band.
    pub(super) fn new(groups: &[Vec<usize>], num_voxels: usize, kept: &[usize]) -> Result<Self, RidgeError> {
        let mut of_all: Vec<Option<usize>> = vec![None; num_voxels];
        for (band, voxels) in groups.iter().enumerate() {
            for voxel in voxels {
                let Some(place) = of_all.get_mut(*voxel) else {
                    let expected = format!("below {num_voxels}, the number of voxels");
                    return Err(RidgeError::Shape { what: "voxel of a band", found: *voxel, expected });
                };
                if place.replace(band).is_some() {
                    let expected = "in one band, or twice in none".into();
                    return Err(RidgeError::Shape { what: "voxel of two bands", found: *voxel, expected });
                }
            }
        }
        let of_voxel: Vec<usize> = kept.iter().map(|voxel| of_all[*voxel].unwrap_or(groups.len())).collect();
        let has_rest = of_voxel.contains(&groups.len());
        Ok(Self { of_voxel, count: groups.len() + usize::from(has_rest) })
    }

    /// Shares of the bands in every draw; the first has them equal. One draw where there is nothing to weigh.
    pub(super) fn draws(&self, count: usize, seed: u64) -> Result<Vec<Vec<f64>>, RidgeError> {
        let equal = vec![1.0 / self.count as f64; self.count];
        let mut draws = vec![equal];
        if self.count > 1 {
            for draw in 1..count {
                draws.push(self.draw(draw, seed)?);
            }
        }
        Ok(draws)
    }

    fn draw(&self, draw: usize, seed: u64) -> Result<Vec<f64>, RidgeError> {
        let concentration = CONCENTRATIONS[draw % CONCENTRATIONS.len()];
        let expected = || "a concentration above 0".to_string();
        let gamma = Gamma::new(concentration, 1.0).map_err(|_| RidgeError::Shape {
            what: "draw of bands",
            found: draw,
            expected: expected(),
        })?;
        let mut rng = keyed_rng(seed, "scales of ridge bands", draw as u64);
        let values: Vec<f64> = (0..self.count).map(|_| rng.sample(gamma)).collect();
        let sum: f64 = values.iter().sum();
        let is_usable = sum > f64::MIN_POSITIVE;
        // Concentrated draws can all round to 0; then one is as good as another.
        Ok(values
            .into_iter()
            .map(|value| if is_usable { value / sum } else { 1.0 / self.count as f64 })
            .collect())
    }

    /// The factor of every kept voxel: the root of its band's share, 1 where all are equal.
    pub(super) fn factors(&self, shares: &[f64]) -> Vec<f64> {
        self.of_voxel.iter().map(|band| (shares[*band] * self.count as f64).sqrt()).collect()
    }
}

/// Columns times their factors; no copy where all are 1.
pub(super) fn weighted<'a>(x: ArrayView2<'a, f32>, factors: &[f64]) -> CowArray<'a, f32, Ix2> {
    if factors.iter().all(|factor| *factor == 1.0) {
        return CowArray::from(x);
    }
    let mut copy = x.to_owned();
    copy.outer_iter_mut().collect::<Vec<_>>().into_par_iter().for_each(|mut row| {
        row.iter_mut().zip(factors).for_each(|(value, factor)| *value = (f64::from(*value) * factor) as f32);
    });
    CowArray::from(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voxels_without_a_band_are_one() {
        let bands = Bands::new(&[vec![0, 3], vec![1]], 5, &[0, 1, 2, 4]).unwrap();
        assert_eq!((bands.of_voxel.clone(), bands.count), (vec![0, 1, 2, 2], 3));
        assert_eq!(bands.factors(&[1.0 / 3.0, 0.0, 2.0 / 3.0])[1], 0.0);
        let draws = bands.draws(4, 1).unwrap();
        assert_eq!((draws.len(), draws[0].clone()), (4, vec![1.0 / 3.0; 3]));
        for shares in &draws {
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!(draws, bands.draws(4, 1).unwrap());
        let whole = Bands::new(&[vec![0, 1]], 2, &[0, 1]).unwrap();
        assert_eq!(whole.draws(9, 1).unwrap(), [vec![1.0]]);
    }

    #[test]
    fn bands_that_cannot_be_are_refused() {
        let text =
            |groups: &[Vec<usize>]| Bands::new(groups, 2, &[0, 1]).map(|_| ()).unwrap_err().to_string();
        assert!(text(&[vec![2]]).contains("voxel of a band: found 2, expected below 2"));
        assert!(text(&[vec![0], vec![0]]).contains("voxel of two bands: found 0"));
    }
}
