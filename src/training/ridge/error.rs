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
    /// A value that no fit can use.
    #[error("ridge decoder: {what}: row {row} holds values that are not finite, expected numbers")]
    NotFinite {
        /// Which matrix.
        what: &'static str,
        /// Row of all rows, counted from 0.
        row: usize,
    },
}

impl RidgeError {
    /// A penalty that is too small for predictors that depend on each other.
    pub(crate) fn too_small(penalty: f64) -> Self {
        let expected = "larger ones: these predictors depend on each other, or are not all finite numbers, and \
                        their equations have no solution";
        SettingError::new("penalties", expected, penalty).into()
    }

    /// A penalty that rounding swallows.
    pub(crate) fn lost_in_rounding() -> Self {
        let expected = "a larger one, or `fractions` left out: these predictors depend on each other so much that it is \
                        lost in rounding";
        SettingError::new("penalties", expected, "a smallest penalty").into()
    }

    /// The error of settings that stand in `section`.
    pub fn within(self, section: &str) -> Self {
        match self {
            Self::Setting(error) => Self::Setting(error.within(section)),
            other => other,
        }
    }
}

impl Classified for RidgeError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Setting(error) => error.class(),
            Self::Stopped(error) => error.class(),
            Self::Shape { .. } | Self::NotFinite { .. } => ErrorClass::BadInput,
        }
    }
}
