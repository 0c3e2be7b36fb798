//! A training that is killed again and again, or whose disk fills up, ends where an undisturbed one ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::ChaCha12Rng};

use crate::phantom::{self, TINY, mapper_work, phantom, stderr};

/// A training that is killed, and what makes two of its runs equal.
struct Training {
    work: PathBuf,
    command: &'static str,
    args: Vec<&'static str>,
    /// Folder that `--init-from` names where the training is not resumed.
    init_from: Option<PathBuf>,
    /// How the names of its runs end.
    run: String,
    assert_equal: fn(&Path, &Path),
}

/// Training without a checkpoint after so many kills is no training that writes any.
const MOST_KILLS: usize = 30;

impl Training {
    /// Enough steps to be killed 20 times, a checkpoint every few of them.
    fn mapper(work: &Path, target: &'static str) -> Self {
        Self {
            work: work.to_path_buf(),
            command: "train-mapper",
            args: vec![
                "--target",
                target,
                "--set",
                "train_mapper.train.phase1.epochs=10",
                "--set",
                "train_mapper.train.phase2.epochs=5",
                "--set",
                "train_mapper.train.checkpoint_every_minutes=0.001",
            ],
            init_from: None,
            run: format!("train-mapper-{target}-subj01"),
            assert_equal: assert_equal_mappers,
        }
    }

    /// A checkpoint after every epoch.
    fn classifier(work: &Path) -> Self {
        Self {
            work: work.to_path_buf(),
            command: "pretrain-classifier",
            args: vec!["--set", "pretrain_classifier.train.epochs=30"],
            init_from: None,
            run: "pretrain-classifier-subj01".into(),
            assert_equal: assert_equal_classifiers,
        }
    }

    /// A checkpoint after every other step.
    fn gan(work: &Path) -> Self {
        Self {
            work: work.to_path_buf(),
            command: "pretrain-gan",
            args: vec![
                "--set",
                "pretrain_gan.train.total_kimg=0.16",
                "--set",
                "pretrain_gan.train.tick_kimg=0.016",
                "--set",
                "pretrain_gan.train.checkpoint_ticks=1",
            ],
            init_from: None,
            run: "pretrain-gan-subj01".into(),
            assert_equal: assert_equal_gans,
        }
    }

    /// The same for the second half of stage two: mappers and a GAN first, then a finetuning to be killed.
    fn finetuning(work: &Path, end_to_end: bool) -> Self {
        let mut args = vec![
            "--set",
            "finetune_gan.train.total_kimg=0.16",
            "--set",
            "finetune_gan.train.tick_kimg=0.016",
            "--set",
            "finetune_gan.train.checkpoint_ticks=1",
        ];
        args.extend(end_to_end.then_some("--end-to-end"));
        Self {
            work: work.to_path_buf(),
            command: "finetune-gan",
            args,
            init_from: None,
            run: "finetune-gan-subj01".into(),
            assert_equal: if end_to_end { assert_equal_joint_trainings } else { assert_equal_gans },
        }
    }

    fn start(&self, resume: Option<&Path>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mindreader"));
        command
            .args([self.command, "--device", "cpu", "--quiet", "--config", TINY, "--nsd"])
            .arg(phantom())
            .arg("--work")
            .arg(&self.work)
            .args(&self.args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(checkpoint) = resume {
            command.arg("--resume").arg(checkpoint);
        } else if let Some(folder) = &self.init_from {
            command.arg("--init-from").arg(folder);
        }
        command
    }

    /// Folders of its runs, oldest first.
    fn runs(&self) -> Vec<PathBuf> {
        phantom::runs(&self.work, &self.run)
    }

    fn newest_run(&self) -> PathBuf {
        self.runs().pop().unwrap()
    }

    /// Kills the training `times` times, each time resumed from its checkpoint or, without one, begun anew; more often where a slow
    /// machine had no checkpoint by then.
    fn kill_and_resume(&self, times: usize) {
        let started = Instant::now();
        finish(self.start(None));
        let mut longest = started.elapsed().mul_f64(0.8);
        let undisturbed = self.newest_run();
        let mut rng = ChaCha12Rng::seed_from_u64(7);
        let (mut kills, mut continued) = (0, 0);
        let checkpoint = || {
            let run = self.newest_run();
            Some(run.join("checkpoint.mpk")).filter(|path| run != undisturbed && path.is_file())
        };
        while kills < times || (continued == 0 && kills < MOST_KILLS) {
            let from = checkpoint();
            continued += usize::from(from.is_some());
            let mut child = self.start(from.as_deref()).spawn().unwrap();
            std::thread::sleep(longest.mul_f64(rng.random_range(0.02..1.0)));
            if child.try_wait().unwrap().is_some() {
                // It was done before its turn: one more from the start.
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", stderr(&output));
                (self.assert_equal)(&self.newest_run(), &undisturbed);
                fs::remove_dir_all(self.newest_run()).unwrap();
                if from.is_none() {
                    // The machine has become faster.
                    longest = longest.mul_f64(0.8);
                }
                continue;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            if checkpoint().is_none() {
                // The machine has become slower.
                longest = longest.mul_f64(1.25);
            }
        }
        assert!(continued > 0, "all were killed before their first checkpoint");
        finish(self.start(checkpoint().as_deref()));
        (self.assert_equal)(&self.newest_run(), &undisturbed);
    }
}

fn finish(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Rows of the metrics without the times.
fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.map(|mut row: serde_json::Value| {
        row.as_object_mut().unwrap().remove("seconds");
        row
    })
    .collect()
}

fn assert_equal_mappers(run: &Path, undisturbed: &Path) {
    for file in ["best.safetensors", "last.safetensors"] {
        assert!(fs::read(run.join(file)).unwrap() == fs::read(undisturbed.join(file)).unwrap(), "{file}");
    }
    assert_equal_metrics(run, undisturbed);
}

pub fn tensors(file: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(file).unwrap();
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> =
        read.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
    tensors.sort();
    tensors
}

fn assert_equal_classifiers(run: &Path, undisturbed: &Path) {
    let classifier = "classifier.safetensors";
    assert!(tensors(&run.join(classifier)) == tensors(&undisturbed.join(classifier)));
    // All but the paths of the run.
    let summary = |run: &Path| {
        let text = fs::read_to_string(run.join("summary.json")).unwrap();
        let mut summary: serde_json::Value = serde_json::from_str(&text).unwrap();
        for key in ["run", "snapshot"] {
            assert!(summary.as_object_mut().unwrap().remove(key).is_some());
        }
        summary
    };
    assert_eq!(summary(run), summary(undisturbed));
    assert_equal_metrics(run, undisturbed);
}

fn assert_equal_joint_trainings(run: &Path, undisturbed: &Path) {
    for file in ["mapper-image.safetensors", "mapper-caption.safetensors"] {
        assert!(tensors(&run.join(file)) == tensors(&undisturbed.join(file)), "{file}");
    }
    assert_equal_gans(run, undisturbed);
}

pub fn assert_equal_gans(run: &Path, undisturbed: &Path) {
    // The files also hold identities of parameters, which every process draws anew.
    for file in ["generator.safetensors", "discriminator.safetensors"] {
        assert!(tensors(&run.join(file)) == tensors(&undisturbed.join(file)), "{file}");
    }
    let names = |run: &Path| -> Vec<PathBuf> {
        let samples = run.join("samples");
        phantom::files(&samples)
            .iter()
            .map(|file| file.strip_prefix(&samples).unwrap().to_path_buf())
            .collect()
    };
    assert_eq!(names(run), names(undisturbed));
    for name in names(run) {
        let read = |run: &Path| fs::read(run.join("samples").join(&name)).unwrap();
        assert!(read(run) == read(undisturbed), "{}", name.display());
    }
    assert_equal_metrics(run, undisturbed);
}

pub fn assert_equal_metrics(run: &Path, undisturbed: &Path) {
    assert_eq!(metrics(run), metrics(undisturbed));
    let strays: Vec<String> = fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.') || name.contains("tmp"))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn killed_at_20_random_moments_a_training_ends_as_if_it_had_not_been() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    Training::mapper(&work, "image").kill_and_resume(20);
    Training::mapper(&work, "caption").kill_and_resume(5);
}

#[test]
fn killed_at_5_random_moments_a_classifier_ends_as_if_it_had_not_been() {
    let root = tempfile::tempdir().unwrap();
    Training::classifier(&mapper_work(root.path())).kill_and_resume(5);
}

#[test]
fn killed_at_10_random_moments_a_gan_ends_as_if_it_had_not_been() {
    let root = tempfile::tempdir().unwrap();
    Training::gan(&mapper_work(root.path())).kill_and_resume(10);
}

#[test]
fn killed_at_5_random_moments_a_gan_that_began_trained_ends_as_if_it_had_not_been() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let first = Training::gan(&work);
    finish(first.start(None));
    Training { init_from: Some(first.newest_run()), ..first }.kill_and_resume(5);
}

/// Everything that a finetuning needs.
fn finetuning_work(to: &Path) -> PathBuf {
    let work = mapper_work(to);
    for training in
        [Training::mapper(&work, "image"), Training::mapper(&work, "caption"), Training::gan(&work)]
    {
        finish(training.start(None));
    }
    work
}

#[test]
fn killed_at_10_random_moments_a_finetuning_ends_as_if_it_had_not_been() {
    let root = tempfile::tempdir().unwrap();
    Training::finetuning(&finetuning_work(root.path()), false).kill_and_resume(10);
}

#[test]
fn killed_at_10_random_moments_mappers_and_gan_end_as_if_they_had_not_been() {
    let root = tempfile::tempdir().unwrap();
    Training::finetuning(&finetuning_work(root.path()), true).kill_and_resume(10);
}

/// A small file system of its own; gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until the run has logged an epoch.
fn wait_for_an_epoch(child: &mut Child, training: &Training) {
    let started = Instant::now();
    while !training.runs().iter().any(|run| run.join("metrics.jsonl").is_file()) {
        assert!(child.try_wait().unwrap().is_none(), "training ended before its disk was full");
        assert!(started.elapsed() < Duration::from_secs(120), "training did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_full_disk_is_an_error_that_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let elsewhere = Training::mapper(&work, "image");
    finish(elsewhere.start(None));
    let undisturbed = elsewhere.newest_run();

    let small = root.path().join("small");
    fs::create_dir_all(&small).unwrap();
    for folder in ["prepared", "captions", "cache"] {
        fs::rename(work.join(folder), small.join(folder)).unwrap();
    }
    let Some(disk) = SmallDisk::mount(&small.join("runs")) else {
        println!("skipped: a full disk needs the right to mount one");
        return;
    };
    let clip = fs::read_dir(work.join("runs")).unwrap().flatten().map(|run| run.path());
    let clip = clip.filter(|run| run.to_string_lossy().contains("pretrain-clip")).max().unwrap();
    let with_clip = |mut command: Command| {
        command.arg("--clip").arg(clip.join("best.safetensors"));
        command
    };
    let training = Training::mapper(&small, "image");
    let mut child = with_clip(training.start(None)).spawn().unwrap();
    wait_for_an_epoch(&mut child, &training);
    // As if someone else had taken what was left; the training must not be done before.
    signal(&child, "-STOP");
    let filler = disk.0.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    signal(&child, "-CONT");
    let output = child.wait_with_output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.starts_with("error: ") && text.contains("cannot be written"), "{text}");
    assert!(text.contains("No space left") && !text.contains("panicked"), "{text}");

    drop(file);
    fs::remove_file(&filler).unwrap();
    let run = training.newest_run();
    finish(with_clip(training.start(Some(&run.join("checkpoint.mpk")))));
    assert_equal_mappers(&run, &undisturbed);
}
