//! `log.txt` in a run's folder: what was said during the run, with times.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer};

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
    open: Vec<(Id, File)>,
    /// What was said since a log was open: the beginning of the next one.
    waiting: Vec<u8>,
    /// The log that was closed last.
    last: Option<File>,
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
        // A folder that takes no log takes no results either: the run itself will say so.
        let Ok(mut file) = OpenOptions::new().create(true).append(true).open(folder.join(FILE)) else {
            return;
        };
        write(&mut file, self.beginning.as_bytes());
        write(&mut file, &std::mem::take(&mut self.waiting));
        self.open.push((id, file));
    }

    fn close(&mut self, id: &Id) {
        if let Some(place) = self.open.iter().position(|(open, _)| open == id) {
            self.last = Some(self.open.remove(place).1);
        }
    }

    fn line(&mut self, level: Level, line: &[u8]) {
        for (_, file) in &mut self.open {
            write(file, line);
        }
        if !self.open.is_empty() {
            return;
        }
        match &mut self.last {
            // A run that fails closes its log before its error is shown.
            Some(file) if level == Level::ERROR && self.waiting.is_empty() => write(file, line),
            _ if self.waiting.len() < MAX_WAITING => self.waiting.extend_from_slice(line),
            _ => {}
        }
    }
}

/// A full disk is no reason to fail; the results that do not fit will be one.
fn write(file: &mut File, bytes: &[u8]) {
    drop(file.write_all(bytes));
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
