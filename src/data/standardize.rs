//! Z-scores per voxel over the trials of one session.
//!
//! Population standard deviation (ddof 0), sums in `f64`, a voxel that never varies becomes 0. The factor 300 of the stored
//! betas cancels.

use ndarray::{Array2, ArrayView1, ArrayView2};

/// How the betas of a prepared subject are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standardization {
    /// Mean 0 and standard deviation 1 per voxel within every session, the paper's choice.
    #[default]
    ZscorePerSession,
    /// The same within every run; of imported data only.
    ZscorePerRun,
    /// Mean and standard deviation of the training trials of the split that came with the data; of imported data only.
    ZscoreByTraining,
    /// Percent signal change as it is.
    None,
}

impl Standardization {
    /// The convention in a file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ZscorePerSession => "zscored",
            Self::ZscorePerRun => "zscored-by-run",
            Self::ZscoreByTraining => "zscored-by-training",
            Self::None => "unscaled",
        }
    }

    /// The convention in words, as recorded in prepared files.
    pub fn description(self) -> &'static str {
        match self {
            Self::ZscorePerSession => "z-score per session and voxel, ddof 0, zero variance to 0",
            Self::ZscorePerRun => "z-score per run and voxel, ddof 0, zero variance to 0",
            Self::ZscoreByTraining => {
                "z-score per voxel by mean and deviation of training trials, ddof 0, zero variance to 0"
            }
            Self::None => "none, percent signal change",
        }
    }
}

/// Replaces every column by its z-scores.
///
/// # Shapes
/// - `betas`: `[trials of one session, voxels]`
pub fn zscore_in_place(betas: &mut Array2<f32>) {
    if betas.nrows() == 0 {
        return;
    }
    let mut means = ColumnMeans::new(betas.ncols());
    means.add(betas.view());
    let mut scale = means.finish();
    scale.add(betas.view());
    scale.finish().apply(betas);
}

/// Means of columns, whose rows come a block at a time.
#[derive(Clone, Debug)]
pub struct ColumnMeans {
    sums: Vec<f64>,
    num_rows: usize,
}

/// Deviations of columns around their means, whose rows come a second time.
#[derive(Clone, Debug)]
pub struct ColumnDeviations {
    means: Vec<f64>,
    squares: Vec<f64>,
    num_rows: usize,
}

/// What makes z-scores of columns.
#[derive(Clone, Debug)]
pub struct ColumnScale {
    means: Vec<f64>,
    inverse_deviations: Vec<f64>,
}

impl ColumnMeans {
    /// Of no rows yet.
    pub fn new(num_columns: usize) -> Self {
        Self { sums: vec![0.0; num_columns], num_rows: 0 }
    }

    /// Adds rows.
    ///
    /// # Shapes
    /// - `rows`: `[any, columns]`
    pub fn add(&mut self, rows: ArrayView2<'_, f32>) {
        // Row by row, because rows lie together in memory.
        rows.rows().into_iter().for_each(|row| self.add_row(row));
    }

    /// Adds a row.
    ///
    /// # Shapes
    /// - `row`: `[columns]`
    pub fn add_row<N: Copy + Into<f64>>(&mut self, row: ArrayView1<'_, N>) {
        self.sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += (*value).into());
        self.num_rows += 1;
    }

    /// The means; the rows are wanted once more.
    pub fn finish(self) -> ColumnDeviations {
        let Self { mut sums, num_rows } = self;
        sums.iter_mut().for_each(|sum| *sum /= num_rows as f64);
        ColumnDeviations { squares: vec![0.0; sums.len()], means: sums, num_rows }
    }
}

impl ColumnDeviations {
    /// Adds rows.
    ///
    /// # Shapes
    /// - `rows`: `[any, columns]`
    pub fn add(&mut self, rows: ArrayView2<'_, f32>) {
        rows.rows().into_iter().for_each(|row| self.add_row(row));
    }

    /// Adds a row.
    ///
    /// # Shapes
    /// - `row`: `[columns]`
    pub fn add_row<N: Copy + Into<f64>>(&mut self, row: ArrayView1<'_, N>) {
        for ((sum, value), mean) in self.squares.iter_mut().zip(row).zip(&self.means) {
            *sum += ((*value).into() - mean).powi(2);
        }
    }

    /// The scale.
    pub fn finish(self) -> ColumnScale {
        let Self { means, mut squares, num_rows } = self;
        for (inverse, mean) in squares.iter_mut().zip(&means) {
            let deviation = (*inverse / num_rows as f64).sqrt();
            // A constant column may keep a rest of rounding; nothing real varies by less than this share of its mean.
            *inverse = if deviation > mean.abs() * 1e-12 { 1.0 / deviation } else { 0.0 };
        }
        ColumnScale { means, inverse_deviations: squares }
    }
}

impl ColumnScale {
    /// Replaces values by their z-scores; a column that did not vary becomes 0.
    ///
    /// # Shapes
    /// - `rows`: `[any, columns]`
    pub fn apply(&self, rows: &mut Array2<f32>) {
        for mut row in rows.rows_mut() {
            for ((value, mean), inverse) in row.iter_mut().zip(&self.means).zip(&self.inverse_deviations) {
                *value = ((f64::from(*value) - mean) * inverse) as f32;
            }
        }
    }

    /// Whether a column becomes 0: it did not vary, or by less than can be told from rounding.
    pub fn is_flat(&self, column: usize) -> bool {
        self.inverse_deviations[column] == 0.0
    }

    /// The z-scores of a row in double precision.
    ///
    /// # Shapes
    /// - `row`: `[columns]`
    pub fn of_row<'a>(&'a self, row: ArrayView1<'a, f64>) -> impl Iterator<Item = f32> + 'a {
        let scale = self.means.iter().zip(&self.inverse_deviations);
        row.into_iter().zip(scale).map(|(value, (mean, inverse))| ((value - mean) * inverse) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn hand_computed_columns() {
        let mut betas = array![[1.0_f32, 5.0, 0.1], [3.0, 5.0, 0.1], [5.0, 5.0, 0.1]];
        zscore_in_place(&mut betas);
        // Column 0: mean 3, population deviation √(8/3).
        let expected = 2.0 / (8.0_f32 / 3.0).sqrt();
        assert!((betas[[0, 0]] + expected).abs() < 1e-6 && (betas[[2, 0]] - expected).abs() < 1e-6);
        for trial in 0..3 {
            assert_eq!((betas[[trial, 1]], betas[[trial, 2]]), (0.0, 0.0));
        }
        zscore_in_place(&mut Array2::zeros((0, 4)));
    }

    #[test]
    fn a_large_offset_does_not_spoil_the_result() {
        let mut betas = Array2::from_shape_fn((750, 1), |(trial, _)| 16_384.0 + (trial % 2) as f32 / 512.0);
        zscore_in_place(&mut betas);
        assert!(betas.iter().all(|value| (value.abs() - 1.0).abs() < 1e-5));
    }
}
