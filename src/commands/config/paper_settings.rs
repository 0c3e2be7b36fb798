//! Every setting of the paper's chain under `configs/paper`, held against the paper's value and the page that states it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ProjectConfig;
use crate::files::{InputKind, read_text};

/// Sections of the commands that the files name.
const SECTIONS: [&str; 10] = [
    "resolution",
    "split",
    "prepare",
    "screen_captions",
    "train_mapper",
    "classify",
    "finetune_gan",
    "reconstruct",
    "evaluate_images",
    "microstim",
];

/// Keys, or the beginnings of keys, that have no counterpart in the paper or its code: how often is saved and reported, what the
/// program measures of its own, choices that another key switches off.
const OWN: [&str; 47] = [
    "classify.bootstrap.",
    "classify.exchanges",
    "classify.inputs",
    "classify.mapped_training",
    "classify.mask",
    "classify.min_",
    "classify.ridge_fit.",
    "classify.standardize",
    "classify.train.optimiser.algorithm",
    "classify.train.optimiser.lars.",
    "classify.train.seed",
    "evaluate_images.identification.seed",
    "evaluate_images.preprocessing",
    "finetune_gan.snapshots.",
    "finetune_gan.train.augment.interval",
    "finetune_gan.train.augment.preset",
    "finetune_gan.train.augment.probability",
    "finetune_gan.train.augment.ramp_kimg",
    "finetune_gan.train.augment.target",
    "finetune_gan.train.ema_half_life_kimg",
    "finetune_gan.train.ema_rampup",
    "finetune_gan.train.learning_rate_decay.factor",
    "finetune_gan.train.loss_scale.",
    "finetune_gan.train.max_non_finite_phases",
    "finetune_gan.train.micro_batch_size",
    "finetune_gan.train.r1_gamma",
    "finetune_gan.train.seed",
    "finetune_gan.validation_fraction",
    "microstim.controls",
    "microstim.limit",
    "microstim.probes",
    "microstim.roi",
    "microstim.action",
    "prepare.allow_constant",
    "reconstruct.batch",
    "reconstruct.grid",
    "reconstruct.limit",
    "reconstruct.source",
    "screen_captions.long_captions",
    "train_mapper.kernel_ridge.",
    "train_mapper.preset",
    "train_mapper.residual.",
    "train_mapper.ridge.",
    "train_mapper.ridge_bands",
    "train_mapper.train.checkpoint_every_minutes",
    "train_mapper.train.retrieval.bootstrap.",
    "train_mapper.train.tuning_fraction",
];

/// Key, value, and where the specification states it; last those that differ on purpose, as the files say.
const PAPER: &[(&str, &str, &str)] = &[
    ("resolution", r#""func1pt8mm""#, "docs/spec/mapper.md §1.1"),
    ("split.rule", r#""first-appearance""#, "docs/spec/mapper.md §1.5"),
    ("split.train_fraction", "0.85", "docs/spec/mapper.md §1.5"),
    ("prepare.roi", r#"["nsdgeneral"]"#, "docs/spec/mapper.md §1.2"),
    ("prepare.betas_version", r#""betas_fithrf_GLMdenoise_RR""#, "docs/spec/nsd-format.md §6.5"),
    ("prepare.standardization", r#""zscore-per-session""#, "docs/spec/mapper.md §1.3"),
    ("screen_captions.screen.share_of_best", "0.5", "docs/spec/mapper.md §2.3"),
    ("train_mapper.kind", r#""paper""#, "docs/spec/mapper.md §3"),
    ("train_mapper.caption_choice", r#""random""#, "docs/spec/mapper.md §2.3"),
    ("train_mapper.resize_chain", r#""through-256""#, "docs/spec/open-questions.md OQ-07"),
    ("train_mapper.augment.probability", "1", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.validation", "false", "docs/spec/open-questions.md OQ-05"),
    ("train_mapper.augment.antialias", "false", "docs/spec/open-questions.md OQ-07"),
    ("train_mapper.augment.crop_area", "[0.8, 1.0]", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.crop_aspect", "[0.75, 1.3333333333]", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.flip_probability", "0.5", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.jitter_probability", "0.4", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.brightness", "0.4", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.contrast", "0.4", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.saturation", "0.2", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.hue", "0.1", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.grey_probability", "0.2", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.blur_probability", "0.5", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.blur_sigma", "[0.1, 2.0]", "docs/spec/mapper.md §2.2"),
    ("train_mapper.augment.mask_side", "0.3", "docs/spec/mapper.md §2.2"),
    ("train_mapper.clamp", "1.5", "docs/spec/mapper.md §2.4"),
    ("train_mapper.scaling", r#""unit-norm""#, "docs/spec/mapper.md §2.4"),
    ("train_mapper.network.num_down", "1", "docs/spec/mapper.md §3"),
    ("train_mapper.network.num_blocks", "4", "docs/spec/mapper.md §3"),
    ("train_mapper.network.hidden", "64", "docs/spec/mapper.md §3"),
    ("train_mapper.network.fc", "128", "docs/spec/mapper.md §3"),
    ("train_mapper.resnet.vector", r#""channel-average""#, "docs/spec/mapper.md §6.3"),
    ("train_mapper.resnet.num_down", "2", "docs/spec/open-questions.md OQ-42"),
    ("train_mapper.resnet.fc", "256", "docs/spec/open-questions.md OQ-42"),
    ("train_mapper.resnet.cosine_weight", "0.8515", "docs/spec/mapper.md §6.3"),
    ("train_mapper.resnet.learning_rate", "2.26e-4", "docs/spec/mapper.md §6.3"),
    ("train_mapper.resnet.weight_decay", "7.47e-5", "docs/spec/mapper.md §6.3"),
    ("train_mapper.resnet.phase2_epochs", "0", "docs/spec/mapper.md §6.3"),
    ("train_mapper.train.seed", "42", "docs/spec/mapper.md §1.5"),
    ("train_mapper.train.phase1.loss", r#""mse-cos""#, "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.phase1.epochs", "40", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.phase1.batch", "32", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.phase2.loss", r#""mse-cos-contrastive""#, "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.phase2.epochs", "40", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.phase2.batch", "128", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.optimiser.algorithm", r#""adam""#, "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.optimiser.learning_rate", "4e-4", "docs/spec/open-questions.md OQ-01"),
    ("train_mapper.train.optimiser.beta_1", "0.9", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.optimiser.beta_2", "0.999", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.optimiser.epsilon", "1e-8", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.optimiser.weight_decay", "1e-5", "docs/spec/mapper.md §5.1"),
    ("train_mapper.train.optimiser.decay.every_epochs", "10", "docs/spec/mapper.md §5.2"),
    ("train_mapper.train.optimiser.decay.factor", "0.8", "docs/spec/mapper.md §5.2"),
    ("train_mapper.train.optimiser.decay.optimiser_state", r#""reset""#, "docs/spec/mapper.md §5.2"),
    ("train_mapper.train.optimiser.lars.momentum", "0.9", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.optimiser.lars.trust", "0.001", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.optimiser.lars.base_rate", "0.2", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.optimiser.lars.warmup_epochs", "10", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.optimiser.lars.final_share", "0.001", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.selection", r#""validation""#, "docs/spec/mapper.md §5.3"),
    ("train_mapper.train.cosine_weight", "0.6", "docs/spec/open-questions.md OQ-02"),
    ("train_mapper.train.contrastive_weight", "0.5", "docs/spec/open-questions.md OQ-02"),
    ("train_mapper.train.contrastive.temperature", "0.5", "docs/spec/mapper.md §4"),
    ("train_mapper.train.contrastive.row_share", "0.5", "docs/spec/open-questions.md OQ-03"),
    ("train_mapper.train.contrastive.form", r#""scaled""#, "docs/spec/open-questions.md OQ-04"),
    ("train_mapper.train.vicreg.invariance_weight", "25", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.vicreg.variance_weight", "25", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.vicreg.covariance_weight", "1", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.vicreg.epsilon", "1e-4", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.expander_width", "2048", "docs/spec/mapper.md §6.2"),
    ("train_mapper.train.critic.weight", "0", "docs/spec/mapper.md §6.1"),
    ("train_mapper.train.critic.beta_1", "0.5", "docs/spec/mapper.md §6.1"),
    ("train_mapper.train.critic.beta_2", "0.999", "docs/spec/mapper.md §6.1"),
    ("train_mapper.train.retrieval.batch_size", "300", "docs/spec/open-questions.md OQ-12"),
    ("train_mapper.train.retrieval.matching", r#""by-image""#, "docs/spec/open-questions.md OQ-13"),
    ("train_mapper.train.retrieval.cosine_weight", "1", "docs/spec/mapper.md §7"),
    ("classify.hidden.fmri", "[2048, 512]", "docs/spec/mapper.md §9"),
    ("classify.hidden.clip", "[384, 256]", "docs/spec/mapper.md §9"),
    ("classify.hidden.resnet", "[512, 256]", "docs/spec/mapper.md §9"),
    ("classify.train.epochs", "40", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.batch", "32", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.learning_rate", "2e-4", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.beta_1", "0.9", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.beta_2", "0.999", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.epsilon", "1e-8", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.weight_decay", "1e-5", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.decay.every_epochs", "10", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.decay.factor", "0.8", "docs/spec/open-questions.md OQ-45"),
    ("classify.train.optimiser.decay.optimiser_state", r#""reset""#, "docs/spec/open-questions.md OQ-45"),
    ("finetune_gan.condition", r#""both""#, "docs/spec/gan-training.md §2"),
    ("finetune_gan.mappers.mode", r#""frozen""#, "docs/spec/gan-training.md §4.5"),
    ("finetune_gan.mappers.gan_weight", "0.1", "docs/spec/open-questions.md OQ-53"),
    ("finetune_gan.mappers.squared_error_weight", "0.2", "docs/spec/gan-training.md §4.5"),
    ("finetune_gan.mappers.cosine_weight", "0.3", "docs/spec/gan-training.md §4.5"),
    ("finetune_gan.mappers.contrastive_weight", "0.5", "docs/spec/gan-training.md §4.5"),
    ("finetune_gan.mappers.interval", "1", "docs/spec/gan-training.md §6"),
    ("finetune_gan.mappers.regularisation_interval", "10", "docs/spec/gan-training.md §6"),
    ("finetune_gan.mappers.output", r#""unit-norm""#, "docs/spec/open-questions.md OQ-22"),
    ("finetune_gan.mappers.caption_choice", r#""random""#, "docs/spec/mapper.md §2.3"),
    ("finetune_gan.train.total_kimg", "25000", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.batch_size", "16", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.learning_rate", "0.0025", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.learning_rate_decay.share", "0", "docs/spec/gan-training.md §6"),
    ("finetune_gan.train.beta_1", "0", "docs/spec/gan-training.md §6"),
    ("finetune_gan.train.beta_2", "0.99", "docs/spec/gan-training.md §6"),
    ("finetune_gan.train.epsilon", "1e-8", "docs/spec/gan-training.md §6"),
    ("finetune_gan.train.path_length.weight", "2", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.path_length.decay", "0.01", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.path_length.batch_shrink", "2", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.generator_interval", "4", "docs/spec/gan-training.md §6"),
    ("finetune_gan.train.discriminator_interval", "16", "docs/spec/gan-training.md §6"),
    ("finetune_gan.train.style_mixing_probability", "0.9", "docs/spec/gan-training.md §5"),
    ("finetune_gan.train.latent", r#""normal""#, "docs/spec/open-questions.md OQ-18"),
    ("finetune_gan.train.loss.contrastive.temperature", "0.5", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.loss.contrastive.row_share", "0", "docs/spec/open-questions.md OQ-03"),
    ("finetune_gan.train.loss.contrastive.form", r#""scaled""#, "docs/spec/open-questions.md OQ-04"),
    ("finetune_gan.train.loss.clip_condition_weight", "10", "docs/spec/open-questions.md OQ-27"),
    ("finetune_gan.train.loss.second_vector", r#""clip""#, "docs/spec/gan-training.md §4.1"),
    ("finetune_gan.train.loss.clip_image_weight", "0", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.loss.semantic_condition_weight", "10", "docs/spec/open-questions.md OQ-27"),
    ("finetune_gan.train.loss.semantic_image_weight", "0", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.loss.low_level_weight", "10", "docs/spec/open-questions.md OQ-27"),
    ("finetune_gan.train.loss.low_level.stage", r#""two""#, "docs/spec/open-questions.md OQ-16"),
    ("finetune_gan.train.loss.low_level.value", r#""max-and-mean""#, "docs/spec/open-questions.md OQ-16"),
    ("finetune_gan.train.loss.low_level.maxima", r#""whole-batch""#, "docs/spec/open-questions.md OQ-17"),
    ("finetune_gan.train.loss.low_level.statistics", r#""clip""#, "docs/spec/open-questions.md OQ-16"),
    ("finetune_gan.train.condition_noise.condition_noise", "0.1", "docs/spec/gan-training.md §2"),
    ("finetune_gan.train.condition_noise.pseudo_noise", "0.75", "docs/spec/gan-training.md §2"),
    ("finetune_gan.train.condition_noise.mixing_probability", "null", "docs/spec/gan-training.md §7"),
    (
        "finetune_gan.train.condition_noise.second_mixing_probability",
        "null",
        "docs/spec/open-questions.md OQ-25",
    ),
    ("finetune_gan.train.crop.smallest_share", "0.5", "docs/spec/gan-training.md §4.1"),
    ("finetune_gan.train.crop.small_images", r#""white-canvas""#, "docs/spec/gan-training.md §4.1"),
    ("finetune_gan.train.augment.mode", r#""none""#, "docs/spec/open-questions.md OQ-30"),
    ("finetune_gan.train.frozen_discriminator_layers", "0", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.mirror_images", "false", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.tick_kimg", "4", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.checkpoint_ticks", "50", "docs/spec/gan-training.md §7"),
    ("reconstruct.trials", r#""validation""#, "docs/spec/metrics.md §1"),
    ("reconstruct.repeats", r#""single""#, "docs/spec/metrics.md §1"),
    ("reconstruct.samples", "1", "docs/spec/metrics.md §1"),
    ("reconstruct.conditions", "[]", "docs/spec/open-questions.md OQ-55"),
    ("reconstruct.truncation_psi", "1", "docs/spec/metrics.md §1"),
    ("reconstruct.noise", r#""constant""#, "docs/spec/open-questions.md OQ-56"),
    ("evaluate_images.real", r#""test-and-train""#, "docs/spec/open-questions.md OQ-32"),
    ("evaluate_images.divisor", r#""samples""#, "docs/spec/metrics.md §1"),
    ("evaluate_images.trials", r#""first-of-image""#, "docs/spec/open-questions.md OQ-33"),
    ("evaluate_images.identification.ways", "[2, 5, 10, 50]", "docs/spec/metrics.md §2"),
    ("evaluate_images.identification.repeats", "10", "docs/spec/metrics.md §2"),
    ("evaluate_images.identification.distractors", r#""other-images""#, "docs/spec/metrics.md §2"),
    ("microstim.excited_beta", "10", "docs/spec/mapper.md §11"),
    // Differ, and the files say so: two GPUs, four resolutions in half precision.
    ("finetune_gan.train.gpus", "1", "docs/spec/gan-training.md §7"),
    ("finetune_gan.train.half_resolutions", "0", "docs/spec/gan-training.md §7"),
];

/// Sessions of each subject that were public in 2022 (docs/spec/nsd-format.md §1.2).
const SESSIONS: [u64; 8] = [37, 37, 29, 27, 37, 29, 37, 27];

fn file(subject: usize) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/paper/subj0{subject}.toml"))
}

fn resolved(subject: usize) -> Value {
    let mut config: ProjectConfig =
        toml::from_str(&read_text(&file(subject), InputKind::Text).unwrap()).unwrap();
    config.finetune_gan = config.finetune_gan.resolved();
    serde_json::to_value(config).unwrap()
}

/// Every value below `value` that is no table, with its key.
fn leaves(key: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) => {
            table.iter().for_each(|(name, value)| leaves(&format!("{key}.{name}"), value, found));
        }
        value => found.push((key.to_string(), value.clone())),
    }
}

/// Equal but for the digits that single precision loses.
fn agree(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            let [found, expected] = [found, expected].map(|number| number.as_f64().unwrap());
            (found - expected).abs() <= 1e-6 * expected.abs()
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| agree(a, b))
        }
        _ => found == expected,
    }
}

#[test]
fn every_setting_of_the_papers_chain_has_the_papers_value() {
    for subject in 1..=8 {
        let config = resolved(subject);
        let mut found = Vec::new();
        SECTIONS.iter().for_each(|section| leaves(section, &config[section], &mut found));
        for (key, value) in &found {
            if key == "prepare.sessions" {
                assert_eq!(value, &json!(SESSIONS[subject - 1]), "subject {subject}");
                continue;
            }
            let Some((_, expected, page)) = PAPER.iter().find(|(name, ..)| name == key) else {
                assert!(
                    OWN.iter().any(|own| key.starts_with(own)),
                    "`{key}` has neither a page nor a reason"
                );
                continue;
            };
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert!(agree(value, &expected), "subject {subject}, `{key}`: {value}, {page} says {expected}");
        }
        let keys: BTreeSet<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        let gone: Vec<_> = PAPER.iter().filter(|(key, ..)| !keys.contains(key)).collect();
        assert!(gone.is_empty(), "{gone:?}");
        assert_eq!(config["subject"], json!(subject));
    }
}

#[test]
fn the_papers_two_gpus_have_its_batch_and_gamma() {
    let text = read_text(&file(1), InputKind::Text).unwrap();
    let mut config: ProjectConfig = toml::from_str(&text).unwrap();
    config.finetune_gan.train.gpus = 2;
    let train = config.finetune_gan.resolved().train;
    assert_eq!((train.batch_size, train.round_size()), (Some(32), 16));
    assert!((train.r1_gamma_for(256) - 0.4096).abs() < 1e-9, "docs/spec/gan-training.md §7");
    assert_eq!(train.ema_half_life(), 10.0);
}
