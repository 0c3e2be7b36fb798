//! Why no regression was fitted.

use crate::error::{Classified, ErrorClass, SettingError};
use crate::interrupt::Stopped;

/// Why nothing was fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RidgeError {
    /// A setting out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Somebody asked to stop before the last penalty was tried.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Matrices that do not fit each other, or too few rows.
    #[error("ridge regression: {what}: found {found}, expected {expected}")]
    Shape {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: usize,
        /// What it should be.
        expected: String,
    },
    /// Values that are not finite, or a penalty of 0 with dependent columns.
    #[error(
        "ridge regression: the penalty {penalty} of `ridge_fit.penalties` is too small for these predictors, which depend on each \
         other or are not all finite numbers; leave it out, or raise it"
    )]
    Singular {
        /// Relative penalty.
        penalty: String,
    },
    /// A value that no fit can use.
    #[error("ridge decoder: {what}: row {row} holds values that are not finite, expected numbers")]
    NotFinite {
        /// Which matrix.
        what: &'static str,
        /// Row of all rows, counted from 0.
        row: usize,
    },
    /// A penalty that rounding swallows.
    #[error(
        "ridge decoder: these predictors depend on each other so much that the smallest penalty is lost in rounding; raise the \
         smallest of `penalties`, or leave `fractions` out"
    )]
    Indefinite,
}

impl Classified for RidgeError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Setting(error) => error.class(),
            Self::Stopped(error) => error.class(),
            Self::Shape { .. } | Self::Singular { .. } | Self::NotFinite { .. } | Self::Indefinite => {
                ErrorClass::BadInput
            }
        }
    }
}
