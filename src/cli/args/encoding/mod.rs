//! Arguments of the commands about encoders.

mod cycle;
mod encode;

pub use cycle::CycleArgs;
pub use encode::EncodeArgs;
