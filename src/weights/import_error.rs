//! Why a foreign network was not imported.

use std::path::PathBuf;

use super::kind::NetworkKind;
use super::sizes::SizesError;
use crate::error::{Classified, ErrorClass, FileError};
use crate::run::error::RunError;

/// A foreign network that was not imported; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no such network.
    #[error("`{}`: {field}: found {found}, expected {expected}", path.display())]
    Choice {
        /// The file that was searched.
        path: PathBuf,
        /// What was looked for: a name, a kind.
        field: String,
        /// The one that was wanted.
        expected: String,
        /// Those that the file has.
        found: String,
    },
    /// The network's sizes cannot be read or contradict each other.
    #[error("`{}` ({kind}): {reason}", path.display())]
    Sizes {
        /// The file.
        path: PathBuf,
        /// Kind of the network.
        kind: NetworkKind,
        /// Which size, and the tensors that tell it.
        reason: SizesError,
    },
    /// Tensors are missing, unknown, misshapen or not finite.
    #[error("`{}` ({kind}): {problems}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// Kind of the network.
        kind: NetworkKind,
        /// Every problem, one a line.
        problems: String,
        /// Whether `--allow-partial` would let it pass.
        is_forgivable: bool,
    },
    /// An option that does not go with the kind of the network.
    #[error("`{option}` is for a {expected}; `{}` holds a {found}", path.display())]
    Option {
        /// The file.
        path: PathBuf,
        /// The option as the command line spells it.
        option: &'static str,
        /// Kinds that it is for.
        expected: &'static str,
        /// The network's kind.
        found: NetworkKind,
    },
    /// The snapshot cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Classified for ImportError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::File(error) => error.class(),
            Self::Choice { .. } | Self::Sizes { .. } | Self::Tensors { .. } | Self::Option { .. } => {
                ErrorClass::BadInput
            }
            Self::Run(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Tensors { is_forgivable: true, .. } => Some(
                "if the file is the right one, `--allow-partial` keeps initial values where a tensor is missing \
                 and drops what is unknown"
                    .into(),
            ),
            Self::Choice { .. } => Some("`mindreader weights FILE` lists what a file holds".into()),
            _ => None,
        }
    }
}
