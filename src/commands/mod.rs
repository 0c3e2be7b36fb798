//! One job per file: typed settings in, a summary out. No clap, no printing, no device choice.

pub mod pretrain_clip;
pub mod screen_captions;

#[cfg(test)]
mod clip_commands_test;
