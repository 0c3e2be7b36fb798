//! The tensors that a scene classifier's snapshot must have.

use super::config::ClassifierConfig;
use crate::error::{Fault, SettingError};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

impl StoredNetwork for ClassifierConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.validate()
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let widths = &self.sizes.widths;
        let first = widths.first().copied().unwrap_or(0);
        tensors.claim_layer("from_rgb", [first, 3, 3, 3])?;
        for (index, pair) in widths.windows(2).enumerate() {
            let [inputs, outputs] = [pair[0], pair[1]];
            let block = format!("blocks.{index}");
            tensors.claim_layer(format!("{block}.keep"), [inputs, inputs, 3, 3])?;
            tensors.claim_layer(format!("{block}.down"), [outputs, inputs, 3, 3])?;
            tensors.claim(format!("{block}.skip.weight"), &[outputs, inputs, 1, 1])?;
        }
        let features = self.sizes.num_features();
        tensors.claim_layer("last", [features, features, 1, 1])?;
        tensors.claim("weight", &[self.classes.len(), features])?;
        tensors.claim("bias", &[self.classes.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::classifier::{ClassKind, ClassifierSizes, SceneClass};
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::stored::assert_claims;

    #[test]
    fn the_claims_are_the_networks() {
        let class = |id| SceneClass { id, name: "dog".into(), kind: ClassKind::Thing };
        let config = ClassifierConfig {
            sizes: ClassifierSizes { side: 16, widths: vec![3, 4, 5] },
            min_share: 0.01,
            classes: vec![class(1), class(2)],
        };
        assert_claims(&config, &config.init::<Base>(0, &cpu()).unwrap());
    }
}
