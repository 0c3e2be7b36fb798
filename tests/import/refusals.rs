//! Files that do not fit: every problem is named, the exit code is 2, nothing is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;

use crate::made::{describe, import, mindreader, stderr};

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A mapper of few values with the published names.
fn mapper() -> Tensors {
    let mut tensors = Tensors::new();
    let mut add = |name: &str, shape: &[usize]| {
        for (field, shape) in [("weight", shape), ("bias", &shape[..1])] {
            let values = (0..shape.iter().product::<usize>()).map(|value| 0.01 * value as f32).collect();
            tensors.insert(format!("{name}.{field}"), (shape.to_vec(), values));
        }
    };
    add("encoder.0.0", &[3, 1, 4]);
    for (place, taps) in [(0, 3), (2, 3), (4, 1)] {
        add(&format!("encoder.1.net.{place}"), &[3, 3, taps]);
    }
    add("encoder.2", &[5, 3, 1]);
    add("fc.1", &[4, 16, 1]);
    add("fc.3", &[1, 4, 1]);
    tensors
}

fn write(path: &Path, tensors: &Tensors) {
    let bytes: BTreeMap<&String, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            (name, (shape.clone(), values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, (shape, bytes))| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

struct Attempt {
    root: tempfile::TempDir,
}

impl Attempt {
    fn new(tensors: &Tensors) -> Self {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("mapper.safetensors"), tensors);
        Self { root }
    }

    fn out(&self) -> PathBuf {
        self.root.path().join("out.safetensors")
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let origin = ["--subject", "1", "--num-voxels", "30"];
        import(&self.root.path().join("mapper.safetensors"), &self.out(), &[&origin, arguments].concat())
    }

    /// Refused with every needle, and nothing but the source is in the folder.
    fn refused(&self, arguments: &[&str], needles: &[&str]) {
        let output = self.run(arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with("error: ") && !text.contains("panicked"), "{text}");
        for needle in [&["mapper.safetensors"], needles].concat() {
            assert!(text.contains(needle), "`{needle}` is missing in: {text}");
        }
        assert_eq!(std::fs::read_dir(self.root.path()).unwrap().count(), 1, "{text}");
    }

    fn accepted(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn a_complete_file_is_imported_once() {
    let attempt = Attempt::new(&mapper());
    let summary = attempt.accepted(&[]);
    assert_eq!((summary["tensors"].as_u64(), summary["applied"].as_u64()), (Some(14), Some(14)));
    let output = attempt.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--overwrite"), "{}", stderr(&output));
    attempt.accepted(&["--overwrite"]);
    // Our own file is no foreign one.
    let output = import(&attempt.out(), &attempt.root.path().join("again.safetensors"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("a snapshot of this program"), "{}", stderr(&output));
}

#[test]
fn the_same_file_and_time_give_the_same_snapshot() {
    let attempt = Attempt::new(&mapper());
    let snapshot = |name: &str| {
        let out = attempt.root.path().join(name);
        let mut command = mindreader();
        command.env("SOURCE_DATE_EPOCH", "1700000000").args([
            "import-weights",
            "--num-voxels",
            "30",
            "--subject",
            "1",
        ]);
        command.arg("--from").arg(attempt.root.path().join("mapper.safetensors")).arg("--out").arg(&out);
        assert!(command.output().unwrap().status.success());
        std::fs::read(out).unwrap()
    };
    assert!(snapshot("a.safetensors") == snapshot("b.safetensors"));
}

#[test]
fn every_problem_is_listed_at_once_with_the_nearest_name() {
    let mut tensors = mapper();
    let bias = tensors.remove("encoder.1.net.2.bias").unwrap();
    tensors.insert("encoder.1.net2.bias".into(), bias);
    tensors.get_mut("fc.1.bias").unwrap().0 = vec![2, 2];
    tensors.insert("extra".into(), (vec![1], vec![0.5]));
    let attempt = Attempt::new(&tensors);
    attempt.refused(
        &[],
        &[
            "4 tensors do not fit",
            "`encoder.1.net.2.bias` is missing",
            "the file has `encoder.1.net2.bias`",
            "`fc.1.bias` for parameter `head.hidden.bias`: found [2, 2], expected [4]",
            "`extra` of shape [1] belongs to no parameter",
            "fc 4 from `fc.1.weight`",
            "--allow-partial",
        ],
    );
    let summary = attempt.accepted(&["--allow-partial"]);
    assert_eq!(summary["problems"].as_array().unwrap().len(), 4);
    assert_eq!(summary["applied"].as_u64(), Some(12));
}

#[test]
fn values_that_are_no_numbers_are_never_imported() {
    for wrong in [f32::NAN, f32::INFINITY] {
        let mut tensors = mapper();
        tensors.get_mut("encoder.2.weight").unwrap().1[3] = wrong;
        let attempt = Attempt::new(&tensors);
        attempt.refused(&[], &["`encoder.2.weight`"]);
        attempt.refused(&["--allow-partial"], &["`encoder.2.weight`"]);
    }
}

#[test]
fn contradicting_tensors_are_both_named() {
    let mut tensors = mapper();
    tensors.insert("encoder.1.net.2.weight".into(), (vec![2, 2, 3], vec![0.1; 12]));
    Attempt::new(&tensors).refused(&[], &["`hidden`", "`encoder.0.0.weight`", "`encoder.1.net.2.weight`"]);
    let mut tensors = mapper();
    tensors.insert("fc.3.weight".into(), (vec![1, 9, 1], vec![0.1; 9]));
    Attempt::new(&tensors).refused(&["--allow-partial"], &["`fc.1.weight`", "`fc.3.weight`", "4", "9"]);
}

#[test]
fn another_kind_and_options_that_do_not_fit_are_refused() {
    let attempt = Attempt::new(&mapper());
    attempt.refused(&["--kind", "clip"], &["kind", "found mapper", "a clip"]);
    attempt.refused(&["--network", "G_ema"], &["network", "`G_ema`"]);
    attempt.refused(&["--second-head", "duplicate"], &["--second-head", "generator or discriminator"]);
    attempt.refused(&["--padding-left", "7"], &["--padding-left", "2 zeros"]);
    let output = attempt.run(&["--kind", "decoder"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("inception"), "{}", stderr(&output));
    let unknown: Tensors = [("a".to_string(), (vec![1], vec![0.5]))].into();
    Attempt::new(&unknown).refused(&[], &["kind", "known network"]);
    let root = tempfile::tempdir().unwrap();
    let output = import(&root.path().join("none.pt"), &root.path().join("out.safetensors"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("none.pt"), "{}", stderr(&output));
}

/// A generator's files with few bytes and large claims: sizes are checked against every layer before memory is taken.
#[test]
fn small_files_with_large_claims_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("mapper.safetensors");
    let tensors: Tensors = [
        ("mapping.fc0.weight".to_string(), (vec![1, 1], vec![0.0])),
        ("mapping.w_avg".to_string(), (vec![1], vec![0.0])),
        ("synthesis.b4.const".to_string(), (vec![100_000, 0, 4], vec![])),
        ("synthesis.b4.conv1.weight".to_string(), (vec![100_000, 0, 3, 3], vec![])),
        ("synthesis.b8.conv1.weight".to_string(), (vec![100_000, 0, 3, 3], vec![])),
        ("synthesis.b8.torgb.weight".to_string(), (vec![3, 0, 1, 1], vec![])),
    ]
    .into();
    write(&path, &tensors);
    let output = import(&path, &root.path().join("out.safetensors"), &["--allow-partial"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    let described = mindreader().arg("weights").arg(&path).output().unwrap();
    assert!(!stderr(&described).contains("panicked"));
}

#[test]
fn weights_lists_tensors_on_request() {
    let attempt = Attempt::new(&mapper());
    let path = attempt.root.path().join("mapper.safetensors");
    let counted = describe(&path, &[]);
    let network = &counted["networks"][0];
    assert_eq!((network["num_tensors"].as_u64(), network["kind"].as_str()), (Some(14), Some("mapper")));
    assert_eq!(network["config"]["signal_len"], 32);
    assert_eq!(network["tensors"], serde_json::json!([]));
    let listed = describe(&path, &["--tensors"]);
    assert_eq!(listed["networks"][0]["tensors"].as_array().unwrap().len(), 14);
    let output = mindreader().args(["weights", "--tensors"]).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for needle in ["safetensors, ", "SHA-256", "mapper: 14 tensors", "signal len: 32", "fc.3.bias f32 [1]"] {
        assert!(text.contains(needle), "`{needle}` is missing in: {text}");
    }
}
