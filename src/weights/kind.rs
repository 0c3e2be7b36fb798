//! Kinds of networks, told by their tensors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::foreign::ForeignNetwork;

/// What a network is. Printed like the kinds of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// CLIP, both towers.
    Clip,
    /// Conditional StyleGAN2 generator.
    Generator,
    /// The discriminator that such a generator is trained against.
    Discriminator,
    /// Betas to embedding.
    Mapper,
    /// ResNet-50 features.
    Resnet,
    /// Inception-V3 features of the Fréchet distance.
    Inception,
}

/// A tensor that only one kind has, by kind.
const SIGNATURES: [(NetworkKind, &str); 7] = [
    (NetworkKind::Clip, "visual.conv1.weight"),
    (NetworkKind::Clip, "vision_model.embeddings.patch_embedding.weight"),
    (NetworkKind::Generator, "synthesis.b4.const"),
    (NetworkKind::Discriminator, "b4.out.weight"),
    (NetworkKind::Mapper, "encoder.0.0.weight"),
    (NetworkKind::Resnet, "layer1.0.conv1.weight"),
    (NetworkKind::Inception, "Conv2d_1a_3x3.conv.weight"),
];

impl NetworkKind {
    /// Every kind, in the order in which messages list them.
    pub const ALL: [Self; 6] =
        [Self::Clip, Self::Generator, Self::Discriminator, Self::Mapper, Self::Resnet, Self::Inception];

    /// As in snapshots and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clip => "clip",
            Self::Generator => "generator",
            Self::Discriminator => "discriminator",
            Self::Mapper => "mapper",
            Self::Resnet => "resnet",
            Self::Inception => "inception",
        }
    }

    /// The tensors of a network of this kind, without a prefix that all of them have.
    pub fn tensors_of(self, network: &ForeignNetwork) -> ForeignNetwork {
        without_prefix(network)
    }

    /// The kind whose tensors these are.
    pub fn of(network: &ForeignNetwork) -> Option<Self> {
        recognised(network).map(|(kind, _)| kind)
    }
}

impl fmt::Display for NetworkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NetworkKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let kinds = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is no kind of network; there are {kinds}")
        })
    }
}

/// The kind of a network, and what stands before all its names: data-parallel training (`module.`), compilation (`_orig_mod.`) and
/// wrappers (`model.`, `clip.`, any other) put themselves there, also several at a time.
fn recognised(network: &ForeignNetwork) -> Option<(NetworkKind, &str)> {
    SIGNATURES.into_iter().find_map(|(kind, tensor)| {
        let prefixes = network.tensors.keys().filter_map(|name| name.strip_suffix(tensor));
        let is_common = |prefix: &&str| {
            (prefix.is_empty() || prefix.ends_with('.'))
                && network.tensors.keys().all(|name| name.starts_with(prefix))
        };
        // The shortest: the name may come again deeper inside the network.
        prefixes.filter(is_common).min_by_key(|prefix| prefix.len()).map(|prefix| (kind, prefix))
    })
}

fn without_prefix(network: &ForeignNetwork) -> ForeignNetwork {
    let prefix = recognised(network).map_or("", |(_, prefix)| prefix);
    let tensors = network
        .tensors
        .iter()
        .map(|(name, tensor)| (name.strip_prefix(prefix).unwrap_or(name).to_string(), tensor.clone()))
        .collect();
    ForeignNetwork { tensors, class_name: network.class_name.clone(), settings: network.settings.clone() }
}
