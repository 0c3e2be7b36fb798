//! `--subject all`: the same command for one subject after the other.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::args::{Cli, Command};
use super::render;
use super::usage_error::UsageError;
use crate::data::nsd::tree::{DEFAULT_BETAS_VERSION, NsdTree};
use crate::data::subject::{NsdSubject, SubjectId};
use crate::error::{Error, ErrorClass, Result};
use crate::files::file_is_there;
use crate::pipelines::project::Project;
use crate::run::error::RunError;

/// Which subjects `--subject all` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subjects {
    /// Those with betas in the NSD tree.
    InTree,
    /// Those that are prepared.
    Prepared,
    /// Those with betas in the NSD tree and those imported, or those that are prepared where no tree is named.
    InTreeOrPrepared,
}

/// The subjects that the command is to be run for.
///
/// # Errors
/// A command that is about no subject, or about files of a single one; no subject that it could be run for.
pub fn subjects(command: &Command, project: &Project) -> Result<Vec<SubjectId>> {
    if let Some(single) = of_one_subject(command) {
        let message = format!("`--subject all`: {single} belongs to one subject; name it with `--subject N`");
        return Err(UsageError::new(message).into());
    }
    match wanted(command) {
        Some(Subjects::InTree) => in_tree(project),
        Some(Subjects::Prepared) => prepared(project),
        Some(Subjects::InTreeOrPrepared) => in_tree_or_prepared(project),
        None => {
            let message =
                "`--subject all`: this command does not go through subjects; leave it out or name one";
            Err(UsageError::new(message).into())
        }
    }
}

/// Refuses the name of a subject that was not imported, and says which ones were.
///
/// # Errors
/// Bad input that names them; a folder of prepared subjects that cannot be listed.
pub fn require_imported(command: &Command, project: &Project) -> Result<()> {
    let is_about_prepared =
        !matches!(command, Command::Prepare(_) | Command::Doctor) && wanted(command).is_some();
    if !project.subject.is_own() || !is_about_prepared || file_is_there(&project.prepared())? {
        return Ok(());
    }
    let known: Vec<String> =
        project.imported_subjects()?.iter().map(|name| format!("`{}`", name.name())).collect();
    let known = if known.is_empty() {
        "none was imported there yet".into()
    } else {
        format!("there is {}", known.join(", "))
    };
    let message = format!(
        "`--subject {}`: found no prepared subject of this name in `{}`, expected one that `mindreader import` has brought in: {known}",
        project.subject,
        project.work().display()
    );
    Err(UsageError::new(message).into())
}

fn wanted(command: &Command) -> Option<Subjects> {
    match command {
        Command::Doctor | Command::Prepare(_) => Some(Subjects::InTree),
        Command::Run(_) => Some(Subjects::InTreeOrPrepared),
        Command::PretrainClip(_)
        | Command::PretrainClassifier(_)
        | Command::ScreenCaptions(_)
        | Command::Split(_)
        | Command::TrainMapper(_)
        | Command::Evaluate(_)
        | Command::Encode(_)
        | Command::Classify(_)
        | Command::Cycle(_)
        | Command::PretrainGan(_)
        | Command::FinetuneGan(_)
        | Command::Reconstruct(_)
        | Command::EvaluateImages(_)
        | Command::Interpolate(_)
        | Command::Microstim(_)
        | Command::Score(_)
        | Command::Report(_) => Some(Subjects::Prepared),
        Command::Demo(_)
        | Command::Init(_)
        | Command::Phantom(_)
        | Command::Import(_)
        | Command::ImportWeights(_)
        | Command::Weights(_)
        | Command::CompactWeights(_)
        // One table, with one subject's numbers.
        | Command::Ablate(_)
        | Command::Config => None,
    }
}

/// The argument that names files of a single subject, if there is one.
fn of_one_subject(command: &Command) -> Option<&'static str> {
    let flag = |is_given: bool, name| is_given.then_some(name);
    let resume = |checkpoint: &Option<PathBuf>| flag(checkpoint.is_some(), "the run of `--resume`");
    match command {
        Command::PretrainClip(args) | Command::PretrainClassifier(args) => resume(&args.resume),
        Command::TrainMapper(args) => resume(&args.resume),
        Command::Encode(args) => resume(&args.resume),
        Command::Cycle(args) => flag(args.encoder.is_some(), "the encoder of `--encoder`"),
        Command::PretrainGan(args) => resume(&args.resume),
        Command::FinetuneGan(args) => resume(&args.resume),
        Command::Evaluate(args) => flag(!args.mappers.is_empty(), "a mapper"),
        Command::Classify(args) => flag(args.image_mapper.is_some(), "a mapper"),
        Command::EvaluateImages(args) => flag(args.run.is_some(), "a run of `reconstruct`"),
        Command::Score(args) if args.evaluation.is_some() => Some("the run of `--evaluation`"),
        Command::Score(args) => flag(!args.microstim.is_empty(), "a run of `--microstim`"),
        Command::Report(args) if args.out.is_some() => Some("the page of `--out`"),
        Command::Report(args) => flag(!args.runs.is_empty(), "a run of `--runs`"),
        _ => None,
    }
}

fn prepared(project: &Project) -> Result<Vec<SubjectId>> {
    Ok(project.of_prepared_subjects()?.into_iter().map(|project| project.subject).collect())
}

/// Those of a tree that is named, and imported ones; those that are prepared where no tree is named.
fn in_tree_or_prepared(project: &Project) -> Result<Vec<SubjectId>> {
    if project.paths.nsd.is_none() {
        return prepared(project);
    }
    let own = project.imported_subjects()?.into_iter().map(SubjectId::Own);
    Ok(in_tree(project)?.into_iter().chain(own).collect())
}

fn in_tree(project: &Project) -> Result<Vec<SubjectId>> {
    let tree = NsdTree::new(project.nsd()?);
    let version = project.choice.betas_version.as_deref().unwrap_or(DEFAULT_BETAS_VERSION);
    let betas = |subject: NsdSubject| tree.betas_dir(subject, project.resolution, version);
    let found: Vec<SubjectId> =
        NsdSubject::all().filter(|subject| betas(*subject).is_dir()).map(SubjectId::Nsd).collect();
    if found.is_empty() {
        return Err(RunError::missing(
            betas(NsdSubject::default()),
            "`--subject all`, or that of another subject",
        )
        .into());
    }
    Ok(found)
}

/// Runs `one` for every subject. One that fails is said in a line of its own, and the others have their turn; what was interrupted ends
/// the whole.
///
/// # Errors
/// That some subjects failed: the user's fault if it is that of all of them.
pub fn run(
    cli: &Cli,
    subjects: &[SubjectId],
    one: &mut dyn FnMut(SubjectId) -> Result<Value>,
) -> Result<Value> {
    let as_json = cli.global.json;
    let (mut summaries, mut failed) = (Map::new(), Vec::new());
    for subject in subjects {
        match one(*subject) {
            Ok(summary) if as_json => drop(summaries.insert(subject.to_string(), summary)),
            Ok(Value::Null) => {}
            Ok(summary) => {
                render::summary_of(&subject.to_string(), &summary)?;
            }
            Err(error) if error.class() == ErrorClass::Interrupted => {
                return Err(error.context(subject.to_string()));
            }
            Err(error) => {
                let class = error.class();
                render::error(&error.context(subject.to_string()));
                failed.push((subject, class));
            }
        }
    }
    if as_json {
        render::summary(&Value::Object(summaries), true)?;
    }
    if failed.is_empty() {
        return Ok(Value::Null);
    }
    let names: Vec<String> = failed.iter().map(|(subject, _)| subject.to_string()).collect();
    let message = format!("{} of {} subjects failed: {}", failed.len(), subjects.len(), names.join(", "));
    Err(match failed.iter().all(|(_, class)| *class == ErrorClass::BadInput) {
        true => Error::bad_input(message),
        false => Error::failure(message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn cli(arguments: &str) -> Cli {
        Cli::try_parse_from(std::iter::once("mindreader").chain(arguments.split_whitespace())).unwrap()
    }

    #[test]
    fn a_subject_that_fails_does_not_stop_the_others() {
        let cli = cli("encode --json --subject all");
        let all: Vec<SubjectId> = NsdSubject::all().take(3).map(SubjectId::Nsd).collect();
        let mut done = Vec::new();
        let error = run(&cli, &all, &mut |subject| {
            done.push(subject.to_string());
            if subject == all[1] { Err(Error::bad_input("no betas")) } else { Ok(Value::from(1)) }
        })
        .unwrap_err();
        assert_eq!(done, ["subj01", "subj02", "subj03"]);
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (ErrorClass::BadInput, "1 of 3 subjects failed: subj02")
        );
        let failure = run(&cli, &all, &mut |_| Err(Error::failure("disk"))).unwrap_err();
        assert_eq!(failure.class(), ErrorClass::Failure);
        done.clear();
        let stopped = run(&cli, &all, &mut |_| Err(Error::interrupted("stop"))).unwrap_err();
        assert_eq!((stopped.class(), stopped.to_string().as_str()), (ErrorClass::Interrupted, "subj01"));
        assert!(run(&cli, &all, &mut |_| Ok(Value::Null)).is_ok());
    }

    #[test]
    fn what_belongs_to_one_subject_or_to_none_is_refused_in_words() {
        let refused =
            |arguments: &str| subjects(&cli(arguments).command, &Project::default()).unwrap_err().to_string();
        for arguments in ["train-mapper --target image --resume c.mpk", "finetune-gan --resume c.mpk"] {
            assert!(
                refused(arguments).contains("the run of `--resume` belongs to one subject"),
                "{arguments}"
            );
        }
        assert!(refused("evaluate --mappers m.safetensors").contains("a mapper belongs to one subject"));
        for arguments in ["config", "phantom", "demo", "init", "ablate --table 3"] {
            assert!(refused(arguments).contains("does not go through subjects"), "{arguments}");
        }
    }

    #[test]
    fn an_unknown_subject_is_told_which_ones_there_are() {
        let root = tempfile::tempdir().unwrap();
        let mut project = Project { subject: "dgits".parse().unwrap(), ..Project::default() };
        project.paths.work = Some(root.path().to_path_buf());
        let of = |arguments: &str, project: &Project| {
            require_imported(&cli(arguments).command, project).map_err(|error| error.to_string())
        };
        assert!(of("encode", &project).unwrap_err().contains("none was imported there yet"));
        std::fs::create_dir_all(root.path().join("prepared")).unwrap();
        for name in ["digits", "letters"] {
            std::fs::write(root.path().join(format!("prepared/{name}.h5")), "").unwrap();
        }
        let error = of("run", &project).unwrap_err();
        assert!(
            error.contains("`--subject dgits`") && error.ends_with("there is `digits`, `letters`"),
            "{error}"
        );
        project.subject = "digits".parse().unwrap();
        assert_eq!(of("run", &project), Ok(()));
        project.subject = "new".parse().unwrap();
        assert_eq!((of("init", &project), of("import", &project)), (Ok(()), Ok(())));
    }

    #[test]
    fn all_are_those_in_the_tree_or_those_prepared() {
        let root = tempfile::tempdir().unwrap();
        let mut project = Project::default();
        project.paths.nsd = Some(root.path().to_path_buf());
        project.paths.work = Some(root.path().join("work"));
        let of = |arguments: &str, project: &Project| subjects(&cli(arguments).command, project);
        let error = of("prepare", &project).unwrap_err().to_string();
        assert!(error.contains("subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR` is missing"), "{error}");
        for subject in ["subj02", "subj07"] {
            let betas = format!("nsddata_betas/ppdata/{subject}/func1pt8mm/betas_fithrf_GLMdenoise_RR");
            std::fs::create_dir_all(root.path().join(betas)).unwrap();
        }
        let numbers = |subjects: Vec<SubjectId>| subjects.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(numbers(of("prepare", &project).unwrap()), ["subj02", "subj07"]);
        assert!(of("encode", &project).unwrap_err().to_string().contains("mindreader prepare"));
        project.subject = SubjectId::new(7).unwrap();
        std::fs::create_dir_all(root.path().join("work/prepared")).unwrap();
        std::fs::write(project.prepared(), "").unwrap();
        assert_eq!(numbers(of("encode", &project).unwrap()), ["subj07"]);
        for name in ["digits", "letters", "subj07-V1-func1pt8mm"] {
            std::fs::write(root.path().join(format!("work/prepared/{name}.h5")), "").unwrap();
        }
        assert_eq!(numbers(of("encode", &project).unwrap()), ["subj07", "digits", "letters"]);
        assert_eq!(numbers(of("run", &project).unwrap()), ["subj02", "subj07", "digits", "letters"]);
        project.paths.nsd = None;
        assert_eq!(numbers(of("run", &project).unwrap()), ["subj07", "digits", "letters"]);
    }
}
