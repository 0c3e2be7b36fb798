//! Messages as sentences.

use std::fmt::{Debug, Result};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::error::printable;
pub use crate::files::SAID;

/// Whether lines begin with the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// They do not: whoever watches has a clock.
    None,
    /// RFC 3339, UTC.
    Utc,
}

/// What is said as it is; what is heard beside it with level, target and fields.
pub(super) struct Plain {
    pub(super) clock: Clock,
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> Result {
        let mut words = Words::default();
        event.record(&mut words);
        match self.clock {
            Clock::None if words.opens_paragraph => writeln!(writer)?,
            Clock::None => {}
            Clock::Utc => {
                SystemTime.format_time(&mut writer)?;
                writer.write_str("  ")?;
            }
        }
        // Of a message that came through `log`, the event's own metadata name only the bridge.
        let passed_on = event.normalized_metadata();
        let meta = passed_on.as_ref().unwrap_or_else(|| event.metadata());
        if meta.target() == SAID {
            writeln!(writer, "{}", printable(&words.message))
        } else {
            let said = printable(&format!("{}{}", words.message, words.fields));
            writeln!(writer, "{:>5} {}: {said}", meta.level(), meta.target())
        }
    }
}

/// An event taken apart.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
    opens_paragraph: bool,
}

impl Visit for Words {
    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "paragraph" => self.opens_paragraph = value,
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            // Where in its source a message of `log` stands.
            name if name.starts_with("log.") => {}
            name => self.fields.push_str(&format!(" {name}={value:?}")),
        }
    }
}
