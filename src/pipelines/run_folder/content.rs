//! What a training reads, by hash: a resumed run must read the same.
//!
//! Hashed is what lies in files, not what networks make of it: embeddings differ in their last bits between devices, and a run may
//! go on elsewhere than where it was begun. The networks have hashes of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::error::Fault;
use crate::run::error::RunError;
use crate::run::snapshot::hex;
use crate::training::gan::dataset::GanDataset;

/// Trials hashed at a time.
const READ_TRIALS: usize = 256;
/// Photographs that stand for all: the file of NSD's has 39 GB.
const SAMPLED_PHOTOGRAPHS: usize = 64;
/// Digits of a hash that a message shows.
const SHOWN_DIGITS: usize = 8;

/// What a run is, in words, and SHA-256 of each thing that it reads, by its name.
///
/// Words come first where two runs differ: that the kind of mapper is another one says more than that its betas are, which lie between
/// other zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Nothing in files of older versions.
    #[serde(default, rename = "run", skip_serializing_if = "Map::is_empty")]
    words: Map<String, Value>,
    /// What the folder was called in the beginning; tells runs of other commands. Nothing in files of older versions.
    #[serde(default, rename = "begun_as", skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(flatten)]
    hashes: BTreeMap<String, String>,
}

impl Content {
    /// The same with a word that says what the run is; those that tell most come first.
    pub fn told(mut self, name: &str, word: impl ToString) -> Self {
        self.words.insert(name.into(), Value::String(word.to_string()));
        self
    }

    /// The same of a run whose folder is called so.
    pub fn of_run(&self, description: &str) -> Self {
        Self { description: Some(description.into()), ..self.clone() }
    }

    /// The same with one thing more.
    pub fn with(mut self, name: &str, sha256: impl Into<String>) -> Self {
        self.hashes.insert(name.into(), sha256.into());
        self
    }

    /// The same with one thing more, if it is read.
    pub fn with_some(self, name: &str, sha256: Option<impl Into<String>>) -> Self {
        match sha256 {
            Some(sha256) => self.with(name, sha256),
            None => self,
        }
    }

    /// The first thing that is another than `then`, when the run was begun.
    pub fn first_difference(&self, then: &Self) -> Option<Fault> {
        let hint =
            "give the run its own settings and data back (its `config.toml` says which), or begin a new run";
        if let Some(fault) = self.other_word(then) {
            return Some(fault.hint(hint));
        }
        let names: BTreeSet<&String> = self.hashes.keys().chain(then.hashes.keys()).collect();
        let name = names.into_iter().find(|name| self.hashes.get(*name) != then.hashes.get(*name))?;
        if let (Some(now), Some(begun)) = (&self.description, &then.description)
            && now != begun
        {
            return Some(other("run", now, begun).hint(hint));
        }
        let shown = |content: &Self, whose: &str| match content.hashes.get(name) {
            Some(sha256) => {
                format!("SHA-256 {}…, those {whose}", sha256.chars().take(SHOWN_DIGITS).collect::<String>())
            }
            None => "none".into(),
        };
        let (found, expected) = (shown(then, "that the run was begun with"), shown(self, "of this command"));
        Some(Fault::new(name, expected, found).hint(hint))
    }

    /// The first word that is another one; one that a run of an older version lacks is taken for the same.
    fn other_word(&self, then: &Self) -> Option<Fault> {
        self.words.iter().find_map(|(name, now)| {
            let begun = then.words.get(name).filter(|begun| *begun != now)?;
            Some(other(name, now.as_str()?, begun.as_str()?))
        })
    }
}

/// The checkpoint is of something else than the command asks for.
fn other(name: &str, now: &str, then: &str) -> Fault {
    let expected = format!("`{now}`, which this command asks for");
    Fault::new(name, expected, format!("`{then}`, of which the checkpoint is"))
}

/// A hash of several parts.
#[derive(Default)]
pub(crate) struct ContentHash(Sha256);

impl ContentHash {
    /// Adds bytes; the length in front keeps neighbours apart.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds numbers, and how many they are.
    pub fn numbers(&mut self, numbers: impl IntoIterator<Item = f32>) {
        let mut count = 0_u64;
        let mut block = Vec::with_capacity(1 << 16);
        for number in numbers {
            block.extend_from_slice(&number.to_le_bytes());
            count += 1;
            if block.len() >= 1 << 16 {
                self.0.update(&block);
                block.clear();
            }
        }
        self.0.update(&block);
        self.0.update(count.to_le_bytes());
    }

    /// Adds counts or places, and how many they are.
    pub fn places(&mut self, places: impl IntoIterator<Item = usize>) {
        let bytes: Vec<u8> = places.into_iter().flat_map(|place| (place as u64).to_le_bytes()).collect();
        self.bytes(&bytes);
    }

    /// The hash, in hexadecimal.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }

    /// Of an array alone.
    pub fn of_array(array: &Array2<f32>) -> String {
        let mut hash = Self::default();
        hash.places(array.shape().iter().copied());
        hash.numbers(array.iter().copied());
        hash.finish()
    }
}

/// All betas of a prepared subject, with the image of every trial.
///
/// # Errors
/// Betas that cannot be read or are not finite.
pub(crate) fn betas_sha256(subject: &PreparedSubject) -> Result<String, DataError> {
    let mut hash = ContentHash::default();
    hash.places(subject.trials().iter().map(|trial| trial.nsd_id.row()));
    let trials: Vec<usize> = (0..subject.num_trials()).collect();
    for trials in trials.chunks(READ_TRIALS) {
        hash.numbers(subject.betas_of(trials)?);
    }
    Ok(hash.finish())
}

/// A whole file; `what` it is stands in the error.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn file_sha256(path: &Path, what: &str) -> Result<String, RunError> {
    Ok(hex(&Sha256::digest(RunError::read(path, what)?)))
}

/// Photographs as they were shown: at most 64 of the distinct `images`, evenly spread.
///
/// # Errors
/// An image that cannot be read.
pub(crate) fn photographs_sha256(stimuli: &Path, images: &[NsdId]) -> Result<String, DataError> {
    let stimuli = Stimuli::open(stimuli)?;
    let mut hash = ContentHash::default();
    hash.places(images.iter().map(|image| image.row()));
    for image in images.iter().step_by(images.len().div_ceil(SAMPLED_PHOTOGRAPHS).max(1)) {
        hash.bytes(stimuli.image(*image)?.as_raw());
    }
    Ok(hash.finish())
}

/// Pictures of a GAN's training, and which of them each sample shows.
pub(crate) fn pictures_sha256(data: &GanDataset) -> String {
    let mut hash = ContentHash::default();
    hash.places([data.resolution()]);
    hash.places(data.image_of_sample().iter().copied());
    (0..data.num_images()).for_each(|image| hash.bytes(data.pixels_u8(image)));
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_values_and_boundaries() {
        let of = |parts: &[&[u8]]| {
            let mut hash = ContentHash::default();
            parts.iter().for_each(|part| hash.bytes(part));
            hash.finish()
        };
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
        let array = |values: [f32; 4], shape| Array2::from_shape_vec(shape, values.to_vec()).unwrap();
        let one = ContentHash::of_array(&array([1.0, 2.0, 3.0, 4.0], (2, 2)));
        assert_ne!(one, ContentHash::of_array(&array([1.0, 2.0, 3.0, 4.0], (1, 4))));
        assert_ne!(one, ContentHash::of_array(&array([1.0, 2.0, 3.0, 4.000_000_5], (2, 2))));
        assert_ne!(one, ContentHash::of_array(&array([2.0, 1.0, 3.0, 4.0], (2, 2))));
    }
}
