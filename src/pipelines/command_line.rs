//! Command lines that are printed for the user to type: with the files and settings in use, so that they do the same when pasted.

use std::path::Path;

use crate::data::subject::SubjectId;
use crate::pipelines::project::Project;

/// What stands behind every command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    flags: String,
}

impl CommandLine {
    /// Commands for the subject of a project, its paths and `further` flags, such as `--config FILE`. `tree` is the NSD tree where the
    /// project names none.
    pub fn new(project: &Project, tree: Option<&Path>, further: &[String]) -> Self {
        let paths = &project.paths;
        let (name, nsd) = match project.subject {
            SubjectId::Nsd(nsd) => (nsd.number().to_string(), paths.nsd.as_deref().or(tree)),
            // Its images lie in the work folder.
            SubjectId::Own(name) => (name.to_string(), None),
        };
        let mut flags = vec!["--subject".to_string(), name];
        for (flag, path) in [("--nsd", nsd), ("--work", paths.work.as_deref())] {
            flags.extend(path.iter().flat_map(|path| [flag.to_string(), path.display().to_string()]));
        }
        flags.extend(further.iter().cloned());
        Self { flags: flags.iter().map(|flag| format!(" {}", quoted(flag))).collect() }
    }

    /// `mindreader` with a subcommand and its flags.
    pub fn line(&self, command: &str) -> String {
        format!("mindreader {command}{}", self.flags)
    }
}

/// An argument as a shell takes it.
pub fn quoted(argument: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,+@%".contains(letter);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_string();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::project::ProjectPaths;

    #[test]
    fn commands_have_the_paths_and_are_quoted() {
        let paths = ProjectPaths { work: Some("my work".into()), ..ProjectPaths::default() };
        let mut project = Project { paths, ..Project::default() };
        let flags = ["--config".to_string(), "it's.toml".into()];
        let line = |project: &Project| {
            CommandLine::new(project, Some(Path::new("/data/nsd")), &flags).line("encode")
        };
        assert_eq!(
            line(&project),
            "mindreader encode --subject 1 --nsd /data/nsd --work 'my work' --config 'it'\\''s.toml'"
        );
        project.subject = SubjectId::Own("digits".parse().unwrap());
        assert!(line(&project).starts_with("mindreader encode --subject digits --work "));
    }
}
