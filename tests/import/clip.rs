//! CLIP from Hugging Face, OpenCLIP and an archive of OpenAI's layout: values bit for bit, embeddings of the library.
//!
//! Catches: swapped q, k, v; a projection that is not transposed; heads or activation other than the file's; halves
//! read as something else. Tolerance: float32 through at most two blocks; observed at most 2e-6 of the largest.

use burn::tensor::{Int, Tensor};
use mindreader::pipelines::clip_snapshot::ClipSnapshot;
use mindreader::tensor_ops::backend::{Base, cpu};
use serde_json::{Value, json};

use crate::arrived::assert_arrived;
use crate::made::{Made, describe, import, stderr};

const TOLERANCE: f32 = 2e-5;

fn check(made: &Made, network: &str, from: &str, arguments: &[&str]) -> Value {
    let (snapshot, summary) = made.import(from, arguments);
    assert_eq!(summary["kind"], "clip", "{network}");
    assert_eq!(summary["problems"], json!([]), "{network}");
    assert_arrived(made, network, &snapshot);
    let clip = ClipSnapshot::open(&snapshot, &cpu()).unwrap().clip;
    let images = clip.encode_image(made.tensor::<4>(network, "pixels"));
    made.assert_close(network, "image", images, TOLERANCE);
    let tokens: Tensor<Base, 2, Int> = made.tensor::<2>(network, "tokens").int();
    made.assert_close(network, "text", clip.encode_text(tokens), TOLERANCE);
    summary
}

#[test]
fn hugging_face_safetensors_and_bin() {
    let Some(made) = Made::new("Hugging Face", "hugging_face", "transformers") else { return };
    let summary = check(&made, "hf", "hf/model.safetensors", &[]);
    assert_eq!(
        (&summary["config"]["vision_heads"], &summary["config"]["text_heads"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(summary["container"], "safetensors");
    assert_eq!(summary["assumed"], json!([]), "config.json says everything");
    let clip =
        ClipSnapshot::open(&made.path("hf_model.safetensors.imported.safetensors"), &cpu()).unwrap().clip;
    let images = clip.encode_image(made.tensor::<4>("hf", "pixels"));
    let texts = clip.encode_text(made.tensor::<2>("hf", "tokens").int());
    made.assert_close("hf", "logits", clip.logits_per_image(images, texts), TOLERANCE);

    let summary = check(&made, "hf_bin", "hf_bin/pytorch_model.bin", &[]);
    assert_eq!(summary["container"], "torch-zip");
    let dropped = &summary["dropped"][0];
    assert_eq!(dropped["tensor"], "text_model.embeddings.position_ids");
    assert!(dropped["reason"].as_str().unwrap().contains("positions"));

    // Without the configuration beside it nobody knows the heads of such narrow towers.
    let alone = made.path("alone.bin");
    std::fs::copy(made.path("hf_bin/pytorch_model.bin"), &alone).unwrap();
    let output = import(&alone, &made.path("alone.safetensors"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--vision-heads"), "{}", stderr(&output));
    assert!(!made.path("alone.safetensors").exists());
    let output = import(
        &alone,
        &made.path("alone.safetensors"),
        &["--vision-heads", "2", "--text-heads", "4", "--clip-activation", "quick-gelu"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn open_clip_state_dict_of_parallel_training_with_the_exact_gelu() {
    let Some(made) = Made::new("OpenCLIP", "open_clip", "open_clip") else { return };
    let hints = ["--vision-heads", "2", "--text-heads", "4", "--clip-activation", "gelu"];
    let summary = check(&made, "open_clip", "open_clip.pt", &hints);
    assert_eq!(summary["config"]["activation"], "gelu");
    assert_eq!(summary["dropped"], json!([]));
}

#[test]
fn archive_of_openais_layout_with_half_weights() {
    let Some(made) = Made::new("TorchScript", "torch_script", "torch") else { return };
    let described = describe(&made.path("torch_script.pt"), &["--tensors"]);
    assert_eq!(described["container"], "torch-script");
    let network = &described["networks"][0];
    assert_eq!((&network["kind"], &network["config"]["vision_heads"]), (&json!("clip"), &json!(2)));
    let half =
        network["tensors"].as_array().unwrap().iter().filter(|tensor| tensor["dtype"] == "f16").count();
    assert!(half > 20, "{half} tensors in half precision");
    let summary = check(&made, "torch_script", "torch_script.pt", &[]);
    assert_eq!(summary["config"]["image_size"], 16);
    let dropped = summary["dropped"].as_array().unwrap();
    assert_eq!(dropped.len(), 3, "the three sizes: {dropped:?}");
}
