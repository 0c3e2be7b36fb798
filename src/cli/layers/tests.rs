//! Layers of settings: which wins, and whom an error blames.

use super::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, PartialEq, Default)]
#[serde(default, deny_unknown_fields)]
struct Inner {
    rate: f64,
    name: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Default)]
#[serde(default, deny_unknown_fields)]
struct Outer {
    seed: u64,
    inner: Inner,
}

fn in_range(outer: &Outer) -> Result<(), SettingError> {
    crate::error::in_range("rate", outer.inner.rate, 0.0..=1.0).map_err(|error| error.within("inner"))
}

fn with_file(text: &str) -> Result<Layers, UsageError> {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    Layers::default().file::<Outer>(&path)
}

#[test]
fn later_layers_win_and_the_rest_stays() {
    let layers = with_file("seed = 1\n[inner]\nrate = 0.5\nname = \"a\"\n").unwrap();
    let layers = layers.assignment("inner.rate=0.25").unwrap().assignment("inner.name=b-c").unwrap();
    let outer: Outer = layers.value("seed", 9_i64).unwrap().resolve(in_range).unwrap();
    assert_eq!(outer, Outer { seed: 9, inner: Inner { rate: 0.25, name: "b-c".into() } });
}

#[test]
fn a_file_beneath_gives_way_to_keys_of_flags_and_to_sections_of_files() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("sizes.toml");
    std::fs::write(&path, "seed = 3\n[inner]\nrate = 0.5\nname = \"a\"\n").unwrap();
    let set = Layers::default().assignment("inner.rate=0.25").unwrap();
    let (layers, has_any) = set.beneath::<Outer>(&path).unwrap();
    let outer: Outer = layers.resolve(in_range).unwrap();
    assert_eq!((outer.seed, outer.inner.rate, outer.inner.name.as_str(), has_any), (3, 0.25, "a", true));
    // A file that has the section has all of it.
    let (layers, _) = with_file("[inner]\nrate = 0.75\n").unwrap().beneath::<Outer>(&path).unwrap();
    let outer: Outer = layers.resolve(in_range).unwrap();
    assert_eq!((outer.seed, outer.inner.rate, outer.inner.name.as_str()), (3, 0.75, ""));
    std::fs::write(&path, "[inner]\nrate = 0.5\n").unwrap();
    assert!(!with_file("[inner]\nrate = 0.75\n").unwrap().beneath::<Outer>(&path).unwrap().1);
    std::fs::write(&path, "[inner]\nrte = 0.5\n").unwrap();
    assert!(Layers::default().beneath::<Outer>(&path).unwrap_err().to_string().contains("sizes.toml"));
}

#[test]
fn a_section_inherits_what_it_does_not_set() {
    let layers = Layers::default().value("seed", 4_i64).unwrap();
    let inherited = layers.clone().inherit("seed", &["inner.rate"]).unwrap();
    assert_eq!(inherited.get("inner.rate"), Some(&Value::Integer(4)));
    let own = layers.value("inner.rate", 0.5).unwrap().inherit("seed", &["inner.rate"]).unwrap();
    assert_eq!(own.get("inner.rate"), Some(&Value::Float(0.5)));
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_refused_and_not_changed() {
    use std::os::unix::ffi::OsStringExt;
    let path = PathBuf::from(std::ffi::OsString::from_vec(b"wo\xffrk".to_vec()));
    let error = Layers::default().optional_path("paths.work", Some(&path)).unwrap_err().to_string();
    assert!(
        error.starts_with("`paths.work`: found `wo") && error.contains("expected a path of UTF-8"),
        "{error}"
    );
}

#[test]
fn a_byte_order_mark_in_front_of_the_settings_is_no_setting() {
    let layers = with_file("\u{feff}seed = 4\n").unwrap();
    let outer: Outer = layers.resolve(in_range).unwrap();
    assert_eq!(outer.seed, 4);
}

#[test]
fn wrong_keys_and_values_are_named() {
    let error = with_file("[inner]\nrte = 0.5\n").unwrap_err().to_string();
    assert!(error.contains("a.toml") && error.contains("rte") && error.contains("rate"), "{error}");
    let error = with_file("seed = \"x\"\n").unwrap_err().to_string();
    assert!(error.ends_with("a.toml`, line 1: `seed`: found \"x\", expected a whole number"), "{error}");
    assert!(Layers::default().assignment("seed").unwrap_err().to_string().contains("key=value"));
    let error = Layers::default().assignment("seed.x=1").unwrap().resolve(in_range).unwrap_err();
    assert!(error.to_string().contains("seed"), "{error}");
    let missing = Layers::default().file::<Outer>(Path::new("none.toml")).unwrap_err().to_string();
    assert!(missing.contains("none.toml"), "{missing}");
}

fn refused(layers: Result<Layers, UsageError>) -> String {
    let error = layers.and_then(|layers| layers.resolve(in_range).map(drop)).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error.to_string()
}

#[test]
fn an_error_names_flag_key_or_file_and_line() {
    let set = |text: &str| refused(Layers::default().assignment(text));
    assert_eq!(set("inner.rate=2"), "`inner.rate`: found 2, expected 0 to 1");
    assert_eq!(set("inner.rate=nan"), "`inner.rate`: found NaN, expected 0 to 1");
    assert_eq!(set("inner.rate=fast"), "`inner.rate`: found \"fast\", expected 0 to 1");
    assert_eq!(set("seed=-1"), format!("`seed`: found -1, expected 0 to {}", i64::MAX));
    assert_eq!(set("inner={ rate = 2 }"), "`inner.rate`: found 2, expected 0 to 1");
    assert_eq!(set("inner.rte=2"), "`inner.rte`: unknown key; expected `rate` or `name`");
    assert_eq!(set("inner=2"), "`inner`: found 2, expected a section");
    assert_eq!(
        refused(Layers::default().value("seed", -1_i64)),
        format!("`--seed`: {}", &set("seed=-1")[8..])
    );
    let error = refused(with_file("seed = 1\n\n[inner]\nrate = 2.0\n"));
    assert!(error.ends_with("a.toml`, line 4: `inner.rate`: found 2, expected 0 to 1"), "{error}");
    // Who had the last word is to blame.
    let error = refused(with_file("[inner]\nrate = 2.0\n").and_then(|file| file.assignment("inner.rate=3")));
    assert_eq!(error, "`inner.rate`: found 3, expected 0 to 1");
}

#[test]
fn an_inherited_value_is_blamed_on_the_key_it_came_from() {
    let layers = Layers::default().assignment("seed=7").unwrap().inherit("seed", &["inner.rate"]);
    assert_eq!(refused(layers), "`seed`: found 7, expected 0 to 1");
}

#[test]
fn what_is_set_can_be_set_again_by_assignments() {
    let layers = Layers::default().value("paths.clip", "my clips/clip.safetensors").unwrap();
    let layers = layers.value("subject", 2).unwrap();
    let again = layers.assignments();
    assert_eq!(again, ["paths.clip=\"my clips/clip.safetensors\"", "subject=2"]);
    let same = again.iter().try_fold(Layers::default(), |layers, text| layers.assignment(text)).unwrap();
    assert_eq!(same.assignments(), again);
}

#[test]
fn keys_of_no_sense_are_refused_before_they_cost_anything() {
    let deep = format!("{}a=1", "a.".repeat(30_000));
    let error = refused(Layers::default().assignment(&deep));
    assert!(error.contains("found 30001 of them, expected 1 to 16 names") && error.len() < 400, "{error}");
    for text in ["=1", "inner..rate=1", ".seed=1", "seed.=1"] {
        assert!(refused(Layers::default().assignment(text)).contains("an empty one"), "{text}");
    }
    // A second line is no second setting.
    assert!(refused(Layers::default().assignment("seed=1\nname=2")).starts_with("`seed`: found \"1"));
    let nested = format!("seed={}", "[".repeat(30_000));
    assert!(refused(Layers::default().assignment(&nested)).len() < 400);
}
