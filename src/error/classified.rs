//! Whose an error is.

/// Who can do something about an error, and how the program ends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Settings, arguments, files or sizes that the user can put right.
    BadInput,
    /// The work failed: numbers that are no numbers any more, a library that gave up, a defect of this program.
    Failure,
    /// The user stopped the work.
    Interrupted,
}

/// An error that knows its class.
///
/// Enums match all their variants without a wildcard, so that a new variant has to be classified too; a variant that passes on
/// another error asks that one.
pub trait Classified: std::error::Error + Send + Sync + 'static {
    /// Whose the error is.
    fn class(&self) -> ErrorClass;

    /// What to do about it, where something can be done.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Errors of libraries that reach a command as they are: none comes from what the user wrote. A reader that parses a user's
/// file names the file in an error of its own instead.
macro_rules! failures {
    ($($error:ty),* $(,)?) => {
        $(impl Classified for $error {
            fn class(&self) -> ErrorClass {
                ErrorClass::Failure
            }
        })*
    };
}

failures!(
    askama::Error,
    image::ImageError,
    ndarray::ShapeError,
    serde_json::Error,
    std::io::Error,
    toml::ser::Error
);

impl Classified for std::convert::Infallible {
    fn class(&self) -> ErrorClass {
        match *self {}
    }
}
