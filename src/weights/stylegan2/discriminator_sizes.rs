//! Sizes of a discriminator from the shapes of its tensors and the settings of its file.

use serde_json::Value;

use super::second_head::SecondHead;
use super::trunk::{GanHints, channel_rule, conv_clamp, resolution};
use crate::models::stylegan2::{ConditionHeads, DiscriminatorConfig, HeadNormalisation, ProjectionTerm};
use crate::weights::sizes::{SizeReader, SizesError, agree, as_count};

pub(super) fn discriminator_config(
    hints: &GanHints,
    second_head: SecondHead,
    sizes: &mut SizeReader<'_>,
) -> Result<DiscriminatorConfig, SizesError> {
    let resolution = resolution("b", ".fromrgb.weight", sizes)?;
    let from_rgb = format!("b{resolution}.fromrgb.weight");
    let heads = heads(second_head, sizes)?;
    let mut channels =
        vec![(4, sizes.read("channels at 4 × 4", &[("b4.fc.weight", 2, 0)])?, "b4.fc.weight".into())];
    for log in 3..=resolution.ilog2() {
        let tensor = format!("b{}.conv0.weight", 1 << log);
        let [found, ..] = sizes.shape("channels", &tensor, 4)? else { continue };
        channels.push((1 << log, *found, tensor));
    }
    let stored = [&["_init_kwargs.channel_base"][..], &["_init_kwargs.channel_max"][..]];
    let [channel_base, channel_max] = channel_rule(&channels, stored, sizes)?;
    let width = channels.first().map_or(0, |(_, width, _)| *width);
    let with_deviation = sizes.read("mbstd_channels", &[("b4.conv.weight", 4, 1)])?;
    // The channels of the minibatch deviation lie behind the others.
    let Some(mbstd_channels) = with_deviation.checked_sub(width) else {
        agree("channels at 4 × 4", ("b4.fc.weight", width), ("b4.conv.weight", with_deviation))?;
        return Err(SizesError::Config("`b4.conv.weight` has too few channels".into()));
    };
    let dim = |tensor: &str, sizes: &mut SizeReader<'_>| sizes.read("condition_dim", &[(tensor, 2, 0)]);
    let condition_dim = match heads {
        ConditionHeads::None => DiscriminatorConfig::default().condition_dim,
        ConditionHeads::One | ConditionHeads::TwoByMaximum => dim("b4.fts.weight", sizes)?,
    };
    let second_condition_dim = match heads {
        ConditionHeads::TwoByMaximum => dim("b4.fts2.weight", sizes)?,
        ConditionHeads::None | ConditionHeads::One => condition_dim,
    };
    let clamp_keys = ["b4.conv.conv_clamp", "_init_kwargs.conv_clamp"];
    let config = DiscriminatorConfig {
        heads,
        condition_dim,
        second_condition_dim,
        projection: projection(sizes),
        head_normalisation: head_normalisation(hints, sizes),
        resolution,
        image_channels: sizes.read("image_channels", &[(&from_rgb, 4, 1)])?,
        channel_base,
        channel_max,
        conv_clamp: conv_clamp(hints, &clamp_keys, sizes),
        mbstd_group: mbstd_group(hints, sizes),
        mbstd_channels,
    };
    config.validate().map_err(|error| SizesError::Config(error.to_string()))?;
    check_layers(&config, sizes)?;
    Ok(config)
}

fn heads(second_head: SecondHead, sizes: &SizeReader<'_>) -> Result<ConditionHeads, SizesError> {
    if sizes.has("mapping.fc0.weight") {
        let reason = "the network takes class labels, which this program does not have".into();
        return Err(SizesError::Unsupported { found: "mapping.fc0.weight".into(), reason });
    }
    match (sizes.has("b4.fts.weight"), sizes.has("b4.fts2.weight"), second_head) {
        (false, ..) => Ok(ConditionHeads::None),
        (true, true, SecondHead::AsStored) => Ok(ConditionHeads::TwoByMaximum),
        (true, true, SecondHead::Duplicate) => Err(SizesError::Unsupported {
            found: "b4.fts2.weight".into(),
            reason: "the network has a second head of its own; `--second-head overwrite` replaces it".into(),
        }),
        (true, ..) => Ok(ConditionHeads::One),
    }
}

/// The published switch `use_fts` turns heads and projection off together.
fn projection(sizes: &mut SizeReader<'_>) -> ProjectionTerm {
    let keys = ["b4.use_fts", "use_fts", "_init_kwargs.use_fts"];
    match sizes.setting("use_fts", &keys, Value::as_bool) {
        Some(false) => ProjectionTerm::Off,
        Some(true) | None => ProjectionTerm::default(),
    }
}

fn head_normalisation(hints: &GanHints, sizes: &mut SizeReader<'_>) -> HeadNormalisation {
    let keys = ["b4.use_norm", "use_norm", "_init_kwargs.use_norm", "_init_kwargs.epilogue_kwargs.use_norm"];
    match (sizes.setting("use_norm", &keys, Value::as_bool), hints.head_normalisation) {
        (Some(true), _) => HeadNormalisation::UnitNorm,
        (Some(false), _) => HeadNormalisation::Off,
        (None, Some(hint)) => hint,
        (None, None) => {
            sizes.assume("head_normalisation off: the file does not tell (`--unit-heads`)");
            HeadNormalisation::Off
        }
    }
}

fn mbstd_group(hints: &GanHints, sizes: &mut SizeReader<'_>) -> usize {
    let keys = ["b4.mbstd.group_size", "_init_kwargs.epilogue_kwargs.mbstd_group_size"];
    let published = DiscriminatorConfig::default().mbstd_group;
    sizes.setting("mbstd_group", &keys, as_count).or(hints.mbstd_group).unwrap_or_else(|| {
        sizes.assume(format!("mbstd_group {published}, as in the published networks (`--mbstd-group`)"));
        published
    })
}

/// Checks the large tensors, so that a file of few bytes cannot ask for a large network.
fn check_layers(config: &DiscriminatorConfig, sizes: &SizeReader<'_>) -> Result<(), SizesError> {
    for log in 3..=config.resolution.ilog2() {
        let resolution = 1 << log;
        let (inputs, outputs) = (config.channels(resolution), config.channels(resolution / 2));
        let [told_by, conv1, skip] =
            ["conv0", "conv1", "skip"].map(|layer| format!("b{resolution}.{layer}.weight"));
        sizes.expect("channels", &told_by, &told_by, &[inputs, inputs, 3, 3])?;
        sizes.expect("channels", &told_by, &conv1, &[outputs, inputs, 3, 3])?;
        sizes.expect("channels", &told_by, &skip, &[outputs, inputs, 1, 1])?;
    }
    let width = config.channels(4);
    // The last features are flattened: every channel has 4 × 4 positions.
    sizes.expect("channels at 4 × 4", "b4.fc.weight", "b4.fc.weight", &[width, 16 * width])?;
    sizes.expect(
        "channels at 4 × 4",
        "b4.fc.weight",
        "b4.conv.weight",
        &[width, width + config.mbstd_channels, 3, 3],
    )?;
    for (tensor, dim) in ["b4.fts.weight", "b4.fts2.weight"].into_iter().zip(config.condition_dims()) {
        sizes.expect("channels at 4 × 4", "b4.fc.weight", tensor, &[dim, width])?;
    }
    Ok(())
}
