//! One job per file: typed settings in, a summary out. No clap, no printing, no device choice.

mod mapper_embeddings;
pub mod train_mapper;
