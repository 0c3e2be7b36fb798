//! Sizes that generator and discriminator share: resolutions, the channel rule, the bound on activations.

use serde_json::Value;

use crate::models::stylegan2::HeadNormalisation;
use crate::weights::sizes::{SizeReader, SizesError, agree, as_count};

/// Largest image that the program knows.
const MAX_RESOLUTION: usize = 4096;

/// What shapes cannot tell; unset where the caller does not know either.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GanHints {
    /// Bound on the magnitude of activations; 0 for none.
    pub conv_clamp: Option<f64>,
    /// Scale of the discriminator's semantic heads.
    pub head_normalisation: Option<HeadNormalisation>,
    /// Samples per group of the minibatch deviation.
    pub mbstd_group: Option<usize>,
}

/// The largest resolution with `{prefix}{resolution}{suffix}`.
pub(super) fn resolution(
    prefix: &str,
    suffix: &str,
    sizes: &mut SizeReader<'_>,
) -> Result<usize, SizesError> {
    let found = (3..=MAX_RESOLUTION.ilog2())
        .map(|log| 1 << log)
        .rfind(|resolution| sizes.has(&format!("{prefix}{resolution}{suffix}")));
    match found {
        Some(resolution) => {
            sizes.note("resolution", resolution, &format!("{prefix}{resolution}{suffix}"));
            Ok(resolution)
        }
        None => {
            Err(SizesError::Missing { tensor: format!("{prefix}8{suffix}"), quantity: "resolution".into() })
        }
    }
}

/// `channel_base` and `channel_max` behind the channels of every resolution, smallest first: channels are
/// `min(base / resolution, max)`.
pub(super) fn channel_rule(
    channels: &[(usize, usize, String)],
    stored: [&[&str]; 2],
    sizes: &mut SizeReader<'_>,
) -> Result<[usize; 2], SizesError> {
    let largest = channels.iter().max_by_key(|(_, channels, _)| *channels);
    let Some((_, channel_max, max_told_by)) = largest else {
        return Err(SizesError::Config("no resolution has channels".into()));
    };
    let [base_keys, max_keys] = stored;
    let channel_max = sizes.setting("channel_max", max_keys, as_count).unwrap_or(*channel_max);
    // Below the limit a resolution tells the base exactly; where none does, any base that is large enough.
    let below = channels.iter().find(|(_, channels, _)| *channels < channel_max);
    let smallest_base = channels.last().map_or(0, |(resolution, ..)| resolution.saturating_mul(channel_max));
    let from_shapes =
        below.map_or(smallest_base, |(resolution, channels, _)| resolution.saturating_mul(*channels));
    let channel_base = sizes.setting("channel_base", base_keys, as_count).unwrap_or(from_shapes);
    let told_by = below.map_or(max_told_by, |(.., tensor)| tensor);
    for (resolution, found, tensor) in channels {
        let expected = (channel_base / resolution).min(channel_max);
        agree(&format!("channels at {resolution} × {resolution}"), (told_by, expected), (tensor, *found))?;
    }
    sizes.note("channel_base", channel_base, told_by);
    sizes.note("channel_max", channel_max, max_told_by);
    Ok([channel_base, channel_max])
}

/// The bound on activations: of the file, else of the caller, else the published networks'.
pub(super) fn conv_clamp(hints: &GanHints, keys: &[&str], sizes: &mut SizeReader<'_>) -> f64 {
    // None of Python is no bound.
    let as_bound = |value: &Value| if value.is_null() { Some(0.0) } else { value.as_f64() };
    if let Some(bound) = sizes.setting("conv_clamp", keys, as_bound) {
        return bound;
    }
    if let Some(bound) = hints.conv_clamp {
        return bound;
    }
    if sizes.has_settings("_init_kwargs") {
        sizes.assume("conv_clamp 0: the file lists its settings and has no bound");
        return 0.0;
    }
    const PUBLISHED: f64 = 256.0;
    sizes.assume(format!(
        "conv_clamp {PUBLISHED}, as in the published networks: a state dict does not tell (`--conv-clamp`)"
    ));
    PUBLISHED
}
