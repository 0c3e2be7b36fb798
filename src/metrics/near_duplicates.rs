//! Vectors that are nearly the same: pairs above a cosine, and the groups that pairs join.

use ndarray::{Array2, ArrayView2, Axis, s};

use crate::interrupt::{self, Stopped};

/// Rows that are compared at a time: a whole subject's matrix would have 100 million entries.
const BLOCK: usize = 512;

/// Pairs of near-duplicates, and which vectors they join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearDuplicates {
    /// Pairs above the threshold.
    pub num_pairs: usize,
    /// One number per vector, that of the first of its group; two that any chain of pairs joins have the same.
    pub groups: Vec<usize>,
}

/// Finds the pairs whose cosine is above `threshold`. Vectors of one number in `together` are of one group from the beginning.
///
/// # Shapes
/// - vectors: `[vectors, dimensions]`, of any length but 0
///
/// # Errors
/// A request to stop.
pub fn near_duplicates(
    vectors: ArrayView2<'_, f32>,
    together: &[u64],
    threshold: f64,
) -> Result<NearDuplicates, Stopped> {
    let mut joined = Joined { leader: (0..vectors.nrows()).collect() };
    let mut first = std::collections::HashMap::new();
    for (row, group) in together.iter().enumerate() {
        joined.join(*first.entry(*group).or_insert(row), row);
    }
    let mut num_pairs = 0;
    for_each_cosine(vectors, vectors, &mut |one, other, cosine| {
        if other > one && cosine > threshold {
            num_pairs += 1;
            joined.join(one, other);
        }
    })?;
    let groups = (0..vectors.nrows()).map(|row| joined.leader_of(row)).collect();
    Ok(NearDuplicates { num_pairs, groups })
}

/// The largest cosine between a vector of one set and one of another; none where either is empty.
///
/// # Errors
/// A request to stop.
pub fn largest_cosine(one: ArrayView2<'_, f32>, other: ArrayView2<'_, f32>) -> Result<Option<f64>, Stopped> {
    let mut largest: Option<f64> = None;
    for_each_cosine(one, other, &mut |_, _, cosine| {
        largest = Some(largest.map_or(cosine, |so_far| so_far.max(cosine)));
    })?;
    Ok(largest)
}

/// Pairs of a row of one set and a row of another whose cosine is above `threshold`, by their positions.
///
/// # Errors
/// A request to stop.
pub fn pairs_across(
    one: ArrayView2<'_, f32>,
    other: ArrayView2<'_, f32>,
    threshold: f64,
) -> Result<Vec<(usize, usize)>, Stopped> {
    let mut pairs = Vec::new();
    for_each_cosine(one, other, &mut |row, column, cosine| {
        if cosine > threshold {
            pairs.push((row, column));
        }
    })?;
    Ok(pairs)
}

/// Cosine of every row of one with every row of another, block by block.
fn for_each_cosine(
    one: ArrayView2<'_, f32>,
    other: ArrayView2<'_, f32>,
    heed: &mut dyn FnMut(usize, usize, f64),
) -> Result<(), Stopped> {
    let (one, other) = (unit_rows(one), unit_rows(other));
    for start in (0..one.nrows()).step_by(BLOCK) {
        interrupt::check()?;
        let end = (start + BLOCK).min(one.nrows());
        let cosines = one.slice(s![start..end, ..]).dot(&other.t());
        for ((row, column), cosine) in cosines.indexed_iter() {
            heed(start + row, column, f64::from(*cosine));
        }
    }
    Ok(())
}

pub(super) fn unit_rows(vectors: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut unit = vectors.to_owned();
    for mut row in unit.axis_iter_mut(Axis(0)) {
        let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.mapv_inplace(|value| (f64::from(value) / length) as f32);
        }
    }
    unit
}

/// Sets that are joined two at a time; the first member leads.
struct Joined {
    leader: Vec<usize>,
}

impl Joined {
    fn leader_of(&mut self, row: usize) -> usize {
        let mut at = row;
        while self.leader[at] != at {
            // Halves the way for the next time.
            self.leader[at] = self.leader[self.leader[at]];
            at = self.leader[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.leader_of(one), self.leader_of(other));
        self.leader[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn chains_of_pairs_are_one_group() {
        let at = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        // 10 degrees apart is a cosine of 0.985, 20 degrees of 0.940.
        let vectors = [at(0.0), at(90.0), at(10.0), at(20.0), at(180.0)];
        let vectors = Array2::from_shape_fn((5, 2), |(row, column)| 3.0 * vectors[row][column]);
        let found = near_duplicates(vectors.view(), &[1, 2, 3, 4, 5], 0.95).unwrap();
        assert_eq!((found.num_pairs, found.groups), (2, vec![0, 1, 0, 0, 4]));
        // Two crops of one photograph are together, whatever their cosine.
        let found = near_duplicates(vectors.view(), &[1, 2, 3, 4, 2], 0.99).unwrap();
        assert_eq!((found.num_pairs, found.groups), (0, vec![0, 1, 2, 3, 1]));
    }

    #[test]
    fn the_nearest_pair_across_two_sets() {
        let largest = largest_cosine(array![[1.0, 0.0], [0.0, 2.0]].view(), array![[3.0, 4.0]].view());
        assert!((largest.unwrap().unwrap() - 0.8).abs() < 1e-6);
        assert_eq!(largest_cosine(array![[1.0, 0.0]].view(), Array2::zeros((0, 2)).view()).unwrap(), None);
        let pairs = pairs_across(array![[1.0, 0.0], [0.0, 2.0]].view(), array![[3.0, 4.0]].view(), 0.7);
        assert_eq!(pairs.unwrap(), [(1, 0)]);
    }
}
