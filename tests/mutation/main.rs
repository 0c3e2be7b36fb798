//! The binary against hostile input: whatever file, setting, device or signal it meets, it ends in time, with one of its exit
//! codes, without a panic.
//!
//! Every trial has a number from which all its choices follow. `MINDREADER_MUTATION_SECONDS` says how long trials are begun (12
//! seconds by default, for continuous integration), `MINDREADER_MUTATION_FIRST` which number is the first, and
//! `MINDREADER_MUTATION_ONLY` repeats one trial. `MINDREADER_MUTATION_BINARY` names another binary than the one built beside the
//! test, an optimised one for example.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bytes;
mod files;
mod json;
mod project;
mod settings;
mod signals;
mod snapshots;
mod table;
mod trial;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{SeedableRng, rngs::ChaCha12Rng};

use project::Project;
use table::Table;
use trial::Trial;

/// Trials at a time.
const WORKERS: usize = 2;
/// How long trials are begun where the environment does not say.
const SECONDS: u64 = 12;

/// What a kind of trial does to a copy of the project.
type Kind = fn(&Project, &mut ChaCha12Rng) -> Trial;

/// In turn: trial `n` is of kind `n` modulo their number.
const KINDS: &[(&str, Kind)] = &[
    ("snapshot metadata", snapshots::metadata),
    ("setting", settings::setting),
    ("snapshot header", snapshots::header),
    ("file", files::any),
    ("flag", settings::flag),
    ("checkpoint", files::checkpoint),
    ("prepared file", files::prepared),
    ("setting", settings::setting),
    ("signal", signals::signal),
    ("snapshot metadata", snapshots::metadata),
    ("device", settings::device),
    ("JSON file", files::json),
    ("file", files::any),
    ("images", files::images),
    ("kill and resume", signals::kill),
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a whole number"))
}

/// Trial `number`, on a copy of its own.
fn run(number: u64, made: &Project, table: &Mutex<Table>) {
    let (name, kind) = KINDS[(number % KINDS.len() as u64) as usize];
    let folder = tempfile::tempdir().unwrap();
    let copy = made.copy(folder.path());
    let trial = kind(&copy, &mut ChaCha12Rng::seed_from_u64(number));
    let ends = trial.run(folder.path());
    table.lock().unwrap().add(number, name, &trial, ends);
}

#[test]
fn no_input_makes_it_panic_abort_or_hang() {
    let root = tempfile::tempdir().unwrap();
    let made = Project::make(root.path());
    let table = Mutex::new(Table::default());
    if let Some(only) = number("MINDREADER_MUTATION_ONLY") {
        run(only, &made, &table);
    } else {
        let limit = Duration::from_secs(number("MINDREADER_MUTATION_SECONDS").unwrap_or(SECONDS));
        let next = AtomicU64::new(number("MINDREADER_MUTATION_FIRST").unwrap_or(0));
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while started.elapsed() < limit {
                        run(next.fetch_add(1, Ordering::Relaxed), &made, &table);
                    }
                });
            }
        });
    }
    let table = table.into_inner().unwrap();
    println!("{table}");
    assert!(table.faults().is_empty(), "{}", table.faults().join("\n"));
}
