//! TensorBoard's event files: numbers and pictures of a run, as `tensorboard --logdir runs` shows them.
//!
//! A file is a row of records: length (u64), its checksum, one protocol-buffer message `Event`, its checksum; all
//! little-endian, checksums CRC-32C, rotated and shifted. Of the message only the few fields used here are written.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crc32c::crc32c;

use super::clock::unix_seconds;
use super::error::RunError;

/// Added to a rotated checksum, so that the checksum of data with checksums inside stays a good one.
const MASK: u32 = 0xA282_EAD8;

/// Field numbers of `Event`, `SessionLog`, `Summary`, `Summary.Value` and `Summary.Image`.
mod field {
    pub(super) const WALL_TIME: u64 = 1;
    pub(super) const STEP: u64 = 2;
    pub(super) const FILE_VERSION: u64 = 3;
    pub(super) const SUMMARY: u64 = 5;
    pub(super) const SESSION_LOG: u64 = 7;
    pub(super) const STATUS: u64 = 1;
    pub(super) const VALUE: u64 = 1;
    pub(super) const TAG: u64 = 1;
    pub(super) const SIMPLE_VALUE: u64 = 2;
    pub(super) const IMAGE: u64 = 4;
    pub(super) const HEIGHT: u64 = 1;
    pub(super) const WIDTH: u64 = 2;
    pub(super) const COLOR_SPACE: u64 = 3;
    pub(super) const ENCODED: u64 = 4;
}

/// `SessionLog.Status.START`: a reader forgets steps of earlier files from this event's step on.
const START: u64 = 1;
/// Colour space of `Summary.Image`: red, green, blue.
const RGB: u64 = 3;

/// One event file; a run has one per start.
#[derive(Debug, Clone)]
pub struct EventFile {
    path: PathBuf,
}

impl EventFile {
    /// Begins a new file in `folder`, behind those that are there. `first_step` is the first step that will be
    /// written: what earlier starts wrote from there on is void.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn start(folder: &Path, first_step: u64) -> Result<Self, RunError> {
        let mut number = 0;
        let file = loop {
            // Readers go through the files of a folder in the order of their names.
            let path = folder.join(format!("events.out.tfevents.{number:05}.mindreader"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => break Self { path },
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(RunError::unwritable(&path, error)),
            }
        };
        // A reader knows such a file by this first record.
        let version = Message::default().bytes(field::FILE_VERSION, b"brain.Event:2");
        let session = Message::default().integer(field::STATUS, START);
        let session = event(first_step).bytes(field::SESSION_LOG, &session.0);
        file.append(&[Message::default().double(field::WALL_TIME, unix_seconds()).with(version), session])?;
        Ok(file)
    }

    /// The event file of this start.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Numbers of one step by their tags; `a/b` is shown in group `a`.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn scalars(&self, step: u64, values: &[(String, f64)]) -> Result<(), RunError> {
        let summary = values.iter().fold(Message::default(), |summary, (tag, value)| {
            let value = Message::default()
                .bytes(field::TAG, tag.as_bytes())
                // The format knows single precision only; `metrics.jsonl` has every digit.
                .float(field::SIMPLE_VALUE, *value as f32);
            summary.bytes(field::VALUE, &value.0)
        });
        self.append(&[event(step).bytes(field::SUMMARY, &summary.0)])
    }

    /// A picture of one step: an encoded RGB PNG and its `[width, height]`.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn image(&self, step: u64, tag: &str, png: &[u8], [width, height]: [u32; 2]) -> Result<(), RunError> {
        let image = Message::default()
            .integer(field::HEIGHT, height.into())
            .integer(field::WIDTH, width.into())
            .integer(field::COLOR_SPACE, RGB)
            .bytes(field::ENCODED, png);
        let value = Message::default().bytes(field::TAG, tag.as_bytes()).bytes(field::IMAGE, &image.0);
        let summary = Message::default().bytes(field::VALUE, &value.0);
        self.append(&[event(step).bytes(field::SUMMARY, &summary.0)])
    }

    /// Adds records in one write: those of a killed run are whole.
    fn append(&self, events: &[Message]) -> Result<(), RunError> {
        let unwritable = |error| RunError::unwritable(&self.path, error);
        let bytes: Vec<u8> = events.iter().flat_map(|event| record(&event.0)).collect();
        let mut file = OpenOptions::new().append(true).open(&self.path).map_err(unwritable)?;
        file.write_all(&bytes).map_err(unwritable)
    }
}

/// An `Event` of now.
fn event(step: u64) -> Message {
    Message::default().double(field::WALL_TIME, unix_seconds()).integer(field::STEP, step)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked(&length).to_le_bytes()[..], data, &masked(data).to_le_bytes()].concat()
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

/// A protocol-buffer message under way: each field is a key (number and wire type) and a value.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// Seven bits a byte, lowest first; the top bit says that more follow.
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn integer(self, field: u64, value: u64) -> Self {
        // A key is the field's number and, in the lowest three bits, how its value is written: 0 for a number of
        // varying length, 1 for eight bytes, 2 for a length and bytes, 5 for four bytes.
        self.varint(field << 3).varint(value)
    }

    fn double(self, field: u64, value: f64) -> Self {
        let mut message = self.varint(field << 3 | 1);
        message.0.extend(value.to_le_bytes());
        message
    }

    fn bytes(self, field: u64, value: &[u8]) -> Self {
        let mut message = self.varint(field << 3 | 2).varint(value.len() as u64);
        message.0.extend(value);
        message
    }

    fn float(self, field: u64, value: f32) -> Self {
        let mut message = self.varint(field << 3 | 5);
        message.0.extend(value.to_le_bytes());
        message
    }

    fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_event_is_the_bytes_of_the_format() {
        let value = Message::default().bytes(field::TAG, b"loss").float(field::SIMPLE_VALUE, 1.5);
        assert_eq!(value.0, [0x0a, 4, b'l', b'o', b's', b's', 0x15, 0, 0, 0xc0, 0x3f]);
        assert_eq!(Message::default().integer(field::STEP, 300).0, [0x10, 0xac, 0x02]);
        let record = record(&value.0);
        assert_eq!(record.len(), 8 + 4 + 11 + 4);
        assert_eq!(record[..8], [11, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn checksums_are_castagnolis() {
        // The catalogue's check value, and two vectors of RFC 3720, appendix B.4.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xff; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn every_start_has_its_own_file() {
        let root = tempfile::tempdir().unwrap();
        let first = EventFile::start(root.path(), 0).unwrap();
        let length = std::fs::metadata(first.path()).unwrap().len();
        let second = EventFile::start(root.path(), 7).unwrap();
        second.scalars(7, &[("loss".into(), 1.0)]).unwrap();
        assert!(first.path() < second.path());
        assert_eq!(std::fs::metadata(first.path()).unwrap().len(), length);
        let error = EventFile::start(&root.path().join("none"), 0).unwrap_err();
        assert!(error.to_string().contains("none/events.out"), "{error}");
    }
}
