//! One trial: the binary in its own process, with a limit of memory and of time.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::project::binary;

/// Address space in KiB. The tiny networks need a tenth; what a lie asks for is far beyond.
const ADDRESS_SPACE_KIB: u64 = 8 << 20;
/// Longest that a command works before it is asked to stop: settings may well ask for years.
const PATIENCE: Limit = Limit { worked: Duration::from_secs(15), passed: Duration::from_secs(120) };
/// How long a command that was asked to stop may take.
const STOPPING: Limit = Limit { worked: Duration::from_secs(5), passed: Duration::from_secs(60) };
/// Ticks of `/proc/PID/stat` in a second, on every Linux.
const TICKS_PER_SEC: u64 = 100;

/// Time of the processor, so that a busy machine does not look like a hang, and of the clock, for what waits for ever.
#[derive(Clone, Copy, Debug)]
struct Limit {
    worked: Duration,
    passed: Duration,
}

const SIGTERM: &str = "-TERM";

/// What is done to a process at a moment.
#[derive(Clone, Debug)]
pub struct Strike {
    /// Processor time before it.
    pub after: Duration,
    /// `-INT`, `-TERM`, `-HUP`, `-KILL`.
    pub signal: &'static str,
}

/// A command and what happens to it.
#[derive(Clone, Debug)]
pub struct Call {
    pub args: Vec<OsString>,
    pub strike: Option<Strike>,
    /// Whether anything but success is a fault.
    pub must_succeed: bool,
}

/// Calls in turn, and in words what was changed before them.
#[derive(Debug)]
pub struct Trial {
    pub what: String,
    pub calls: Vec<Call>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Done,
    /// Exit code 2.
    Refused,
    /// Exit code 1.
    Failed,
    /// Asked to stop, it did.
    Stopped,
    Panicked,
    /// Ended by a signal that nobody sent, or an exit code that is none of the program's.
    Aborted,
    /// Asked to stop, it did not.
    Hung,
    /// It ended properly where it had to succeed.
    Lost,
}

/// How a call ended, and what it said.
pub struct Ended {
    pub end: End,
    pub error: String,
    /// Lines of its error, hints left out.
    pub lines: usize,
}

impl Trial {
    pub fn one(what: String, args: Vec<OsString>) -> Self {
        Self { what, calls: vec![Call { args, strike: None, must_succeed: false }] }
    }

    /// Runs the calls; `folder` takes what they say.
    pub fn run(&self, folder: &Path) -> Vec<Ended> {
        self.calls.iter().map(|call| call.run(folder)).collect()
    }
}

impl Call {
    /// For `ulimit -v`. A GPU's memory is mapped into the address space: only what computes on the CPU is limited.
    fn address_space(&self) -> String {
        let is_on_cpu = self.args.iter().any(|arg| arg == "cpu");
        if is_on_cpu { ADDRESS_SPACE_KIB.to_string() } else { "unlimited".into() }
    }

    fn run(&self, folder: &Path) -> Ended {
        let said = folder.join("stderr.txt");
        let mut child = Command::new("bash")
            .arg("-c")
            .arg(format!("ulimit -v {}; exec \"$@\"", self.address_space()))
            .arg("bash")
            .arg(binary())
            .args(&self.args)
            .env("RAYON_NUM_THREADS", "2")
            .env_remove("MINDREADER_LOG")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let (status, was_asked) = match &self.strike {
            Some(strike) => struck(&mut child, strike),
            None => (wait(&mut child, PATIENCE), false),
        };
        let (status, was_asked) = match status {
            Some(status) => (Some(status), was_asked),
            None if was_asked => (None, true),
            None => {
                signal(&child, SIGTERM);
                (wait(&mut child, STOPPING), true)
            }
        };
        if status.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.judge(status, was_asked, &String::from_utf8_lossy(&fs::read(&said).unwrap()))
    }

    fn judge(&self, status: Option<ExitStatus>, was_asked: bool, error: &str) -> Ended {
        let is_sent = |number: i32| self.strike.is_some() && matches!(number, 1 | 2 | 9 | 10 | 15);
        let end = match status {
            None => End::Hung,
            Some(_) if error.contains("panicked at") => End::Panicked,
            Some(status) => match (status.code(), status.signal()) {
                (Some(0), _) => End::Done,
                (Some(2), _) => End::Refused,
                (Some(1), _) => End::Failed,
                (Some(129 | 130 | 138 | 143), _) if was_asked => End::Stopped,
                (Some(101), _) => End::Panicked,
                (None, Some(number)) if is_sent(number) => End::Stopped,
                // Asked for by this file before the program could listen.
                (None, Some(15)) if was_asked => End::Stopped,
                _ => End::Aborted,
            },
        };
        let end =
            if self.must_succeed && matches!(end, End::Refused | End::Failed) { End::Lost } else { end };
        let lines = error.lines().filter(|line| !line.starts_with("hint: ") && !line.is_empty()).count();
        Ended { end, error: error.to_string(), lines: if end == End::Refused { lines } else { 1 } }
    }
}

/// Waits for the moment of the strike and for what comes of it; whether it found the process alive.
fn struck(child: &mut Child, strike: &Strike) -> (Option<ExitStatus>, bool) {
    let moment = Limit { worked: strike.after, passed: Duration::from_secs(60) };
    if let Some(status) = wait(child, moment) {
        return (Some(status), false);
    }
    signal(child, strike.signal);
    (wait(child, STOPPING), true)
}

fn wait(child: &mut Child, limit: Limit) -> Option<ExitStatus> {
    let (started, before) = (Instant::now(), worked(child));
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        let is_over = started.elapsed() >= limit.passed || worked(child) >= before + limit.worked;
        if is_over {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Processor time of all threads of a process so far.
fn worked(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // The name before the parenthesis may hold spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = |field: usize| fields.split_whitespace().nth(field).and_then(|text| text.parse::<u64>().ok());
    // Fields 14 and 15 of the whole line: in the program and in the system.
    let ticks = ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0);
    Duration::from_millis(ticks * 1000 / TICKS_PER_SEC)
}

fn signal(child: &Child, name: &str) {
    // It may have ended in between.
    let _ = Command::new("kill").args([name, &child.id().to_string()]).stderr(Stdio::null()).status();
}
