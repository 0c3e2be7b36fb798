//! Time of encoding 32 images with CLIP ViT-B/32 on the CPU.
//!
//! `cargo bench --bench clip -- FOLDER`; weights, input and output are written to FOLDER, see `scripts/bench.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod turns;

use burn::tensor::Tensor;
use mindreader::models::clip::ClipConfig;
use mindreader::run::snapshot::{CLIP_KIND, save_snapshot};
use mindreader::tensor_ops::backend::{Base, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};

const BATCH: usize = 32;

fn main() {
    let device = cpu();
    let config = ClipConfig::vit_b_32();
    let clip = config.init::<Base>(1, &device).unwrap();
    let pixels: Tensor<Base, 4> = normal([BATCH, 3, 224, 224], &mut keyed_rng(2, "pixels", 0), &device);
    if let Some(folder) = turns::folder() {
        std::fs::create_dir_all(&folder).unwrap();
        let weights = folder.join("clip.safetensors");
        save_snapshot(&weights, CLIP_KIND, &config, &"random", &clip).unwrap();
        let output = clip.encode_image(pixels.clone());
        let arrays = [
            ("pixels", pixels.dims().to_vec(), pixels.to_data()),
            ("embeddings", output.dims().to_vec(), output.to_data()),
        ];
        let arrays =
            arrays.each_ref().map(|(name, shape, data)| (*name, shape.clone(), data.as_slice().unwrap()));
        turns::write_arrays(&folder.join("clip.io.safetensors"), &arrays);
    }
    turns::serve(|| {
        std::hint::black_box(clip.encode_image(pixels.clone()).into_data());
        vec![]
    });
}
