//! The innermost loop of every product: a tile of 6 × 64 sums held in registers.
//!
//! 24 accumulators of 16 lanes, four loads and six broadcasts a step: the multiply-add units never wait.

#[cfg(target_arch = "x86_64")]
use super::simd::Simd;

/// Rows of a tile.
pub const ROWS: usize = 6;
/// Columns of a tile.
pub const COLUMNS: usize = 64;
/// A tile, row by row.
pub type Tile = [f32; ROWS * COLUMNS];

/// Six rows of a left factor, wherever they lie.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The first element of the first row, and what follows.
    pub values: &'a [f32],
    /// Distance from row to row.
    pub row_stride: usize,
    /// Distance along a row.
    pub depth_stride: usize,
}

impl<'a> Rows<'a> {
    /// A panel `[depth, ROWS]`.
    pub fn packed(panel: &'a [f32]) -> Self {
        Self { values: panel, row_stride: 1, depth_stride: ROWS }
    }
}

/// `tile[r][c] += Σₖ rows[r, k] · columns[k, c]`, summed in the order of k.
///
/// # Shapes
/// - columns: `[depth, COLUMNS]`
///
/// # Panics
/// When the rows end before the depth does.
pub fn add_product(rows: Rows<'_>, columns: &[f32], tile: &mut Tile) {
    let columns = columns.as_chunks::<COLUMNS>().0;
    let Some(last) = columns.len().checked_sub(1) else { return };
    // Checked once a tile, because the inner loops read through pointers.
    let farthest = (ROWS - 1) * rows.row_stride + last * rows.depth_stride;
    assert!(farthest < rows.values.len(), "rows of {} values end before {farthest}", rows.values.len());
    #[cfg(target_arch = "x86_64")]
    match Simd::detect() {
        // SAFETY: the processor has the instructions, as just detected; the rows reach as far as checked above.
        Simd::Avx512 => return unsafe { avx512(rows, columns, tile) },
        // SAFETY: as above.
        Simd::Avx2 => return unsafe { avx2(rows, columns, tile) },
        Simd::Baseline => {}
    }
    baseline(rows, columns, tile);
}

/// Where the lines of a right factor begin that lies scattered in memory.
#[derive(Clone, Debug)]
pub struct Places {
    starts: Vec<usize>,
    farthest: usize,
}

impl Places {
    /// Line k begins at `starts[k]`.
    pub fn new(starts: Vec<usize>) -> Self {
        let farthest = starts.iter().copied().max().unwrap_or(0);
        Self { starts, farthest }
    }

    /// Number of lines.
    pub fn depth(&self) -> usize {
        self.starts.len()
    }
}

/// [`add_product`] with row k of the right factor at `columns[first + places[k]..]`; `rows` is a panel `[depth, ROWS]`.
///
/// # Panics
/// When the panel or the columns end too early.
pub fn add_scattered_product(rows: &[f32], columns: &[f32], first: usize, places: &Places, tile: &mut Tile) {
    let rows = rows.as_chunks::<ROWS>().0;
    assert_eq!(rows.len(), places.depth(), "as many lines as the panel is deep");
    let needed = first + places.farthest + COLUMNS;
    assert!(needed <= columns.len(), "columns of {} values end before {needed}", columns.len());
    #[cfg(target_arch = "x86_64")]
    if Simd::detect() == Simd::Avx512 {
        // SAFETY: the processor has the instructions, as just detected; every line ends within the columns, as checked.
        return unsafe { avx512_scattered(rows, columns[first..].as_ptr(), &places.starts, tile) };
    }
    let (lines, _) = tile.as_chunks_mut::<COLUMNS>();
    super::simd::vectorised(|| {
        for (r, line) in lines.iter_mut().enumerate() {
            for (row, start) in rows.iter().zip(&places.starts) {
                for (sum, value) in line.iter_mut().zip(&columns[first + start..][..COLUMNS]) {
                    *sum += row[r] * value;
                }
            }
        }
    });
}

/// # Safety
/// The processor has AVX-512, and 64 values follow every start.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512_scattered(rows: &[[f32; ROWS]], columns: *const f32, starts: &[usize], tile: &mut Tile) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps};
    const LANES: usize = 16;
    let (lines, _) = tile.as_chunks_mut::<LANES>();
    // SAFETY: every load and store of a tile covers 16 elements of an array of 16.
    let mut sums: [_; ROWS * COLUMNS / LANES] =
        std::array::from_fn(|index| unsafe { _mm512_loadu_ps(lines[index].as_ptr()) });
    for (row, start) in rows.iter().zip(starts) {
        // SAFETY: 64 values follow the start, says the caller.
        let parts: [_; COLUMNS / LANES] =
            std::array::from_fn(|part| unsafe { _mm512_loadu_ps(columns.add(start + part * LANES)) });
        for (r, factor) in row.iter().enumerate() {
            let factor = _mm512_set1_ps(*factor);
            for (p, part) in parts.iter().enumerate() {
                sums[4 * r + p] = _mm512_fmadd_ps(factor, *part, sums[4 * r + p]);
            }
        }
    }
    for (line, sum) in lines.iter_mut().zip(sums) {
        // SAFETY: as the loads.
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), sum) };
    }
}

/// # Safety
/// The processor has AVX-512, and the rows reach as far as the columns are deep.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(rows: Rows<'_>, columns: &[[f32; COLUMNS]], tile: &mut Tile) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps};
    const LANES: usize = 16;
    // SAFETY: every load and store covers 16 elements of an array of a multiple of 16.
    let load = |from: &[f32; LANES]| unsafe { _mm512_loadu_ps(from.as_ptr()) };
    let (lines, _) = tile.as_chunks_mut::<LANES>();
    // 24 sums, four parts and one factor: 29 of the 32 registers. A seventh row would spill.
    let mut sums: [_; ROWS * COLUMNS / LANES] = std::array::from_fn(|index| load(&lines[index]));
    let mut row = rows.values.as_ptr();
    let places: [usize; ROWS] = std::array::from_fn(|r| r * rows.row_stride);
    for column in columns {
        let (parts, _) = column.as_chunks::<LANES>();
        let parts = [load(&parts[0]), load(&parts[1]), load(&parts[2]), load(&parts[3])];
        for (r, place) in places.into_iter().enumerate() {
            // SAFETY: within the rows, as the caller has checked; checking here would cost a third of the time.
            let factor = _mm512_set1_ps(unsafe { *row.add(place) });
            for (p, part) in parts.iter().enumerate() {
                sums[4 * r + p] = _mm512_fmadd_ps(factor, *part, sums[4 * r + p]);
            }
        }
        row = row.wrapping_add(rows.depth_stride);
    }
    for (line, sum) in lines.iter_mut().zip(sums) {
        // SAFETY: as the loads.
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), sum) };
    }
}

/// Four passes of 6 × 16 sums: what 16 registers hold.
///
/// # Safety
/// The processor has AVX2 and FMA, and the rows reach as far as the columns are deep.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(rows: Rows<'_>, columns: &[[f32; COLUMNS]], tile: &mut Tile) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps};
    const LANES: usize = 8;
    // SAFETY: every load and store covers 8 elements of an array of a multiple of 8.
    let load = |from: &[f32; LANES]| unsafe { _mm256_loadu_ps(from.as_ptr()) };
    let (lines, _) = tile.as_chunks_mut::<LANES>();
    let places: [usize; ROWS] = std::array::from_fn(|r| r * rows.row_stride);
    // 12 sums, two parts and one factor: 15 of 16 registers.
    for pass in 0..4 {
        let line = |index: usize| index / 2 * (COLUMNS / LANES) + 2 * pass + index % 2;
        let mut sums: [_; 2 * ROWS] = std::array::from_fn(|index| load(&lines[line(index)]));
        let mut row = rows.values.as_ptr();
        for column in columns {
            let (parts, _) = column.as_chunks::<LANES>();
            let (left, right) = (load(&parts[2 * pass]), load(&parts[2 * pass + 1]));
            for (r, place) in places.into_iter().enumerate() {
                // SAFETY: as in `avx512`.
                let factor = _mm256_set1_ps(unsafe { *row.add(place) });
                sums[2 * r] = _mm256_fmadd_ps(factor, left, sums[2 * r]);
                sums[2 * r + 1] = _mm256_fmadd_ps(factor, right, sums[2 * r + 1]);
            }
            row = row.wrapping_add(rows.depth_stride);
        }
        for (index, sum) in sums.into_iter().enumerate() {
            // SAFETY: as the loads.
            unsafe { _mm256_storeu_ps(lines[line(index)].as_mut_ptr(), sum) };
        }
    }
}

/// One row of the tile at a time, in loops that any compiler vectorises.
fn baseline(rows: Rows<'_>, columns: &[[f32; COLUMNS]], tile: &mut Tile) {
    // Products are rounded before they are added, which the fused instructions of the others do not do: the same sums in the
    // same order, but for last digits.
    let (lines, _) = tile.as_chunks_mut::<COLUMNS>();
    for (r, line) in lines.iter_mut().enumerate() {
        for (k, column) in columns.iter().enumerate() {
            let factor = rows.values[r * rows.row_stride + k * rows.depth_stride];
            for (sum, value) in line.iter_mut().zip(column) {
                *sum += factor * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_same_sums() {
        const DEPTH: usize = 37;
        let values = |count: usize, step: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * step) % 31) as f32 / 8.0 - 1.5).collect()
        };
        let (left, right) = (values(DEPTH * ROWS, 7), values(DEPTH * COLUMNS, 11));
        let columns = right.as_chunks::<COLUMNS>().0;
        let by_row = Rows { values: &left, row_stride: DEPTH, depth_stride: 1 };
        for rows in [Rows::packed(&left), by_row] {
            let mut expected = [1.0; ROWS * COLUMNS];
            baseline(rows, columns, &mut expected);
            let mut tile = [1.0; ROWS * COLUMNS];
            add_product(rows, &right, &mut tile);
            // Multiples of 1/64 below 2¹⁷: exact in every order.
            assert_eq!(tile, expected);
            #[cfg(target_arch = "x86_64")]
            if Simd::detect() != Simd::Baseline {
                let mut tile = [1.0; ROWS * COLUMNS];
                // SAFETY: AVX-512 processors have AVX2; both factors have the depth.
                unsafe { avx2(rows, columns, &mut tile) };
                assert_eq!(tile, expected);
            }
        }
    }

    #[test]
    fn scattered_lines_are_the_same_product() {
        const DEPTH: usize = 5;
        let values = |count: usize| -> Vec<f32> { (0..count).map(|i| ((i * 7) % 31) as f32 / 8.0).collect() };
        let (left, right) = (values(DEPTH * ROWS), values(300));
        let places = Places::new(vec![3, 200, 0, 64, 17]);
        let gathered: Vec<f32> =
            [3, 200, 0, 64, 17].iter().flat_map(|start| right[start + 2..][..COLUMNS].to_vec()).collect();
        let (mut expected, mut tile) = ([1.0; ROWS * COLUMNS], [1.0; ROWS * COLUMNS]);
        baseline(Rows::packed(&left), gathered.as_chunks().0, &mut expected);
        add_scattered_product(&left, &right, 2, &places, &mut tile);
        assert_eq!(tile, expected);
    }

    #[test]
    #[should_panic(expected = "end before")]
    fn rows_that_are_too_short_are_refused() {
        add_product(Rows::packed(&[0.0; 11]), &[0.0; 2 * COLUMNS], &mut [0.0; ROWS * COLUMNS]);
    }
}
