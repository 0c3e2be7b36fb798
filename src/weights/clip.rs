//! Tables for published CLIP files: OpenAI's state dict and the one of Hugging Face (`reference/checkpoints.md` 4.2).
//!
//! Our linear weights are `[inputs, outputs]`, theirs `[outputs, inputs]`; queries, keys and values are one
//! matrix here and in OpenAI's file, three at Hugging Face; the patch convolution is a linear layer here.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};

use crate::models::clip::{Clip, ClipConfig, ClipConfigError};

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipNaming {
    /// `visual.transformer.resblocks.0.attn.in_proj_weight`, …
    OpenAi,
    /// `vision_model.encoder.layers.0.self_attn.q_proj.weight`, …
    HuggingFace,
}

/// Values (row-major) and shape of a foreign tensor by its name.
pub type Lookup<'a> = dyn FnMut(&str) -> Option<(Vec<f32>, Vec<usize>)> + 'a;

/// The foreign tensors of one of our parameters: joined along their first axis, seen as
/// `[first axis, everything else]`, then perhaps transposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTensors {
    /// Their names in order.
    pub names: Vec<String>,
    /// How the joined matrix becomes ours.
    pub orientation: Orientation,
}

/// How a foreign matrix becomes ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// Same order of values.
    AsStored,
    /// Rows become columns.
    Transposed,
}

/// Why a foreign file is not this CLIP.
#[derive(Debug, thiserror::Error)]
pub enum ClipImportError {
    /// The configuration describes no network.
    #[error(transparent)]
    Config(#[from] ClipConfigError),
    /// A tensor is not there.
    #[error("tensor `{name}` is missing; parameter `{parameter}` needs it")]
    Missing {
        /// Foreign name.
        name: String,
        /// Our path.
        parameter: String,
    },
    /// A tensor has another shape than the configuration asks for.
    #[error("tensor `{name}` for parameter `{parameter}`: found {found:?}, expected {expected:?}")]
    Shape {
        /// Foreign names, joined.
        name: String,
        /// Our path.
        parameter: String,
        /// Shape after joining and transposing.
        found: Vec<usize>,
        /// Shape of our parameter.
        expected: Vec<usize>,
    },
    /// A parameter that the table does not know: a defect of this program.
    #[error("parameter `{parameter}` has no entry in the table of CLIP names")]
    Unlisted {
        /// Our path.
        parameter: String,
    },
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

/// A network filled from foreign tensors; `lookup` gives values (row-major) and shape by foreign name.
/// Also returns the names that were used, so that the caller can refuse left-over tensors.
///
/// # Errors
/// [`ClipImportError`] at the first parameter that is not there or does not fit.
pub fn clip_from_tensors<B: Backend>(
    config: &ClipConfig,
    naming: ClipNaming,
    lookup: &mut Lookup<'_>,
    device: &B::Device,
) -> Result<(Clip<B>, BTreeSet<String>), ClipImportError> {
    let network = config.init_zeros::<B>(device)?;
    let mut filler = Filler { naming, lookup, path: Vec::new(), used: BTreeSet::new(), failure: None };
    let network = network.map(&mut filler);
    match filler.failure {
        Some(failure) => Err(failure),
        None => Ok((network, filler.used)),
    }
}

struct Filler<'a> {
    naming: ClipNaming,
    lookup: &'a mut Lookup<'a>,
    path: Vec<String>,
    used: BTreeSet<String>,
    failure: Option<ClipImportError>,
}

impl Filler<'_> {
    fn values(&mut self, parameter: &str, expected: &[usize]) -> Result<Vec<f32>, ClipImportError> {
        let foreign = foreign_tensors(self.naming, parameter)
            .ok_or_else(|| ClipImportError::Unlisted { parameter: parameter.into() })?;
        let mut joined = Vec::new();
        let (mut rows, mut columns) = (0, 1);
        let mut fits = true;
        for name in &foreign.names {
            let (values, shape) = (self.lookup)(name).ok_or_else(|| ClipImportError::Missing {
                name: name.clone(),
                parameter: parameter.into(),
            })?;
            let width = shape.iter().skip(1).product();
            fits &= rows == 0 || width == columns;
            fits &= values.len() == shape.iter().product::<usize>();
            columns = width;
            rows += shape.first().copied().unwrap_or(1);
            joined.extend(values);
            self.used.insert(name.clone());
        }
        let found = match (expected.len(), foreign.orientation) {
            (1, _) => vec![rows * columns],
            (_, Orientation::AsStored) => vec![rows, columns],
            (_, Orientation::Transposed) => vec![columns, rows],
        };
        if !fits || found != expected {
            return Err(ClipImportError::Shape {
                name: foreign.names.join(", "),
                parameter: parameter.into(),
                found,
                expected: expected.to_vec(),
            });
        }
        Ok(match foreign.orientation {
            Orientation::Transposed if expected.len() == 2 => (0..columns)
                .flat_map(|column| (0..rows).map(move |row| (row, column)))
                .map(|(row, column)| joined[row * columns + column])
                .collect(),
            _ => joined,
        })
    }
}

impl<B: Backend> ModuleMapper<B> for Filler<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if self.failure.is_some() {
            return param;
        }
        let path = self.path.join(".");
        let shape = param.dims();
        match self.values(&path, &shape) {
            Ok(values) => param.map(|built| {
                Tensor::from_data(TensorData::new(values, shape), &built.device())
                    .set_require_grad(built.is_require_grad())
            }),
            Err(failure) => {
                self.failure = Some(failure);
                param
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

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

    #[test]
    fn a_missing_and_a_misshapen_tensor_are_named() {
        let config = ClipConfig {
            image_size: 8,
            patch_size: 8,
            vision_width: 4,
            vision_layers: 1,
            vision_heads: 1,
            text_width: 4,
            text_layers: 1,
            text_heads: 1,
            embed_dim: 4,
            ..ClipConfig::default()
        };
        let import = |lookup: &mut Lookup<'_>| {
            clip_from_tensors::<Base>(&config, ClipNaming::OpenAi, lookup, &cpu()).unwrap_err().to_string()
        };
        let error = import(&mut |_| None);
        assert!(error.contains("is missing") && error.contains("needs it"), "{error}");
        let error = import(&mut |_| Some((vec![0.0; 6], vec![2, 3])));
        assert!(error.contains("found") && error.contains("expected"), "{error}");
    }
}
