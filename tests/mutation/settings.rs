//! Absurd settings, flags and devices.

use std::process::Command;
use std::sync::OnceLock;

use rand::{RngExt, rngs::ChaCha12Rng};

use crate::project::{
    CAPTION_MAPPER, CLASSIFIER, CLIP, ENCODE, EVALUATE, FINETUNE, IMAGE_MAPPER, INTERPOLATE, JUDGE,
    MICROSTIM, PHANTOM, PREPARE, PRETRAIN, Project, RECONSTRUCT, SCREEN, Step, binary,
};
use crate::trial::Trial;

/// What no setting is meant to be, as TOML.
const VALUES: &[&str] = &[
    "0",
    "-1",
    "1",
    "2",
    "3",
    "0.0",
    "-0.0",
    "0.5",
    "1.0",
    "-1.0",
    "1e300",
    "-1e300",
    "1e-300",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "100000",
    "1000000000",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999",
    "-9223372036854775808",
    "\"\"",
    "\"NaN\"",
    "true",
    "[]",
    "[0]",
    "[1e300, -1.0]",
    "[[]]",
    "{}",
    "{ a = 1 }",
    "''",
    "=",
    "\"\\u001b[2J\\n\"",
    "0x7fffffffffffffff",
    "1979-05-27",
    "\"../../../etc/passwd\"",
];

/// Sections of the configuration and the steps that read them.
const SECTIONS: &[(&str, &[&Step])] = &[
    ("phantom", &[&PHANTOM]),
    ("prepare", &[&PREPARE]),
    ("pretrain_clip", &[&CLIP]),
    ("pretrain_classifier", &[&CLASSIFIER]),
    ("screen_captions", &[&SCREEN]),
    ("train_mapper", &[&IMAGE_MAPPER, &CAPTION_MAPPER]),
    ("encode", &[&ENCODE]),
    ("evaluate_images", &[&JUDGE]),
    ("evaluate", &[&EVALUATE]),
    ("pretrain_gan", &[&PRETRAIN]),
    ("finetune_gan", &[&FINETUNE]),
    ("reconstruct", &[&RECONSTRUCT]),
    ("interpolate", &[&INTERPOLATE]),
    ("microstim", &[&MICROSTIM]),
    ("", &[&RECONSTRUCT, &IMAGE_MAPPER, &PREPARE, &PRETRAIN]),
];

/// Numeric flags of every step.
const FLAGS: &[(&Step, &str)] = &[
    (&PHANTOM, "--signal"),
    (&PHANTOM, "--sessions"),
    (&PHANTOM, "--seed"),
    (&PREPARE, "--sessions"),
    (&PREPARE, "--roi"),
    (&RECONSTRUCT, "--samples"),
    (&RECONSTRUCT, "--trial"),
    (&RECONSTRUCT, "--limit"),
    (&RECONSTRUCT, "--truncation"),
    (&RECONSTRUCT, "--conditions"),
    (&RECONSTRUCT, "--repeats"),
    (&RECONSTRUCT, "--subject"),
    (&INTERPOLATE, "--trials"),
    (&INTERPOLATE, "--frames"),
    (&INTERPOLATE, "--truncation"),
    (&MICROSTIM, "--level"),
    (&MICROSTIM, "--limit"),
    (&MICROSTIM, "--roi"),
    (&IMAGE_MAPPER, "--seed"),
    (&IMAGE_MAPPER, "--subject"),
    (&EVALUATE, "--subject"),
    (&EVALUATE, "--mappers"),
    (&PRETRAIN, "--seed"),
    (&PRETRAIN, "--images"),
    (&FINETUNE, "--gan"),
    (&JUDGE, "--run"),
];

const DEVICES: &[&str] = &[
    "",
    "auto",
    "CPU",
    "cpu:0",
    "cpu:1",
    "gpu",
    "cuda",
    "cuda:",
    "cuda:0",
    "cuda:1",
    "cuda:-1",
    "cuda:4294967296",
    "cuda:99999999999999999999",
    "cuda:0x1",
    "cuda:1.5",
    "cuda:0:0",
    "cuda :0",
    "mps",
    "rocm",
    "tpu",
    "metal:0",
    "\u{1b}[2J",
    "cuda\n",
    "kûda",
    "cuda:٣",
];

/// Every key of the configuration, as `mindreader config` prints it.
fn keys() -> &'static [String] {
    static KEYS: OnceLock<Vec<String>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let output = Command::new(binary()).arg("config").output().unwrap();
        let table: toml::Table = toml::from_str(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
        let mut found = Vec::new();
        flatten("", &toml::Value::Table(table), &mut found);
        assert!(found.len() > 100, "{found:?}");
        found
    })
}

/// Keys of numbers, truth values and lists.
fn flatten(path: &str, value: &toml::Value, found: &mut Vec<String>) {
    match value {
        toml::Value::Table(entries) => entries.iter().for_each(|(key, value)| {
            let point = if path.is_empty() { "" } else { "." };
            flatten(&format!("{path}{point}{key}"), value, found);
        }),
        _ => found.push(path.to_string()),
    }
}

/// One key, at times with another that is absurd too.
pub fn setting(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let keys = keys();
    let key = &keys[rng.random_range(0..keys.len())];
    let (_, steps) = SECTIONS.iter().find(|(section, _)| key.starts_with(section)).unwrap();
    let step = steps[rng.random_range(0..steps.len())];
    let mut sets = vec![format!("{key}={}", VALUES[rng.random_range(0..VALUES.len())])];
    if rng.random_bool(0.1) {
        let odd = [
            "a".repeat(5000),
            ".".repeat(3000),
            format!("{key}.{key}=1"),
            "=".into(),
            "x".into(),
            format!("{key}="),
        ];
        sets.push(odd[rng.random_range(0..odd.len())].clone());
    }
    let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set.as_str()]).collect();
    Trial::one(sets.join(" "), project.command(step, &more))
}

/// One flag.
pub fn flag(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let (step, flag) = FLAGS[rng.random_range(0..FLAGS.len())];
    let value = VALUES[rng.random_range(0..VALUES.len())];
    // With an equals sign a value that begins with a minus is one.
    let text = format!("{flag}={value}");
    // The step's own flags of this name stay away: given twice, a flag is refused.
    let step = if step.args.contains(&flag) { &Step { name: step.name, args: &[] } } else { step };
    Trial::one(text.clone(), project.command(step, &[&text]))
}

/// A device, at times with half precision.
pub fn device(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let steps = [&RECONSTRUCT, &IMAGE_MAPPER, &MICROSTIM, &PRETRAIN];
    let device = DEVICES[rng.random_range(0..DEVICES.len())];
    let mut args = project.command(steps[rng.random_range(0..steps.len())], &[]);
    let place = args.iter().position(|arg| arg == "cpu").unwrap();
    args[place] = device.into();
    if rng.random_bool(0.3) {
        let formats = ["f16", "f32", "bf16", "", "f64"];
        args.push(format!("--precision={}", formats[rng.random_range(0..formats.len())]).into());
    }
    Trial::one(format!("device {device:?}"), args)
}
