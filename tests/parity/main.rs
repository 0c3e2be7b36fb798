//! Values, gradients and optimiser steps against an independent implementation (`tests/golden`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::single_range_in_vec_init)]
#![recursion_limit = "256"]

mod augment;
mod clip;
mod discriminator;
mod foreign_weights;
mod frechet;
mod full_width;
mod gan_terms;
mod generator;
#[allow(dead_code, reason = "every set uses its own part of the reader")]
mod golden;
mod identification;
mod losses;
mod mapper;
mod metrics;
mod numeric_slope;
mod optim;
mod penalty_numeric;
mod preprocess;
mod resnet;
mod retrieval;
mod sg2_ops;
mod stylegan2_weights;
mod tangent;
mod tensorboard;
mod tokenizer;
mod vicreg_numeric;
