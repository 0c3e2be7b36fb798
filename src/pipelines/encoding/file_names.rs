//! What the files of encoders are called.

use crate::models::encoder::EncoderKind;

/// Name of the snapshot of a kind in the folder of its run.
pub(crate) fn encoder_file(kind: EncoderKind) -> &'static str {
    match kind {
        EncoderKind::Ridge => "encoder-ridge.safetensors",
        EncoderKind::Paper => "encoder-paper.safetensors",
    }
}
