//! What `pretrain-gan` and `finetune-gan` share: conditions, data, starting networks, sample sheets, measured snapshots.

pub(crate) mod conditions;
pub(crate) mod data;
pub(crate) mod distance;
pub(crate) mod mapper_targets;
pub(crate) mod observers;
pub(crate) mod origin;
pub(crate) mod place;
pub(crate) mod pretraining_data;
pub(crate) mod sample_sheet;
pub mod snapshot_config;
pub mod snapshots;
pub(crate) mod starting_gan;
