//! The tensors that a mapper's snapshot must have.

use super::kinds::MapperShape;
use super::network::MapperConfig;
use super::snapshot::MapperSnapshot;
use crate::error::{Fault, SettingError};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

impl StoredNetwork for MapperConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.positions().map(drop)
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let Self { hidden, fc, embed_dim, .. } = *self;
        for index in 0..self.num_down {
            let channels_in = if index == 0 { 1 } else { hidden };
            tensors.claim_layer(format!("down.{index}"), [hidden, channels_in, 4])?;
        }
        for index in 0..self.num_blocks {
            for (part, taps) in [("conv1", 3), ("conv2", 3), ("conv3", 1)] {
                tensors.claim_layer(format!("blocks.{index}.{part}"), [hidden, hidden, taps])?;
            }
        }
        let positions =
            self.positions().map_err(|error| Fault::new(error.field, error.expected, error.found))?;
        tensors.claim_layer("lift", [embed_dim, hidden, 1])?;
        tensors.claim_layer("head.hidden", [fc, positions, 1])?;
        tensors.claim_layer("head.output", [1, fc, 1])
    }
}

impl<Network: StoredNetwork + MapperShape> StoredNetwork for MapperSnapshot<Network> {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.network.check_sizes().map_err(|error| error.within("network"))?;
        let signal_len = self.network.signal_len();
        if self.num_voxels == 0 || self.num_voxels > signal_len {
            let expected = format!("1 to {signal_len}, the length of the signal");
            return Err(SettingError::new("num_voxels", expected, self.num_voxels));
        }
        let zeros = signal_len - self.num_voxels;
        if self.padding_left > zeros {
            let expected = format!("at most {zeros}, which is what the voxels leave of the signal");
            return Err(SettingError::new("padding_left", expected, self.padding_left));
        }
        Ok(())
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        self.network.claim(tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::mapper::MapperTarget;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::stored::assert_claims;

    #[test]
    fn the_claims_are_the_networks() {
        let small = MapperConfig { signal_len: 64, hidden: 8, fc: 6, embed_dim: 16, ..Default::default() };
        for config in [
            small.clone(),
            MapperConfig { num_down: 3, num_blocks: 0, ..small.clone() },
            MapperConfig { num_blocks: 2, ..small },
        ] {
            assert_claims(&config, &config.init::<Base>(0, &cpu()).unwrap());
        }
    }

    #[test]
    fn voxels_and_zeros_must_fill_the_signal() {
        let network = MapperConfig { signal_len: 64, ..Default::default() };
        let of = |num_voxels, padding_left| {
            let snapshot = MapperSnapshot {
                network: network.clone(),
                target: MapperTarget::Image,
                num_voxels,
                padding_left,
                subject: "subj01".into(),
                roi: "V1".into(),
                voxels_sha256: None,
                target_network_sha256: String::new(),
            };
            snapshot.check_sizes().map_err(|error| error.to_string())
        };
        assert_eq!((of(64, 0), of(50, 14), of(50, 0)), (Ok(()), Ok(()), Ok(())));
        let error = of(50, 100_000).unwrap_err();
        assert_eq!(
            error,
            "`padding_left`: found 100000, expected at most 14, which is what the voxels leave of the signal"
        );
        assert!(of(65, 0).unwrap_err().starts_with("`num_voxels`: found 65, expected 1 to 64"));
        assert!(of(50, usize::MAX).is_err() && of(usize::MAX, usize::MAX).is_err() && of(0, 0).is_err());
    }
}
