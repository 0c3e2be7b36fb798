//! Files of no known container, and every known one cut short.

use mindreader::weights::readers::{parse_foreign, read_foreign};

use super::{Hostile, check};

#[test]
fn containers() {
    check(vec![
        Hostile("nothing", vec![], "an empty file"),
        Hostile("noise", vec![0x5a; 4000], "container: found unknown"),
        Hostile("a web page", b"<!DOCTYPE html><title>404</title>".to_vec(), "a web page"),
        Hostile("a pointer", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "a Git LFS pointer"),
        Hostile("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0".to_vec(), "a gzip file"),
        Hostile("protocol 0", b"(dp0\nS'w'\np1\nI1\ns.".to_vec(), "protocol 0 or 1"),
    ]);
}

#[test]
fn folders_and_missing_files() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_foreign(folder.path()).unwrap_err().to_string();
    assert!(error.contains("safetensors.index.json") && error.contains("0 of them"), "{error}");
    let error = read_foreign(&folder.path().join("none.pt")).unwrap_err().to_string();
    assert!(error.contains("none.pt") && error.contains("is missing"), "{error}");
}

#[test]
fn files_cut_off_at_every_percent_are_refused() {
    for (format, bytes) in crate::small_files::all() {
        for percent in 0..100 {
            let cut = &bytes[..bytes.len() * percent / 100];
            assert!(parse_foreign(cut).is_err(), "{format} cut at {percent} %");
        }
    }
}
