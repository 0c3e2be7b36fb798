//! Damaged files of every kind that the program reads, its own included.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use hdf5_metno::types::VarLenUnicode;
use rand::{RngExt, rngs::ChaCha12Rng};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::bytes::{damage, damage_gzip};
use crate::json::{hostile, mutate};
use crate::project::{
    CAPTION_MAPPER, CHECK, CLASSIFIER, DOCTOR, ENCODE, EVALUATE, FINETUNE, IMAGE_MAPPER, JUDGE, MICROSTIM,
    PREPARE, PRETRAIN, Project, RECONSTRUCT, SCORE, SCREEN, Step, replace,
};
use crate::trial::Trial;

/// Larger files are left alone: a copy for every trial would take the time of the trials.
const LARGEST: u64 = 16 << 20;

/// What a path contains, and the steps that read such a file; the first that fits.
const READERS: &[(&str, &[&Step])] = &[
    ("ncsnr", &[&ENCODE, &SCORE]),
    ("nsd/nsddata_betas", &[&PREPARE, &DOCTOR, &CHECK]),
    ("truth.h5", &[&SCORE]),
    ("phantom.json", &[&SCORE, &DOCTOR]),
    ("annotations/captions", &[&SCREEN]),
    ("annotations/", &[&CLASSIFIER]),
    ("stim_info", &[&PREPARE, &SCREEN, &CLASSIFIER, &DOCTOR]),
    ("nsd/", &[&PREPARE, &DOCTOR]),
    ("work/prepared", &[&IMAGE_MAPPER, &RECONSTRUCT, &ENCODE, &SCORE, &EVALUATE, &MICROSTIM]),
    ("work/captions", &[&CAPTION_MAPPER, &SCORE, &PRETRAIN]),
    ("work/cache", &[&IMAGE_MAPPER, &EVALUATE, &CAPTION_MAPPER]),
    ("reconstruct", &[&JUDGE]),
    ("pretrain-gan", &[&FINETUNE]),
    ("train-mapper", &[&RECONSTRUCT, &EVALUATE, &FINETUNE]),
    ("pretrain-clip", &[&IMAGE_MAPPER]),
    ("", &[&RECONSTRUCT, &MICROSTIM, &JUDGE]),
];

fn reader(project: &Project, path: &Path, rng: &mut ChaCha12Rng) -> Vec<OsString> {
    let below = path.strip_prefix(project.nsd.parent().unwrap()).unwrap().to_string_lossy().into_owned();
    let (_, steps) = READERS.iter().find(|(part, _)| below.contains(part)).unwrap();
    project.command(steps[rng.random_range(0..steps.len())], &[])
}

fn is_small(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() <= LARGEST)
}

/// Any file, whatever it is, damaged as bytes.
pub fn any(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let files: Vec<PathBuf> = project.files().into_iter().filter(|path| is_small(path)).collect();
    let path = &files[rng.random_range(0..files.len())];
    let args = reader(project, path, rng);
    let mut bytes = fs::read(path).unwrap();
    let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
    let what = if is_gzip { damage_gzip(&mut bytes, rng) } else { damage(&mut bytes, rng) };
    replace(path, &bytes);
    Trial::one(format!("{}: {what}", path.display()), args)
}

/// A number of a JSON file.
pub fn json(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let files: Vec<PathBuf> = project.files().into_iter().filter(is_json).collect();
    let path = &files[rng.random_range(0..files.len())];
    let args = reader(project, path, rng);
    let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let what = mutate(&mut document, rng).unwrap_or_else(|| {
        document = hostile(rng);
        "all".into()
    });
    replace(path, document.to_string().as_bytes());
    Trial::one(format!("{}: {what}", path.display()), args)
}

/// Runs with a checkpoint, and the step that continues from it.
const CHECKPOINTS: &[(&str, &Step)] = &[
    ("train-mapper-image-subj01", &IMAGE_MAPPER),
    ("pretrain-classifier-subj01", &CLASSIFIER),
    ("pretrain-clip-subj01", &crate::project::CLIP),
    ("pretrain-gan-subj01", &PRETRAIN),
    ("finetune-gan-subj01", &FINETUNE),
];

/// Magic, digest, length of the state.
const STATE_AT: usize = 8 + 32 + 8;

/// A checkpoint with a lie in its state or its record and the digest of what it holds then.
pub fn checkpoint(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let (run, step) = CHECKPOINTS[rng.random_range(0..CHECKPOINTS.len())];
    let path = project.run(run).join("checkpoint.mpk");
    let args = project.command(step, &["--resume", path.to_str().unwrap()]);
    if rng.random_bool(0.15) {
        return beside(&path, args, rng);
    }
    let mut bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[STATE_AT - 8..STATE_AT].try_into().unwrap()) as usize;
    let record_at = STATE_AT + length;
    let what = match rng.random_range(0..4) {
        0 => {
            let mut state: Value = serde_json::from_slice(&bytes[STATE_AT..record_at]).unwrap();
            let what = mutate(&mut state, rng).unwrap_or_default();
            let state = state.to_string().into_bytes();
            bytes[STATE_AT - 8..STATE_AT].copy_from_slice(&(state.len() as u64).to_le_bytes());
            bytes.splice(STATE_AT..record_at, state);
            format!("state {what}")
        }
        1 => shape(&mut bytes, record_at, rng),
        2 => {
            let mut record = bytes.split_off(record_at);
            let what = damage(&mut record, rng);
            bytes.extend(record);
            format!("record {what}")
        }
        _ => damage(&mut bytes, rng),
    };
    // The last kind keeps the digest now and then, as a damaged disk would.
    if bytes.len() > 40 && rng.random_bool(0.9) {
        let digest = Sha256::digest(&bytes[40..]);
        bytes[8..40].copy_from_slice(&digest);
    }
    replace(&path, &bytes);
    Trial::one(format!("{}: {what}", path.display()), args)
}

/// Damage to what lies beside a checkpoint: logs that a resumed run goes on with.
fn beside(checkpoint: &Path, args: Vec<OsString>, rng: &mut ChaCha12Rng) -> Trial {
    let entries = fs::read_dir(checkpoint.parent().unwrap()).unwrap().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file() && path != checkpoint).collect();
    files.sort();
    let path = &files[rng.random_range(0..files.len())];
    let mut bytes = fs::read(path).unwrap();
    let what = damage(&mut bytes, rng);
    replace(path, &bytes);
    Trial::one(format!("{}: {what}", path.display()), args)
}

/// One of the shapes in a record, which are short lists of MessagePack.
fn shape(bytes: &mut Vec<u8>, from: usize, rng: &mut ChaCha12Rng) -> String {
    let name = b"shape";
    let places: Vec<usize> =
        (from..bytes.len() - name.len() - 2).filter(|at| bytes[*at..].starts_with(name)).collect();
    let at = places[rng.random_range(0..places.len())] + name.len();
    match rng.random_range(0..3) {
        0 => {
            bytes[at + 1] = bytes[at + 1].wrapping_add(1) & 0x7f;
            "a shape is one larger".into()
        }
        1 => {
            let value: u64 = [u64::MAX, 1 << 62, 1 << 31, 0][rng.random_range(0..4)];
            let mut number = vec![0xcf];
            number.extend(value.to_be_bytes());
            bytes.splice(at + 1..at + 2, number);
            format!("a shape begins with {value}")
        }
        _ => {
            bytes[at] ^= 1;
            "a shape has another number of axes".into()
        }
    }
}

/// A prepared file with one hostile value in a dataset or an attribute.
pub fn prepared(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let files = project.files();
    let path = files.iter().find(|path| path.to_string_lossy().contains("work/prepared")).unwrap();
    let args = reader(project, path, rng);
    // A copy of its own, for HDF5 writes in place.
    replace(path, &fs::read(path).unwrap());
    let file = hdf5_metno::File::open_rw(path).unwrap();
    let what = if rng.random_bool(0.25) { attribute(&file, rng) } else { element(&file, rng) };
    file.close().unwrap();
    Trial::one(format!("{}: {what}", path.display()), args)
}

fn attribute(file: &hdf5_metno::File, rng: &mut ChaCha12Rng) -> String {
    let names = file.attr_names().unwrap();
    let name = &names[rng.random_range(0..names.len())];
    let attribute = file.attr(name).unwrap();
    let Ok(text) = attribute.read_scalar::<VarLenUnicode>() else { return "nothing".into() };
    let (text, what) = match serde_json::from_str::<Value>(&text) {
        Ok(mut document) => {
            let what = mutate(&mut document, rng).unwrap_or_default();
            (document.to_string(), what)
        }
        Err(_) => (hostile(rng).to_string(), "all".into()),
    };
    let text: String = text.chars().filter(|letter| *letter != '\0').collect();
    attribute.write_scalar(&text.parse::<VarLenUnicode>().unwrap()).unwrap();
    format!("attribute {name} {what}")
}

fn element(file: &hdf5_metno::File, rng: &mut ChaCha12Rng) -> String {
    let mut names: Vec<String> =
        ["flat_index", "nsd_id", "session", "repeat", "shared1000", "coco_id", "hemisphere", "betas"]
            .map(Into::into)
            .into();
    names.push("rois/nsdgeneral".into());
    let name = &names[rng.random_range(0..names.len())];
    let Ok(dataset) = file.dataset(name) else { return format!("no {name}") };
    let value: f64 =
        [0.0, -1.0, 1e9, 2_147_483_648.0, 9e18, 1e300, f64::NAN, 65_535.0][rng.random_range(0..8)];
    let mut values = dataset.read_raw::<f64>().unwrap();
    let at = rng.random_range(0..values.len());
    let end = if rng.random_bool(0.2) { values.len() } else { at + 1 };
    values[at..end].fill(value);
    let shape = dataset.shape();
    let array = ndarray::ArrayD::from_shape_vec(shape, values).unwrap();
    dataset.write(&array).unwrap();
    format!("{name}[{at}..{end}] = {value}")
}

/// `pretrain-gan --images` on a folder or an archive with a damaged member.
pub fn images(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    for index in 0..8_u8 {
        let picture = image::RgbImage::from_fn(20 + u32::from(index), 24, |x, y| {
            image::Rgb([x as u8 * 8, y as u8 * 8, index * 20])
        });
        let (format, ending) = match index % 2 {
            0 => (image::ImageFormat::Png, "png"),
            _ => (image::ImageFormat::Jpeg, "jpg"),
        };
        let mut bytes = std::io::Cursor::new(vec![]);
        picture.write_to(&mut bytes, format).unwrap();
        members.push((format!("{index}.{ending}"), bytes.into_inner()));
        members.push((format!("{index}.txt"), b"a red thing\na blue thing\n".to_vec()));
    }
    let is_archive = rng.random_bool(0.5);
    let victim = rng.random_range(0..members.len());
    let inside = !is_archive || rng.random_bool(0.4);
    let mut what = String::new();
    if inside {
        let (name, bytes) = &mut members[victim];
        what = format!("{name}: {}", damage(bytes, rng));
    }
    let path = project.work.join(if is_archive { "images.zip" } else { "images" });
    if is_archive {
        let mut bytes = archive(&members);
        if !inside {
            what = format!("the archive: {}", damage(&mut bytes, rng));
        }
        fs::write(&path, bytes).unwrap();
    } else {
        fs::create_dir(&path).unwrap();
        members.iter().for_each(|(name, bytes)| fs::write(path.join(name), bytes).unwrap());
    }
    Trial::one(what, project.command(&PRETRAIN, &["--images", path.to_str().unwrap()]))
}

fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, bytes) in members {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
