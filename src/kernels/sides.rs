//! Where on a clamped piecewise linear activation every value lies: what its derivative needs.

use rayon::prelude::*;

use super::simd::vectorised;

const VALUES_PER_TASK: usize = 16 * 1024;
const NEGATIVE: u8 = 0;
const OTHER: u8 = 1;
const CLAMPED: u8 = 2;

/// One byte per value.
#[derive(Clone, Debug)]
pub struct Sides {
    codes: Vec<u8>,
    /// Derivative by code.
    slopes: [f32; 3],
}

impl Sides {
    /// Reads the results `y` of an activation with positive slopes at negative and other values, clamped to ±`clamp`.
    pub fn of_results(y: &[f32], slopes: [f32; 2], clamp: f32) -> Self {
        let mut codes = vec![0; y.len()];
        codes.par_chunks_mut(VALUES_PER_TASK).zip(y.par_chunks(VALUES_PER_TASK)).for_each(|(codes, y)| {
            vectorised(|| {
                for (code, y) in codes.iter_mut().zip(y) {
                    // Read from the result, so that the input need not be kept: slopes are positive, hence result and
                    // input agree in sign. One byte in place of four.
                    let side = if *y < 0.0 { NEGATIVE } else { OTHER };
                    *code = if y.abs() >= clamp { CLAMPED } else { side };
                }
            });
        });
        Self { codes, slopes: [slopes[0], slopes[1], 0.0] }
    }

    /// Multiplies every value by the derivative at its place.
    pub fn multiply(&self, values: &mut [f32]) {
        let [negative, other, clamped] = self.slopes;
        let tasks = values.par_chunks_mut(VALUES_PER_TASK).zip(self.codes.par_chunks(VALUES_PER_TASK));
        tasks.for_each(|(values, codes)| {
            vectorised(|| {
                for (value, code) in values.iter_mut().zip(codes) {
                    let slope = if *code == NEGATIVE { negative } else { other };
                    *value *= if *code == CLAMPED { clamped } else { slope };
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_by_side() {
        let sides = Sides::of_results(&[-0.4, 0.0, 2.0, 3.0, -3.0], [0.2, 1.5], 3.0);
        let mut values = [1.0, 2.0, 2.0, 5.0, 5.0];
        sides.multiply(&mut values);
        assert_eq!(values, [0.2, 3.0, 3.0, 0.0, 0.0]);
    }
}
