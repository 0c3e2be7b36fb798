//! Upsample, FIR filter, downsample (docs/spec/generator.md §1.3), as one matrix product per axis.
//!
//! Every filter here is an outer product of two rows of taps, so the operation is linear in each axis
//! separately: `out = R · x · C` with banded matrices that hold stuffing, padding, cropping, filtering
//! and decimation at once. Products differentiate any number of times, and they beat shifted sums
//! (less memory traffic) and depthwise convolutions (slow backward passes) on the CPU and on the GPU.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::image_kernels::layers;

/// A separable FIR filter: one row of taps, the same along both axes.
#[derive(Clone, Debug, PartialEq)]
pub struct FirFilter {
    taps: Vec<f32>,
}

impl FirFilter {
    /// Taps scaled to sum 1.
    pub fn normalised(taps: &[f32]) -> Self {
        let sum: f64 = taps.iter().map(|&tap| f64::from(tap)).sum();
        Self { taps: taps.iter().map(|&tap| (f64::from(tap) / sum) as f32).collect() }
    }

    /// The resampling filter of all networks: `[1, 3, 3, 1]`.
    pub fn resampling() -> Self {
        Self::normalised(&[1.0, 3.0, 3.0, 1.0])
    }

    /// No filter.
    pub fn identity() -> Self {
        Self { taps: vec![1.0] }
    }

    /// The taps in reverse order: turns convolution into correlation.
    pub fn flipped(&self) -> Self {
        Self { taps: self.taps.iter().rev().copied().collect() }
    }

    /// Number of taps.
    pub fn len(&self) -> usize {
        self.taps.len()
    }

    /// Whether there are no taps.
    pub fn is_empty(&self) -> bool {
        self.taps.is_empty()
    }

    /// The two-dimensional filter, row-major.
    pub fn outer_product(&self) -> Vec<f32> {
        self.taps.iter().flat_map(|y| self.taps.iter().map(move |x| y * x)).collect()
    }
}

/// One axis: stuff with zeros, pad, filter, decimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisPlan {
    /// Factor of upsampling; `up − 1` zeros follow every sample.
    pub up: usize,
    /// Factor of downsampling; every `down`-th sample is kept, starting with the first.
    pub down: usize,
    /// Zeros before the first stuffed sample; negative crops.
    pub pad_before: isize,
    /// Zeros after the last stuffed sample; negative crops.
    pub pad_after: isize,
}

impl AxisPlan {
    /// Keeps the size when `pad_before + pad_after` is the number of taps less one.
    pub fn filter(pad_before: isize, pad_after: isize) -> Self {
        Self { up: 1, down: 1, pad_before, pad_after }
    }

    /// Twice the size, centred for `taps` taps.
    pub fn upsample2(taps: usize) -> Self {
        let taps = taps as isize;
        Self { up: 2, down: 1, pad_before: (taps + 1) / 2, pad_after: (taps - 2) / 2 }
    }

    /// Half the size, centred for `taps` taps.
    pub fn downsample2(taps: usize) -> Self {
        let taps = taps as isize;
        Self { up: 1, down: 2, pad_before: (taps - 1) / 2, pad_after: (taps - 2) / 2 }
    }

    /// Length of the output for an input of length `len`.
    pub fn output_len(&self, len: usize, taps: usize) -> usize {
        let padded = (len * self.up) as isize + self.pad_before + self.pad_after;
        let valid = padded - taps as isize;
        if valid < 0 { 0 } else { valid as usize / self.down + 1 }
    }

    /// The matrix `[output, input]` of this axis, row-major.
    fn matrix(&self, len: usize, filter: &FirFilter, gain: f64) -> (Vec<f32>, usize) {
        let taps = &filter.taps;
        let rows = self.output_len(len, taps.len());
        let mut matrix = vec![0.0; rows * len];
        for row in 0..rows {
            for column in 0..len {
                // Place of this sample within the window of taps that ends up in this row.
                let place = (column * self.up) as isize + self.pad_before - (row * self.down) as isize;
                if (0..taps.len() as isize).contains(&place) {
                    // A true convolution reads the taps backwards.
                    let tap = taps[taps.len() - 1 - place as usize];
                    matrix[row * len + column] = (f64::from(tap) * gain) as f32;
                }
            }
        }
        (matrix, rows)
    }
}

/// Stuffs, pads, convolves and decimates both axes; `gain` multiplies the result.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`
/// - output: the same, with the axes as [`AxisPlan::output_len`] says
pub fn upfirdn<B: Backend>(
    x: Tensor<B, 4>,
    filter: &FirFilter,
    vertical: AxisPlan,
    horizontal: AxisPlan,
    gain: f64,
) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let device = x.device();
    let per_axis = gain.sqrt();
    let (columns, out_width) = horizontal.matrix(width, filter, per_axis);
    let (rows, out_height) = vertical.matrix(height, filter, per_axis);
    let columns =
        Tensor::<B, 2>::from_data(TensorData::new(columns, [out_width, width]), &device).cast(x.dtype());
    let rows =
        Tensor::<B, 3>::from_data(TensorData::new(rows, [1, out_height, height]), &device).cast(x.dtype());
    // The cheaper order: shrink before, grow after.
    let along_width = |x: Tensor<B, 3>| {
        let [planes, height, _] = x.dims();
        x.reshape([planes * height, width])
            .matmul(columns.clone().transpose())
            .reshape([planes, height, out_width])
    };
    let planes = x.reshape([batch * channels, height, width]);
    let planes = if out_height <= height {
        along_width(rows.matmul(planes))
    } else {
        rows.matmul(along_width(planes))
    };
    planes.reshape([batch, channels, out_height, out_width])
}

/// Twice the size in both axes: the RGB skip path of the generator.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, output: `[batch, channels, 2·height, 2·width]`
pub fn upsample2<B: Backend>(x: Tensor<B, 4>, filter: &FirFilter) -> Tensor<B, 4> {
    if let Some(by_kernels) = (*filter == FirFilter::resampling()).then(|| layers::upsample2(&x)).flatten() {
        return by_kernels;
    }
    let plan = AxisPlan::upsample2(filter.len());
    upfirdn(x, filter, plan, plan, 4.0)
}

/// Half the size in both axes.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, output: `[batch, channels, height/2, width/2]`
pub fn downsample2<B: Backend>(x: Tensor<B, 4>, filter: &FirFilter) -> Tensor<B, 4> {
    if let Some(by_kernels) = (*filter == FirFilter::resampling()).then(|| layers::downsample2(&x)).flatten()
    {
        return by_kernels;
    }
    let plan = AxisPlan::downsample2(filter.len());
    upfirdn(x, filter, plan, plan, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    fn image(values: &[f32], side: usize) -> Tensor<Base, 4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, side, side]), &cpu())
    }

    fn assert_values(actual: Tensor<Base, 4>, expected: &[f32]) {
        let actual: Vec<f32> = actual.into_data().to_vec().unwrap();
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-5, "{actual:?}");
        }
    }

    #[test]
    fn worked_examples_of_the_reference() {
        let filter = FirFilter::resampling();
        assert_values(
            upsample2(image(&[1.0, 2.0, 3.0, 4.0], 2), &filter),
            &[
                0.5625, 0.9375, 1.3125, 1.125, 1.125, 1.75, 2.25, 1.875, 1.875, 2.75, 3.25, 2.625, 1.6875,
                2.4375, 2.8125, 2.25,
            ],
        );
        let ramp: Vec<f32> = (0..16).map(|i| i as f32).collect();
        assert_values(downsample2(image(&ramp, 4), &filter), &[2.734375, 3.9375, 7.546875, 8.75]);
    }

    /// The definition, step by step: stuff, pad, convolve, decimate.
    fn by_definition(x: &[f32], taps: &[f32], plan: AxisPlan) -> Vec<f32> {
        let stuffed: Vec<f32> =
            x.iter().flat_map(|&v| std::iter::once(v).chain(std::iter::repeat_n(0.0, plan.up - 1))).collect();
        let len = stuffed.len() as isize + plan.pad_before + plan.pad_after;
        let padded: Vec<f32> = (0..len)
            .map(|i| i - plan.pad_before)
            .map(|i| usize::try_from(i).ok().and_then(|i| stuffed.get(i)).copied().unwrap_or(0.0))
            .collect();
        padded
            .windows(taps.len())
            .step_by(plan.down)
            .map(|window| window.iter().zip(taps.iter().rev()).map(|(a, b)| a * b).sum())
            .collect()
    }

    #[test]
    fn the_matrix_is_the_definition() {
        let taps = [0.1, 0.2, 0.7];
        let filter = FirFilter { taps: taps.to_vec() };
        let x = [1.0, -2.0, 3.0, 5.0, -7.0];
        for (up, down) in [(1, 1), (2, 1), (1, 2), (3, 2), (2, 3)] {
            for (pad_before, pad_after) in [(0, 0), (2, 1), (-1, 3), (1, -2)] {
                let plan = AxisPlan { up, down, pad_before, pad_after };
                let (matrix, rows) = plan.matrix(x.len(), &filter, 1.0);
                let expected = by_definition(&x, &taps, plan);
                assert_eq!(rows, expected.len(), "{plan:?}");
                for (row, expected) in matrix.chunks(x.len()).zip(expected) {
                    let actual: f32 = row.iter().zip(x).map(|(a, b)| a * b).sum();
                    assert!((actual - expected).abs() < 1e-5, "{plan:?}");
                }
            }
        }
    }
}
