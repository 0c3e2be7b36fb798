//! Who may not be disturbed by a request to stop, and the moment from which nobody can hide from it any more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Those of this process.
pub(super) static SHELTERS: Shelters = Shelters::new();

/// A short piece of work that must come to its own end: while there is one, a signal sets the flag and no more.
///
/// The time that others have to heed the signal begins anew when it is dropped. It is for writes that belong together or would be
/// lost, never for a whole training.
#[derive(Debug)]
pub struct Shelter(());

impl Shelter {
    /// From now until it is dropped. Where the process is being ended already it does not return: nothing begins any more.
    pub fn new() -> Self {
        while !SHELTERS.enter() {
            std::thread::park();
        }
        Self(())
    }
}

impl Default for Shelter {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Shelter {
    fn drop(&mut self) {
        SHELTERS.leave();
    }
}

/// How many shelters are held, and whether there can be further ones.
#[derive(Debug)]
pub(super) struct Shelters(Mutex<State>);

#[derive(Debug)]
struct State {
    held: usize,
    /// The process is being ended.
    is_closed: bool,
}

impl Shelters {
    const fn new() -> Self {
        Self(Mutex::new(State { held: 0, is_closed: false }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one, unless they are closed.
    fn enter(&self) -> bool {
        let mut state = self.state();
        state.held += usize::from(!state.is_closed);
        !state.is_closed
    }

    fn leave(&self) {
        let mut state = self.state();
        state.held = state.held.saturating_sub(1);
    }

    fn are_held(&self) -> bool {
        self.state().held > 0
    }

    /// Closes them, unless one is held.
    fn close(&self) -> bool {
        let mut state = self.state();
        state.is_closed |= state.held == 0;
        state.is_closed
    }

    /// Whether the process is being ended.
    pub fn are_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Closes them for good, whoever holds one.
    pub fn close_at_once(&self) {
        self.state().is_closed = true;
    }

    /// Returns, with shelters closed, when none has been held for the time of `grace`: whatever is under way then does not poll. Looks
    /// every `look`.
    pub fn wait_until_none(&self, grace: Duration, look: Duration) {
        let mut since = Instant::now();
        loop {
            if self.are_held() {
                since = Instant::now();
            } else if since.elapsed() >= grace && self.close() {
                return;
            }
            std::thread::sleep(look);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    const LOOK: Duration = Duration::from_millis(1);

    #[test]
    fn nobody_is_disturbed_in_a_shelter_and_none_is_found_after_the_end() {
        let shelters = Shelters::new();
        assert!(shelters.enter() && shelters.enter());
        assert!(!shelters.close() && !shelters.are_closed());
        shelters.leave();
        assert!(!shelters.close(), "one is held");
        shelters.leave();
        assert!(shelters.close() && shelters.are_closed());
        assert!(!shelters.enter() && !shelters.are_held());
    }

    #[test]
    fn the_time_of_grace_begins_anew_when_the_last_shelter_is_left() {
        let (shelters, is_left) = (Shelters::new(), AtomicBool::new(false));
        assert!(shelters.enter());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                shelters.wait_until_none(Duration::from_millis(20), LOOK);
                assert!(is_left.load(Ordering::SeqCst), "ended work that was sheltered");
            });
            // Longer than the time of grace.
            std::thread::sleep(Duration::from_millis(60));
            is_left.store(true, Ordering::SeqCst);
            shelters.leave();
        });
        assert!(shelters.are_closed());
    }

    #[test]
    fn who_holds_none_has_the_time_of_grace() {
        let (shelters, started) = (Shelters::new(), Instant::now());
        shelters.wait_until_none(Duration::from_millis(20), LOOK);
        assert!(started.elapsed() >= Duration::from_millis(20) && shelters.are_closed());
    }
}
