//! Arguments of the commands that draw pictures or measure them.

mod evaluate_images;
mod microstim;
mod reconstruct;

pub use evaluate_images::EvaluateImagesArgs;
pub use microstim::MicrostimArgs;
pub use reconstruct::ReconstructArgs;
