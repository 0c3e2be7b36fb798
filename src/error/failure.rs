//! The error of commands and pipelines: any classified error, with its class.

use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};

use super::classified::{Classified, ErrorClass};

/// Result of a command or pipeline.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A classified error of any type. It shows as the error that it was made from.
pub struct Error {
    class: ErrorClass,
    hint: Option<String>,
    cause: Box<dyn StdError + Send + Sync + 'static>,
}

impl Error {
    /// A failure in words of its own: something that holds by construction did not.
    pub fn failure(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Failure, hint: None, cause: message.into().into() }
    }

    /// An input that the user can put right, in words of its own.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::BadInput, hint: None, cause: message.into().into() }
    }

    /// Work that the user stopped, in words of its own.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Interrupted, hint: None, cause: message.into().into() }
    }

    /// The error with a hint, unless it has one.
    pub fn or_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: self.hint.or_else(|| Some(hint.into())), ..self }
    }

    /// Whose the error is.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// What to do about it, where something can be done.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The error and its causes, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let outermost: &(dyn StdError + 'static) = self.cause.as_ref();
        std::iter::successors(Some(outermost), |&error| error.source())
    }

    /// The outermost error of type `E` in the chain.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.chain().find_map(|error| error.downcast_ref())
    }

    /// The error with the circumstances in front; its class and hint stay.
    pub fn context(self, circumstances: impl Into<String>) -> Self {
        let Self { class, hint, cause } = self;
        Self { class, hint, cause: Box::new(Circumstances { text: circumstances.into(), cause }) }
    }
}

impl<E: Classified> From<E> for Error {
    fn from(error: E) -> Self {
        Self { class: error.class(), hint: error.hint(), cause: Box::new(error) }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.cause, out)
    }
}

impl Debug for Error {
    /// The whole chain in words: what a failed test shows.
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.class)?;
        self.chain().try_for_each(|error| write!(out, ": {error}"))
    }
}

/// An error with the circumstances under which it arose.
#[derive(Debug)]
struct Circumstances {
    text: String,
    cause: Box<dyn StdError + Send + Sync + 'static>,
}

impl Display for Circumstances {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl StdError for Circumstances {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.cause.as_ref())
    }
}

/// Puts the circumstances in front of an error.
pub trait Context<T> {
    /// The value, or the error with the circumstances in front; an absent value is a failure.
    ///
    /// # Errors
    /// The error itself, under its class.
    fn context(self, circumstances: impl Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, circumstances: impl Display) -> Result<T> {
        self.map_err(|error| error.into().context(circumstances.to_string()))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, circumstances: impl Display) -> Result<T> {
        self.ok_or_else(|| Error::failure(circumstances.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SettingError;

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Passed(#[from] SettingError);

    impl Classified for Passed {
        fn class(&self) -> ErrorClass {
            self.0.class()
        }

        fn hint(&self) -> Option<String> {
            Some("half of it".into())
        }
    }

    #[test]
    fn class_and_hint_survive_context_and_transparent_layers() {
        let setting = SettingError::new("interval", "at least 1", 0);
        let error: Error = Err::<(), _>(Passed(setting.clone())).context("row 3").unwrap_err();
        assert_eq!((error.class(), error.hint()), (ErrorClass::BadInput, Some("half of it")));
        assert_eq!(error.to_string(), "row 3");
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        assert_eq!(chain, ["row 3", "`interval`: found 0, expected at least 1"]);
        assert!(error.downcast_ref::<Passed>().is_some_and(|passed| passed.0 == setting));
        assert!(error.downcast_ref::<std::io::Error>().is_none());
        assert_eq!(format!("{error:?}"), "BadInput: row 3: `interval`: found 0, expected at least 1");
    }

    #[test]
    fn words_of_their_own_have_the_class_of_their_maker() {
        assert_eq!(Error::bad_input("x").class(), ErrorClass::BadInput);
        assert_eq!(None::<u8>.context("no trial").unwrap_err().class(), ErrorClass::Failure);
        let error = Error::from(std::io::Error::other("disk on fire"));
        assert_eq!((error.class(), error.to_string().as_str()), (ErrorClass::Failure, "disk on fire"));
    }
}
