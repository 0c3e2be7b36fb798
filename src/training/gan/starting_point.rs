//! The weights that a GAN training begins with.

use burn::module::AutodiffModule;

use crate::models::stylegan2::{Discriminator, Generator};
use crate::tensor_ops::backend::{Base, Diff};

/// Weights to start from.
#[derive(Clone, Debug)]
pub enum StartingPoint {
    /// Drawn from the seed.
    Scratch,
    /// A trained pair; the average starts from the generator.
    Pretrained {
        /// Generator.
        generator: Box<Generator<Base>>,
        /// Discriminator.
        discriminator: Box<Discriminator<Base>>,
    },
}

impl StartingPoint {
    /// Whether somebody trained these weights before: averages and augmentation then need no warming up.
    pub fn is_pretrained(&self) -> bool {
        matches!(self, Self::Pretrained { .. })
    }
}

/// `network` with the weights of `trained`.
pub(crate) fn adopt<M: AutodiffModule<Diff>>(network: M, trained: &M::InnerModule) -> M {
    // By record and not by replacing the network: which parameters are trained is a property of `network`, values are
    // those of `trained`.
    network.load_record(M::from_inner(trained.clone()).into_record())
}
