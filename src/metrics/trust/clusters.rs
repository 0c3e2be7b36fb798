//! Clusters of the training targets, and how far the cluster alone carries a decoder.
//!
//! Whoever knows only in which of k equal clusters an image lies, and guesses inside it, wins `1 − 1/(2k)` of the pairs: two-way
//! identification near 1 does not show that images are told apart (Shirakawa et al. 2024).

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::interrupt::Stopped;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::k_means::k_means;
use crate::metrics::near_duplicates::unit_rows;
use crate::metrics::retrieval::similarity_matrix;
use crate::metrics::share::share_interval;

/// Clusters by their centroids.
#[derive(Clone, Debug)]
pub struct Clusters {
    /// Mean of the unit vectors of each cluster, `[clusters, dimensions]`.
    centroids: Array2<f32>,
}

impl Clusters {
    /// k-means clusters of the directions of `vectors`.
    ///
    /// # Shapes
    /// - vectors: `[vectors, dimensions]`; `count` is at least 1 and at most the number of vectors
    ///
    /// # Errors
    /// A request to stop.
    pub fn find(vectors: ArrayView2<'_, f32>, count: usize, seed: u64) -> Result<Self, Stopped> {
        let unit = unit_rows(vectors);
        let clusters = k_means(unit.view(), count, seed, &mut |_, _| {})?;
        let mut centroids = Array2::<f64>::zeros((count, vectors.ncols()));
        let mut sizes = vec![0_usize; count];
        for (row, cluster) in unit.rows().into_iter().zip(clusters) {
            let mut centroid = centroids.row_mut(cluster);
            centroid += &row.mapv(f64::from);
            sizes[cluster] += 1;
        }
        for (mut centroid, size) in centroids.rows_mut().into_iter().zip(&sizes) {
            centroid /= (*size).max(1) as f64;
        }
        // Points that are all equal leave clusters empty.
        let taken: Vec<usize> = (0..count).filter(|cluster| sizes[*cluster] > 0).collect();
        Ok(Self { centroids: centroids.select(ndarray::Axis(0), &taken).mapv(|value| value as f32) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.centroids.nrows()
    }

    /// The cluster whose centroid has the largest cosine with each of `vectors`; of equal ones the first.
    pub fn nearest(&self, vectors: ArrayView2<'_, f32>) -> Vec<usize> {
        let similarity = similarity_matrix(self.centroids.view(), vectors, 1.0);
        let largest = |(best, most): (usize, f64), (cluster, cosine): (usize, &f64)| {
            if *cosine > most { (cluster, *cosine) } else { (best, most) }
        };
        let of = |column: ndarray::ArrayView1<'_, f64>| {
            column.iter().enumerate().fold((0, f64::NEG_INFINITY), largest).0
        };
        similarity.columns().into_iter().map(of).collect()
    }
}

/// Share of trials of which the cluster was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterIdentification {
    /// Clusters that were chosen from.
    pub num_clusters: usize,
    /// Share of trials whose prediction has the right cluster's centroid nearest, 0..1; interval over images.
    pub share: Interval,
    /// The share of a random choice, `1/num_clusters`.
    pub chance: f64,
    /// Share of the trials that are of the largest cluster: what always naming that one finds.
    pub largest: f64,
}

/// Counts the trials whose cluster was found; `None` without trials.
pub fn cluster_identification(
    found: &[usize],
    own: &[usize],
    num_clusters: usize,
    ids: &[u64],
    bootstrap: &BootstrapConfig,
) -> Option<ClusterIdentification> {
    let hits: Vec<bool> = found.iter().zip(own).map(|(found, own)| found == own).collect();
    let size = |cluster: usize| own.iter().filter(|own| **own == cluster).count();
    let largest = (0..num_clusters).map(size).max()?;
    Some(ClusterIdentification {
        num_clusters,
        share: share_interval(&hits, ids, bootstrap)?,
        chance: 1.0 / num_clusters as f64,
        largest: largest as f64 / own.len().max(1) as f64,
    })
}

/// Two-way share of a decoder that always finds the cluster and guesses inside it, mean over images of whose clusters `of_image`
/// tells: `Σᵢ (N − n_c + (n_c − 1)/2)/(N − 1)/N` with n_c the images of the cluster of i. `None` of fewer than two images.
///
/// ```
/// use mindreader::metrics::trust::clusters::cluster_only_share;
///
/// // Two clusters of two: of three pairs two are won and one is a guess.
/// assert_eq!(cluster_only_share(&[0, 0, 1, 1]), Some(2.5 / 3.0));
/// assert_eq!(cluster_only_share(&[0]), None);
/// ```
pub fn cluster_only_share(of_image: &[usize]) -> Option<f64> {
    let num_images = of_image.len();
    if num_images < 2 {
        return None;
    }
    let won = |cluster: &usize| {
        let size = of_image.iter().filter(|other| *other == cluster).count();
        (num_images - size) as f64 + (size - 1) as f64 / 2.0
    };
    Some(of_image.iter().map(won).sum::<f64>() / (num_images * (num_images - 1)) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn directions_are_clustered_whatever_the_lengths() {
        let vectors = array![[1.0_f32, 0.1], [9.0, 0.0], [0.0, 1.0], [0.1, 5.0], [3.0, -0.2]];
        let clusters = Clusters::find(vectors.view(), 2, 1).unwrap();
        assert_eq!(clusters.count(), 2);
        assert_eq!(clusters.nearest(vectors.view()), [0, 0, 1, 1, 0]);
        let same = Clusters::find(Array2::ones((4, 2)).view(), 3, 1).unwrap();
        assert_eq!(same.count(), 1, "clusters of equal points are one");
    }

    #[test]
    fn found_clusters_beside_chance_and_the_largest() {
        let found = cluster_identification(
            &[0, 1, 1, 0],
            &[0, 1, 0, 0],
            2,
            &[1, 2, 3, 4],
            &BootstrapConfig::default(),
        )
        .unwrap();
        assert_eq!((found.share.mean, found.chance, found.largest), (0.75, 0.5, 0.75));
        assert_eq!(cluster_identification(&[], &[], 2, &[], &BootstrapConfig::default()), None);
    }

    #[test]
    fn many_images_of_equal_clusters_come_near_the_formula() {
        // 40 clusters of 50: (1950 + 24.5)/1999, and 1 − 1/80 = 0.9875.
        let of_image: Vec<usize> = (0..2000).map(|image| image % 40).collect();
        let share = cluster_only_share(&of_image).unwrap();
        assert!((share - 1974.5 / 1999.0).abs() < 1e-12 && (share - 0.9875).abs() < 3e-4, "{share}");
        // One of three alone: it wins both pairs, each of the others one and a half.
        assert_eq!(cluster_only_share(&[0, 0, 1]), Some(5.0 / 6.0));
    }
}
