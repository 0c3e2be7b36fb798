//! Pictures for human raters: which of two seen images does a picture show? Nothing in the pack tells decoded pictures from controls or
//! the right image from the other; the key lies beside the folder, not in it.

use std::path::{Path, PathBuf};

use image::RgbImage;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::super::finished_run::FinishedRun;
use super::super::gathered::Gathered;
use super::super::run_files::image_of_run;
use super::{first_pictures, source_label};
use crate::commands::reconstruct::PictureSource;
use crate::error::{Error, Result};
use crate::files::{PendingFolder, file_is_there, folder_is_there, write_atomic};
use crate::interrupt::{self, Shelter};
use crate::pipelines::drawing_manifest::ManifestEntry;
use crate::report::image_grid::contact_sheet;
use crate::run::error::RunError;
use crate::tensor_ops::random::keyed_rng;

/// The flag that asks for a pack.
const FLAG: &str = "--rater-pack";
/// Most images of a pack: more tire raters.
const MOST_IMAGES: usize = 100;
/// Two images are needed to choose from.
const FEWEST_IMAGES: usize = 2;
/// Shorter pictures are enlarged to this side or somewhat more, in pixels.
const SHORTEST_SIDE: u32 = 192;
/// White between the three pictures of a question, in pixels.
const GAP: u32 = 8;

const INSTRUCTIONS: &str = "Every PNG holds three pictures in a row. Which of the outer two does the one in the middle show?\n\
    Write `left` or `right` into the column `answer` of questions.csv, in the order of the file, without looking back.\n\
    Some pictures show nothing: answer all the same.\n";

/// A question without its answer, as raters get it.
#[derive(Serialize)]
struct Question<'a> {
    question: usize,
    file: &'a str,
    answer: &'a str,
}

/// What is right, for whoever counts the answers.
#[derive(Serialize)]
struct Answer<'a> {
    question: usize,
    /// `left` or `right`.
    right: &'static str,
    /// What the picture was made from.
    source: &'a str,
    nsd_id: u32,
    other_nsd_id: u32,
    picture: String,
}

/// A picture of an image, from one of the sources.
struct Rated<'a> {
    source: &'static str,
    run: &'a Path,
    entry: ManifestEntry,
    /// Whether the right image is on the left.
    is_left: bool,
    /// Folder of the decoded pictures, where the images that were seen lie.
    seen: &'a Path,
    /// The right image and the one beside it, the same for all sources.
    images: [ManifestEntry; 2],
}

/// The key of a pack: beside the folder, `FOLDER-key.csv`.
fn key_path(folder: &Path) -> Result<PathBuf> {
    let Some(name) = folder.file_name() else {
        let expected = "a folder with a name of its own, which the key beside it takes";
        return Err(RunError::invalid(folder, FLAG, expected, folder.display()).into());
    };
    let mut name = name.to_os_string();
    name.push("-key.csv");
    Ok(folder.with_file_name(name))
}

/// Refuses a pack that cannot be, before the page is written.
///
/// # Errors
/// A folder or a key that is there already, a page inside the folder, no drawn pictures, fewer than two images.
pub(in super::super) fn check(folder: &Path, page: &Path, gathered: &Gathered) -> Result<()> {
    let key = key_path(folder)?;
    for there in [folder, key.as_path()] {
        if folder_is_there(there)? || file_is_there(there)? {
            let expected = "a name that nothing has yet: answers of raters are never overwritten";
            return Err(RunError::invalid(there, FLAG, expected, "one that is there").into());
        }
    }
    if page.starts_with(folder) || page == key {
        let expected = "a place outside of the pack, whose raters must not see it";
        return Err(RunError::invalid(page, "--out", expected, format!("`{}`", folder.display())).into());
    }
    shown(gathered).map(|_| ())
}

/// Writes the pack: `questions.csv`, `README.txt` and a PNG per question; every source of pictures is asked about the same images
/// beside the same others, in random order. Returns the key's path.
///
/// # Errors
/// As [`check`]; a picture that cannot be read, a folder that cannot be written.
pub(in super::super) fn write(folder: &Path, gathered: &Gathered, seed: u64) -> Result<PathBuf> {
    let key = key_path(folder)?;
    let rated = rated(gathered, seed)?;
    let pending = PendingFolder::create(folder, "report")?;
    let (mut questions, mut answers) = (table(), table());
    for (number, rated) in rated.iter().enumerate() {
        interrupt::check()?;
        let question = number + 1;
        let is_left = rated.is_left;
        let file = format!("question{question:04}.png");
        write_png(&pending.path().join(&file), &rated.sheet(is_left)?)?;
        add(&mut questions, Question { question, file: &file, answer: "" })?;
        let answer = Answer {
            question,
            right: if is_left { "left" } else { "right" },
            source: rated.source,
            nsd_id: rated.entry.nsd_id,
            other_nsd_id: rated.images[1].nsd_id,
            picture: rated.run.join(&rated.entry.file).display().to_string(),
        };
        add(&mut answers, answer)?;
    }
    write_atomic(&pending.path().join("questions.csv"), &bytes(questions)?)?;
    write_atomic(&pending.path().join("README.txt"), INSTRUCTIONS.as_bytes())?;
    let answers = bytes(answers)?;
    let _shelter = Shelter::new();
    // A pack without its key would be of no use.
    pending.commit(|| write_atomic(&key, &answers))?;
    Ok(key)
}

/// The run of the decoded pictures, and the images that are asked about.
fn shown(gathered: &Gathered) -> Result<(&FinishedRun, Vec<ManifestEntry>)> {
    let Some(drawn) = &gathered.drawn else {
        let purpose = format!("`{FLAG}`: no decoded pictures; run `mindreader reconstruct` first");
        return Err(RunError::missing("runs/*-reconstruct-*", purpose).into());
    };
    let decoded = first_pictures(drawn)?;
    let step = decoded.len().div_ceil(MOST_IMAGES).max(1);
    let shown: Vec<ManifestEntry> = decoded.into_iter().step_by(step).collect();
    if shown.len() < FEWEST_IMAGES {
        let expected = "pictures of two images or more, one to choose beside the other";
        return Err(RunError::invalid(&drawn.folder, "images", expected, shown.len()).into());
    }
    Ok((drawn, shown))
}

/// The pictures of a pack in the order in which raters see them.
fn rated(gathered: &Gathered, seed: u64) -> Result<Vec<Rated<'_>>> {
    let (drawn, shown) = shown(gathered)?;
    let others = others(shown.len(), seed);
    let mut rated = Vec::new();
    for (source, run) in sources(gathered, drawn) {
        let pictures = first_pictures(run)?;
        // Half of the answers of every source are left.
        let mut sides: Vec<bool> = (0..shown.len()).map(|place| place.is_multiple_of(2)).collect();
        sides.shuffle(&mut keyed_rng(seed, "rater pack, sides", rated.len() as u64));
        for (place, image) in shown.iter().enumerate() {
            let is_left = sides[place];
            let entry = pictures.iter().find(|entry| entry.nsd_id == image.nsd_id);
            let images = [image.clone(), shown[others[place]].clone()];
            let (run, seen) = (run.folder.as_path(), drawn.folder.as_path());
            rated.extend(entry.map(|entry| Rated {
                source,
                run,
                entry: entry.clone(),
                is_left,
                seen,
                images,
            }));
        }
    }
    rated.shuffle(&mut keyed_rng(seed, "rater pack, order", 0));
    Ok(rated)
}

fn sources<'a>(gathered: &'a Gathered, drawn: &'a FinishedRun) -> Vec<(&'static str, &'a FinishedRun)> {
    let mut sources = vec![(source_label(PictureSource::Betas), drawn)];
    sources.extend(gathered.drawn_control.iter().map(|run| ("control: exchanged betas", run)));
    sources.extend(gathered.beside.iter().map(|beside| (source_label(beside.source), &beside.drawn)));
    sources
}

/// For each of `count` images another one, at random: `count` is two or more.
fn others(count: usize, seed: u64) -> Vec<usize> {
    let other = |place: usize| {
        let mut rng = keyed_rng(seed, "rater pack, other", place as u64);
        (place + rng.random_range(1..count)) % count
    };
    (0..count).map(other).collect()
}

impl Rated<'_> {
    /// The picture between its own image, left or right, and the other one.
    fn sheet(&self, is_left: bool) -> Result<RgbImage> {
        let picture = image_of_run(self.run, &self.entry.file)?;
        let (width, height) = large_enough(picture.dimensions());
        let seen = |entry: &ManifestEntry| -> Result<RgbImage> {
            let image = image_of_run(self.seen, &entry.ground_truth)?;
            let filter = image::imageops::FilterType::Triangle;
            Ok(image::imageops::resize(&image, width, height, filter))
        };
        let picture = image::imageops::resize(&picture, width, height, image::imageops::FilterType::Nearest);
        let [own, other] = &self.images;
        let [left, right] = if is_left { [own, other] } else { [other, own] };
        let (left, right) = (seen(left)?, seen(right)?);
        Ok(contact_sheet(&[vec![left, picture, right]], GAP))
    }
}

/// A size that people can look at: a whole number of times the picture's.
fn large_enough((width, height): (u32, u32)) -> (u32, u32) {
    let times = SHORTEST_SIDE.div_ceil(width.min(height).max(1));
    (times * width, times * height)
}

fn write_png(path: &Path, image: &RgbImage) -> Result<()> {
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(write_atomic(path, png.get_ref())?)
}

fn table() -> csv::Writer<Vec<u8>> {
    csv::Writer::from_writer(Vec::new())
}

fn add(table: &mut csv::Writer<Vec<u8>>, row: impl Serialize) -> Result<()> {
    // Rows of plain fields into memory.
    table.serialize(row).map_err(|error| Error::failure(error.to_string()))
}

fn bytes(table: csv::Writer<Vec<u8>>) -> Result<Vec<u8>> {
    table.into_inner().map_err(|error| Error::failure(error.error().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_another_beside_it() {
        for count in [2, 3, 50] {
            let others = others(count, 7);
            assert!(others.iter().enumerate().all(|(place, other)| place != *other && *other < count));
        }
        assert_ne!(others(50, 7), others(50, 8));
    }

    #[test]
    fn the_key_lies_beside_the_folder() {
        assert_eq!(key_path(Path::new("a/pack")).unwrap(), Path::new("a/pack-key.csv"));
        assert!(key_path(Path::new("/")).is_err());
    }
}
