//! Signals of the operating system.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

use super::request::{REQUESTED, exit_code_of};
use super::shelter::SHELTERS;

/// Work that polls stops sooner. The rest is ended after this time, which leaves some of the two seconds for words, and for the system
/// to take back gigabytes.
const GRACE: Duration = Duration::from_millis(1200);
/// How often is looked whether work is sheltered.
const LOOK: Duration = Duration::from_millis(50);
/// A terminal that takes no words must not keep the process.
const LONGEST_WORDS: Duration = Duration::from_millis(400);

/// Signals this soon after the first are the same request.
const SAME_REQUEST: Duration = Duration::from_millis(100);

/// When the first signal came.
static FIRST: OnceLock<Instant> = OnceLock::new();

/// Signals that ask to stop, held back until somebody heeds them.
#[derive(Debug)]
pub struct Signals(SigSet);

impl Signals {
    /// Holds back SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 from now on. Called once, by the binary, before it has a second
    /// thread: threads inherit what is held back.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn hold() -> io::Result<Self> {
        let mut held = SigSet::empty();
        for asked in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGHUP] {
            // SAFETY: the default action and "ignored" are no code of this process.
            let before = unsafe { signal(asked, SigHandler::SigDfl) }?;
            if asked == Signal::SIGHUP && matches!(before, SigHandler::SigIgn) {
                // `nohup` lets programs ignore it: then it goes on being ignored.
                // SAFETY: as above.
                unsafe { signal(asked, SigHandler::SigIgn) }?;
            } else {
                held.add(asked);
            }
        }
        held.thread_block()?;
        Ok(Self(held))
    }

    /// Heeds signals from now on. Where work is ended from outside, `tidy_up` removes what is under way, and `last_words` tell
    /// the user how the work goes on.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn heed(self, tidy_up: fn(), last_words: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
        let words: Words = Arc::new(last_words);
        let listen = move || {
            while let Ok(signal) = self.0.wait() {
                take(signal, tidy_up, &words);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen)?;
        Ok(())
    }
}

type Words = Arc<dyn Fn() + Send + Sync>;

/// The first signal is a request, with an end to the patience; the second ends the process.
fn take(signal: Signal, tidy_up: fn(), words: &Words) {
    let code = exit_code_of(signal as i32);
    let is_first = REQUESTED.compare_exchange(0, signal as i32, Ordering::SeqCst, Ordering::SeqCst).is_ok();
    let since_first = FIRST.get_or_init(Instant::now).elapsed();
    if !is_first {
        if is_same_request(since_first) {
            return;
        }
        SHELTERS.close_at_once();
        tidy_up();
        end(code);
    }
    let words = words.clone();
    let watch = move || {
        SHELTERS.wait_until_none(GRACE, LOOK);
        tidy_up();
        say(words);
        end(code);
    };
    // Without a thread there still is the flag, which work that polls will see.
    drop(std::thread::Builder::new().name("stop".into()).spawn(watch));
}

/// `timeout` signals the process and then its group, and a terminal's hang-up comes in several signals: nobody asks twice so fast.
fn is_same_request(since_first: Duration) -> bool {
    since_first < SAME_REQUEST
}

fn say(words: Words) {
    let (done, said) = std::sync::mpsc::channel();
    let speak = move || {
        words();
        // Nobody waits any more where the time is over.
        let _ = done.send(());
    };
    if std::thread::Builder::new().spawn(speak).is_ok() {
        let _ = said.recv_timeout(LONGEST_WORDS);
    }
}

/// Holds a thread that comes to its end while the process is being ended: its work may have failed because of that, and its error
/// would mislead.
pub fn wait_while_ending() {
    while SHELTERS.are_closed() {
        std::thread::park();
    }
}

/// Ends the process without exit handlers: another thread may be inside of the library that they belong to.
fn end(code: u8) -> ! {
    // SAFETY: takes no pointers and does not return.
    unsafe { libc::_exit(i32::from(code)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_close_together_are_one_request() {
        assert!(is_same_request(Duration::from_micros(300)) && is_same_request(Duration::from_millis(2)));
        assert!(!is_same_request(Duration::from_millis(150)));
    }
}
