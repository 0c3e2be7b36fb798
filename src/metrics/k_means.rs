//! k-means clusters of points (Lloyd 1982), begun as k-means++ does (Arthur and Vassilvitskii 2007); the draws are keyed.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rayon::prelude::*;

use crate::interrupt::{self, Stopped};
use crate::tensor_ops::random::keyed_rng;

/// Beginnings that are tried; the tightest clusters are kept.
pub const RESTARTS: u64 = 10;
/// Most rounds of one try: it usually ends after a few dozen.
const MOST_ROUNDS: usize = 300;

/// Cluster of every point, 0 to `count` − 1, numbered by the first point of each. No cluster is empty where there are as many different
/// points as clusters. `tell` is told how many of the [`RESTARTS`] are done, and how far the next one is.
///
/// # Shapes
/// - points: `[points, dimensions]`; `count` is at least 1 and at most the number of points
///
/// # Errors
/// A request to stop.
pub fn k_means(
    points: ArrayView2<'_, f32>,
    count: usize,
    seed: u64,
    tell: &mut dyn FnMut(u64, &str),
) -> Result<Vec<usize>, Stopped> {
    let points = points.mapv(f64::from);
    let mut best: Option<(f64, Vec<usize>)> = None;
    for restart in 0..RESTARTS {
        let mut rng = keyed_rng(seed, "k-means", restart);
        let mut tell = |how_far: &str| tell(restart, how_far);
        let centres = begin(&points, count, &mut rng, &mut tell)?;
        let (spread, clusters) = settled(&points, centres, &mut tell)?;
        if best.as_ref().is_none_or(|(least, _)| spread < *least) {
            best = Some((spread, clusters));
        }
    }
    Ok(numbered_by_first(best.map(|(_, clusters)| clusters).unwrap_or_default(), count))
}

/// Points as first centres: each drawn with a chance that grows with the squared distance to the nearest one so far.
fn begin(
    points: &Array2<f64>,
    count: usize,
    rng: &mut ChaCha12Rng,
    tell: &mut dyn FnMut(&str),
) -> Result<Array2<f64>, Stopped> {
    let mut chosen = vec![rng.random_range(0..points.nrows())];
    let mut nearest = vec![f64::INFINITY; points.nrows()];
    while chosen.len() < count {
        let last = points.row(chosen[chosen.len() - 1]);
        interrupt::check()?;
        tell(&format!("centre {} of {count}", chosen.len() + 1));
        nearest.par_iter_mut().enumerate().for_each(|(point, nearest)| {
            *nearest = nearest.min(squared_distance(points.row(point), last));
        });
        let mut left = rng.random::<f64>() * nearest.iter().sum::<f64>();
        let next = nearest.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // All points are centres already: any will do.
        chosen.push(next.unwrap_or(0));
    }
    Ok(points.select(Axis(0), &chosen))
}

/// Rounds of assignment and means until nothing changes: the sum of squared distances, and the clusters.
fn settled(
    points: &Array2<f64>,
    mut centres: Array2<f64>,
    tell: &mut dyn FnMut(&str),
) -> Result<(f64, Vec<usize>), Stopped> {
    let (mut clusters, mut distances) = assigned(points, &centres);
    for round in 0..MOST_ROUNDS {
        interrupt::check()?;
        tell(&format!("round {} of at most {MOST_ROUNDS}", round + 1));
        move_centres(points, &clusters, &distances, &mut centres);
        let (next, next_distances) = assigned(points, &centres);
        let is_settled = next == clusters;
        (clusters, distances) = (next, next_distances);
        if is_settled {
            break;
        }
    }
    Ok((distances.iter().sum(), clusters))
}

/// The nearest centre of every point, the first of equal ones, and its squared distance.
fn assigned(points: &Array2<f64>, centres: &Array2<f64>) -> (Vec<usize>, Vec<f64>) {
    let nearest =
        |point: ArrayView1<'_, f64>| {
            let distances = centres.rows().into_iter().map(|centre| squared_distance(point, centre));
            distances.enumerate().fold((0, f64::INFINITY), |best, (at, distance)| {
                if distance < best.1 { (at, distance) } else { best }
            })
        };
    let rows = (0..points.nrows()).into_par_iter();
    let found: Vec<(usize, f64)> = rows.map(|row| nearest(points.row(row))).collect();
    found.into_iter().unzip()
}

/// Every centre at the mean of its points; one without any at the point that is farthest from its own centre.
fn move_centres(points: &Array2<f64>, clusters: &[usize], distances: &[f64], centres: &mut Array2<f64>) {
    let mut sizes = vec![0_usize; centres.nrows()];
    centres.fill(0.0);
    for (point, cluster) in points.rows().into_iter().zip(clusters) {
        sizes[*cluster] += 1;
        let mut centre = centres.row_mut(*cluster);
        centre += &point;
    }
    let farthest = distances.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
    for (mut centre, size) in centres.rows_mut().into_iter().zip(sizes) {
        match (size, farthest) {
            (0, Some((point, _))) => centre.assign(&points.row(point)),
            (size, _) => centre /= size.max(1) as f64,
        }
    }
}

fn squared_distance(one: ArrayView1<'_, f64>, other: ArrayView1<'_, f64>) -> f64 {
    one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum()
}

/// The same clusters, numbered in the order in which the points come to them.
fn numbered_by_first(clusters: Vec<usize>, count: usize) -> Vec<usize> {
    let mut numbers: Vec<Option<usize>> = vec![None; count];
    let mut next = 0;
    let mut number = |cluster: usize| {
        *numbers[cluster].get_or_insert_with(|| {
            next += 1;
            next - 1
        })
    };
    clusters.into_iter().map(&mut number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(points: ArrayView2<'_, f32>, count: usize, seed: u64) -> Vec<usize> {
        let mut told = vec![];
        let clusters =
            k_means(points, count, seed, &mut |done, how_far| told.push((done, how_far.to_string())));
        assert_eq!(told.last().map(|(done, _)| *done), Some(RESTARTS - 1));
        assert!(told.iter().all(|(_, how_far)| how_far.contains(" of ")), "{told:?}");
        clusters.unwrap()
    }

    #[test]
    fn separate_clouds_are_found_whatever_the_seed() {
        // Three clouds of 20 points about (0, 0), (10, 0), (0, 10), point after point in turn.
        let mut rng = keyed_rng(1, "clouds", 0);
        let points = Array2::from_shape_fn((60, 2), |(point, axis)| {
            let centre = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]][point % 3][axis];
            centre + rng.random::<f32>()
        });
        for seed in 0..5 {
            let clusters = found(points.view(), 3, seed);
            assert_eq!(clusters, (0..60).map(|point| point % 3).collect::<Vec<_>>(), "{seed}");
        }
    }

    #[test]
    fn means_by_hand_and_points_that_are_equal() {
        let points = ndarray::array![[0.0_f32], [1.0], [2.0], [9.0]];
        assert_eq!(found(points.view(), 2, 7), [0, 0, 0, 1]);
        assert_eq!(found(points.view(), 1, 7), [0; 4]);
        assert_eq!(found(points.view(), 4, 7), [0, 1, 2, 3]);
        let same = Array2::<f32>::ones((5, 3));
        assert_eq!(found(same.view(), 3, 7), [0; 5]);
    }
}
