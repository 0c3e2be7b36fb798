//! Image augmentation with fixed parameters against torchvision's operations on tensors.
//!
//! Runs where `scripts/python-env --torch` has made its environment.
//! Catches: centres of pixels, antialias for none, order of hue's sectors, the mean of contrast, padding of the blur, rows for columns.

use mindreader::data::image::augment::{AugmentPlan, ColourStep, CropWindow, Flip, Planes, blur, grey};

use crate::full_width::reference;
use crate::golden::{Golden, max_difference};

fn planes(golden: &Golden, name: &str) -> Planes {
    let (values, shape) = golden.f32(name);
    Planes { values, height: shape[1], width: shape[2] }
}

#[test]
fn operations_equal_torchvisions() {
    let Some(folder) = reference("augment_reference.py") else { return };
    let golden = Golden::read(&folder.path().join("augment_expected.safetensors"));
    let (x, small) = (planes(&golden, "x"), planes(&golden, "small"));
    let compare = |name: &str, actual: &Planes, tolerance: f32| {
        let (expected, shape) = golden.f32(name);
        assert_eq!((actual.height, actual.width), (shape[1], shape[2]), "{name}");
        let difference = max_difference(&actual.values, &expected);
        println!("{name}: {difference:e}");
        assert!(difference <= tolerance, "{name}: largest difference {difference:e}");
    };
    // Weights of a window differ in their last bits of f32; images lie in 0..1.
    let tolerance = 2e-5;
    compare("small", &x.resize(256, false), tolerance);
    compare("antialias", &x.resize(256, true), tolerance);
    let changed = |change: &dyn Fn(&mut Planes)| {
        let mut planes = small.clone();
        change(&mut planes);
        planes
    };
    let planned = |plan: AugmentPlan| plan.apply(small.clone());
    let window = CropWindow { top: 11, left: 7, height: 230, width: 245 };
    compare("crop", &planned(AugmentPlan { crop: Some(window), ..Default::default() }), tolerance);
    compare("flip", &planned(AugmentPlan { flip: Flip::Horizontal, ..Default::default() }), 0.0);
    for (name, step) in [
        ("brightness", ColourStep::Brightness(1.37)),
        ("contrast", ColourStep::Contrast(0.63)),
        ("saturation", ColourStep::Saturation(1.19)),
        ("hue", ColourStep::Hue(0.09)),
        ("hue_back", ColourStep::Hue(-0.1)),
    ] {
        compare(name, &changed(&|planes| step.apply(planes)), tolerance);
    }
    compare("grey", &changed(&grey), tolerance);
    compare("blur_narrow", &changed(&|planes| blur(planes, 0.3)), tolerance);
    compare("blur_wide", &changed(&|planes| blur(planes, 2.0)), tolerance);

    let plan = AugmentPlan {
        crop: Some(CropWindow { top: 3, left: 20, height: 250, width: 230 }),
        flip: Flip::Horizontal,
        colours: vec![
            ColourStep::Saturation(1.15),
            ColourStep::Brightness(0.7),
            ColourStep::Hue(-0.08),
            ColourStep::Contrast(1.3),
        ],
        blur_sigma: Some(1.3),
        ..Default::default()
    };
    let chain = planned(plan);
    compare("chain", &chain, 5.0 * tolerance);
    // A value next to a whole number may be truncated to either side.
    let bytes: Vec<f32> = Planes::from_image(&chain.into_image()).values.iter().map(|v| v * 255.0).collect();
    let (expected, _) = golden.f32("chain_bytes");
    let different = bytes.iter().zip(&expected).filter(|(a, e)| (*a - *e).abs() > 0.5).count();
    assert!(different * 1000 < expected.len(), "{different} of {} bytes differ", expected.len());
    assert!(max_difference(&bytes, &expected) < 1.5);
}
