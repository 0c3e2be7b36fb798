//! One job per file: typed settings in, a summary out. No clap, no printing, no device choice.

pub mod microstim;
pub mod phantom;
pub mod reconstruct;
pub mod trial_choice;
