//! Sizes of a CLIP from the shapes of its tensors.

use super::names::ClipNaming;
use crate::models::clip::{ClipActivation, ClipConfig};
use crate::weights::sizes::{SizeReader, SizesError, agree, as_count};

/// Width of a head in every published CLIP; the number of heads follows from it.
const HEAD_WIDTH: usize = 64;

/// What shapes cannot tell; unset where the caller does not know either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClipHints {
    /// Attention heads of the vision transformer.
    pub vision_heads: Option<usize>,
    /// Attention heads of the text transformer.
    pub text_heads: Option<usize>,
    /// Activation of the perceptrons.
    pub activation: Option<ClipActivation>,
    /// Side of the images in pixels, as a file beside the weights says it: held against the shapes.
    pub image_size: Option<usize>,
}

/// Names that differ between the two conventions.
struct Names {
    patches: &'static str,
    image_positions: &'static str,
    class: &'static str,
    image_projection: &'static str,
    tokens: &'static str,
    text_positions: &'static str,
    text_projection: &'static str,
    /// Axes of width and embedding in the projections.
    projection_axes: [usize; 2],
    image_blocks: &'static str,
    text_blocks: &'static str,
}

const OPEN_AI: Names = Names {
    patches: "visual.conv1.weight",
    image_positions: "visual.positional_embedding",
    class: "visual.class_embedding",
    image_projection: "visual.proj",
    tokens: "token_embedding.weight",
    text_positions: "positional_embedding",
    text_projection: "text_projection",
    projection_axes: [0, 1],
    image_blocks: "visual.transformer.resblocks.",
    text_blocks: "transformer.resblocks.",
};

const HUGGING_FACE: Names = Names {
    patches: "vision_model.embeddings.patch_embedding.weight",
    image_positions: "vision_model.embeddings.position_embedding.weight",
    class: "vision_model.embeddings.class_embedding",
    image_projection: "visual_projection.weight",
    tokens: "text_model.embeddings.token_embedding.weight",
    text_positions: "text_model.embeddings.position_embedding.weight",
    text_projection: "text_projection.weight",
    projection_axes: [1, 0],
    image_blocks: "vision_model.encoder.layers.",
    text_blocks: "text_model.encoder.layers.",
};

pub(super) fn clip_config(
    naming: ClipNaming,
    hints: &ClipHints,
    sizes: &mut SizeReader<'_>,
) -> Result<ClipConfig, SizesError> {
    let names = match naming {
        ClipNaming::OpenAi => &OPEN_AI,
        ClipNaming::HuggingFace => &HUGGING_FACE,
    };
    let [of_width, of_embedding] = names.projection_axes;
    let vision_width = sizes.read(
        "vision_width",
        &[
            (names.patches, 4, 0),
            (names.image_positions, 2, 1),
            (names.class, 1, 0),
            (names.image_projection, 2, of_width),
        ],
    )?;
    let patch_size = sizes.read("patch_size", &[(names.patches, 4, 2), (names.patches, 4, 3)])?;
    sizes.expect("colours", names.class, names.patches, &[vision_width, 3, patch_size, patch_size])?;
    // The side of the images shows only in the number of positions.
    let image_size = patch_size * patches_per_side(names.image_positions, sizes)?;
    if let Some(stated) = hints.image_size {
        let beside = ("the configuration beside the weights", stated);
        agree("image_size", (names.image_positions, image_size), beside)?;
    }
    sizes.note("image_size", image_size, names.image_positions);
    let text_width = sizes.read(
        "text_width",
        &[(names.tokens, 2, 1), (names.text_positions, 2, 1), (names.text_projection, 2, of_width)],
    )?;
    let projections = [(names.image_projection, 2, of_embedding), (names.text_projection, 2, of_embedding)];
    let config = ClipConfig {
        image_size,
        patch_size,
        vision_width,
        vision_layers: blocks(
            "vision_layers",
            naming,
            names.image_blocks,
            names.patches,
            vision_width,
            sizes,
        )?,
        vision_heads: heads("vision_heads", hints.vision_heads, names.image_blocks, vision_width, sizes)?,
        text_width,
        text_layers: blocks("text_layers", naming, names.text_blocks, names.tokens, text_width, sizes)?,
        text_heads: heads("text_heads", hints.text_heads, names.text_blocks, text_width, sizes)?,
        context_length: sizes.read("context_length", &[(names.text_positions, 2, 0)])?,
        vocab_size: sizes.read("vocab_size", &[(names.tokens, 2, 0)])?,
        embed_dim: sizes.read("embed_dim", &projections)?,
        activation: match hints.activation {
            Some(activation) => activation,
            None => {
                sizes.assume(
                    "activation x·σ(1.702x), as in OpenAI's networks; many OpenCLIP networks were trained with the \
                     exact GELU (`--clip-activation gelu`)",
                );
                ClipActivation::QuickGelu
            }
        },
    };
    config.validate().map_err(|error| SizesError::Config(error.to_string()))?;
    Ok(config)
}

/// Positions are one per patch and one for the class token.
fn patches_per_side(positions: &str, sizes: &SizeReader<'_>) -> Result<usize, SizesError> {
    let shape = sizes.shape("image_size", positions, 2)?;
    let patches = shape.first().copied().unwrap_or(0).saturating_sub(1);
    let side = patches.isqrt();
    if side > 0 && side * side == patches {
        return Ok(side);
    }
    Err(SizesError::Shape {
        tensor: positions.into(),
        found: shape.to_vec(),
        expected: "1 + n² rows: a class token and a square of patches".into(),
    })
}

/// Counts the blocks of a tower and checks the widths of each, so that a file of few bytes cannot claim many.
fn blocks(
    quantity: &str,
    naming: ClipNaming,
    prefix: &str,
    told_by: &str,
    width: usize,
    sizes: &mut SizeReader<'_>,
) -> Result<usize, SizesError> {
    let (perceptron_in, perceptron_out, attention): (_, _, &[(&str, usize)]) = match naming {
        ClipNaming::OpenAi => (".mlp.c_fc.weight", ".mlp.c_proj.weight", &[(".attn.in_proj_weight", 3)]),
        ClipNaming::HuggingFace => (
            ".mlp.fc1.weight",
            ".mlp.fc2.weight",
            &[
                (".self_attn.q_proj.weight", 1),
                (".self_attn.k_proj.weight", 1),
                (".self_attn.v_proj.weight", 1),
            ],
        ),
    };
    let count = sizes.count(quantity, prefix, perceptron_in)?;
    for block in 0..count {
        let name = |suffix: &str| format!("{prefix}{block}{suffix}");
        sizes.expect("width", told_by, &name(perceptron_in), &[4 * width, width])?;
        sizes.expect("width", told_by, &name(perceptron_out), &[width, 4 * width])?;
        for (suffix, rows) in attention {
            sizes.expect("width", told_by, &name(suffix), &[rows * width, width])?;
        }
    }
    Ok(count)
}

fn heads(
    quantity: &str,
    hint: Option<usize>,
    prefix: &str,
    width: usize,
    sizes: &mut SizeReader<'_>,
) -> Result<usize, SizesError> {
    let key = format!("{prefix}0.attn.num_heads");
    let stored = sizes.setting(quantity, &[&key], as_count);
    match (stored, hint) {
        (Some(stored), Some(hint)) => {
            agree(quantity, (&key, stored), ("the option", hint))?;
            Ok(stored)
        }
        (Some(heads), None) | (None, Some(heads)) => Ok(heads),
        (None, None) if width.is_multiple_of(HEAD_WIDTH) => {
            sizes.assume(format!("{quantity} {}: heads of {HEAD_WIDTH} channels", width / HEAD_WIDTH));
            Ok(width / HEAD_WIDTH)
        }
        (None, None) => Err(SizesError::Config(format!(
            "`{quantity}` does not show in the shapes, and the width {width} is no multiple of {HEAD_WIDTH}: set `--{}`",
            quantity.replace('_', "-")
        ))),
    }
}
