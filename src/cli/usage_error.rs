//! A wrong argument or setting, with a hint how to put it right.

use crate::error::{Classified, ErrorClass};

/// What the user typed or configured cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct UsageError {
    /// What is wrong, naming file, key and what was expected.
    pub message: String,
    /// What to do, if that is clear.
    pub hint: Option<String>,
}

impl Classified for UsageError {
    fn class(&self) -> ErrorClass {
        ErrorClass::BadInput
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl UsageError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The error of arguments that clap refuses, from the paragraphs in which it says so.
    pub fn of_arguments(rendered: &str) -> Self {
        let lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_about_usage =
            |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
        let said: Vec<&str> = lines.clone().take_while(|line| !is_about_usage(line)).collect();
        let message = said.join(" ").replace(" tip: ", "; ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let usage = lines.clone().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("mindreader");
        let command: Vec<&str> = usage
            .split(' ')
            .take_while(|word| word.starts_with(|letter: char| letter.is_alphabetic()))
            .collect();
        Self::new(message).hint(format!("`{} --help` lists the flags", command.join(" ")))
    }

    /// The error with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn wrong_arguments_are_told_in_one_line_that_names_the_flag() {
        for (arguments, message, hint) in [
            ("evaluate --bogus", "unexpected argument '--bogus' found", "`mindreader evaluate --help`"),
            (
                "compact-weights",
                "the following required arguments were not provided: --from <FILE.safetensors>",
                "`mindreader compact-weights --help`",
            ),
            (
                "weights a --log-format xml",
                "invalid value 'xml' for '--log-format <FORMAT>' [possible values: text, json]",
                "`mindreader --help`",
            ),
            ("reconstruct --limit many", "invalid value 'many' for '--limit <N>'", "`mindreader --help`"),
        ] {
            let words = std::iter::once("mindreader").chain(arguments.split(' '));
            let rendered = Cli::try_parse_from(words).unwrap_err().render().to_string();
            let error = UsageError::of_arguments(&rendered);
            assert!(error.message.starts_with(message), "{}", error.message);
            assert_eq!(error.message.lines().count(), 1, "{}", error.message);
            assert!(error.hint.as_ref().is_some_and(|found| found.starts_with(hint)), "{:?}", error.hint);
        }
    }
}
