//! What is printed was written, or the exit code says so.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::phantom::phantom;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command.args(arguments).arg("--nsd").arg(phantom()).stderr(Stdio::piped());
    command
}

const PRINTING: [&[&str]; 6] = [
    &["config"],
    &["config", "--json"],
    &["doctor"],
    &["doctor", "--json"],
    &["--help"],
    &["prepare", "--help"],
];

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    for arguments in PRINTING {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program(arguments).stdout(full).spawn().unwrap().wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.starts_with("error: standard output cannot be written: No space left"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_closed_pipe_is_none() {
    for arguments in PRINTING {
        let mut child = program(arguments).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && text.is_empty(), "{arguments:?}: {text}");
    }
}

#[test]
fn help_names_the_exit_codes_and_where_they_are_explained() {
    for arguments in [&["--help"][..], &["help"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_mindreader")).args(arguments).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for needle in
            ["Exit codes: 0 done; 1 the work failed; 2 wrong input", "143 SIGTERM", "docs/exit-codes.md"]
        {
            assert!(last.contains(needle), "`{needle}`: {text}");
        }
    }
}
