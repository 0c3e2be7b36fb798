//! Damaged files: whatever bytes change, readers answer with an error or with values, and never panic.

use std::io::Write;
use std::path::Path;

use mindreader::data::coco::captions::CaptionTable;
use mindreader::data::formats::csv::{Delimiter, Table};
use mindreader::data::formats::hdf5::H5File;
use mindreader::data::formats::mat5::{encode_arrays, parse_arrays};
use mindreader::data::formats::nifti::{Frame, read_volume, write_volume};
use mindreader::data::nsd::ctab::LabelTable;
use proptest::prelude::*;

/// Some bytes replaced, and perhaps the end cut off.
#[derive(Clone, Debug)]
struct Damage {
    changes: Vec<(prop::sample::Index, u8)>,
    keep: Option<prop::sample::Index>,
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        for (at, value) in &self.changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        if let Some(keep) = &self.keep {
            let len = keep.index(bytes.len());
            bytes.truncate(len);
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    // Bytes that are likely to matter: extremes and small numbers.
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x7f), Just(0x80), 0_u8..20];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), byte), 0..6);
    let keep = prop::option::weighted(0.3, any::<prop::sample::Index>());
    (changes, keep).prop_map(|(changes, keep)| Damage { changes, keep })
}

fn nifti_bytes(name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write_volume(&path, &[3, 2, 2, 2], Frame::I16(&[9; 24]), 1.8, 1.0).unwrap();
    std::fs::read(path).unwrap()
}

fn in_file<T>(bytes: &[u8], name: &str, read: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nifti(damage in damage(), is_header_only in any::<bool>()) {
        let mut bytes = nifti_bytes("v.nii");
        if is_header_only {
            bytes.truncate(352);
        }
        damage.apply(&mut bytes);
        let read = in_file(&bytes, "v.nii", |path| read_volume(path, "the test"));
        if let Ok(volume) = read {
            prop_assert_eq!(volume.dims.iter().product::<usize>(), volume.data.len());
        }
    }

    #[test]
    fn nifti_inside_gzip(damage in damage()) {
        // The damage is inside the archive, so that the reader sees it.
        let mut bytes = nifti_bytes("v.nii");
        damage.apply(&mut bytes);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&bytes).unwrap();
        let packed = packed.finish().unwrap();
        let read = in_file(&packed, "v.nii.gz", |path| read_volume(path, "the test"));
        if let Ok(volume) = read {
            prop_assert_eq!(volume.dims.iter().product::<usize>(), volume.data.len());
        }
    }

    #[test]
    fn gzip_itself(damage in damage()) {
        let mut bytes = nifti_bytes("v.nii.gz");
        damage.apply(&mut bytes);
        let _ = in_file(&bytes, "v.nii.gz", |path| read_volume(path, "the test"));
    }

    #[test]
    fn mat(damage in damage(), is_compressed in any::<bool>()) {
        let path = Path::new("d.mat");
        let mut bytes = encode_arrays(path, &[("a", &[2, 3], &[1.0; 6]), ("b", &[1, 1], &[2.0])]).unwrap();
        if is_compressed {
            let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            let mut variable = bytes.split_off(128);
            damage.apply(&mut variable);
            packed.write_all(&variable).unwrap();
            let packed = packed.finish().unwrap();
            bytes.extend(15_u32.to_le_bytes());
            bytes.extend((packed.len() as u32).to_le_bytes());
            bytes.extend(packed);
        } else {
            damage.apply(&mut bytes);
        }
        if let Ok(arrays) = parse_arrays(path, &bytes, &["a"]) {
            prop_assert_eq!(arrays["a"].dims.iter().product::<usize>(), arrays["a"].data.len());
        }
    }

    #[test]
    fn csv(damage in damage()) {
        let mut bytes = b",cocoId,cropBox,flagged\n0,532481,\"(0, 0, 0.1, 0.1)\",False\n1,7,\"(0, 0, 0, 0)\",True\n".to_vec();
        damage.apply(&mut bytes);
        if let Ok(table) = Table::from_reader(Path::new("t.csv"), Delimiter::Comma, bytes.as_slice())
            && let Ok(column) = table.column("cocoId")
        {
            for row in 0..table.num_rows() + 1 {
                let _ = (table.count(row, column), table.number(row, column), table.flag(row, column));
            }
        }
    }

    #[test]
    fn label_table(text in "[0-9a-zA-Z+\t \n-]{0,80}") {
        let _ = LabelTable::parse(Path::new("x.ctab"), &text);
    }

    #[test]
    fn coco_json(damage in damage()) {
        let mut bytes = br#"{"images":[],"annotations":[{"image_id":9,"id":1,"caption":"A dog."}]}"#.to_vec();
        damage.apply(&mut bytes);
        let _ = in_file(&bytes, "captions.json", |path| CaptionTable::read(&[path.to_path_buf()]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hdf5_truncated(keep in any::<prop::sample::Index>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        let writer = mindreader::data::formats::hdf5::H5Writer::create(&path).unwrap();
        drop(writer.write::<f32>("a", &[500], &[1.0; 500]).unwrap());
        writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let len = keep.index(bytes.len());
        let read = in_file(&bytes[..len], "b.h5", |path| {
            H5File::open(path, "the test").and_then(|file| file.dataset("a")?.read_all::<f32>())
        });
        prop_assert!(read.is_err());
    }
}
