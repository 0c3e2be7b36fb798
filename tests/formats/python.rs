//! The Python of `scripts/python-env`; tests that need it are skipped where it is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Python with h5py, himalaya, nibabel, numpy, pillow, scikit-learn and scipy; none (after saying so) when it is not there.
pub fn find(test: &str) -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PYTHON.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/python-env");
        let output =
            Command::new("bash").arg(script).arg("--existing").output().map_err(|e| e.to_string())?;
        if output.status.success() {
            Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_string())
        }
    });
    match found {
        Ok(python) => Some(python),
        Err(reason) => {
            println!("skipped: {test}: {reason}");
            None
        }
    }
}

/// Runs a script in a folder and returns what it prints; a failing script fails the test with its traceback.
pub fn run(python: &Path, folder: &Path, script: &str) -> String {
    let output = Command::new(python)
        .arg("-c")
        .arg(script)
        .current_dir(folder)
        // A test beside this one may have passed our lock on to its own child.
        .env("HDF5_USE_FILE_LOCKING", "FALSE")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the Python side failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}
