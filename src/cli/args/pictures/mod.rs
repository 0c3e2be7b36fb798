//! Arguments of the commands that draw pictures or measure them.

mod evaluate_images;
mod interpolate;
mod microstim;
mod reconstruct;

pub use evaluate_images::EvaluateImagesArgs;
pub use interpolate::InterpolateArgs;
pub use microstim::MicrostimArgs;
pub use reconstruct::ReconstructArgs;
