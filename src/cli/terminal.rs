//! Progress of the work under way: bars on a terminal, plain lines elsewhere.

use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressState, ProgressStyle};
use tracing::{Span, debug, info, info_span, warn};
use tracing_indicatif::span_ext::IndicatifSpanExt;

use super::logging::{Display, SAID};
use crate::run::progress::Progress;

/// Without a terminal, a line this often is enough to see that work goes on.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// What commands tell of their progress, said to the user.
pub struct Terminal {
    display: Display,
    task: Option<Task>,
}

/// The task under way.
struct Task {
    what: String,
    total: u64,
    /// Draws the bar, where bars are drawn.
    span: Span,
    started: Instant,
    last_line: Instant,
    first: Option<(Instant, u64)>,
}

impl Terminal {
    /// Progress as `display` says.
    pub fn new(display: Display) -> Self {
        Self { display, task: None }
    }
}

impl Progress for Terminal {
    fn start(&mut self, what: &str, total: u64) {
        // The bar of a task that was given up goes first.
        self.task = None;
        let started = Instant::now();
        let span = info_span!(target: SAID, "task", what);
        // Where a bar says this, lines are for the log only.
        match self.display {
            Display::Bars => {
                debug!(target: SAID, task = what, total, "{what} ...");
                show_bar(&span, what, total);
            }
            Display::Lines => info!(target: SAID, task = what, total, "{what} ..."),
        }
        self.task = Some(Task { what: what.into(), total, span, started, last_line: started, first: None });
    }

    fn advance(&mut self, done: u64, message: &str) {
        let Some(task) = &mut self.task else { return };
        if self.display == Display::Bars {
            task.span.pb_set_position(done);
            if !message.is_empty() {
                task.span.pb_set_message(message);
            }
        }
        let Some(line) = task.line(done, message) else { return };
        let (what, total) = (&task.what, task.total);
        match self.display {
            Display::Bars => debug!(target: SAID, task = what, done, total, "{line}"),
            Display::Lines => info!(target: SAID, task = what, done, total, "{line}"),
        }
    }

    fn finish(&mut self, message: &str) {
        let Some(Task { what, span, started, .. }) = self.task.take() else { return };
        // Clears the bar.
        drop(span);
        let seconds = started.elapsed().as_secs_f64();
        let result = if message.is_empty() { "done" } else { message };
        info!(target: SAID, task = what, seconds, "{what}: {result} ({seconds:.1} s)");
    }

    fn line(&mut self, text: &str) {
        info!(target: SAID, "{text}");
    }

    fn note(&mut self, text: &str) {
        info!(target: SAID, paragraph = true, "{text}");
    }

    fn warning(&mut self, text: &str) {
        warn!(target: SAID, "warning: {text}");
    }
}

impl Task {
    /// How far the task is; none so soon after the last time.
    fn line(&mut self, done: u64, message: &str) -> Option<String> {
        // A resumed task begins with work done elsewhere.
        let (begun, already) = *self.first.get_or_insert((Instant::now(), done));
        if self.last_line.elapsed() < LINE_INTERVAL {
            return None;
        }
        self.last_line = Instant::now();
        let of_total = if self.total > 0 { format!("/{}", self.total) } else { String::new() };
        let pace = pace(done - already.min(done), self.total.saturating_sub(done), begun.elapsed());
        let parts = [format!("{}: {done}{of_total}", self.what), message.into(), pace];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(parts.join(", "))
    }
}

/// Draws the bar of a span that was just made; a spinner where `total` is 0, which means unknown.
fn show_bar(span: &Span, what: &str, total: u64) {
    let template = match total {
        0 => "{spinner} {what}  {wide_msg} {elapsed}",
        _ => "{what} [{bar:28}] {pos}/{len}  {wide_msg} {per_sec}, {elapsed}, {eta} left",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let what = what.to_string();
    let style = style.with_key("what", move |_: &ProgressState, bar: &mut dyn Write| {
        if bar.write_str(&what).is_err() {
            // The bar goes without a name.
        }
    });
    span.pb_set_style(&style.progress_chars("=> "));
    if total > 0 {
        span.pb_set_length(total);
    }
    span.pb_start();
}

/// `3.1/s, 42 seconds left`; work that is slower than one a second in seconds.
fn pace(done: u64, left: u64, elapsed: Duration) -> String {
    if done == 0 {
        return String::new();
    }
    let each = elapsed.as_secs_f64() / done as f64;
    let speed =
        if each < 1.0 { format!("{:.1}/s", 1.0 / each.max(1e-9)) } else { format!("{each:.1} s each") };
    match left {
        0 => speed,
        _ => {
            format!("{speed}, {} left", indicatif::HumanDuration(Duration::from_secs_f64(each * left as f64)))
        }
    }
}
