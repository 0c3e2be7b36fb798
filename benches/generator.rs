//! Time of a forward pass of the paper's generator (256 × 256, two heads) on four latents on the CPU.
//!
//! `cargo bench --bench generator -- FOLDER`; weights, input and output are written to FOLDER, see `scripts/bench.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod turns;

use burn::tensor::Tensor;
use mindreader::models::stylegan2::condition::Condition;
use mindreader::models::stylegan2::config::GeneratorConfig;
use mindreader::models::stylegan2::generator::Truncation;
use mindreader::models::stylegan2::noise::Noise;
use mindreader::run::snapshot::{GENERATOR_KIND, save_snapshot};
use mindreader::tensor_ops::backend::{Base, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};
use mindreader::tensor_ops::similarity::unit_norm;

const BATCH: usize = 4;

fn main() {
    let device = cpu();
    let config = GeneratorConfig::default();
    let generator = config.init::<Base>(1, &device).unwrap();
    let draw = |name| -> Tensor<Base, 2> { normal([BATCH, 512], &mut keyed_rng(2, name, 0), &device) };
    let (z, image, caption) = (draw("z"), unit_norm(draw("image")), unit_norm(draw("caption")));
    let forward = || {
        let condition = Condition::two(image.clone(), caption.clone());
        generator.forward(z.clone(), &condition, &Noise::Constant, Truncation::NONE)
    };
    if let Some(folder) = turns::folder() {
        std::fs::create_dir_all(&folder).unwrap();
        let weights = folder.join("generator.safetensors");
        save_snapshot(&weights, GENERATOR_KIND, &config, &"random", &generator).unwrap();
        let images = forward();
        let arrays = [
            ("z", z.dims().to_vec(), z.to_data()),
            ("image", image.dims().to_vec(), image.to_data()),
            ("caption", caption.dims().to_vec(), caption.to_data()),
            ("images", images.dims().to_vec(), images.to_data()),
        ];
        let arrays =
            arrays.each_ref().map(|(name, shape, data)| (*name, shape.clone(), data.as_slice().unwrap()));
        turns::write_arrays(&folder.join("generator.io.safetensors"), &arrays);
    }
    turns::serve(|| {
        std::hint::black_box(forward().into_data());
        vec![]
    });
}
