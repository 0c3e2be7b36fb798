//! The tensors that a CLIP's snapshot must have.

use super::config::ClipConfig;
use crate::error::{Fault, SettingError};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

impl StoredNetwork for ClipConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.validate()
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let width = self.vision_width;
        let side = self.image_size / self.patch_size;
        let patches = side.saturating_mul(side);
        let pixels = self.patch_size.saturating_mul(self.patch_size).saturating_mul(3);
        tensors.claim("visual.patch_embedding.weight", &[pixels, width])?;
        tensors.claim("visual.class_embedding", &[width])?;
        tensors.claim("visual.positional_embedding", &[patches.saturating_add(1), width])?;
        claim_norm("visual.pre_norm", width, tensors)?;
        claim_blocks("visual.blocks", self.vision_layers, width, tensors)?;
        claim_norm("visual.post_norm", width, tensors)?;
        tensors.claim("visual.projection.weight", &[width, self.embed_dim])?;
        let width = self.text_width;
        tensors.claim("text.token_embedding.weight", &[self.vocab_size, width])?;
        tensors.claim("text.positional_embedding", &[self.context_length, width])?;
        claim_blocks("text.blocks", self.text_layers, width, tensors)?;
        claim_norm("text.final_norm", width, tensors)?;
        tensors.claim("text.projection.weight", &[width, self.embed_dim])?;
        tensors.claim("logit_scale", &[1])
    }
}

fn claim_blocks(tower: &str, layers: usize, width: usize, tensors: &mut StoredTensors) -> Result<(), Fault> {
    let [three, four] = [width.saturating_mul(3), width.saturating_mul(4)];
    for index in 0..layers {
        let block = format!("{tower}.{index}");
        claim_norm(&format!("{block}.attention_norm"), width, tensors)?;
        claim_linear(&format!("{block}.query_key_value"), [width, three], tensors)?;
        claim_linear(&format!("{block}.attention_out"), [width, width], tensors)?;
        claim_norm(&format!("{block}.perceptron_norm"), width, tensors)?;
        claim_linear(&format!("{block}.perceptron_in"), [width, four], tensors)?;
        claim_linear(&format!("{block}.perceptron_out"), [four, width], tensors)?;
    }
    Ok(())
}

/// Burn's layer: its weight is `[inputs, outputs]`.
fn claim_linear(
    layer: &str,
    [inputs, outputs]: [usize; 2],
    tensors: &mut StoredTensors,
) -> Result<(), Fault> {
    tensors.claim(format!("{layer}.weight"), &[inputs, outputs])?;
    tensors.claim(format!("{layer}.bias"), &[outputs])
}

fn claim_norm(norm: &str, width: usize, tensors: &mut StoredTensors) -> Result<(), Fault> {
    tensors.claim(format!("{norm}.gamma"), &[width])?;
    tensors.claim(format!("{norm}.beta"), &[width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::stored::assert_claims;

    #[test]
    fn the_claims_are_the_networks() {
        let config = ClipConfig {
            image_size: 12,
            patch_size: 4,
            vision_width: 6,
            vision_layers: 2,
            vision_heads: 2,
            text_width: 4,
            text_layers: 3,
            text_heads: 1,
            context_length: 9,
            embed_dim: 5,
            ..ClipConfig::default()
        };
        assert_claims(&config, &config.init_zeros::<Base>(&cpu()).unwrap());
    }

    #[test]
    fn sizes_beyond_every_file_end_at_the_first_tensor() {
        let config = ClipConfig { image_size: 1 << 62, patch_size: 1 << 40, ..ClipConfig::default() };
        assert!(config.claim(&mut StoredTensors::default()).unwrap_err().field.contains("patch_embedding"));
    }
}
