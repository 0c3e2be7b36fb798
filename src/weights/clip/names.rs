//! Names of CLIP's tensors in OpenAI's state dict and in the one of Hugging Face (docs/spec/checkpoints.md §4.2).
//!
//! Our linear weights are `[inputs, outputs]`, theirs `[outputs, inputs]`; queries, keys and values are one
//! matrix here and in OpenAI's file, three at Hugging Face; the patch convolution is a linear layer here.

use crate::weights::foreign::{ForeignNetwork, ForeignTensor};
use crate::weights::key_map::{ForeignTensors, KeyTable, Leftover, Orientation};

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipNaming {
    /// `visual.transformer.resblocks.0.attn.in_proj_weight`, …: OpenAI and OpenCLIP.
    OpenAi,
    /// `vision_model.encoder.layers.0.self_attn.q_proj.weight`, …
    HuggingFace,
}

impl ClipNaming {
    /// The naming of a network that has CLIP's patch convolution.
    pub fn of(network: &ForeignNetwork) -> Option<Self> {
        [(Self::OpenAi, "visual.conv1.weight"), (Self::HuggingFace, HUGGING_FACE_PATCHES)]
            .into_iter()
            .find(|(_, name)| network.tensors.contains_key(*name))
            .map(|(naming, _)| naming)
    }
}

const HUGGING_FACE_PATCHES: &str = "vision_model.embeddings.patch_embedding.weight";

/// Values of OpenAI's archive beside the weights: each is told by a shape as well.
const ARCHIVE_SIZES: [&str; 3] = ["input_resolution", "context_length", "vocab_size"];

impl KeyTable for ClipNaming {
    fn foreign_tensors(&self, path: &str) -> Option<ForeignTensors> {
        foreign_tensors(*self, path)
    }

    fn leftover(&self, name: &str, _tensor: &ForeignTensor) -> Leftover {
        if name.ends_with(".embeddings.position_ids") {
            return Leftover::Needless("the numbers 0, 1, 2, …: positions are counted, not stored");
        }
        if ARCHIVE_SIZES.contains(&name) {
            return Leftover::Needless("a size that the shapes tell as well");
        }
        Leftover::Unknown
    }
}

/// The foreign tensors behind our parameter `path`, or `None` for a path that CLIP does not have.
pub fn foreign_tensors(naming: ClipNaming, path: &str) -> Option<ForeignTensors> {
    use Orientation::{AsStored, Transposed};
    let entry = |names: Vec<String>, orientation| Some(ForeignTensors { names, orientation });
    let one = |name: &str, orientation| entry(vec![name.to_string()], orientation);
    let openai = naming == ClipNaming::OpenAi;
    let pick = |ours: &'static str, theirs: &'static str| if openai { ours } else { theirs };
    match path {
        "logit_scale" => return one("logit_scale", AsStored),
        "visual.patch_embedding.weight" => {
            let name = pick("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight");
            return one(name, Transposed);
        }
        "visual.class_embedding" => {
            return one(pick("visual.class_embedding", "vision_model.embeddings.class_embedding"), AsStored);
        }
        "visual.positional_embedding" => {
            let name =
                pick("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight");
            return one(name, AsStored);
        }
        // OpenAI stores projections as [width, embed_dim], as we do.
        "visual.projection.weight" if openai => return one("visual.proj", AsStored),
        "visual.projection.weight" => return one("visual_projection.weight", Transposed),
        "text.projection.weight" if openai => return one("text_projection", AsStored),
        "text.projection.weight" => return one("text_projection.weight", Transposed),
        "text.token_embedding.weight" => {
            let name = pick("token_embedding.weight", "text_model.embeddings.token_embedding.weight");
            return one(name, AsStored);
        }
        "text.positional_embedding" => {
            return one(
                pick("positional_embedding", "text_model.embeddings.position_embedding.weight"),
                AsStored,
            );
        }
        _ => {}
    }
    let (tower, rest) = path.split_once('.')?;
    let visual = match tower {
        "visual" => true,
        "text" => false,
        _ => return None,
    };
    if let Some(rest) = rest.strip_prefix("blocks.") {
        let (block, layer) = rest.split_once('.')?;
        block.parse::<usize>().ok()?;
        let (layer, field) = layer.rsplit_once('.')?;
        let prefix = match (openai, visual) {
            (true, true) => format!("visual.transformer.resblocks.{block}"),
            (true, false) => format!("transformer.resblocks.{block}"),
            (false, true) => format!("vision_model.encoder.layers.{block}"),
            (false, false) => format!("text_model.encoder.layers.{block}"),
        };
        // Biases have one axis: nothing to turn.
        let orientation = if field == "weight" { Transposed } else { AsStored };
        return match layer {
            "attention_norm" => {
                one(&format!("{prefix}.{}.{}", pick("ln_1", "layer_norm1"), norm(field)?), AsStored)
            }
            "perceptron_norm" => {
                one(&format!("{prefix}.{}.{}", pick("ln_2", "layer_norm2"), norm(field)?), AsStored)
            }
            "query_key_value" if openai => one(&format!("{prefix}.attn.in_proj_{field}"), orientation),
            "query_key_value" => {
                // Joined along their rows in the order of OpenAI's one matrix.
                let names = ["q", "k", "v"].map(|part| format!("{prefix}.self_attn.{part}_proj.{field}"));
                entry(names.to_vec(), orientation)
            }
            "attention_out" => {
                one(&format!("{prefix}.{}.out_proj.{field}", pick("attn", "self_attn")), orientation)
            }
            "perceptron_in" => one(&format!("{prefix}.mlp.{}.{field}", pick("c_fc", "fc1")), orientation),
            "perceptron_out" => one(&format!("{prefix}.mlp.{}.{field}", pick("c_proj", "fc2")), orientation),
            _ => None,
        };
    }
    let (layer, field) = rest.split_once('.')?;
    let name = match (visual, layer) {
        // The missing letter is theirs.
        (true, "pre_norm") => pick("visual.ln_pre", "vision_model.pre_layrnorm"),
        (true, "post_norm") => pick("visual.ln_post", "vision_model.post_layernorm"),
        (false, "final_norm") => pick("ln_final", "text_model.final_layer_norm"),
        _ => return None,
    };
    one(&format!("{name}.{}", norm(field)?), AsStored)
}

fn norm(field: &str) -> Option<&'static str> {
    match field {
        "gamma" => Some("weight"),
        "beta" => Some("bias"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_namings_reach_every_parameter_and_openai_fuses_what_hugging_face_splits() {
        for (path, openai, hugging_face) in [
            ("text.blocks.3.query_key_value.bias", "transformer.resblocks.3.attn.in_proj_bias", 3),
            ("visual.blocks.0.perceptron_in.weight", "visual.transformer.resblocks.0.mlp.c_fc.weight", 1),
            ("visual.pre_norm.gamma", "visual.ln_pre.weight", 1),
            ("text.final_norm.beta", "ln_final.bias", 1),
        ] {
            assert_eq!(foreign_tensors(ClipNaming::OpenAi, path).unwrap().names, [openai]);
            assert_eq!(foreign_tensors(ClipNaming::HuggingFace, path).unwrap().names.len(), hugging_face);
        }
        assert_eq!(foreign_tensors(ClipNaming::OpenAi, "visual.blocks.0.unknown.weight"), None);
        assert_eq!(foreign_tensors(ClipNaming::OpenAi, "elsewhere"), None);
    }
}
