//! Mutated files: whatever bytes change, a reader answers with an error or with tensors, soon, and never panics.
//!
//! `MINDREADER_FUZZ_SECONDS` is the time for each parser (default 12); all parsers run beside each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mindreader::weights::readers::parse_foreign;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

use crate::memory;
use crate::small_files;

const DEFAULT_SECONDS: f64 = 12.0;
const MAX_TIME: Duration = Duration::from_secs(2);
/// What one input may take: three times what the limits of a tiny file allow.
const MAX_BYTES: usize = 32 << 20;
/// Numbers that lengths and counts are replaced by.
const EXTREMES: &[u64] = &[
    0,
    1,
    2,
    4,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    u64::MAX >> 1,
    u64::MAX,
];

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..8) {
            0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = random.random(),
            3 => {
                // A length field of one, two, four or eight bytes.
                let width = 1 << random.random_range(0..4);
                let value = EXTREMES[random.random_range(0..EXTREMES.len())].to_le_bytes();
                for (byte, new) in bytes[at..].iter_mut().zip(&value[..width]) {
                    *byte = *new;
                }
            }
            4 => bytes.truncate(at),
            5 => {
                // A piece of this file or another one, put in between.
                let donor = &others[random.random_range(0..others.len())];
                let from = random.random_range(0..donor.len());
                let length = random.random_range(0..=64.min(donor.len() - from));
                bytes.splice(at..at, donor[from..from + length].iter().copied());
            }
            6 => {
                let end = (at + random.random_range(0..32)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + random.random_range(1..32)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                for _ in 0..random.random_range(1..8) {
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
        }
    }
}

/// Checksums would hide everything behind them: the archives of the test have none.
fn without_checksums(bytes: &mut [u8]) {
    for at in 0..bytes.len().saturating_sub(20) {
        if bytes[at..].starts_with(b"PK\x03\x04") {
            bytes[at + 14..at + 18].fill(0);
        } else if bytes[at..].starts_with(b"PK\x01\x02") {
            bytes[at + 16..at + 20].fill(0);
        }
    }
}

/// Inputs tried and how many of them were still read.
fn fuzz(format: &str, seed: u64, time: Duration) -> (u64, u64) {
    let mut files: Vec<Vec<u8>> = small_files::all().map(|(_, bytes)| bytes).to_vec();
    files.iter_mut().for_each(|bytes| without_checksums(bytes));
    let index = small_files::all().iter().position(|(name, _)| *name == format).unwrap();
    let (mut tried, mut accepted) = (0, 0);
    let end = Instant::now() + time;
    while Instant::now() < end {
        // Every input has a seed of its own, so that a failure can be made again.
        let mut random = ChaCha8Rng::seed_from_u64(seed + tried);
        let mut bytes = files[index].clone();
        mutate(&mut bytes, &files, &mut random);
        let start = Instant::now();
        let (outcome, taken) =
            memory::peak_of(|| catch_unwind(AssertUnwindSafe(|| parse_foreign(&bytes).is_ok())));
        let elapsed = start.elapsed();
        if outcome.is_err() || elapsed > MAX_TIME || taken > MAX_BYTES {
            let path = std::env::temp_dir().join(format!("mindreader-fuzz-{format}-{}", seed + tried));
            std::fs::write(&path, &bytes).unwrap();
            let panicked = if outcome.is_err() { "a panic, " } else { "" };
            panic!(
                "{format}, seed {}: {panicked}{elapsed:?}, {taken} bytes; the input is {}",
                seed + tried,
                path.display()
            );
        }
        accepted += u64::from(outcome.unwrap_or(false));
        tried += 1;
    }
    (tried, accepted)
}

#[test]
fn mutated_files_never_panic() {
    let seconds = std::env::var("MINDREADER_FUZZ_SECONDS").map_or(DEFAULT_SECONDS, |text| {
        text.parse().expect("MINDREADER_FUZZ_SECONDS is a number of seconds")
    });
    let time = Duration::from_secs_f64(seconds);
    // A longer run must not repeat a shorter one.
    let base = std::env::var("MINDREADER_FUZZ_SEED").map_or(0, |text| text.parse().expect("a seed"));
    std::thread::scope(|scope| {
        let running: Vec<_> = small_files::all()
            .into_iter()
            .enumerate()
            .map(|(index, (format, _))| {
                (format, scope.spawn(move || fuzz(format, base + ((index as u64) << 40), time)))
            })
            .collect();
        for (format, thread) in running {
            let (tried, accepted) = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            println!("{format}: {tried} inputs in {seconds} s, {accepted} of them still valid");
            assert!(seconds < 1.0 || tried > 1000, "{format}: only {tried} inputs");
        }
    });
}

#[test]
fn the_same_seed_makes_the_same_input() {
    let files: Vec<Vec<u8>> = small_files::all().map(|(_, bytes)| bytes).to_vec();
    let input = |seed| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = files[0].clone();
        mutate(&mut bytes, &files, &mut random);
        (bytes, random.next_u64())
    };
    assert_eq!(input(5), input(5));
    assert_ne!(input(5), input(6));
}
