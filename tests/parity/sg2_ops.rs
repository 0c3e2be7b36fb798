//! Operators of `tensor_ops` against `sg2_ops.safetensors`: values and gradients.
//!
//! Catches: padding off by one, a filter used as correlation, a kernel read in the wrong orientation,
//! a gain on the wrong side of the clamp, a wrong group order of the minibatch deviation.

use burn::tensor::Tensor;
use mindreader::models::clip::preprocess::normalize_pm1;
use mindreader::models::stylegan2::epilogue::append_minibatch_deviation;
use mindreader::models::stylegan2::equalized::EqualizedLinear;
use mindreader::tensor_ops::activation::{Activation, LEAKY_RELU};
use mindreader::tensor_ops::backend::{Device, Diff, cpu};
use mindreader::tensor_ops::bias_act::BiasAct;
use mindreader::tensor_ops::modulated_conv::{modulated_conv, modulated_pointwise_conv};
use mindreader::tensor_ops::resample_conv::{KernelOrientation, Resampling, resample_conv};
use mindreader::tensor_ops::resize::{SquareCrop, crop_and_resize, place_on_canvas, resize};
use mindreader::tensor_ops::signed_max::signed_max;
use mindreader::tensor_ops::similarity::second_moment_norm;
use mindreader::tensor_ops::upfirdn::{AxisPlan, FirFilter, downsample2, upfirdn, upsample2};

use crate::golden::{Golden, values};

const SET: &str = "sg2_ops";

fn leaf<const D: usize>(golden: &Golden, name: &str, device: &Device) -> Tensor<Diff, D> {
    golden.tensor::<Diff, D>(name, device).require_grad()
}

/// Compares `out` and the gradients of `⟨out, cotangent⟩`.
fn check<const D: usize>(golden: &Golden, case: &str, out: Tensor<Diff, D>, leaves: &[(&str, Leaf)]) {
    let device = out.device();
    golden.expect(&format!("{case}.out"), &values(out.clone()));
    let cotangent = golden.tensor::<Diff, D>(&format!("{case}.cotangent"), &device);
    let gradients = (out * cotangent).sum().backward();
    for (name, leaf) in leaves {
        let gradient = match leaf {
            Leaf::R1(x) => values(x.grad(&gradients).unwrap()),
            Leaf::R2(x) => values(x.grad(&gradients).unwrap()),
            Leaf::R4(x) => values(x.grad(&gradients).unwrap()),
        };
        golden.expect(&format!("{case}.grad_{name}"), &gradient);
    }
}

enum Leaf {
    R1(Tensor<Diff, 1>),
    R2(Tensor<Diff, 2>),
    R4(Tensor<Diff, 4>),
}

#[test]
fn filters() {
    let Some(golden) = Golden::open(SET) else { return };
    let filter = FirFilter::resampling();
    golden.expect("filter.1331", &filter.outer_product());
    let filter = FirFilter::normalised(&[1.0, 2.0, 4.0]);
    golden.expect("filter.124", &filter.outer_product());
    golden.expect("filter.124_flipped", &filter.flipped().outer_product());
    golden.expect("filter.121", &FirFilter::normalised(&[1.0, 2.0, 1.0]).outer_product());
}

#[test]
fn upfirdn_in_all_its_forms() {
    let Some(golden) = Golden::open(SET) else { return };
    let device = cpu();
    let f1331 = FirFilter::resampling();
    let f124 = FirFilter::normalised(&[1.0, 2.0, 4.0]);
    let axis = |up, down, pad_before, pad_after| AxisPlan { up, down, pad_before, pad_after };
    let (separable_taps, _) = golden.f32("filter.sep8");
    let cases = [
        // (case, filter, vertical, horizontal, gain)
        ("plain", f1331.clone(), axis(1, 1, 1, 2), axis(1, 1, 1, 2), 1.0),
        ("up2", f1331.clone(), axis(2, 1, 2, 1), axis(2, 1, 2, 1), 4.0),
        ("down2", f1331.clone(), axis(1, 2, 1, 1), axis(1, 2, 1, 1), 1.0),
        ("up3_down2_asym", f124.clone(), axis(3, 2, 1, 3), axis(3, 2, 2, 0), 1.7),
        ("asym_flip", f124.flipped(), axis(1, 1, 1, 1), axis(1, 1, 1, 1), 1.0),
        ("crop", f124.clone(), axis(2, 1, 1, -2), axis(2, 1, -1, 2), 1.0),
        ("xy", f1331.clone(), axis(1, 2, 1, 2), axis(2, 1, 2, 1), 1.0),
        ("separable", FirFilter::normalised(&separable_taps), axis(2, 1, 4, 3), axis(2, 1, 4, 3), 4.0),
        ("nofilter", FirFilter::identity(), axis(2, 1, 0, 1), axis(2, 1, 0, 1), 3.0),
    ];
    for (name, filter, vertical, horizontal, gain) in cases {
        let case = format!("upfirdn.{name}");
        let x = leaf::<4>(&golden, &format!("{case}.x"), &device);
        let out = upfirdn(x.clone(), &filter, vertical, horizontal, gain);
        check(&golden, &case, out, &[("x", Leaf::R4(x))]);
    }
    let x = leaf::<4>(&golden, "upsample2d.x", &device);
    check(&golden, "upsample2d", upsample2(x.clone(), &f1331), &[("x", Leaf::R4(x))]);
    let x = leaf::<4>(&golden, "downsample2d.x", &device);
    check(&golden, "downsample2d", downsample2(x.clone(), &f1331), &[("x", Leaf::R4(x))]);
    let x = leaf::<4>(&golden, "filter2d.x", &device);
    let plan = AxisPlan::filter(2, 1);
    check(&golden, "filter2d", upfirdn(x.clone(), &f1331, plan, plan, 1.0), &[("x", Leaf::R4(x))]);
}

#[test]
fn bias_act_with_every_activation() {
    let Some(golden) = Golden::open(SET) else { return };
    let device = cpu();
    let root_half = 0.5_f64.sqrt();
    let alpha = Activation::LeakyRelu { slope: 0.1 };
    for (name, act) in [
        ("linear", BiasAct::new(Activation::Linear)),
        ("relu", BiasAct::new(Activation::Relu)),
        ("lrelu", BiasAct::new(LEAKY_RELU)),
        ("tanh", BiasAct::new(Activation::Tanh)),
        ("sigmoid", BiasAct::new(Activation::Sigmoid)),
        ("elu", BiasAct::new(Activation::Elu)),
        ("selu", BiasAct::new(Activation::Selu)),
        ("softplus", BiasAct::new(Activation::Softplus)),
        ("swish", BiasAct::new(Activation::Swish)),
        ("lrelu_skipgain", BiasAct::new(LEAKY_RELU).with_extra_gain(root_half)),
        ("lrelu_clamp", BiasAct::new(LEAKY_RELU).with_clamp(Some(1.5))),
        ("linear_clamp", BiasAct::new(Activation::Linear).with_clamp(Some(0.7))),
        ("alpha_gain", BiasAct { activation: alpha, gain: 3.0, clamp: None }),
    ] {
        let case = format!("bias_act.{name}");
        let x = leaf::<4>(&golden, &format!("{case}.x"), &device);
        let b = leaf::<1>(&golden, &format!("{case}.b"), &device);
        let out = act.apply(x.clone(), Some(b.clone()));
        check(&golden, &case, out, &[("x", Leaf::R4(x)), ("b", Leaf::R1(b))]);
    }
    let case = "bias_act.fc_lrelu";
    let x = leaf::<2>(&golden, &format!("{case}.x"), &device);
    let b = leaf::<1>(&golden, &format!("{case}.b"), &device);
    let out = BiasAct::new(LEAKY_RELU).apply(x.clone(), Some(b.clone()));
    check(&golden, case, out, &[("x", Leaf::R2(x)), ("b", Leaf::R1(b))]);
}

#[test]
fn convolution_with_resampling() {
    use KernelOrientation::{Convolution, Correlation};
    let Some(golden) = Golden::open(SET) else { return };
    let device = cpu();
    let f1331 = FirFilter::resampling();
    let f124 = FirFilter::normalised(&[1.0, 2.0, 4.0]);
    grouped_convolution(&golden, &f1331);
    for (name, filter, resampling, orientation) in [
        ("k3", &f1331, Resampling::Keep, Correlation),
        ("k3_noflip", &f1331, Resampling::Keep, Convolution),
        ("k3_up2", &f1331, Resampling::Up2, Convolution),
        ("k3_up2_flip", &f1331, Resampling::Up2, Correlation),
        ("k3_down2", &f1331, Resampling::Down2, Correlation),
        ("k1_down2", &f1331, Resampling::Down2, Correlation),
        ("k1_up2", &f1331, Resampling::Up2, Correlation),
        ("k3_up2_asym", &f124, Resampling::Up2, Convolution),
        ("k3_down2_asym", &f124, Resampling::Down2, Correlation),
    ] {
        let case = format!("conv_resample.{name}");
        let x = leaf::<4>(&golden, &format!("{case}.x"), &device);
        let w = leaf::<4>(&golden, &format!("{case}.w"), &device);
        let out = resample_conv(x.clone(), w.clone(), filter, resampling, orientation);
        check(&golden, &case, out, &[("x", Leaf::R4(x)), ("w", Leaf::R4(w))]);
    }
}

/// The networks hold no grouped convolution; a group is a convolution of its own channels.
fn grouped_convolution(golden: &Golden, filter: &FirFilter) {
    let case = "conv_resample.k3_groups";
    let x = leaf::<4>(golden, &format!("{case}.x"), &cpu());
    let w = leaf::<4>(golden, &format!("{case}.w"), &cpu());
    let group = |index: usize| {
        let x = x.clone().narrow(1, 2 * index, 2);
        let w = w.clone().narrow(0, 3 * index, 3);
        resample_conv(x, w, filter, Resampling::Up2, KernelOrientation::Convolution)
    };
    let out = Tensor::cat(vec![group(0), group(1)], 1);
    check(golden, case, out, &[("x", Leaf::R4(x.clone())), ("w", Leaf::R4(w.clone()))]);
}

#[test]
fn modulated_convolution() {
    let Some(golden) = Golden::open(SET) else { return };
    let device = cpu();
    let filter = FirFilter::resampling();
    for name in ["demod", "nodemod_1x1", "up2", "noise", "up2_noise"] {
        let case = format!("modconv.{name}");
        let x = leaf::<4>(&golden, &format!("{case}.x"), &device);
        let w = leaf::<4>(&golden, &format!("{case}.w"), &device);
        let s = leaf::<2>(&golden, &format!("{case}.styles"), &device);
        let out = if name == "nodemod_1x1" {
            modulated_pointwise_conv(x.clone(), w.clone(), s.clone())
        } else {
            let resampling = if name.starts_with("up2") { Resampling::Up2 } else { Resampling::Keep };
            modulated_conv(x.clone(), w.clone(), s.clone(), &filter, resampling)
        };
        let out = match name {
            "noise" => out + golden.tensor::<Diff, 2>(&format!("{case}.arg0"), &device).unsqueeze(),
            "up2_noise" => out + golden.tensor::<Diff, 4>(&format!("{case}.arg0"), &device),
            _ => out,
        };
        let leaves = [("x", Leaf::R4(x)), ("w", Leaf::R4(w)), ("styles", Leaf::R2(s))];
        check(&golden, &case, out, &leaves);
    }
}

#[test]
fn minibatch_deviation() {
    let Some(golden) = Golden::open(SET) else { return };
    let device = cpu();
    for (name, group, channels) in [
        ("n4_g4_f1", 4, 1),
        ("n8_g4_f2", 4, 2),
        ("n6_g3_f1", 3, 1),
        ("n4_gNone_f1", usize::MAX, 1),
        ("n2_g4_f1", 4, 1),
    ] {
        let case = format!("mbstd.{name}");
        let x = leaf::<4>(&golden, &format!("{case}.x"), &device);
        let out = append_minibatch_deviation(x.clone(), group, channels);
        check(&golden, &case, out, &[("x", Leaf::R4(x))]);
    }
}

#[test]
fn fully_connected_layer() {
    let Some(golden) = Golden::open(SET) else { return };
    let device = cpu();
    for (name, activation, lr_multiplier) in [
        ("linear", Activation::Linear, 1.0),
        ("lrelu_lr001", LEAKY_RELU, 0.01),
        ("linear_bias1", Activation::Linear, 1.0),
        ("nobias", Activation::Linear, 1.0),
    ] {
        let case = format!("fc.{name}");
        let x = leaf::<2>(&golden, &format!("{case}.x"), &device);
        let w = leaf::<2>(&golden, &format!("{case}.weight"), &device);
        let bias = format!("{case}.bias");
        let bias = golden.has(&bias).then(|| golden.tensor::<Diff, 1>(&bias, &device));
        let layer = EqualizedLinear::from_weights(w.clone(), bias, activation, lr_multiplier);
        let out = layer.forward(x.clone());
        check(&golden, &case, out, &[("x", Leaf::R2(x)), ("weight", Leaf::R2(w))]);
    }
}

#[test]
fn normalisation_and_signed_max() {
    let Some(golden) = Golden::open(SET) else { return };
    let device = cpu();
    let case = "normalize_2nd_moment";
    let x = leaf::<2>(&golden, &format!("{case}.x"), &device);
    check(&golden, case, second_moment_norm(x.clone()), &[("x", Leaf::R2(x))]);
    let zeros = second_moment_norm(Tensor::<Diff, 2>::zeros([2, 8], &device));
    golden.expect(&format!("{case}.of_zeros"), &values(zeros));
    let a = golden.tensor::<Diff, 2>("signed_max.a", &device);
    let b = golden.tensor::<Diff, 2>("signed_max.b", &device);
    golden.expect("signed_max.out", &values(signed_max(a, b)));
}

#[test]
fn images_as_clip_sees_them() {
    let Some(golden) = Golden::open("gan_clip_preprocess") else { return };
    let device = cpu();
    let x = leaf::<4>(&golden, "input.img", &device);
    let up = normalize_pm1(resize(x.clone(), 56));
    golden.expect("output.up56", &values(up.clone()));
    let cotangent = golden.tensor::<Diff, 4>("input.cotangent", &device);
    let gradients = (up * cotangent).sum().backward();
    golden.expect("grad.up56", &values(x.grad(&gradients).unwrap()));
    let crop = SquareCrop { top: 3, left: 5, side: 30 };
    let small = normalize_pm1(crop_and_resize(x.clone(), crop, 24));
    golden.expect("output.crop30_to24", &values(small));
    let placed = normalize_pm1(place_on_canvas(x, 2, 5, 56, 1.0));
    golden.expect("output.pad56", &values(placed));
}
