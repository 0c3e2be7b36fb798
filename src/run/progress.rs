//! How long work tells its caller how far it is. The terminal lives in `cli::render`.

/// Receiver of progress. One task is under way at a time.
pub trait Progress {
    /// A task of `total` units begins; `total` 0 means unknown.
    fn start(&mut self, what: &str, total: u64);
    /// `done` units are finished; `message` is a short state such as a loss, or empty.
    fn advance(&mut self, done: u64, message: &str);
    /// The task ended; `message` says with what result.
    fn finish(&mut self, message: &str);
    /// A result inside the task under way, worth keeping on the screen.
    fn line(&mut self, _text: &str) {}
    /// A sentence between tasks: what comes next, and why.
    fn note(&mut self, _text: &str) {}
    /// Something that may make a result other than it seems; said even where progress is not.
    fn warning(&mut self, _text: &str) {}
}

/// Progress that nobody watches: tests and library callers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn start(&mut self, _what: &str, _total: u64) {}
    fn advance(&mut self, _done: u64, _message: &str) {}
    fn finish(&mut self, _message: &str) {}
}
