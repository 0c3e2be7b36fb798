//! Which container a file is, by its first bytes; names and extensions say nothing.

use crate::error::Fault;

/// Containers that differ in their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Safetensors,
    /// `torch.save` or `torch.jit.save`: the entries tell.
    Zip,
    /// A pickle that starts with the number of `torch.save` before 1.6.
    TorchLegacy,
    /// Any other pickle.
    Pickle,
}

/// PROTO 2, LONG1 of ten bytes: 0x1950a86a20f9469cfc6c.
pub(super) const LEGACY_MAGIC: &[u8] =
    &[0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// First bytes of what people have in place of weights.
const STRANGERS: &[(&[u8], &str, &str)] = &[
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (b"<", "a web page", "the download failed; fetch the file again"),
    (b"\x1f\x8b", "a gzip file", "unpack it first"),
    (b"\x89HDF", "an HDF5 file", "save the state dict with PyTorch"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"GGUF", "a GGUF file", "take the safetensors or PyTorch file"),
    (b"\x93NUMPY", "a NumPy array", "save the state dict with PyTorch"),
];

/// The container of a file with these bytes.
///
/// # Errors
/// A fault that says what the file looks like instead.
pub(super) fn detect(bytes: &[u8]) -> Result<Container, Fault> {
    let refuse = |found: &str, hint: Option<&str>| {
        let fault = Fault::new(
            "container",
            "safetensors, a PyTorch file (zip, legacy or TorchScript) or a StyleGAN2 network pickle",
            found,
        );
        Err(match hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        })
    };
    if bytes.is_empty() {
        return refuse("an empty file", None);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Ok(Container::Zip);
    }
    if bytes.starts_with(LEGACY_MAGIC) {
        return Ok(Container::TorchLegacy);
    }
    // A safetensors file begins with the length of its header, which may look like a pickle's first bytes: `{` in the
    // ninth byte tells it.
    if let [0x80, protocol, ..] = bytes
        && *protocol < 0x20
        && bytes.get(8) != Some(&b'{')
    {
        return Ok(Container::Pickle);
    }
    if bytes.get(8) == Some(&b'{') {
        return Ok(Container::Safetensors);
    }
    for (start, found, hint) in STRANGERS {
        if bytes.starts_with(start) {
            return refuse(found, Some(hint));
        }
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return refuse("a tar archive", Some("unpack it first; PyTorch before 0.1.10 is not supported"));
    }
    if matches!(bytes[0], b'(' | b'c' | b'}' | b']') && bytes.ends_with(b".") {
        return refuse("a pickle of protocol 0 or 1", Some("write it again with protocol 2 or later"));
    }
    refuse("unknown", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        assert_eq!(detect(b"PK\x03\x04").unwrap(), Container::Zip);
        assert_eq!(detect(LEGACY_MAGIC).unwrap(), Container::TorchLegacy);
        assert_eq!(detect(b"\x80\x04\x95").unwrap(), Container::Pickle);
        // A header of 640 bytes starts like a pickle of protocol 2.
        assert_eq!(detect(b"\x80\x02\0\0\0\0\0\0{\"").unwrap(), Container::Safetensors);
        assert!(detect(b"<!DOCTYPE html>").unwrap_err().found.contains("web page"));
        assert!(detect(b"(dp0\n.").unwrap_err().found.contains("protocol 0"));
        assert_eq!(detect(b"").unwrap_err().found, "an empty file");
        assert_eq!(detect(b"noise").unwrap_err().found, "unknown");
    }
}
