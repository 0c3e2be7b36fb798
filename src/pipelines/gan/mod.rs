//! What `pretrain-gan` and `finetune-gan` share: conditions, data, starting networks, sample sheets, measured snapshots.

pub(crate) mod conditions;
pub(crate) mod data;
pub(crate) mod distance;
pub(crate) mod mapper_targets;
pub(crate) mod pretraining_data;
pub(crate) mod sample_sheet;
pub mod snapshots;
