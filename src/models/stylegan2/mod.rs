//! StyleGAN2 conditioned on one or two embeddings.
