//! `mindreader.toml`, the settings of the folder that a command is typed in; and the sizes that `import` chose for a subject.

use std::path::{Path, PathBuf};

use super::args::{Cli, Command};
use super::layers::Layers;
use crate::commands::config::ProjectConfig;
use crate::data::subject::OwnSubject;
use crate::error::FileError;
use crate::files::{file_is_there, say_used};

/// Name of the file. It is looked for in the working directory alone, never in the folders around it: what is far away would decide
/// unseen.
pub const SETTINGS_FILE: &str = "mindreader.toml";
/// What `--config` is given where no file is wanted.
const NO_FILE: &str = "none";

/// The settings file of a call: the named one, else that of the working directory, which is said.
///
/// # Errors
/// What is called `mindreader.toml` and is no file that can be looked at.
pub fn settings_file(cli: &Cli) -> Result<Option<PathBuf>, FileError> {
    match &cli.global.config {
        Some(path) if path == Path::new(NO_FILE) => return Ok(None),
        Some(path) => return Ok(Some(path.clone())),
        None => {}
    }
    let file = Path::new(SETTINGS_FILE);
    if !heeds_folder(&cli.command) || !file_is_there(file)? {
        return Ok(None);
    }
    say_used("the settings", file);
    Ok(Some(file.to_path_buf()))
}

/// Adds the sizes of networks that `import` chose for the subject, below everything that the user says.
///
/// # Errors
/// Settings out of range; a file of sizes that is there and cannot be read.
pub fn with_sizes_of_import(command: &Command, layers: Layers) -> crate::error::Result<Layers> {
    let is_own = layers.text_of("subject").is_some_and(|name| name.parse::<OwnSubject>().is_ok());
    if !is_own || matches!(command, Command::Import(_) | Command::Init(_)) {
        return Ok(layers);
    }
    let config: ProjectConfig = layers.clone().resolve(ProjectConfig::validate)?;
    let sizes = config.project().sizes();
    if !file_is_there(&sizes)? {
        return Ok(layers);
    }
    let (layers, has_any) = layers.beneath::<ProjectConfig>(&sizes)?;
    if has_any {
        say_used("sizes that fit the imported data", &sizes);
    }
    Ok(layers)
}

/// Whether the folder's settings are the command's: not where it brings its own, or writes that file.
fn heeds_folder(command: &Command) -> bool {
    !matches!(command, Command::Demo(_) | Command::Init(_))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_named_file_goes_before_the_folders_and_none_before_both() {
        let of = |arguments: &str| {
            let words = std::iter::once("mindreader").chain(arguments.split_whitespace());
            settings_file(&Cli::try_parse_from(words).unwrap()).unwrap()
        };
        assert_eq!(of("config --config a.toml"), Some("a.toml".into()));
        assert_eq!(of("config --config none"), None);
        // A file of that name is still to be had.
        assert_eq!(of("config --config ./none"), Some("./none".into()));
    }

    #[test]
    fn commands_that_bring_their_settings_do_not_heed_the_folders() {
        let heeds = |arguments: &str| {
            let words = std::iter::once("mindreader").chain(arguments.split_whitespace());
            heeds_folder(&Cli::try_parse_from(words).unwrap().command)
        };
        assert!(!heeds("demo") && !heeds("init") && heeds("prepare") && heeds("config"));
    }
}
