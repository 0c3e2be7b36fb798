//! Every number of every section, tried with what no number of a setting may be: refused in one line that names key and range, or
//! taken, never anything else.

use toml::{Table, Value};

use super::layers::Layers;
use super::usage_error::UsageError;
use crate::commands::config::ProjectConfig;

/// Numbers that `mindreader config` leaves out while they are not set.
const UNSET: &[&str] = &[
    "phantom.sessions",
    "prepare.sessions",
    "pretrain_clip.train.max_gradient_norm",
    "train_mapper.train.patience_epochs",
    "train_mapper.train.phase1.optimiser.learning_rate",
    "train_mapper.train.phase1.optimiser.beta_1",
    "train_mapper.train.phase2.optimiser.weight_decay",
    "train_mapper.train.phase2.optimiser.decay.every_epochs",
    "train_mapper.train.phase2.optimiser.lars.momentum",
    "pretrain_gan.train.batch_size",
    "pretrain_gan.train.r1_gamma",
    "pretrain_gan.train.ema_half_life_kimg",
    "pretrain_gan.train.ema_rampup",
    "pretrain_gan.train.condition_noise.mixing_probability",
    "pretrain_gan.train.condition_noise.second_mixing_probability",
    "pretrain_gan.train.augment.ramp_kimg",
    "finetune_gan.train.batch_size",
    "finetune_gan.train.r1_gamma",
    "finetune_gan.mappers.learning_rate",
    "reconstruct.trials.trial",
    "interpolate.smoothing",
];
/// What no number may be.
const NEVER: &[&str] =
    &["nan", "inf", "-inf", "-1", "1e300", "9223372036854775808", "1e400", "many", "{ a = 1 }", "[[1]]"];
/// What only a seed may be.
const TOO_LARGE: &[&str] = &["2147483648", "4294967295", "4294967296", "9223372036854775807"];

fn numbers(table: &Table, section: &str, found: &mut Vec<(String, bool)>) {
    for (key, value) in table {
        let key = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        match value {
            Value::Table(inner) => numbers(inner, &key, found),
            Value::Integer(_) | Value::Float(_) => found.push((key, false)),
            Value::Array(list) if list.iter().any(|item| item.is_integer() || item.is_float()) => {
                found.push((key, true));
            }
            _ => {}
        }
    }
}

fn resolved(key: &str, value: &str) -> Result<ProjectConfig, UsageError> {
    Layers::default().assignment(&format!("{key}={value}"))?.resolve(ProjectConfig::validate)
}

/// What is wrong with how `key = value` is refused: it must be in one line, with the key and both ends of the range.
fn fault(key: &str, value: &str, is_list: bool) -> Option<String> {
    let Err(error) = resolved(key, value) else {
        // A word may be the name of an imported subject.
        let is_name = key == "subject" && value == "many";
        return (!is_name).then(|| format!("{key} = {value} is taken"));
    };
    let text = error.to_string();
    let is_one_line = !text.contains(char::is_control) && text.chars().count() < 700;
    // What is no optimiser at all is an error of its phase.
    let is_of_phase = key.contains(".optimiser.");
    let section = key.split(".optimiser").next().unwrap_or(key);
    let names_key = text.starts_with(&format!("`{section}"));
    let is_number = value.parse::<f64>().is_ok() && !is_list && !is_of_phase;
    let has_range = ["to ", "at most ", "and below "].iter().any(|word| text.contains(word));
    let is_right = is_one_line && names_key && (has_range || !is_number);
    (!is_right).then(|| format!("{key} = {value}: {text}"))
}

#[test]
fn every_number_has_two_ends() {
    let mut keys = Vec::new();
    numbers(&Table::try_from(ProjectConfig::default()).unwrap(), "", &mut keys);
    assert!(keys.len() > 200, "{}", keys.len());
    keys.extend(UNSET.iter().map(|key| (key.to_string(), false)));
    let mut faults = Vec::new();
    for (key, is_list) in &keys {
        faults.extend(NEVER.iter().filter_map(|value| fault(key, value, *is_list)));
        if *is_list {
            faults.extend(NEVER.iter().chain(TOO_LARGE).filter_map(|value| fault_of_list(key, value)));
            continue;
        }
        for value in TOO_LARGE {
            let is_taken = resolved(key, value).is_ok();
            // A rate may be as large as makes any training diverge, a factor of losses as large as makes any overflow.
            let may_be_large = key.ends_with("learning_rate") || key.ends_with("loss_scale.initial");
            match (key.ends_with("seed") || is_taken && may_be_large, is_taken) {
                (true, true) => {}
                (true, false) => faults.push(format!("{key} = {value} is refused")),
                (false, _) => faults.extend(fault(key, value, false)),
            }
        }
        // Zero means something here and nothing there; it is never more than one line.
        if let Err(error) = resolved(key, "0")
            && !error.to_string().starts_with(&format!("`{key}`: found 0, expected "))
        {
            faults.push(error.to_string());
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The same of a list of two numbers.
fn fault_of_list(key: &str, value: &str) -> Option<String> {
    // A penalty may be as large as that.
    let is_penalty = key.ends_with("penalties") && TOO_LARGE[..3].contains(&value);
    let is_number = value.parse::<f64>().is_ok();
    (is_number && !is_penalty).then(|| fault(key, &format!("[{value}, {value}]"), true)).flatten()
}

#[test]
fn words_sections_and_lists_in_place_of_others_are_refused_in_one_line() {
    let mut faults = Vec::new();
    for (text, expected) in [
        ("device=3", "`device`: found 3, expected a string"),
        ("device=gpu", "`device`: found `gpu`, expected `auto`, `cpu`, `cuda` or `cuda:N`"),
        ("split=3", "`split`: found 3, expected a section"),
        ("split.rule=[1]", "`split.rule`: "),
        ("prepare.roi=V1", "`prepare.roi`: found \"V1\", expected a list"),
        ("evaluate.ridge=yes", "`evaluate.ridge`: found \"yes\", expected `true` or `false`"),
        ("subject=9", "`subject`: found 9, expected 1 to 8"),
        ("subject=-1", "`subject`: found -1, expected 1 to 8"),
        ("bogus=1", "`bogus`: unknown key; expected one of `subject`"),
        ("train_mapper.clmp=1", "`train_mapper.clmp`: unknown key; expected one of `kind`"),
    ] {
        let (key, value) = text.split_once('=').unwrap();
        let error = resolved(key, value).map(drop).unwrap_err().to_string();
        if !error.starts_with(expected) || error.lines().count() != 1 {
            faults.push(format!("{text}: {error}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let echoed = resolved("prepare.betas_version", &format!("[\"{}\"]", r"x\u001b[2J".repeat(3000)));
    let error = echoed.map(drop).unwrap_err().to_string();
    assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
}
