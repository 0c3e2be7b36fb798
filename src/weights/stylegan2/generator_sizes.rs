//! Sizes of a generator from the shapes of its tensors and the settings of its file.

use serde_json::Value;

use super::second_head::SecondHead;
use super::trunk::{GanHints, channel_rule, conv_clamp, resolution};
use crate::models::stylegan2::{ConditionHeads, GeneratorConfig};
use crate::weights::sizes::{SizeReader, SizesError};

const CONSTANT: &str = "synthesis.b4.const";

pub(super) fn generator_config(
    hints: &GanHints,
    second_head: SecondHead,
    sizes: &mut SizeReader<'_>,
) -> Result<GeneratorConfig, SizesError> {
    let resolution = resolution("synthesis.b", ".conv1.weight", sizes)?;
    let heads = heads(second_head, sizes)?;
    let last_rgb = format!("synthesis.b{resolution}.torgb.weight");
    let z_dim = sizes.read("z_dim", &[("mapping.fc0.weight", 2, 1)])?;
    let w_dim = sizes.read("w_dim", &[("mapping.fc0.weight", 2, 0), ("mapping.w_avg", 1, 0)])?;
    let mapping_layers = sizes.count("mapping_layers", "mapping.fc", ".weight")?;
    for layer in 1..mapping_layers {
        let tensor = format!("mapping.fc{layer}.weight");
        sizes.expect("w_dim", "mapping.fc0.weight", &tensor, &[w_dim, w_dim])?;
    }
    let defaults = GeneratorConfig::default();
    let dim = |quantity: &str, tensor: &str, axis: usize, default: usize, sizes: &mut SizeReader<'_>| {
        if sizes.has(tensor) { sizes.read(quantity, &[(tensor, 2, axis)]) } else { Ok(default) }
    };
    let condition_dim =
        dim("condition_dim", "synthesis.b4.conv1.pre_0.weight", 1, defaults.condition_dim, sizes)?;
    let code_dim = dim("code_dim", "synthesis.b4.conv1.pre_1.weight", 0, defaults.code_dim, sizes)?;
    let second_condition_dim = match heads {
        ConditionHeads::TwoByMaximum => {
            sizes.read("second_condition_dim", &[("synthesis.b4.conv1.pre_01.weight", 2, 1)])?
        }
        ConditionHeads::None | ConditionHeads::One => condition_dim,
    };
    let channels = channels(resolution, sizes)?;
    let stored = [
        &["_init_kwargs.synthesis_kwargs.channel_base"][..],
        &["_init_kwargs.synthesis_kwargs.channel_max"][..],
    ];
    let [channel_base, channel_max] = channel_rule(&channels, stored, sizes)?;
    let clamp_keys = [
        "synthesis.b4.conv1.conv_clamp",
        "_init_kwargs.synthesis_kwargs.conv_clamp",
        "_init_kwargs.conv_clamp",
    ];
    let decay_keys = ["mapping.w_avg_beta", "_init_kwargs.mapping_kwargs.w_avg_beta"];
    let config = GeneratorConfig {
        z_dim,
        w_dim,
        heads,
        condition_dim,
        second_condition_dim,
        code_dim,
        mapping_layers,
        resolution,
        image_channels: sizes.read("image_channels", &[(&last_rgb, 4, 0)])?,
        channel_base,
        channel_max,
        conv_clamp: conv_clamp(hints, &clamp_keys, sizes),
        w_avg_decay: sizes.setting("w_avg_decay", &decay_keys, Value::as_f64).unwrap_or(defaults.w_avg_decay),
    };
    config.validate().map_err(|error| SizesError::Config(error.to_string()))?;
    check_layers(&config, sizes)?;
    Ok(config)
}

/// Which conditions steer the styles. Structures 2, 3 and 4 of the published code; the others are refused.
fn heads(second_head: SecondHead, sizes: &SizeReader<'_>) -> Result<ConditionHeads, SizesError> {
    let of_layer = |name: &str| format!("synthesis.b4.conv1.{name}");
    let has = |name: &str| sizes.has(&of_layer(name));
    let unsupported = |name: &str, reason: &str| {
        Err(SizesError::Unsupported { found: of_layer(name), reason: reason.into() })
    };
    if sizes.has("mapping.embed.weight") {
        let reason = "the network takes class labels, which this program does not have".into();
        return Err(SizesError::Unsupported { found: "mapping.embed.weight".into(), reason });
    }
    if has("scale_layer_0.weight") {
        return unsupported("scale_layer_0.weight", "condition structure 1; only 2, 3 and 4 can be imported");
    }
    let is_two = match (has("pre_0.weight"), has("affine.weight"), has("pre_01.weight")) {
        (true, true, _) => {
            return unsupported("affine.weight", "condition structure 0; only 2, 3 and 4 can be imported");
        }
        (false, _, _) => return Ok(ConditionHeads::None),
        (true, false, is_two) => is_two,
    };
    match (is_two, second_head) {
        (true, SecondHead::Duplicate) => unsupported(
            "pre_01.weight",
            "the network has a second head of its own; `--second-head overwrite` replaces it",
        ),
        (true, SecondHead::AsStored) => Ok(ConditionHeads::TwoByMaximum),
        (true, SecondHead::Overwrite) | (false, _) => Ok(ConditionHeads::One),
    }
}

/// Channels of every resolution with the tensor that tells them.
fn channels(
    resolution: usize,
    sizes: &mut SizeReader<'_>,
) -> Result<Vec<(usize, usize, String)>, SizesError> {
    let first = sizes.read("channels at 4 × 4", &[(CONSTANT, 3, 0)])?;
    let mut channels = vec![(4, first, CONSTANT.to_string())];
    for log in 3..=resolution.ilog2() {
        let resolution = 1 << log;
        let tensor = format!("synthesis.b{resolution}.conv1.weight");
        let [found, ..] = sizes.shape("channels", &tensor, 4)? else { continue };
        channels.push((resolution, *found, tensor));
    }
    Ok(channels)
}

/// Checks the large tensors of every layer, so that a file of few bytes cannot ask for a large network.
fn check_layers(config: &GeneratorConfig, sizes: &SizeReader<'_>) -> Result<(), SizesError> {
    let code_dim = if config.heads == ConditionHeads::None { 0 } else { config.code_dim };
    let affine = if config.heads == ConditionHeads::None { "affine" } else { "affine_0" };
    for log in 2..=config.resolution.ilog2() {
        let resolution = 1 << log;
        let channels = config.channels(resolution);
        let inputs = if log == 2 { channels } else { config.channels(resolution / 2) };
        let layers =
            [("conv0", inputs, [channels, inputs, 3, 3]), ("conv1", channels, [channels, channels, 3, 3])];
        let rgb = ("torgb", channels, [config.image_channels, channels, 1, 1]);
        // The block of 4 × 4 begins with the constant and has no first convolution.
        for (layer, inputs, shape) in layers.into_iter().skip(usize::from(log == 2)).chain([rgb]) {
            let name = |part: &str| format!("synthesis.b{resolution}.{layer}.{part}weight");
            sizes.expect("channels", CONSTANT, &name(""), &shape)?;
            let style = format!("{affine}.");
            sizes.expect(
                "code_dim + w_dim",
                "mapping.fc0.weight",
                &name(&style),
                &[inputs, code_dim + config.w_dim],
            )?;
            let parts = [("pre_0.", "pre_1."), ("pre_01.", "pre_11.")];
            for (dim, (hidden, code)) in config.condition_dims().into_iter().zip(parts) {
                // The hidden layer of a head is as wide as the mean of what it takes and gives.
                let width = (dim + config.code_dim) / 2;
                let told_by = format!("synthesis.b4.conv1.{hidden}weight");
                sizes.expect("condition_dim", &told_by, &name(hidden), &[width, dim])?;
                sizes.expect("code_dim", &told_by, &name(code), &[config.code_dim, width])?;
            }
        }
    }
    Ok(())
}
