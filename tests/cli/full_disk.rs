//! A disk that is full: one line, exit code 2, nothing half written, and the same command works afterwards.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::own_data::{IMPORT, write_lab};
use crate::phantom::{assert_refused, mindreader, stderr};

/// Runs the import where no file may grow beyond so many blocks of 512 bytes.
fn import_within(root: &Path, blocks: &str) -> Output {
    let program = mindreader();
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f $1; shift; exec \"$@\"", "sh", blocks])
        .arg(program.get_program())
        .args(program.get_args())
        .args(IMPORT)
        .args(["--work", "work", "--targets", "targets.csv"])
        .current_dir(root)
        .output()
        .unwrap()
}

#[test]
fn an_import_that_finds_no_room_leaves_nothing_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_lab(root);
    // Larger than the pictures, so that these are whole when the betas are not.
    let row = |trial: usize| -> String {
        let betas: Vec<String> =
            (0..600).map(|voxel| ((trial * 31 + voxel * 17) % 101).to_string()).collect();
        betas.join(",") + "\n"
    };
    fs::write(root.join("betas.csv"), (0..60).map(row).collect::<String>()).unwrap();
    for (blocks, file) in [
        ("1", "stimuli.hdf5"),
        ("4", "stimuli.hdf5"),
        ("20", "stimuli.hdf5"),
        ("90", "stimuli.hdf5"),
        ("140", "lab.h5"),
        ("200", "lab.h5"),
        ("270", "lab.h5"),
    ] {
        let output = import_within(root, blocks);
        assert_refused(&output, &["cannot be written", file]);
        for place in ["imported", "prepared"] {
            let left = fs::read_dir(root.join("work").join(place)).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{place} within {blocks} blocks: {}", stderr(&output));
        }
    }
    let output = import_within(root, "unlimited");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fs::read_dir(root.join("work/imported")).unwrap().count(), 1);
}
