//! The innermost loop of weight gradients: a tile of 6 × 4 scalar products along memory, 16 partial sums each.
//!
//! Both factors lie along the pixels, as images do, so nothing is laid out anew for it.

#[cfg(target_arch = "x86_64")]
use super::simd::Simd;

/// Left vectors of a tile.
pub const LEFT: usize = 6;
/// Right vectors of a tile.
pub const RIGHT: usize = 4;
/// Vectors are a multiple of this long.
pub const LANES: usize = 16;
/// Sums of a tile, left vector by left vector.
pub type Dots = [[f32; RIGHT]; LEFT];

/// Vectors of one length within a slice, by their starts.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a, const N: usize> {
    /// Memory of all.
    pub values: &'a [f32],
    /// Where each begins; they may overlap.
    pub starts: [usize; N],
}

impl<const N: usize> Vectors<'_, N> {
    fn check(&self, len: usize) {
        for start in self.starts {
            let end = start + len;
            assert!(end <= self.values.len(), "vectors of {} values end before {end}", self.values.len());
        }
    }
}

/// `dots[l][r] += Σₖ left[l][k] · right[r][k]` over `len` places.
///
/// # Panics
/// When a vector ends too early, or `len` is no multiple of 16.
pub fn add_dots(left: Vectors<'_, LEFT>, right: Vectors<'_, RIGHT>, len: usize, dots: &mut Dots) {
    assert!(len.is_multiple_of(LANES), "{len} places are no multiple of {LANES}");
    left.check(len);
    right.check(len);
    #[cfg(target_arch = "x86_64")]
    match Simd::detect() {
        // SAFETY: the processor has the instructions, as just detected; the vectors are as long as checked.
        Simd::Avx512 => return unsafe { avx512(left, right, len, dots) },
        // SAFETY: as above.
        Simd::Avx2 => return unsafe { avx2(left, right, len, dots) },
        Simd::Baseline => {}
    }
    baseline(left, right, len, dots);
}

/// # Safety
/// The processor has AVX-512, and all vectors are `len` long.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(left: Vectors<'_, LEFT>, right: Vectors<'_, RIGHT>, len: usize, dots: &mut Dots) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_reduce_add_ps, _mm512_setzero_ps};
    let rows = left.starts.map(|start| left.values[start..].as_ptr());
    let columns = right.starts.map(|start| right.values[start..].as_ptr());
    // 24 sums, four parts of the right vectors and one of the left: 29 of 32 registers, ten loads for 24
    // multiply-adds.
    let mut sums = [[_mm512_setzero_ps(); RIGHT]; LEFT];
    for k in (0..len).step_by(LANES) {
        // SAFETY: 16 values from k on are within every vector.
        let parts = columns.map(|column| unsafe { _mm512_loadu_ps(column.add(k)) });
        for (row, sums) in rows.iter().zip(&mut sums) {
            // SAFETY: as above.
            let factor = unsafe { _mm512_loadu_ps(row.add(k)) };
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum = _mm512_fmadd_ps(factor, part, *sum);
            }
        }
    }
    for (dots, sums) in dots.iter_mut().zip(sums) {
        for (dot, sum) in dots.iter_mut().zip(sums) {
            // Lanes are added once per stretch. 16 partial sums here and 8 with AVX2: last digits differ between
            // kinds of processors, never between runs or thread counts on one.
            *dot += _mm512_reduce_add_ps(sum);
        }
    }
}

/// Two passes of 6 × 2 products with 8 partial sums: what 16 registers hold.
///
/// # Safety
/// The processor has AVX2 and FMA, and all vectors are `len` long.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(left: Vectors<'_, LEFT>, right: Vectors<'_, RIGHT>, len: usize, dots: &mut Dots) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps};
    const HALF: usize = 8;
    let rows = left.starts.map(|start| left.values[start..].as_ptr());
    for pass in 0..RIGHT / 2 {
        // 12 sums, two parts and one factor: 15 of 16 registers.
        let columns = [2 * pass, 2 * pass + 1].map(|column| right.values[right.starts[column]..].as_ptr());
        let mut sums = [[_mm256_setzero_ps(); 2]; LEFT];
        for k in (0..len).step_by(HALF) {
            // SAFETY: 8 values from k on are within every vector.
            let parts = columns.map(|column| unsafe { _mm256_loadu_ps(column.add(k)) });
            for (row, sums) in rows.iter().zip(&mut sums) {
                // SAFETY: as above.
                let factor = unsafe { _mm256_loadu_ps(row.add(k)) };
                for (sum, part) in sums.iter_mut().zip(parts) {
                    *sum = _mm256_fmadd_ps(factor, part, *sum);
                }
            }
        }
        for (dots, sums) in dots.iter_mut().zip(sums) {
            for (dot, sum) in dots[2 * pass..].iter_mut().zip(sums) {
                let mut lanes = [0.0; HALF];
                // SAFETY: the array takes 8 values.
                unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
                *dot += lanes.iter().sum::<f32>();
            }
        }
    }
}

/// One product at a time, in a loop that any compiler vectorises.
fn baseline(left: Vectors<'_, LEFT>, right: Vectors<'_, RIGHT>, len: usize, dots: &mut Dots) {
    for (row, dots) in left.starts.iter().zip(dots) {
        let row = left.values[*row..][..len].as_chunks::<LANES>().0;
        for (column, dot) in right.starts.iter().zip(dots) {
            let column = right.values[*column..][..len].as_chunks::<LANES>().0;
            let mut sums = [0.0; LANES];
            for (row, column) in row.iter().zip(column) {
                for (sum, (a, b)) in sums.iter_mut().zip(row.iter().zip(column)) {
                    *sum += a * b;
                }
            }
            *dot += sums.iter().sum::<f32>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_same_products() {
        let values =
            |step: usize| -> Vec<f32> { (0..400).map(|i| ((i * step) % 31) as f32 / 8.0 - 1.5).collect() };
        let (a, b) = (values(7), values(11));
        let left = Vectors { values: &a, starts: [0, 48, 96, 5, 7, 300] };
        let right = Vectors { values: &b, starts: [1, 2, 3, 320] };
        let mut expected = [[0.5; RIGHT]; LEFT];
        baseline(left, right, 80, &mut expected);
        let direct: f32 = (0..80).map(|k| a[5 + k] * b[320 + k]).sum();
        assert_eq!(expected[3][3], 0.5 + direct);
        let mut dots = [[0.5; RIGHT]; LEFT];
        add_dots(left, right, 80, &mut dots);
        assert_eq!(dots, expected);
        #[cfg(target_arch = "x86_64")]
        if Simd::detect() != Simd::Baseline {
            let mut dots = [[0.5; RIGHT]; LEFT];
            // SAFETY: AVX-512 processors have AVX2; the vectors are long enough.
            unsafe { avx2(left, right, 80, &mut dots) };
            assert_eq!(dots, expected);
        }
    }

    #[test]
    #[should_panic(expected = "end before")]
    fn vectors_that_are_too_short_are_refused() {
        let left = Vectors { values: &[0.0; 16], starts: [0; LEFT] };
        let right = Vectors { values: &[0.0; 16], starts: [0, 0, 0, 1] };
        add_dots(left, right, 16, &mut [[0.0; RIGHT]; LEFT]);
    }
}
