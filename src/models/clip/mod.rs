//! CLIP (Radford et al. 2021): vision and text transformer, tokenizer, preprocessing.
