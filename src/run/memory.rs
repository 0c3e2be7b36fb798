//! Whether what a run must hold fits into the machine, by arithmetic before anything is allocated: memory that is not there ends
//! a program without a word.

use std::path::Path;

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::device::{DeviceChoice, probe_gpus};
use crate::error::SettingError;
use crate::files::{InputKind, read_text};

/// Bytes of a value of a network in training: itself, its gradient and two moments.
const BYTES_IN_TRAINING: u128 = 16;
/// Bytes of a value in single precision.
const BYTES_OF_VALUE: u128 = 4;
/// More than any GPU has, in bytes.
const MOST_OF_A_GPU: u128 = 1 << 40;

/// The least that a training holds, whatever the library adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Values of the networks.
    pub parameters: u128,
    /// Values of the activations of one batch.
    pub activations: u128,
    /// Bytes of images that stay in memory.
    pub images: u128,
}

impl Need {
    /// Refuses sizes that cannot fit; `keys` are those of the networks and of the batch in the settings file.
    ///
    /// # Errors
    /// [`SettingError`] that names the key, the least need and what is there.
    pub fn check(&self, keys: [&str; 2], device: DeviceChoice) -> Result<(), SettingError> {
        self.check_against(keys, available(device))
    }

    /// Bytes of all of it.
    pub fn least_bytes(&self) -> u128 {
        let [weights, rest] = self.parts();
        weights.saturating_add(rest)
    }

    /// Bytes of the networks, and of what a batch adds.
    fn parts(&self) -> [u128; 2] {
        let rest = self.activations.saturating_mul(BYTES_OF_VALUE).saturating_add(self.images);
        [self.parameters.saturating_mul(BYTES_IN_TRAINING), rest]
    }

    fn check_against(&self, [network, batch]: [&str; 2], available: u128) -> Result<(), SettingError> {
        let [weights, rest] = self.parts();
        let whole = weights.saturating_add(rest);
        if whole <= available {
            return Ok(());
        }
        let key = if weights >= rest { network } else { batch };
        let found = format!("sizes that need at least {} of memory", gigabytes(whole));
        Err(SettingError::new(key, format!("at most the {} that are there", gigabytes(available)), found))
    }
}

/// The least that some work other than a training holds in the memory of the machine.
#[derive(Clone, Debug)]
pub struct WorkingMemory {
    /// Key of the setting that decides the size.
    pub key: &'static str,
    /// What needs the memory, with its numbers.
    pub what: String,
    /// Bytes.
    pub bytes: u128,
    /// What needs less.
    pub advice: &'static str,
}

impl WorkingMemory {
    /// Refuses what cannot fit.
    ///
    /// # Errors
    /// [`SettingError`] that names the key, the least need, what is there, and what would need less.
    pub fn check(&self) -> Result<(), SettingError> {
        self.check_against(available(DeviceChoice::Cpu))
    }

    fn check_against(&self, available: u128) -> Result<(), SettingError> {
        let Self { key, what, bytes, advice } = self;
        if *bytes <= available {
            return Ok(());
        }
        let found = format!("{what}, which need at least {} of memory", gigabytes(*bytes));
        let expected = format!("at most the {} that are there; {advice}", gigabytes(available));
        Err(SettingError::new(key, expected, found))
    }
}

/// The most memory that the program holds from some moment on.
#[derive(Debug)]
pub struct PeakMemory(());

impl PeakMemory {
    /// From now on. Where the system cannot begin anew, what was held before counts, too.
    pub fn from_now() -> Self {
        if std::fs::write("/proc/self/clear_refs", "5").is_err() {
            // Then it is the peak since the program was started.
        }
        Self(())
    }

    /// The most until now, in bytes; none where the system does not tell.
    pub fn bytes(&self) -> Option<u64> {
        let text = read_text(Path::new("/proc/self/status"), InputKind::Text).ok()?;
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }
}

fn gigabytes(bytes: u128) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// Memory of the machine or of the container that the program runs in, in bytes; of a GPU only the most that any has.
fn available(device: DeviceChoice) -> u128 {
    let is_gpu = match device {
        DeviceChoice::Cpu => false,
        DeviceChoice::Cuda(_) => true,
        DeviceChoice::Auto => probe_gpus().count > 0,
    };
    if is_gpu {
        return MOST_OF_A_GPU;
    }
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what);
    let total = system.cgroup_limits().map_or(system.total_memory(), |limits| limits.total_memory);
    // Where the system does not say: no limit but one.
    if total == 0 { MOST_OF_A_GPU } else { total.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_fit_is_refused_by_the_larger_part() {
        let keys = ["a.network", "a.batch_size"];
        let need = Need { parameters: 1_000_000, activations: 1_000_000, images: 0 };
        assert_eq!(need.check_against(keys, 20_000_000), Ok(()));
        let error = need.check_against(keys, 19_999_999).unwrap_err().to_string();
        let expected = "`a.network`: found sizes that need at least 0.0 GB of memory, expected at most the 0.0 GB that are there";
        assert_eq!(error, expected);
        let batch = Need { activations: 1 << 60, ..need };
        assert_eq!(batch.check_against(keys, 1 << 40).unwrap_err().key(), "a.batch_size");
        let absurd = Need { parameters: u128::MAX, activations: u128::MAX, images: u128::MAX };
        assert_eq!(absurd.check(keys, DeviceChoice::Cpu).unwrap_err().key(), "a.network");
    }

    #[test]
    fn work_that_cannot_fit_is_refused_with_what_would_need_less() {
        let work = |bytes| WorkingMemory {
            key: "a.limit",
            what: "7 images".into(),
            bytes,
            advice: "fewer images need less",
        };
        assert_eq!(work(1_000_000_000).check_against(1_000_000_000), Ok(()));
        let error = work(2_000_000_000).check_against(1_000_000_000).unwrap_err().to_string();
        let expected = "`a.limit`: found 7 images, which need at least 2.0 GB of memory, expected at most the 1.0 GB that are there; \
                        fewer images need less";
        assert_eq!(error, expected);
        assert!(work(u128::MAX).check().is_err());
    }

    #[test]
    fn this_machine_has_some_memory_and_not_everything() {
        let found = available(DeviceChoice::Cpu);
        assert!((1 << 28..1 << 44).contains(&found), "{found}");
    }
}
