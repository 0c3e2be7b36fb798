//! The kinds of networks that map betas into an embedding space, behind one face: what decodes need not know which it is.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::kernel::{KernelMapper, KernelMapperConfig};
use super::linear::{LinearMapper, LinearMapperConfig};
use super::network::{Mapper, MapperConfig};
use super::residual::{ResidualConfig, ResidualMapper};
use crate::error::{Fault, SettingError};
use crate::tensor_ops::half::{half_like, in_half, single};
use crate::tensor_ops::host_values::values;
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// How betas become an embedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperKind {
    /// The residual Conv1D mapper of *Mind Reader*, section 3.2.
    Paper,
    /// Ridge regression.
    Ridge,
    /// Ridge regression and a network that starts from it, blended.
    #[default]
    Residual,
    /// Kernel ridge regression with a Gaussian kernel.
    KernelRidge,
}

impl MapperKind {
    /// Whether it is fitted without steps: there is no checkpoint to go on from.
    pub fn is_fitted_in_one_piece(self) -> bool {
        matches!(self, Self::Ridge | Self::KernelRidge)
    }

    /// The kind in files that name none: they are from before there was a choice.
    pub fn of_older_files() -> Self {
        Self::Paper
    }
}

impl std::fmt::Display for MapperKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Paper => "paper",
            Self::Ridge => "ridge",
            Self::Residual => "residual",
            Self::KernelRidge => "kernel-ridge",
        })
    }
}

/// What a network says of its input and output.
pub trait MapperShape {
    /// Length of the signal that it reads.
    fn signal_len(&self) -> usize;
    /// Width of the embedding that it predicts.
    fn embed_dim(&self) -> usize;
}

impl MapperShape for MapperConfig {
    fn signal_len(&self) -> usize {
        self.signal_len
    }

    fn embed_dim(&self) -> usize {
        self.embed_dim
    }
}

/// Sizes of a mapper of any kind. In JSON those of the paper's network stand as they are, as the first version wrote them; others
/// have a key `kind`.
#[derive(Clone, Debug, PartialEq)]
pub enum MapperNetworkConfig {
    /// The paper's network.
    Paper(MapperConfig),
    /// Ridge regression.
    Ridge(LinearMapperConfig),
    /// Ridge regression and a network that starts from it.
    Residual(ResidualConfig),
    /// Kernel ridge regression.
    KernelRidge(KernelMapperConfig),
}

/// The kinds that say their name.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum NamedConfig {
    Ridge(LinearMapperConfig),
    Residual(ResidualConfig),
    KernelRidge(KernelMapperConfig),
}

impl Serialize for MapperNetworkConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.clone() {
            Self::Paper(config) => config.serialize(serializer),
            Self::Ridge(config) => NamedConfig::Ridge(config).serialize(serializer),
            Self::Residual(config) => NamedConfig::Residual(config).serialize(serializer),
            Self::KernelRidge(config) => NamedConfig::KernelRidge(config).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MapperNetworkConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.get("kind").is_none() {
            return serde_json::from_value(value).map(Self::Paper).map_err(de::Error::custom);
        }
        Ok(match serde_json::from_value(value).map_err(de::Error::custom)? {
            NamedConfig::Ridge(config) => Self::Ridge(config),
            NamedConfig::Residual(config) => Self::Residual(config),
            NamedConfig::KernelRidge(config) => Self::KernelRidge(config),
        })
    }
}

impl MapperNetworkConfig {
    /// The kind of network.
    pub fn kind(&self) -> MapperKind {
        match self {
            Self::Paper(_) => MapperKind::Paper,
            Self::Ridge(_) => MapperKind::Ridge,
            Self::Residual(_) => MapperKind::Residual,
            Self::KernelRidge(_) => MapperKind::KernelRidge,
        }
    }

    /// Width of the embedding that it predicts.
    pub fn embed_dim(&self) -> usize {
        match self {
            Self::Paper(config) => config.embed_dim,
            Self::Ridge(config) => config.embed_dim,
            Self::Residual(config) => config.embed_dim,
            Self::KernelRidge(config) => config.embed_dim,
        }
    }

    /// A network of these sizes whose weights are yet to be filled in.
    ///
    /// # Errors
    /// [`SettingError`] for sizes that make no network.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<MapperNetwork<B>, SettingError> {
        Ok(match self {
            Self::Paper(config) => MapperNetwork::Paper(config.init(0, device)?),
            Self::Ridge(config) => MapperNetwork::Ridge(config.init(device)?),
            Self::Residual(config) => MapperNetwork::Residual(config.init(0, device)?),
            Self::KernelRidge(config) => MapperNetwork::KernelRidge(config.init(device)?),
        })
    }
}

impl MapperShape for MapperNetworkConfig {
    fn signal_len(&self) -> usize {
        match self {
            Self::Paper(config) => config.signal_len,
            Self::Ridge(config) => config.num_voxels,
            Self::Residual(config) => config.num_voxels,
            Self::KernelRidge(config) => config.num_voxels,
        }
    }

    fn embed_dim(&self) -> usize {
        Self::embed_dim(self)
    }
}

impl StoredNetwork for MapperNetworkConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        match self {
            Self::Paper(config) => config.check_sizes(),
            Self::Ridge(config) => config.check_sizes(),
            Self::Residual(config) => config.check_sizes(),
            Self::KernelRidge(config) => config.check_sizes(),
        }
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        match self {
            Self::Paper(config) => config.claim(tensors),
            Self::Ridge(config) => config.claim(tensors),
            Self::Residual(config) => config.claim(tensors),
            Self::KernelRidge(config) => config.claim(tensors),
        }
    }
}

/// A mapper of any kind.
#[derive(Clone, Debug)]
pub enum MapperNetwork<B: Backend> {
    /// The paper's network.
    Paper(Mapper<B>),
    /// Ridge regression.
    Ridge(LinearMapper<B>),
    /// Ridge regression and a network that starts from it.
    Residual(ResidualMapper<B>),
    /// Kernel ridge regression.
    KernelRidge(KernelMapper<B>),
}

impl<B: Backend> MapperNetwork<B> {
    /// Refuses scales and lengths that no fit makes: NaN and infinities are refused where the file is read.
    ///
    /// # Errors
    /// [`Fault`] that names the tensor.
    pub fn check_values(&self) -> Result<(), Fault> {
        match self {
            Self::Paper(_) | Self::Ridge(_) => Ok(()),
            Self::Residual(network) => at_least_zero("voxel_scale", network.voxel_scale.val()),
            Self::KernelRidge(network) => {
                at_least_zero("voxel_scale", network.voxel_scale.val())?;
                at_least_zero("squared_lengths", network.squared_lengths.val())?;
                let distance = values(network.mean_distance.val());
                match distance.iter().find(|distance| **distance <= 0.0) {
                    Some(found) => Err(Fault::new("tensor `mean_distance`", "a number above 0", found)),
                    None => Ok(()),
                }
            }
        }
    }

    /// Predicts one embedding per trial, in single precision; betas follow the precision of the weights.
    ///
    /// # Shapes
    /// - signal: `[batch, signal_len]`, z-scored; output: `[batch, embed_dim]`, of any norm
    pub fn forward(&self, signal: Tensor<B, 2>) -> Tensor<B, 2> {
        single(match self {
            Self::Paper(network) => network.forward(half_like(signal, &network.lift.weight.val())),
            Self::Ridge(network) => network.forward(signal),
            Self::Residual(network) => network.forward(signal),
            Self::KernelRidge(network) => network.forward(signal),
        })
    }

    /// The same in half precision where that saves something: the paper's network; other kinds stay as they are.
    pub fn in_half(self) -> Self {
        match self {
            Self::Paper(network) => Self::Paper(in_half(network)),
            // Sums over thousands of voxels, made once per trial: half precision would save nothing and lose digits.
            other => other,
        }
    }
}

fn at_least_zero<B: Backend>(name: &str, tensor: Tensor<B, 1>) -> Result<(), Fault> {
    match values(tensor).into_iter().find(|value| *value < 0.0) {
        Some(found) => Err(Fault::new(format!("tensor `{name}`"), "numbers of at least 0", found)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use serde_json::json;

    #[test]
    fn scales_and_distances_that_no_fit_makes_are_refused() {
        let config = KernelMapperConfig { num_voxels: 2, num_support: 3, embed_dim: 2, gamma: 0.7 };
        let fault = |change: fn(&mut KernelMapper<Base>)| {
            let mut network: KernelMapper<Base> = config.init(&cpu()).unwrap();
            change(&mut network);
            MapperNetwork::KernelRidge(network).check_values().err().map(|fault| fault.to_string())
        };
        assert_eq!(fault(|_| ()), None);
        let minus = |network: &mut KernelMapper<Base>| {
            network.mean_distance = network.mean_distance.clone().map(|distance| -distance);
        };
        let error = fault(minus).unwrap();
        assert!(error.starts_with("tensor `mean_distance`: found -1, expected a number above 0"), "{error}");
        let error = fault(|network| {
            network.voxel_scale = network.voxel_scale.clone().map(|scale| -scale);
        });
        assert!(error.unwrap().starts_with("tensor `voxel_scale`: found -1"));
    }

    #[test]
    fn the_papers_sizes_have_no_kind_and_others_do() {
        let paper = MapperNetworkConfig::Paper(MapperConfig::default());
        let stored = serde_json::to_value(&paper).unwrap();
        assert_eq!(stored, serde_json::to_value(MapperConfig::default()).unwrap());
        assert_eq!(serde_json::from_value::<MapperNetworkConfig>(stored).unwrap(), paper);
        let ridge = MapperNetworkConfig::Ridge(LinearMapperConfig { num_voxels: 5, embed_dim: 2 });
        let stored = serde_json::to_value(&ridge).unwrap();
        assert_eq!(stored, json!({"kind": "ridge", "num_voxels": 5, "embed_dim": 2}));
        assert_eq!(serde_json::from_value::<MapperNetworkConfig>(stored).unwrap(), ridge);
    }

    #[test]
    fn what_is_no_mapper_is_said() {
        let error =
            |value: Value| serde_json::from_value::<MapperNetworkConfig>(value).unwrap_err().to_string();
        assert!(error(json!({"kind": "lasso"})).contains("lasso"));
        assert!(error(json!({"hiden": 3})).contains("hiden"));
        assert!(error(json!({"kind": "ridge", "num_voxels": 5})).contains("embed_dim"));
    }
}
