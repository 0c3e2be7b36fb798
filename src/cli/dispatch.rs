//! From arguments to a command's summary.

use std::collections::BTreeMap;

use clap::Parser;
use serde::Serialize;
use serde_json::Value;

use super::args::{Cli, Command, Subjects};
use super::exit_code::{ExitCode, of_error};
use super::layers::Layers;
use super::render::{self, Terminal, Verbosity};
use super::usage_error::UsageError;
use crate::commands::project::{Project, ProjectConfig, SEED_KEYS, SUBJECT_KEYS};
use crate::commands::train_mapper::BetasControl;
use crate::commands::{
    ablate, compact_weights, demo, doctor, encode, evaluate, evaluate_images, finetune_gan, import_weights,
    microstim, phantom, prepare, prepare::ExistingOutput, pretrain_classifier, pretrain_clip, pretrain_gan,
    reconstruct, score, screen_captions, train_mapper, weights,
};
use crate::run::interrupt;

/// Parses, runs, prints; the whole program.
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let as_json = cli.global.json;
    if interrupt::install().is_err() {
        render::to_stderr("warning: Ctrl-C will end the program without a checkpoint");
    }
    let code = match run(cli) {
        Ok(summary) => {
            if !summary.is_null() {
                render::summary(&summary, as_json);
            }
            ExitCode::Success
        }
        Err(error) => {
            render::error(&error);
            of_error(&error)
        }
    };
    code.into()
}

/// The project of the arguments: flags over `--set` over the file over defaults.
fn project(cli: &Cli) -> anyhow::Result<Project> {
    if cli.global.subject == Some(Subjects::All) && !matches!(cli.command, Command::TrainMapper(_)) {
        return Err(UsageError::new("`--subject all`: only `train-mapper` goes through all subjects").into());
    }
    let mut layers = Layers::default();
    if let Command::Demo(_) = &cli.command {
        layers = layers.text::<ProjectConfig>("the demo's configuration", demo::CONFIGURATION)?;
    }
    if let Some(path) = &cli.global.config {
        layers = layers.file::<ProjectConfig>(path)?;
    }
    let layers = cli.command.layers(cli.global.layers(layers)?)?;
    let layers = layers.inherit("seed", SEED_KEYS)?.inherit("subject", SUBJECT_KEYS)?;
    Ok(Project::new(layers.resolve()?))
}

fn existing(overwrite: bool) -> ExistingOutput {
    if overwrite { ExistingOutput::Replace } else { ExistingOutput::Refuse }
}

fn run(cli: Cli) -> anyhow::Result<Value> {
    let project = project(&cli)?;
    let mut terminal = Terminal::new(if cli.global.quiet { Verbosity::Quiet } else { Verbosity::Normal });
    let progress = &mut terminal;
    match cli.command {
        Command::Config => {
            if cli.global.json {
                return Ok(serde_json::to_value(&project.config)?);
            }
            render::to_stdout(toml::to_string(&project.config)?.trim_end());
            Ok(Value::Null)
        }
        Command::Demo(args) => {
            let networks = args.networks();
            value(demo::run(&demo::DemoSettings { project, networks, out: args.out }, progress))
        }
        Command::Doctor => examine(&project, cli.global.json),
        Command::Phantom(args) => value(phantom::run(&project.phantom(existing(args.overwrite))?, progress)),
        Command::Prepare(args) if args.check => examine(&project, cli.global.json),
        Command::Prepare(args) => value(prepare::run(&project.prepare(existing(args.overwrite))?, progress)),
        Command::ImportWeights(args) => {
            let settings = args.settings(&project, cli.global.subject.is_some());
            value(import_weights::run(&settings, progress))
        }
        Command::Weights(args) => {
            let files = weights::run(&args.settings())?;
            if cli.global.json {
                return value(Ok(files));
            }
            render::weights(&files);
            Ok(Value::Null)
        }
        Command::CompactWeights(args) => value(compact_weights::run(&args.settings()).map_err(Into::into)),
        Command::PretrainClip(args) => {
            value(pretrain_clip::run(&project.pretrain_clip(args.resume)?, progress))
        }
        Command::PretrainClassifier => {
            value(pretrain_classifier::run(&project.pretrain_classifier()?, progress))
        }
        Command::ScreenCaptions(_) => value(screen_captions::run(&project.screen_captions()?, progress)),
        Command::Encode(_) => value(encode::run(&project.encode()?, progress)),
        Command::Score(args) if !args.microstim.is_empty() => {
            let table = score::microstim_effects(&args.microstim)?;
            if cli.global.json {
                return value(Ok(table));
            }
            render::to_stdout(&table.text());
            Ok(Value::Null)
        }
        Command::Score(args) => {
            let mut summary = score::run(&project.score(args.evaluation)?, progress)?;
            if let Some(table) = summary.decoding_table().filter(|_| !cli.global.json) {
                summary.decoding.clear();
                render::summary(&serde_json::to_value(&summary)?, false);
                render::to_stdout(&table);
                return Ok(Value::Null);
            }
            value(Ok(summary))
        }
        Command::TrainMapper(args) => {
            let betas = if args.shuffle_betas { BetasControl::Shuffled } else { BetasControl::Measured };
            let mut fit = |project: &Project| {
                let mut settings = project.train_mapper(args.target.into(), betas, args.resume.clone())?;
                settings.init_from.clone_from(&args.init_from);
                train_mapper::run(&settings, &mut *progress)
            };
            if cli.global.subject != Some(Subjects::All) {
                return value(fit(&project));
            }
            if args.resume.is_some() {
                return Err(
                    UsageError::new("`--resume` continues the run of one subject, not of `all`").into()
                );
            }
            let mut summaries = BTreeMap::new();
            for project in project.of_prepared_subjects()? {
                summaries.insert(project.config.subject.to_string(), fit(&project)?);
            }
            value(Ok(summaries))
        }
        Command::Evaluate(args) => {
            let summary = evaluate::run(&project.evaluate(args.mappers)?, progress)?;
            if cli.global.json {
                return value(Ok(summary));
            }
            render::to_stdout(&summary.table());
            Ok(Value::Null)
        }
        Command::Ablate(args) => {
            let (path, text) = args.rows()?;
            let gans = args.gans()?;
            let settings = project.ablate(path, text, args.only, gans)?;
            if args.list {
                return value(ablate::list(&settings));
            }
            let table = ablate::run(&settings, progress)?;
            if cli.global.json {
                return value(Ok(table));
            }
            render::to_stdout(&table.text());
            Ok(Value::Null)
        }
        Command::PretrainGan(args) => {
            let mut settings = project.pretrain_gan(args.resume)?;
            settings.init_from = args.init_from;
            value(pretrain_gan::run(&settings, progress))
        }
        Command::FinetuneGan(args) => value(finetune_gan::run(&project.finetune_gan(args.resume)?, progress)),
        Command::Reconstruct(_) => value(reconstruct::run(&project.reconstruct()?, progress)),
        Command::EvaluateImages(args) => {
            let summary = evaluate_images::run(&project.evaluate_images(args.run)?, progress)?;
            if cli.global.json {
                return value(Ok(summary));
            }
            render::to_stdout(&summary.table());
            Ok(Value::Null)
        }
        Command::Microstim(_) => value(microstim::run(&project.microstim()?, progress)),
    }
}

/// The state of the NSD tree; as text it has a form of its own.
fn examine(project: &Project, as_json: bool) -> anyhow::Result<Value> {
    let report = doctor::run(&project.doctor()?);
    if as_json {
        return value(Ok(report));
    }
    render::doctor(&report);
    Ok(Value::Null)
}

fn value<T: Serialize>(summary: anyhow::Result<T>) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(summary?)?)
}
