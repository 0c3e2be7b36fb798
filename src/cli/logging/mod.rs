//! Who hears what: the terminal, a log file in every run's folder, and what the libraries say on request.
//!
//! The program speaks through [`tracing`]. What it means for the user has the target [`SAID`]; everything else (spans of runs,
//! phases and epochs; messages of Burn and CubeCL, which speak `log`) is heard only where somebody asked for it.

mod plain;
mod run_log;

use std::time::Duration;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_indicatif::{IndicatifLayer, TickSettings};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

pub use self::plain::SAID;
use self::plain::{Clock, Plain};
use self::run_log::RunLogs;
pub use self::run_log::all_written;
use super::usage_error::UsageError;
use crate::run::run_dir::RUN_TARGET;

/// Environment variable that lets more be heard: a level or `target=level,…`, as [`EnvFilter`] reads it.
const VARIABLE: &str = "MINDREADER_LOG";
/// All of the program's own targets begin so.
const OWN_TARGETS: &str = "mindreader";
/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(250);

/// How much the program says on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors only.
    Quiet,
    /// Progress too.
    Normal,
}

/// Form of what is said on stderr.
///
/// The variants have no documentation of their own: clap would print it and every `--help` in its long form for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[expect(missing_docs, reason = "said above")]
pub enum LogFormat {
    // Sentences, with progress bars on a terminal.
    #[default]
    Text,
    // One JSON object a line.
    Json,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// As bars, which move in place.
    Bars,
    /// As lines, now and then.
    Lines,
}

/// What the environment asks to hear beside what is said; none where it asks for nothing.
///
/// # Errors
/// When the variable is no list of levels and targets.
pub fn requested() -> Result<Option<String>, UsageError> {
    let directives = std::env::var_os(VARIABLE).unwrap_or_default().to_string_lossy().into_owned();
    match EnvFilter::try_new(&directives) {
        Ok(_) if directives.is_empty() => Ok(None),
        Ok(_) => Ok(Some(directives)),
        Err(error) => Err(UsageError::new(format!("`{VARIABLE}={directives}`: {error}"))
            .hint(format!("{VARIABLE}=debug, or for example {VARIABLE}=burn_core=debug,cubecl_cuda=trace"))),
    }
}

/// Begins to listen; called once, before anything is said. `requested` is what [`requested`] found; `is_terminal` says whether
/// somebody watches stderr.
pub fn init(verbosity: Verbosity, format: LogFormat, is_terminal: bool, requested: Option<&str>) -> Display {
    let display = match (is_terminal, verbosity, format) {
        (true, Verbosity::Normal, LogFormat::Text) => Display::Bars,
        _ => Display::Lines,
    };
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::WARN,
        Verbosity::Normal => LevelFilter::INFO,
    };
    let mut layers = match display {
        Display::Bars => {
            let bars = IndicatifLayer::new().with_tick_settings(TickSettings {
                default_tick_interval: Some(TICK),
                ..TickSettings::default()
            });
            let writer = bars.get_stderr_writer();
            let tasks = filter_fn(|meta| meta.is_span() && meta.target() == SAID);
            let bars = bars.with_filter(tasks.with_max_level_hint(LevelFilter::INFO));
            vec![stderr(format, writer, heard(level, requested)), bars.boxed()]
        }
        Display::Lines => vec![stderr(format, std::io::stderr, heard(level, requested))],
    };
    let logs = RunLogs::new(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()));
    layers.push(text(Clock::Utc, logs.clone(), heard(LevelFilter::DEBUG, requested)));
    let runs = filter_fn(|meta| meta.is_span() && meta.target() == RUN_TARGET);
    layers.push(logs.with_filter(runs.with_max_level_hint(LevelFilter::INFO)).boxed());
    let subscriber = tracing_subscriber::registry().with(layers);
    let is_first = tracing::subscriber::set_global_default(subscriber).is_ok();
    if let Some(directives) = requested.filter(|_| is_first) {
        hear_libraries(&EnvFilter::new(directives));
    }
    display
}

/// A layer that writes events to stderr.
fn stderr<W>(format: LogFormat, writer: W, heard: BoxedFilter) -> BoxedLayer
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match format {
        LogFormat::Text => text(Clock::None, writer, heard),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .with_current_span(false)
            .log_internal_errors(false)
            .with_writer(writer)
            .with_filter(heard)
            .boxed(),
    }
}

/// A layer that writes events as plain text.
fn text<W>(clock: Clock, writer: W, heard: BoxedFilter) -> BoxedLayer
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .event_format(Plain { clock })
        // A closed pipe (`mindreader … 2>&1 | head`) is no reason to fail.
        .log_internal_errors(false)
        .with_writer(writer)
        .with_filter(heard)
        .boxed()
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;
type BoxedFilter = Box<dyn Filter<Registry> + Send + Sync>;

/// What is said up to `level`, the program's spans around it, and what was `requested`.
fn heard(level: LevelFilter, requested: Option<&str>) -> BoxedFilter {
    let said = filter_fn(move |meta| {
        let is_said = meta.target() == SAID;
        let is_around = meta.is_span() && meta.target().starts_with(OWN_TARGETS);
        is_said && *meta.level() <= level || is_around && *meta.level() <= level.min(LevelFilter::INFO)
    });
    let said = said.with_max_level_hint(level);
    let Some(directives) = requested else { return Box::new(said) };
    // What is said does not depend on what was requested: not more of it under `--quiet`, not less of it otherwise.
    let beside = filter_fn(|meta| meta.target() != SAID).with_max_level_hint(LevelFilter::TRACE);
    Box::new(said.or(EnvFilter::new(directives).and(beside)))
}

/// Passes on what is said through `log`. Without a request nothing is: asking for every message whether it is wanted costs time.
fn hear_libraries(requested: &EnvFilter) {
    let level = match Filter::<Registry>::max_level_hint(requested) {
        Some(LevelFilter::OFF) => tracing_log::log::LevelFilter::Off,
        Some(LevelFilter::ERROR) => tracing_log::log::LevelFilter::Error,
        Some(LevelFilter::WARN) => tracing_log::log::LevelFilter::Warn,
        Some(LevelFilter::INFO) => tracing_log::log::LevelFilter::Info,
        Some(LevelFilter::DEBUG) => tracing_log::log::LevelFilter::Debug,
        _ => tracing_log::log::LevelFilter::Trace,
    };
    // Fails only where another logger is installed, which then has the word.
    drop(tracing_log::LogTracer::builder().with_max_level(level).init());
}

#[cfg(test)]
mod tests;
