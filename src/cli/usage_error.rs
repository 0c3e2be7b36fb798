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

    /// The error with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
