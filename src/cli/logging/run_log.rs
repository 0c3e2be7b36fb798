//! `log.txt` in a run's folder: what was said during the run, with times.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer};

use crate::error::{Classified, ErrorClass, FileError};

/// Name of the file in the run's folder.
const FILE: &str = "log.txt";
/// What is kept, in bytes, of what is said before a run has a folder.
const MAX_WAITING: usize = 1 << 20;

/// Opens and closes the logs with the spans of runs, and writes lines to those that are open.
#[derive(Clone)]
pub(super) struct RunLogs(Arc<Mutex<Logs>>);

struct Logs {
    /// When the program began, its version and its command line: the first line of every log.
    beginning: String,
    open: Vec<(Id, Log)>,
    /// What was said since a log was open: the beginning of the next one.
    waiting: Vec<u8>,
    /// The log that was closed last.
    last: Option<Log>,
}

/// A file with its path, for messages.
struct Log {
    path: PathBuf,
    file: File,
}

/// The first log that lacks a line.
static UNWRITTEN: Mutex<Option<FileError>> = Mutex::new(None);

/// An error where a log of this process lacks lines. A run does not stop for its log; its user is told at the end.
///
/// # Errors
/// [`LogError`] of the first line that could not be written.
pub fn all_written() -> Result<(), LogError> {
    let unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    unwritten.map_or(Ok(()), |error| Err(LogError(error)))
}

/// The results are there, but the log of their run is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the results are whole, the log is not: {0}")]
pub struct LogError(FileError);

impl Classified for LogError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Failure
    }
}

impl RunLogs {
    /// Logs of the process that was started with `arguments`.
    pub(super) fn new(arguments: impl Iterator<Item = String>) -> Self {
        let command = arguments.collect::<Vec<_>>().join(" ");
        let mut beginning = String::new();
        if SystemTime.format_time(&mut Writer::new(&mut beginning)).is_err() {
            // The lines that follow have times, too.
        }
        beginning.push_str(&format!("  mindreader {}: {command}\n", env!("CARGO_PKG_VERSION")));
        Self(Arc::new(Mutex::new(Logs { beginning, open: Vec::new(), waiting: Vec::new(), last: None })))
    }

    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logs {
    fn open(&mut self, id: Id, folder: &Path) {
        let path = folder.join(FILE);
        match OpenOptions::new().create(true).append(true).open(&path) {
            Ok(file) => {
                let mut log = Log { path, file };
                log.write(self.beginning.as_bytes());
                log.write(&std::mem::take(&mut self.waiting));
                self.open.push((id, log));
            }
            Err(error) => note_unwritten(&path, error),
        }
    }

    fn close(&mut self, id: &Id) {
        if let Some(place) = self.open.iter().position(|(open, _)| open == id) {
            self.last = Some(self.open.remove(place).1);
        }
    }

    fn line(&mut self, level: Level, line: &[u8]) {
        for (_, log) in &mut self.open {
            log.write(line);
        }
        if !self.open.is_empty() {
            return;
        }
        match &mut self.last {
            // A run that fails closes its log before its error is shown.
            Some(log) if level == Level::ERROR && self.waiting.is_empty() => log.write(line),
            _ if self.waiting.len() < MAX_WAITING => self.waiting.extend_from_slice(line),
            _ => {}
        }
    }
}

impl Log {
    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.file.write_all(bytes) {
            note_unwritten(&self.path, error);
        }
    }
}

fn note_unwritten(path: &Path, error: io::Error) {
    let mut unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    unwritten.get_or_insert_with(|| FileError::unwritable(path, error));
}

impl<S: Subscriber> Layer<S> for RunLogs {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut folder = Folder::default();
        attributes.record(&mut folder);
        if let Some(folder) = folder.0 {
            self.logs().open(id.clone(), Path::new(&folder));
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.logs().close(&id);
    }
}

/// The field `folder` of a run's span.
#[derive(Default)]
struct Folder(Option<String>);

impl Visit for Folder {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "folder" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

/// Takes the lines of one event.
pub(super) struct Line<'a> {
    logs: MutexGuard<'a, Logs>,
    level: Level,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.logs.line(self.level, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RunLogs {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { logs: self.logs(), level: Level::INFO }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line { logs: self.logs(), level: *meta.level() }
    }
}
