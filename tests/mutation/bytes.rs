//! Damage to bytes of which nothing is known.

use std::io::{Read, Write};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use rand::{RngExt, rngs::ChaCha12Rng};

/// Changes the bytes, and says how.
pub fn damage(bytes: &mut Vec<u8>, rng: &mut ChaCha12Rng) -> String {
    if bytes.is_empty() {
        bytes.extend([0; 8]);
        return "eight zeros".into();
    }
    let len = bytes.len();
    // Sizes and types stand in front.
    let front = len.min(if rng.random_bool(0.5) { 256 } else { len });
    match rng.random_range(0..8) {
        0 => {
            bytes.truncate(rng.random_range(0..len));
            format!("cut to {} of {len} bytes", bytes.len())
        }
        1 => {
            let more = bytes.clone();
            bytes.extend(more);
            "twice".into()
        }
        2 => {
            let from = rng.random_range(0..len);
            let end = len.min(from + 64);
            bytes[from..end].fill(if rng.random_bool(0.5) { 0 } else { 0xff });
            format!("bytes {from} to {end} filled")
        }
        3 => {
            // A number of four or eight bytes.
            let at = rng.random_range(0..front);
            let value: u64 =
                [u64::MAX, i64::MAX as u64, 1 << 31, 1 << 40, 0, 100_000][rng.random_range(0..6)];
            let width = if rng.random_bool(0.5) { 4 } else { 8 };
            let end = len.min(at + width);
            let value = if rng.random_bool(0.5) { value.to_le_bytes() } else { value.to_be_bytes() };
            bytes[at..end].copy_from_slice(&value[..end - at]);
            format!("{value:?} at {at}")
        }
        _ => {
            let count = rng.random_range(1..=16);
            for _ in 0..count {
                let at = rng.random_range(0..front);
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
            format!("{count} bits flipped in the first {front} bytes")
        }
    }
}

/// As [`damage`], half of the time inside of the gzip stream.
pub fn damage_gzip(bytes: &mut Vec<u8>, rng: &mut ChaCha12Rng) -> String {
    let mut inside = Vec::new();
    if rng.random_bool(0.5) || MultiGzDecoder::new(&bytes[..]).read_to_end(&mut inside).is_err() {
        return damage(bytes, rng);
    }
    let what = damage(&mut inside, rng);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&inside).unwrap();
    *bytes = packed.finish().unwrap();
    format!("inside of the stream: {what}")
}
