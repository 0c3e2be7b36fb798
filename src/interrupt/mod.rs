//! Requests to stop. A signal sets a flag that long work polls; work that does not see it in time is ended from outside.
//!
//! Work that polls ([`check`], [`requested`]) stops between two of its units, keeps what is whole and returns an error. Work
//! inside a library cannot poll, nor can one step of a large training. It is ended two seconds after the signal at the latest, which
//! loses nothing that is whole: outputs appear whole or not at all, what is under way is removed, and a training has its last
//! checkpoint. Short work that must come to its end, such as the writing of that checkpoint, holds a [`Shelter`]. A second signal ends
//! everything at once, unless it comes so soon after the first that it is the same request.

mod request;
mod shelter;
mod signals;

pub use request::{Stopped, check, exit_code, requested};
pub use shelter::Shelter;
pub use signals::{Signals, wait_while_ending};
