//! The training targets of one kind, in the form in which they are compared, and what follows from them.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::super::baselines::bring_to_comparison;
use super::super::config::Centre;
use super::found::{Dimensions, TargetClusters};
use crate::error::{Error, Result};
use crate::metrics::combined_retrieval::DecodedPair;
use crate::metrics::trust::clusters::{Clusters, cluster_only_share};
use crate::metrics::trust::dimensions::{Components, spread_evenly};
use crate::pipelines::targets::decoded_pairs::Aims;
use crate::pipelines::targets::decoded_target::DecodedTarget;

/// Training images beyond which clusters are found of so many, evenly spread: more cost minutes and move no centroid.
const MOST_CLUSTERED: usize = 2000;
/// Fewest held-out images per cluster, on average: with fewer there is nothing to tell an image from inside its cluster.
const IMAGES_PER_CLUSTER: usize = 10;
/// Fewest clusters.
const FEWEST_CLUSTERS: usize = 2;
/// Share of the training targets' variance that the components of the span explain.
const SPAN: f64 = 0.9;

/// Training targets of one kind.
pub(super) struct Space {
    pub target: DecodedTarget,
    /// One row per training image, as compared.
    pub training: Array2<f32>,
    mean: Array1<f32>,
    clusters: Clusters,
    components: Components,
}

/// Which trials teach, and how clusters are made of their targets.
pub(super) struct SpaceConfig<'a> {
    /// All training trials.
    pub train: &'a [usize],
    /// The first of every training image.
    pub first_of_images: &'a [usize],
    pub num_held_out_images: usize,
    pub centre: Centre,
    /// Most clusters.
    pub clusters: usize,
    pub seed: u64,
}

impl Space {
    /// Of the targets of the training images, one row each.
    ///
    /// # Errors
    /// A request to stop.
    pub fn of_aims(aims: &Aims<'_>, config: &SpaceConfig<'_>) -> Result<Self> {
        let fitted = aims.fitted(config.first_of_images);
        let mut pair = DecodedPair { predicted: Array2::zeros((0, fitted.ncols())), target: fitted };
        // What rescales predictions alone has nothing to do.
        let centre = if config.centre == Centre::RescaledByTest { Centre::None } else { config.centre };
        bring_to_comparison(&mut pair, aims, centre, config.train);
        let most = config.clusters.min(config.num_held_out_images / IMAGES_PER_CLUSTER);
        Self::of(aims.target(), pair.target, most.max(FEWEST_CLUSTERS), config.seed)
    }

    /// Of targets as they are compared, a row per training image; `count` clusters, or one per image.
    ///
    /// # Errors
    /// A request to stop.
    pub fn of(target: DecodedTarget, training: Array2<f32>, count: usize, seed: u64) -> Result<Self> {
        let missing = || Error::failure("no training image to compare with");
        let mean =
            training.mapv(f64::from).mean_axis(Axis(0)).ok_or_else(missing)?.mapv(|value| value as f32);
        let clustered = training.select(Axis(0), &spread_evenly(training.nrows(), MOST_CLUSTERED)) - &mean;
        Ok(Self {
            target,
            clusters: Clusters::find(clustered.view(), count.min(clustered.nrows()), seed)?,
            components: Components::of(training.view()).ok_or_else(missing)?,
            mean,
            training,
        })
    }

    /// Vectors less the mean training target: a prediction that is shrunk towards it keeps its direction.
    pub fn centred(&self, vectors: ArrayView2<'_, f32>) -> Array2<f32> {
        &vectors - &self.mean
    }

    /// Cluster of each of `vectors`.
    pub fn cluster_of(&self, vectors: ArrayView2<'_, f32>) -> Vec<usize> {
        self.clusters.nearest(self.centred(vectors).view())
    }

    pub fn num_clusters(&self) -> usize {
        self.clusters.count()
    }

    /// What the clusters alone give, by those of the held-out images.
    pub fn clusters(&self, of_image: &[usize]) -> Option<TargetClusters> {
        let cluster_only = cluster_only_share(of_image)?;
        Some(TargetClusters { target: self.target, num_clusters: self.num_clusters(), cluster_only })
    }

    /// Dimensions of predictions and targets, a row per image each.
    ///
    /// # Errors
    /// A decomposition that does not converge.
    pub fn dimensions(&self, pair: &DecodedPair) -> Result<Dimensions> {
        let of = |vectors: &Array2<f32>| {
            Components::of(vectors.view())
                .map(|components| components.spread())
                .ok_or_else(|| Error::failure("the principal components of predictions cannot be computed"))
        };
        let span = self.components.explaining(SPAN);
        Ok(Dimensions {
            predicted: of(&pair.predicted)?,
            target: of(&pair.target)?,
            span,
            predicted_in_span: self.components.share_in_span(pair.predicted.view(), span),
            target_in_span: self.components.share_in_span(pair.target.view(), span),
        })
    }
}
