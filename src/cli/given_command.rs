//! The command line that was given, changed so that it goes on with a run.

use std::path::Path;

use super::args::{Command, GlobalArgs, Subjects};
use crate::models::mapper::MapperTarget;
use crate::pipelines::command_line::quoted;

/// What the user typed behind the program's name, and what of it says less than a single run needs.
#[derive(Clone, Debug)]
pub(super) struct GivenCommand {
    arguments: Vec<String>,
    /// It goes through all subjects.
    is_for_all_subjects: bool,
    /// It trains two mappers, one after the other.
    is_for_both_mappers: bool,
}

impl GivenCommand {
    /// That of this process, if it is a training's.
    pub fn of_training(global: &GlobalArgs, command: &Command) -> Option<Self> {
        let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
        Self::parsed(arguments.collect(), global, command)
    }

    fn parsed(arguments: Vec<String>, global: &GlobalArgs, command: &Command) -> Option<Self> {
        command.is_training().then(|| Self {
            arguments,
            is_for_all_subjects: global.subject == Some(Subjects::All),
            is_for_both_mappers: matches!(command, Command::TrainMapper(args) if args.target.is_none()),
        })
    }

    /// The same command, going on from a checkpoint of `subject`. A run of two begins with what its folder is called after.
    pub fn resumed(&self, checkpoint: &Path, subject: Option<&str>) -> String {
        let mut arguments = self.arguments.clone();
        // Weights to start from are behind a checkpoint, and are refused beside it.
        for flag in ["--resume", "--init-from"] {
            arguments = without(arguments, flag);
        }
        if let Some(subject) = subject.filter(|_| self.is_for_all_subjects) {
            arguments = with(without(arguments, "--subject"), "--subject", subject);
        }
        if let Some(target) = target_of(checkpoint).filter(|_| self.is_for_both_mappers) {
            arguments = with(arguments, "--target", &target.to_string());
        }
        arguments = with(arguments, "--resume", &checkpoint.display().to_string());
        let words: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
        format!("mindreader {}", words.join(" "))
    }
}

/// The arguments without a flag and its value.
fn without(arguments: Vec<String>, flag: &str) -> Vec<String> {
    let mut kept = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == flag {
            arguments.next();
        } else if argument.strip_prefix(flag).is_none_or(|rest| !rest.starts_with('=')) {
            kept.push(argument);
        }
    }
    kept
}

fn with(mut arguments: Vec<String>, flag: &str, value: &str) -> Vec<String> {
    arguments.extend([flag.to_string(), value.to_string()]);
    arguments
}

/// The space that a mapper is trained to, by the name of its run's folder.
fn target_of(checkpoint: &Path) -> Option<MapperTarget> {
    let folder = checkpoint.parent()?.file_name()?.to_string_lossy();
    let targets = [MapperTarget::Image, MapperTarget::Caption, MapperTarget::Resnet];
    targets.into_iter().find(|target| folder.contains(&format!("-train-mapper-{target}-")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;

    fn given(arguments: &[&str]) -> Option<GivenCommand> {
        let cli = Cli::try_parse_from(std::iter::once(&"mindreader").chain(arguments)).unwrap();
        let arguments = arguments.iter().map(|argument| (*argument).to_string()).collect();
        GivenCommand::parsed(arguments, &cli.global, &cli.command)
    }

    #[test]
    fn the_command_goes_on_with_its_flags_and_without_what_a_checkpoint_replaces() {
        let checkpoint = Path::new("my work/runs/00002-train-mapper-caption-subj05/checkpoint.mpk");
        let resumed = |arguments: &[&str]| given(arguments).unwrap().resumed(checkpoint, Some("5"));
        let tail = "--resume 'my work/runs/00002-train-mapper-caption-subj05/checkpoint.mpk'";
        assert_eq!(
            resumed(&["--set", "a=[1, 2]", "pretrain-gan", "--init-from", "gan", "-q"]),
            format!("mindreader --set 'a=[1, 2]' pretrain-gan -q {tail}")
        );
        assert_eq!(
            resumed(&["pretrain-clip", "--resume=old.mpk", "--subject", "3"]),
            format!("mindreader pretrain-clip --subject 3 {tail}")
        );
        assert_eq!(
            resumed(&["train-mapper", "--subject", "all", "--kind", "paper"]),
            format!("mindreader train-mapper --kind paper --subject 5 --target caption {tail}")
        );
        assert_eq!(
            resumed(&["train-mapper", "--target", "image", "--resume", "c"]),
            format!("mindreader train-mapper --target image {tail}")
        );
        assert!(given(&["run"]).is_none() && given(&["evaluate", "--folds", "3"]).is_none());
    }
}
