//! Per-pixel noise inputs of the synthesis layers (docs/spec/generator.md §4).

use burn::tensor::{Tensor, backend::Backend};

/// What is added, times a learned strength, after every modulated 3×3 convolution.
#[derive(Clone, Debug)]
pub enum Noise<B: Backend> {
    /// Nothing.
    Off,
    /// The maps stored with the network: the same picture every time.
    Constant,
    /// Given maps `[batch, 1, r, r]`, one per layer in order of execution: training and metrics.
    Maps(Vec<Tensor<B, 4>>),
}

impl<B: Backend> Noise<B> {
    /// The same noise in another backend.
    pub fn map<C: Backend>(self, map: impl Fn(Tensor<B, 4>) -> Tensor<C, 4>) -> Noise<C> {
        match self {
            Self::Off => Noise::Off,
            Self::Constant => Noise::Constant,
            Self::Maps(maps) => Noise::Maps(maps.into_iter().map(map).collect()),
        }
    }

    /// Noise of several batches as that of one, in their order; without maps it is the first.
    pub fn joined(batches: Vec<Self>) -> Self {
        let mut maps: Vec<Vec<Tensor<B, 4>>> = Vec::new();
        for batch in batches {
            let Self::Maps(of_batch) = batch else { return batch };
            maps.resize_with(of_batch.len(), Vec::new);
            maps.iter_mut().zip(of_batch).for_each(|(layer, map)| layer.push(map));
        }
        Self::Maps(maps.into_iter().map(|layer| Tensor::cat(layer, 0)).collect())
    }

    /// The part of one layer.
    pub(super) fn of_layer(&self, index: usize) -> LayerNoise<B> {
        match self {
            Self::Off => LayerNoise::Off,
            Self::Constant => LayerNoise::Constant,
            Self::Maps(maps) => LayerNoise::Map(maps[index].clone()),
        }
    }
}

/// Noise of one layer.
pub(super) enum LayerNoise<B: Backend> {
    Off,
    Constant,
    Map(Tensor<B, 4>),
}
