//! Requests to stop. A signal sets a flag that long work polls; work that does not see it in time is ended from outside.
//!
//! Work that polls ([`check`], [`requested`]) stops between two of its units, keeps what is whole and returns an error. Work
//! inside a library cannot poll. It is ended two seconds after the signal at the latest, which loses nothing: outputs appear
//! whole or not at all, and what is under way is removed. Trainings have a [`Shelter`]: their last checkpoint is only written at
//! the end of a step, however long that takes. A second signal ends everything at once, unless it comes
//! so soon after the first that it is the same request.

mod request;
mod signals;

pub use request::{Shelter, Stopped, check, exit_code, requested};
pub use signals::{Signals, wait_while_ending};
