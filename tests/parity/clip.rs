//! A tiny CLIP with Hugging Face's names, and the text that the published tokenizer and preprocessing make.
//! Catches: swapped q/k/v parts, wrong axis order of patches, pre/post norm, GELU variant, mask, readout position.

use burn::tensor::Tensor;
use mindreader::models::clip::Clip;
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::tensor_ops::similarity::unit_norm;
use mindreader::weights::clip::{ClipHints, read_clip};
use mindreader::weights::report::Strictness;

use crate::golden::{Golden, values};

fn network<B: burn::tensor::backend::Backend>(golden: &Golden, device: &B::Device) -> Clip<B> {
    let foreign = golden.foreign("weights.", |_| true);
    let hints = ClipHints { vision_heads: Some(2), text_heads: Some(2), ..Default::default() };
    let filled = read_clip(&foreign, &hints, device).unwrap();
    assert_eq!(filled.report.refusal(Strictness::Strict), None);
    filled.network
}

#[test]
fn values_equal_the_reference() {
    let Some(golden) = Golden::open("clip_tiny") else { return };
    let clip: Clip<Base> = network(&golden, &cpu());
    let pixels: Tensor<Base, 4> = golden.tensor("input.pixels", &cpu());
    let tokens = golden.int_tensor::<Base, 2>("input.tokens", &cpu());
    let compare = |name: &str, actual: Vec<f32>| golden.expect(&format!("output.{name}"), &actual);
    compare("vision_last_hidden", values(clip.visual.hidden(pixels.clone())));
    compare("vision_pooled", values(clip.visual.pooled(pixels.clone())));
    let images = clip.encode_image(pixels);
    compare("image_features", values(images.clone()));
    compare("text_last_hidden", values(clip.text.hidden(tokens.clone())));
    compare("text_pooled", values(clip.text.pooled(tokens.clone())));
    let texts = clip.encode_text(tokens);
    compare("text_features", values(texts.clone()));
    compare("image_embeds", values(unit_norm(images.clone())));
    compare("text_embeds", values(unit_norm(texts.clone())));
    compare("logits_per_image", values(clip.logits_per_image(images, texts)));
}

#[test]
fn gradient_on_pixels_equals_the_reference() {
    let Some(golden) = Golden::open("clip_tiny") else { return };
    let clip: Clip<Diff> = network(&golden, &cpu());
    let pixels = golden.tensor::<Diff, 4>("input.pixels", &cpu()).require_grad();
    let cotangent: Tensor<Diff, 2> = golden.tensor("input.cotangent", &cpu());
    let gradients = (clip.encode_image(pixels.clone()) * cotangent).sum().backward();
    let gradient = pixels.grad(&gradients).unwrap();
    golden.expect("grad.pixels", &values(gradient));
}
