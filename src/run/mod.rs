//! What every run has: folder, snapshot files, checkpoints, event log, device.

pub mod checkpoint;
mod checkpoint_tensors;
pub mod clock;
pub mod device;
pub mod draft_run;
pub mod error;
pub mod event_log;
pub mod existing_output;
pub mod half_snapshot;
pub mod interrupt;
pub mod memory;
pub mod precision;
pub mod progress;
pub mod run_dir;
pub mod snapshot;
pub mod tensorboard;
pub mod training_log;
pub mod under_way;
