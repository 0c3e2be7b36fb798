//! Names and texts inside HDF5, MATLAB and NIfTI files that would steer a terminal, or fill it.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::phantom::{TINY, assert_refused, mindreader, stderr};

/// Moves the cursor, renames the window, and is far too long.
fn hostile() -> String {
    "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}".repeat(150)
}

/// Refused in one line of bounded length, behind what was said on the way, with nothing that steers a terminal.
fn assert_tame(output: &Output, needles: &[&str]) {
    assert_refused(output, needles);
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    let text = String::from_utf8_lossy(&text);
    let steers = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
    assert!(!text.contains(steers), "{text:?}");
    let errors: Vec<String> =
        stderr(output).lines().filter(|line| line.starts_with("error: ")).map(str::to_string).collect();
    assert!(errors.len() == 1 && errors[0].chars().count() < 1500, "{text}");
}

/// A subject of four trials whose betas are in the file named.
fn import(root: &Path, betas: &str) -> Output {
    let mut command = mindreader();
    command.current_dir(root).args(["import", "--work", "work", "--subject", "lab", "--betas", betas]);
    command.args(["--trials", "trials.csv", "--images", "pictures"]).output().unwrap()
}

fn write_pictures(root: &Path) {
    fs::create_dir(root.join("pictures")).unwrap();
    let picture = image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([(x * y) as u8; 3]));
    picture.save(root.join("pictures/a.png")).unwrap();
    fs::write(root.join("trials.csv"), format!("image,session\n{}", "a.png,1\n".repeat(4))).unwrap();
}

#[test]
fn names_of_hdf5_datasets_are_listed_tame() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_pictures(root);
    {
        let file = hdf5_metno::File::create(root.join("betas.h5")).unwrap();
        for number in 0..3 {
            let name = format!("{number}{}", hostile());
            file.new_dataset_builder()
                .with_data(&ndarray::array![[1.0_f32, 2.0], [3.0, 4.0]])
                .create(name.as_str())
                .unwrap();
        }
        let group = file.create_group(&hostile()).unwrap();
        group.link_external(&hostile(), &hostile(), "x").unwrap();
    }
    assert_tame(&import(root, "betas.h5"), &["betas.h5"]);
    assert_tame(&import(root, "betas.h5:none"), &["betas.h5"]);
    assert_tame(&import(root, &format!("betas.h5:{}/x", hostile())), &["betas.h5"]);
}

#[test]
fn attributes_of_a_prepared_file_are_shown_tame() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let path = root.join("work/prepared/lab.h5");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let command = || {
        let mut command = mindreader();
        command.current_dir(root).args(["split", "--rule", "tau", "--space", "pixels", "--config", TINY]);
        command.args(["--work", "work", "--subject", "lab"]).output().unwrap()
    };
    let good = [
        ("format", "mindreader prepared subject 1"),
        ("standardization", "zscore-per-session"),
        ("subject", "lab"),
        ("resolution", "func1pt8mm"),
        ("betas_version", "imported"),
        ("selection", "[]"),
        ("grid", "[2,1,1]"),
        ("sources", "[]"),
        ("program_version", "0.1.0"),
    ];
    let hostile = hostile();
    for bad in ["format", "standardization", "subject", "resolution", "selection", "grid", "sources"] {
        let file = hdf5_metno::File::create(&path).unwrap();
        for (name, text) in good {
            let text = if name == bad { &hostile } else { text };
            let text: hdf5_metno::types::VarLenUnicode = text.parse().unwrap();
            let attribute = file.new_attr::<hdf5_metno::types::VarLenUnicode>().create(name).unwrap();
            attribute.write_scalar(&text).unwrap();
        }
        drop(file);
        assert_tame(&command(), &["lab.h5", bad]);
    }
}

/// An element of a MATLAB file of version 5, whose content is padded to eight bytes.
fn element(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (content.len() as u32).to_le_bytes()].concat();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A numeric variable of 2 × 2.
fn variable(name: &str) -> Vec<u8> {
    const DOUBLE: [u8; 8] = [6, 0, 0, 0, 0, 0, 0, 0];
    let values: Vec<u8> = [1.0_f64, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let sides = [2_i32.to_le_bytes(), 2_i32.to_le_bytes()].concat();
    let parts = [element(6, &DOUBLE), element(5, &sides), element(1, name.as_bytes()), element(9, &values)];
    element(14, &parts.concat())
}

#[test]
fn names_of_matlab_variables_are_listed_tame() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_pictures(root);
    let mut header = hostile().into_bytes();
    header.truncate(124);
    header.extend_from_slice(b"\x00\x01IM");
    let file = [header, variable(&hostile()), variable(&format!("b{}", hostile()))].concat();
    fs::write(root.join("betas.mat"), file).unwrap();
    assert_tame(&import(root, "betas.mat"), &["betas.mat"]);
    assert_tame(&import(root, "betas.mat:none"), &["betas.mat"]);
    assert_tame(&import(root, &format!("betas.mat:{}", hostile())), &["betas.mat"]);
}

#[test]
fn texts_of_a_nifti_header_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_pictures(root);
    let mut header = vec![0_u8; 352];
    header[..4].copy_from_slice(&348_i32.to_le_bytes());
    let text = hostile().into_bytes();
    // data_type, db_name; descrip, aux_file; intent_name; magic.
    for range in [4..32, 148..252, 328..344, 344..348] {
        header[range.clone()].copy_from_slice(&text[..range.len()]);
    }
    fs::write(root.join("betas.nii"), &header).unwrap();
    let import = || {
        let mut command = mindreader();
        command.current_dir(root).args([
            "import",
            "--work",
            "work",
            "--subject",
            "lab",
            "--betas",
            "betas.nii",
        ]);
        command
            .args(["--mask", "betas.nii", "--trials", "trials.csv", "--images", "pictures"])
            .output()
            .unwrap()
    };
    assert_tame(&import(), &["betas.nii"]);
    header[344..348].copy_from_slice(b"n+1\0");
    fs::write(root.join("betas.nii"), &header).unwrap();
    assert_tame(&import(), &["betas.nii"]);
}
