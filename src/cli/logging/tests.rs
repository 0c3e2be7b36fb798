use super::*;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::{debug, error, info, info_span};

use crate::run::run_dir::RunDir;

/// A stream whose text can be read.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Page {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// What stderr shows of `say`.
fn shown(format: LogFormat, level: LevelFilter, requested: Option<&str>, say: impl FnOnce()) -> String {
    let page = Page::default();
    let layer = stderr(format, page.clone(), heard(level, requested));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(vec![layer]), say);
    page.text()
}

fn say() {
    info!(target: SAID, task = "epochs", done = 3, "epochs: 3/4");
    info!(target: SAID, paragraph = true, "Next.");
    error!(target: SAID, "error: no");
    info!("ours, not for the user");
    debug!(target: "burn_core::record", path = "a", "written");
}

#[test]
fn what_is_said_is_shown_as_it_is_and_nothing_else() {
    assert_eq!(shown(LogFormat::Text, LevelFilter::INFO, None, say), "epochs: 3/4\n\nNext.\nerror: no\n");
    assert_eq!(shown(LogFormat::Text, LevelFilter::WARN, None, say), "error: no\n");
}

#[test]
fn what_is_requested_comes_beside_it() {
    let text = shown(LogFormat::Text, LevelFilter::WARN, Some("debug"), say);
    let own = " INFO mindreader::cli::logging::tests: ours, not for the user\n";
    assert_eq!(text, format!("error: no\n{own}DEBUG burn_core::record: written path=\"a\"\n"));
    let text = shown(LogFormat::Text, LevelFilter::INFO, Some("burn_core=debug"), say);
    assert!(text.starts_with("epochs: 3/4\n\nNext.\n") && text.contains("DEBUG burn_core"), "{text}");
    assert!(!text.contains("ours"), "{text}");
}

#[test]
fn json_has_the_numbers_and_the_spans() {
    let text = shown(LogFormat::Json, LevelFilter::INFO, None, || {
        let _phase = info_span!("phase", number = 1).entered();
        say();
    });
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0]["fields"]["message"], "epochs: 3/4");
    assert_eq!((&lines[0]["fields"]["done"], &lines[0]["level"]), (&3.into(), &"INFO".into()));
    assert_eq!(lines[0]["spans"][0]["name"], "phase");
    assert_eq!(lines[1]["fields"]["message"], "Next.");
}

#[test]
fn messages_of_log_pass_the_bridge() {
    // The bridge's own door, since only one logger can be installed in a process.
    let text = shown(LogFormat::Text, LevelFilter::INFO, Some("burn_core=debug"), || {
        let record = |target, level| {
            tracing_log::log::Record::builder().target(target).level(level).args(format_args!("x")).build()
        };
        for (target, level) in [
            ("burn_core::record", tracing_log::log::Level::Debug),
            ("burn_core::record", tracing_log::log::Level::Trace),
            ("cubecl", tracing_log::log::Level::Debug),
        ] {
            tracing_log::format_trace(&record(target, level)).unwrap();
        }
    });
    assert_eq!(text, "DEBUG burn_core::record: x\n");
}

/// A subscriber of run logs alone.
fn logged(say: impl FnOnce()) {
    let logs = RunLogs::new(["mindreader", "train"].map(String::from).into_iter());
    let runs = filter_fn(|meta| meta.is_span() && meta.target() == RUN_TARGET);
    let layers =
        vec![text(Clock::Utc, logs.clone(), heard(LevelFilter::DEBUG, None)), logs.with_filter(runs).boxed()];
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), say);
}

/// Lines of a log without their times.
fn lines(folder: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("log.txt")).unwrap();
    let message = |line: &str| match line.split_once("Z  ") {
        Some((time, message)) if time.starts_with("20") => message.to_string(),
        _ => format!("? {line}"),
    };
    text.lines().map(message).collect()
}

#[test]
fn a_run_logs_what_was_said_until_it_ends() {
    let root = tempfile::tempdir().unwrap();
    logged(|| {
        info!(target: SAID, "inputs");
        let first = RunDir::create(root.path(), "first").unwrap();
        info!(target: SAID, paragraph = true, "steps");
        debug!(target: SAID, "for the log only");
        info!("beside it");
        drop(first.clone());
        info!(target: SAID, "more steps");
        drop(first);
        info!(target: SAID, "between");
        error!(target: SAID, "error: of nobody's");
        let second = RunDir::create(root.path(), "second").unwrap();
        drop(second);
        error!(target: SAID, "error: a loss is not finite");
        error!(target: SAID, "hint: a lower rate");
    });
    let begin = format!("mindreader {}: mindreader train", env!("CARGO_PKG_VERSION"));
    let first = lines(&root.path().join("00000-first"));
    assert_eq!(first, [&begin, "inputs", "steps", "for the log only", "more steps"]);
    let second = lines(&root.path().join("00001-second"));
    let failed = ["error: a loss is not finite", "hint: a lower rate"];
    assert_eq!(second, [&begin, "between", "error: of nobody's", failed[0], failed[1]]);
}

#[test]
fn a_resumed_run_continues_its_log_and_a_mistaken_folder_gets_none() {
    let root = tempfile::tempdir().unwrap();
    logged(|| {
        let run = RunDir::create(root.path(), "run").unwrap();
        let checkpoint = run.write_atomic("checkpoint.mpk", b"state").unwrap();
        drop(run);
        let again = RunDir::of_checkpoint(&checkpoint).unwrap();
        info!(target: SAID, "further");
        drop(again);
        drop(RunDir::of_checkpoint(&root.path().join("mistaken.mpk")).unwrap());
    });
    let lines = lines(&root.path().join("00000-run"));
    assert_eq!((lines.len(), lines[2].as_str()), (3, "further"));
    assert!(!root.path().join("log.txt").exists());
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_at_the_end() {
    all_written().unwrap();
    let root = tempfile::tempdir().unwrap();
    let full = root.path().join("00000-full");
    std::fs::create_dir(&full).unwrap();
    std::os::unix::fs::symlink("/dev/full", full.join("log.txt")).unwrap();
    std::fs::write(full.join("checkpoint.mpk"), b"state").unwrap();
    logged(|| drop(RunDir::of_checkpoint(&full.join("checkpoint.mpk")).unwrap()));
    let error = all_written().unwrap_err().to_string();
    let begin =
        format!("the results are whole, the log is not: `{}` cannot be", full.join("log.txt").display());
    assert!(error.starts_with(&begin) && error.contains("No space left"), "{error}");
    all_written().unwrap();
}
