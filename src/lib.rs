//! `mindreader` decodes images from fMRI as *Mind Reader* (Lin, Sprague, Singh, NeurIPS 2022) does.
//!
//! The map of the house. A module imports from strictly lower ranks and from its own folder,
//! never from a neighbour of the same rank; `tests/architecture` keeps it so.
//!
//! | rank | module | what lives there |
//! |---|---|---|
//! | 6 | [`cli`] | what the user types: arguments, settings, terminal, exit codes |
//! | 5 | [`commands`] | one subcommand per file or folder: settings in, summary out |
//! | 4 | [`pipelines`] | compositions that several commands share |
//! | 3 | [`training`] | loops, phases, regularisers, checkpoints |
//! | 3 | [`weights`] | import of foreign weights |
//! | 3 | [`phantom`] | a made-up data set in NSD's formats, with known truth |
//! | 2 | [`models`] | networks: no files, no optimisers, no losses |
//! | 2 | [`data`] | from disk to batches: NSD, COCO, prepared subjects, images |
//! | 2 | [`losses`] | tensors in, scalar out |
//! | 2 | [`metrics`] | features and numbers in, numbers out |
//! | 2 | [`report`] | plain data to one HTML file |
//! | 2 | [`run`] | run folders, snapshots, device, event log |
//! | 1 | [`tensor_ops`] | functions on tensors; chooses the kernels |
//! | 1 | [`files`] | inputs enter through one door, outputs appear whole or not at all |
//! | 1 | [`interrupt`] | requests to stop: signals, and who heeds them |
//! | 0 | [`error`] | whose an error is, the user's or the machine's; ranges of settings |
//! | 0 | [`kernels`] | whole steps of a network on the CPU: slices in, slices out, no tensors |
//!
//! The pipeline in one line: `data::nsd` → `data::prepared` → `models::mapper` → `models::stylegan2` → `report`.

// Autodiff over autodiff (R1, path length) nests generic types deeply.
#![recursion_limit = "256"]

pub mod cli;
pub mod commands;
pub mod data;
pub mod error;
pub mod files;
pub mod interrupt;
pub mod kernels;
pub mod losses;
pub mod metrics;
pub mod models;
pub mod phantom;
pub mod pipelines;
pub mod report;
pub mod run;
pub mod tensor_ops;
pub mod training;
pub mod weights;
