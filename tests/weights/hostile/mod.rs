//! Hostile and damaged files: each ends in one clear error, soon and without much memory.

mod archives;
mod containers;
mod legacy;
mod network_pickles;
mod pickles;
mod safetensors;
mod state_dicts;
mod tensors;

use std::time::{Duration, Instant};

use mindreader::weights::readers::read_foreign;

use crate::memory;

/// What it is, its bytes, and what its error says.
struct Hostile(&'static str, Vec<u8>, &'static str);

const MAX_TIME: Duration = Duration::from_secs(1);

/// Time that this thread has computed; elsewhere than on Linux, time that has passed.
fn processor_time() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let scheduled = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = scheduled.and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Memory that a file may take: what the limits allow to any file, and values that are larger than their opcodes.
fn max_bytes(size: usize) -> usize {
    (64 << 20) + 256 * size
}

fn check(files: Vec<Hostile>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    for Hostile(what, bytes, says) in files {
        std::fs::write(&path, &bytes).unwrap();
        let start = processor_time();
        let (read, taken) = memory::peak_of(|| read_foreign(&path));
        let time = processor_time().saturating_sub(start);
        let error = read.expect_err(what).to_string();
        assert!(error.contains(says), "{what}: `{says}` is not in: {error}");
        assert!(error.contains("weights`: ") && error.contains(", expected "), "{what}: {error}");
        assert!(!error.contains('\n') && error.chars().count() < 1000, "{what}: {error}");
        assert!(time < MAX_TIME, "{what} took {time:?}");
        assert!(taken <= max_bytes(bytes.len()), "{what}: {taken} bytes for a file of {}", bytes.len());
    }
}
