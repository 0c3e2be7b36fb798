//! A signal stops every long command soon, with its exit code and a word on how to go on, and leaves nothing half written.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::kill::assert_equal_metrics;
use crate::phantom::{TINY, files, mapper_work, phantom, runs};

/// Two seconds, and what a busy machine adds.
const SOON: Duration = Duration::from_secs(10);
/// A phantom that takes minutes.
const MANY_SESSIONS: [&str; 2] = ["--set", "phantom.sessions=30"];

/// A command under way.
struct Work {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

/// What a command ended with.
struct End {
    status: ExitStatus,
    said: String,
    took: Duration,
}

impl Work {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// Waits until the command says that it is at this.
    fn wait_for(mut self, what: &str) -> Self {
        let mut said = String::new();
        while !said.contains(what) {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "ended without `{what}`: {said}");
            said.push_str(&line);
        }
        self
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn end(mut self) -> End {
        let started = Instant::now();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        End { status: self.child.wait().unwrap(), said, took: started.elapsed() }
    }

    /// Sends the signal; the command ends soon, with this code and a hint.
    fn stop(self, name: &str, code: i32) -> String {
        self.signal(name);
        let End { status, said, took } = self.end();
        assert_eq!((status.signal(), status.code()), (None, Some(code)), "{said}");
        assert!(took < SOON, "{took:?}: {said}");
        assert!(said.contains("error: ") && !said.contains("panicked"), "{said}");
        said
    }
}

fn mindreader(command: &str, nsd: &Path, work: &Path) -> Command {
    let mut start = Command::new(env!("CARGO_BIN_EXE_mindreader"));
    start.env_remove("MINDREADER_LOG").args(["--device", "cpu", "--config", TINY]);
    start.arg("--nsd").arg(nsd).arg("--work").arg(work).arg(command);
    start
}

fn assert_nothing_half_written(root: &Path) {
    let is_temporary = |path: &PathBuf| {
        path.strip_prefix(root).unwrap().iter().any(|part| part.to_string_lossy().starts_with('.'))
    };
    let left: Vec<PathBuf> = files(root).into_iter().filter(is_temporary).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_stopped_phantom_leaves_nothing() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("USR1", 143), ("USR2", 143)] {
        let root = tempfile::tempdir().unwrap();
        let mut command = mindreader("phantom", &root.path().join("nsd"), root.path());
        let said = Work::start(command.args(MANY_SESSIONS)).wait_for("images ...").stop(signal, code);
        assert!(said.contains("hint: nothing was written; give the same command again"), "{said}");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "{signal}");
    }
}

/// Nothing polls while the full-size cortex grows and its voxels are tuned.
#[test]
fn work_that_does_not_poll_is_ended_from_outside() {
    let root = tempfile::tempdir().unwrap();
    let mut command = mindreader("phantom", &root.path().join("nsd"), root.path());
    let work = Work::start(command.args(["--set", "phantom.size=full"]));
    std::thread::sleep(Duration::from_millis(500));
    work.stop("TERM", 143);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_second_signal_ends_at_once_and_removes_what_is_under_way() {
    let root = tempfile::tempdir().unwrap();
    let mut command = mindreader("phantom", &root.path().join("nsd"), root.path());
    let work = Work::start(command.args(MANY_SESSIONS)).wait_for("images ...");
    // Both are there before the program can take the first.
    work.signal("STOP");
    work.signal("INT");
    work.signal("TERM");
    work.signal("CONT");
    let End { status, said, took } = work.end();
    assert!(matches!(status.code(), Some(130 | 143)) && took < SOON, "{status} {took:?} {said}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn under_nohup_a_closed_terminal_is_no_reason_to_stop() {
    let root = tempfile::tempdir().unwrap();
    let command = mindreader("phantom", &root.path().join("nsd"), root.path());
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(command.get_program());
    let mut work = Work::start(shell.args(command.get_args()).args(MANY_SESSIONS)).wait_for("images ...");
    work.signal("HUP");
    std::thread::sleep(Duration::from_secs(3));
    assert!(work.child.try_wait().unwrap().is_none(), "it went on");
    work.stop("TERM", 143);
}

#[test]
fn commands_that_embed_images_stop_and_keep_no_half_cache() {
    let root = tempfile::tempdir().unwrap();
    let made = mapper_work(root.path());
    for (command, code, signal) in [("screen-captions", 130, "INT"), ("encode", 143, "TERM")] {
        std::fs::remove_dir_all(made.join("cache")).unwrap();
        let work = Work::start(&mut mindreader(command, phantom(), &made)).wait_for("...");
        let said = work.stop(signal, code);
        assert!(said.contains("hint: nothing was written but whole embeddings"), "{command}: {said}");
        assert_nothing_half_written(root.path());
        let output = mindreader(command, phantom(), &made).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_queue_that_announces_its_end_gets_a_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let long = ["--set", "pretrain_gan.train.total_kimg=100"];
    let training = |arguments: &[&str]| {
        let mut command = mindreader("pretrain-gan", phantom(), &work);
        command.args(long).args(arguments);
        Work::start(&mut command).wait_for("training the GAN ...")
    };
    let said = training(&[]).stop("USR1", 143);
    let checkpoint = runs(&work, "pretrain-gan-subj01")[0].join("checkpoint.mpk");
    assert!(said.contains(&format!("continue with `--resume {}`", checkpoint.display())), "{said}");
    let said = training(&["--resume", checkpoint.to_str().unwrap()]).stop("HUP", 129);
    assert!(said.contains("--resume"), "{said}");
    assert_nothing_half_written(root.path());

    // Pictures of a stopped `reconstruct` are whole.
    for target in ["image", "caption"] {
        let mut command = mindreader("train-mapper", phantom(), &work);
        assert!(command.args(["--target", target, "--quiet"]).status().unwrap().success());
    }
    let mut command = mindreader("pretrain-gan", phantom(), &work);
    assert!(command.arg("--quiet").status().unwrap().success());
    let mut command = mindreader("reconstruct", phantom(), &work);
    let gan = runs(&work, "pretrain-gan-subj01").pop().unwrap();
    command.arg("--generator").arg(gan.join("generator.safetensors"));
    command.args(["--limit", "100", "--set", "reconstruct.samples=500", "--set", "reconstruct.batch=1"]);
    let drawing = Work::start(&mut command).wait_for("reconstruct ...");
    std::thread::sleep(Duration::from_millis(500));
    let said = drawing.stop("INT", 130);
    assert!(said.contains("hint: pictures that were drawn stay"), "{said}");
    let run = runs(&work, "").into_iter().rfind(|run| run.to_string_lossy().contains("reconstruct"));
    let pictures =
        files(&run.unwrap()).into_iter().filter(|file| file.extension().is_some_and(|e| e == "png"));
    for picture in pictures {
        image::open(&picture).unwrap();
    }
    assert_nothing_half_written(root.path());
}

/// Arguments of settings.
fn set(settings: &[&str]) -> Vec<String> {
    settings.iter().flat_map(|setting| ["--set".to_string(), (*setting).to_string()]).collect()
}

/// Waits until the newest run of this name has a checkpoint.
fn wait_for_checkpoint(work: &Path, run: &str, count: usize) -> PathBuf {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(120) {
        let checkpoint =
            runs(work, run).get(count).map(|run| run.join("checkpoint.mpk")).filter(|path| path.is_file());
        if let Some(checkpoint) = checkpoint {
            return checkpoint;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no checkpoint of {run}");
}

/// Nobody waits for the step: minutes of it are lost, and the checkpoint before it is there.
#[test]
fn a_training_is_ended_in_the_middle_of_a_long_step() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let settings = set(&[
        "pretrain_clip.network.image_size=112",
        "pretrain_clip.network.vision_width=192",
        "pretrain_clip.network.vision_layers=12",
        "pretrain_clip.network.vision_heads=6",
    ]);
    let mut command = mindreader("pretrain-clip", phantom(), &work);
    let training = Work::start(command.args(&settings));
    let checkpoint = wait_for_checkpoint(&work, "pretrain-clip-subj01", 1);
    std::thread::sleep(Duration::from_millis(100));
    let said = training.stop("INT", 130);
    let (file, flags) = (checkpoint.display(), settings.join(" "));
    assert!(said.contains(&format!("the run's last checkpoint, `{file}`, is of step 0")), "{said}");
    assert!(said.contains("hint: go on with `mindreader --device cpu --config "), "{said}");
    assert!(said.contains(&format!(" pretrain-clip {flags} --resume {file}`")), "{said}");
    assert!(!checkpoint.with_file_name("run.lock").exists());
    assert_nothing_half_written(root.path());
}

/// Two steps of seconds with a checkpoint between them; the second is ended.
#[test]
fn a_training_that_was_ended_in_a_step_goes_on_from_the_checkpoint_before_it() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let settings = set(&[
        "train_mapper.network.hidden=96",
        "train_mapper.train.phase1.batch=318",
        "train_mapper.train.phase1.epochs=1",
        "train_mapper.train.phase2.epochs=0",
        "train_mapper.train.checkpoint_every_minutes=1e-9",
    ]);
    let command = || {
        let mut command = mindreader("train-mapper", phantom(), &work);
        command.args(["--target", "image"]).args(&settings);
        command
    };
    let done = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let name = "train-mapper-image-subj01";
    done(&mut command());
    let training = Work::start(&mut command());
    let checkpoint = wait_for_checkpoint(&work, name, 1);
    // The one before the first step has no moments of the optimiser yet.
    let bytes = || std::fs::metadata(&checkpoint).unwrap().len();
    let (first, started) = (bytes(), Instant::now());
    while bytes() == first {
        assert!(started.elapsed() < Duration::from_secs(120), "no second checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = training.stop("TERM", 143);
    assert!(said.contains(&format!("--resume {}`", checkpoint.display())), "{said}");
    assert_nothing_half_written(root.path());
    done(command().arg("--resume").arg(&checkpoint));
    let [unbroken, run] = &runs(&work, name)[..] else { panic!("two runs") };
    let best = |run: &Path| std::fs::read(run.join("best.safetensors")).unwrap();
    assert!(best(run) == best(unbroken));
    assert_equal_metrics(run, unbroken);
}

/// A checkpoint that is never written is none to go on from.
#[test]
fn a_stopped_fit_in_one_piece_leaves_nothing_and_does_not_speak_of_resuming() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let before = files(&work);
    let many: Vec<String> = (1..=1000).map(|penalty| format!("{penalty}.0")).collect();
    let long = format!("train_mapper.kernel_ridge.penalties=[{}]", many.join(","));
    for (kind, signal, code) in [("kernel-ridge", "TERM", 143), ("kernel-ridge", "INT", 130)] {
        let mut command = mindreader("train-mapper", phantom(), &work);
        command.args(["--kind", kind, "--target", "image", "--set", &long]);
        let said = Work::start(&mut command).wait_for("kernel ridge regression ...").stop(signal, code);
        assert!(said.contains("keeps no checkpoint: give the same command again"), "{said}");
        assert!(!said.contains("--resume"), "{said}");
        assert!(runs(&work, "subj01").iter().all(|run| !run.join("run.lock").exists()));
        let left: Vec<_> = files(&work).into_iter().filter(|file| !before.contains(file)).collect();
        let is_cache = |file: &PathBuf| file.starts_with(work.join("cache"));
        assert!(left.iter().all(is_cache), "{left:?}");
    }
    assert_nothing_half_written(root.path());
}

#[test]
fn the_demo_stops_with_the_command_that_is_under_way() {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command.args(["--device", "cpu", "demo", "--out"]).arg(root.path().join("demo"));
    let said = Work::start(&mut command).wait_for("images ...").stop("HUP", 129);
    assert!(said.contains("hint: give the same command again"), "{said}");
    assert_nothing_half_written(root.path());
}
