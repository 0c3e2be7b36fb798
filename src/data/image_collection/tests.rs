//! Folders and archives with the same content, features that fit and that do not, hostile archives.

use std::io::Write;

use ndarray::array;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use std::io::Cursor;

use super::*;

fn png(width: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    RgbImage::new(width, 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Two images with captions, a note and a hidden file.
fn content() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a/c.PNG", png(4)),
        ("a/c.txt", b"a cat".to_vec()),
        ("b.png", png(3)),
        ("b.txt", b"a dog\n\n two dogs \n".to_vec()),
        ("notes.md", b"x".to_vec()),
        (".hidden.png", b"x".to_vec()),
    ]
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    root
}

fn archive(files: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(method);
    writer.add_directory("a/", options).unwrap();
    for (name, bytes) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn open_bytes(bytes: &[u8]) -> (tempfile::TempDir, Result<ImageCollection, DataError>) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("images.zip");
    std::fs::write(&path, bytes).unwrap();
    let opened = ImageCollection::open(&path);
    (root, opened)
}

#[test]
fn a_folder_and_its_archives_are_the_same_collection() {
    let check = |images: &ImageCollection| {
        assert_eq!(images.names(), ["a/c.PNG", "b.png"]);
        assert_eq!(images.image(0).unwrap().dimensions(), (4, 2));
        assert_eq!(images.captions(0).unwrap(), ["a cat"]);
        assert_eq!(images.captions(1).unwrap(), ["a dog", "two dogs"]);
    };
    let root = folder(&content());
    let images = ImageCollection::open(root.path()).unwrap();
    check(&images);
    assert_eq!(images.sources(), [root.path().join("a/c.PNG"), root.path().join("b.png")]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let (root, opened) = open_bytes(&archive(&content(), method));
        let images = opened.unwrap();
        check(&images);
        assert_eq!(images.sources(), [root.path().join("images.zip")]);
    }
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let root = tempfile::tempdir().unwrap();
    let error = ImageCollection::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("is empty") && error.contains(".png"), "{error}");
    let error = ImageCollection::open(&root.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("none") && error.contains("missing"), "{error}");
    let broken = [
        ("broken.jpg", b"no picture".to_vec()),
        ("broken.txt", b" \n".to_vec()),
        ("bytes.png", png(1)),
        ("bytes.txt", vec![0xff, 0xfe, 0xff]),
        ("without.png", png(1)),
    ];
    let root = folder(&broken);
    let (archive, opened) = open_bytes(&archive(&broken, CompressionMethod::Deflated));
    for images in [ImageCollection::open(root.path()).unwrap(), opened.unwrap()] {
        assert!(images.image(0).unwrap_err().to_string().contains("broken.jpg"));
        assert!(images.captions(0).unwrap_err().to_string().contains("number of captions"));
        assert!(images.captions(1).unwrap_err().to_string().contains("bytes.txt"));
        let error = images.captions(2).unwrap_err().to_string();
        assert!(error.contains("without.txt") && error.contains("pseudo"), "{error}");
    }
    drop(archive);
}

#[test]
fn annotations_choose_images_and_give_captions() {
    let root = folder(&content());
    let annotations = root.path().join("captions.json");
    let write = |file_name: &str| {
        let text = format!(
            r#"{{"images": [{{"id": 1, "file_name": "{file_name}"}}],
                 "annotations": [{{"image_id": 1, "caption": "A dog."}}]}}"#
        );
        std::fs::write(&annotations, text).unwrap();
        ImageCollection::open_annotated(root.path(), &annotations)
    };
    let images = write("c.PNG").unwrap();
    assert_eq!((images.names(), images.num_unlisted()), (&["a/c.PNG".to_string()][..], 1));
    assert_eq!(images.captions(0).unwrap(), ["A dog."]);
    let error = write("d.png").unwrap_err().to_string();
    assert!(error.contains("d.png") && error.contains("captions.json"), "{error}");
    std::fs::write(root.path().join("c.PNG"), png(1)).unwrap();
    let error = write("c.PNG").unwrap_err().to_string();
    assert!(error.contains("c.PNG") && error.contains("in several"), "{error}");
}

fn features(json: &str) -> Result<StoredFeatures, DataError> {
    let mut files = content();
    files.push(("dataset.json", json.as_bytes().to_vec()));
    let (_root, opened) = open_bytes(&archive(&files, CompressionMethod::Deflated));
    opened.unwrap().stored_features(2)
}

#[test]
fn features_are_put_to_their_images() {
    let found = features(
        r#"{"labels": null, "other": {"x": [1, []]},
            "clip_img_features": [["b.png", [3, 4]], ["a/c.PNG", [1.5, -2e0]]],
            "clip_txt_features": [["b.png", [[5, 6], [7, 8]]], ["a/c.PNG", [[1, 0]]]]}"#,
    )
    .unwrap();
    assert_eq!(found.image, Some(array![[1.5, -2.0], [3.0, 4.0]]));
    let text = found.text.unwrap();
    assert_eq!(text.rows, array![[1.0, 0.0], [5.0, 6.0], [7.0, 8.0]]);
    assert_eq!(text.image_of_row, [0, 1, 1]);
    let none = features(r#"{"labels": [["b.png", 3]], "clip_img_features": null}"#).unwrap();
    assert_eq!(none, StoredFeatures::default());
    let without = open_bytes(&archive(&content(), CompressionMethod::Stored));
    assert_eq!(without.1.unwrap().stored_features(2).unwrap(), StoredFeatures::default());
}

#[test]
fn features_that_do_not_fit_are_named() {
    let image = |pairs: &str| features(&format!(r#"{{"clip_img_features": [{pairs}]}}"#));
    let text = |pairs: &str| features(&format!(r#"{{"clip_txt_features": [{pairs}]}}"#));
    let cases = [
        (image(r#"["b.png", [3, 4]]"#), "a/c.PNG"),
        (image(r#"["b.png", [3]]"#), "1 numbers, expected 2"),
        (image(r#"["b.png", [3, 4, 5]]"#), "more numbers than the 2"),
        (image(r#"["b.png", [3, 1e60]]"#), "not finite"),
        (image(r#"["b.png", [0, 0]]"#), "only zeros"),
        (image(r#"["b.png", [3, NaN]]"#), "line 1"),
        (image(r#"["b.png", [3, 4]], ["b.png", [3, 4]]"#), "`b.png`: is there twice"),
        (image(r#"["x.png", [3, 4]]"#), "`x.png`: there is no such image"),
        (image(r#"["b.png", [3, 4], 5]"#), "a pair"),
        (image(r#"["b.png"]"#), "has no features"),
        (image(r#"["b.png", [[3, 4]]]"#), "line 1"),
        (image(r#"["b.png", 3]"#), "a vector of 2 numbers"),
        (image("7"), "a pair"),
        (text(r#"["b.png", []]"#), "at least one vector"),
        (text(r#"["b.png", [[3, 4], [5]]]"#), "`clip_txt_features` of `b.png`: 1 numbers"),
        (features(r#"{"clip_img_features": [], "clip_img_features": []}"#), "there twice"),
        (features(r#"{"clip_img_features": {}}"#), "a list of [file name, vector]"),
        (features("[]"), "an object with"),
        (features(r#"{"clip_img_features": ["#), "EOF"),
        (features(r#"{} {}"#), "trailing"),
    ];
    for (result, says) in cases {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("dataset.json"), "`{says}` is not in: {error}");
    }
}

#[test]
fn hostile_archives_are_refused_in_one_line() {
    let whole = archive(&content(), CompressionMethod::Stored);
    let patched = |needle: &[u8], nth: usize, offset: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        let at =
            file.windows(needle.len()).enumerate().filter(|(_, part)| part == &needle).nth(nth).unwrap().0;
        file[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        file
    };
    let renamed = |from: &[u8], to: &[u8]| {
        let mut file = whole.clone();
        for at in 0..file.len() - from.len() {
            if &file[at..at + from.len()] == from {
                file[at..at + from.len()].copy_from_slice(to);
            }
        }
        file
    };
    let mut bomb = content();
    bomb.push(("bomb.png", vec![0; 80 << 20]));
    for (file, says) in [
        (whole[..whole.len() - 30].to_vec(), "cut off"),
        (b"PK".to_vec(), "cut off"),
        (vec![], "cut off"),
        (archive(&bomb, CompressionMethod::Deflated), "number of unpacked bytes"),
        (renamed(b"notes.md", b"../es.md"), "a path inside the archive"),
        (renamed(b"notes.md", b"/otes.md"), "a path inside the archive"),
        (renamed(b"notes.md", b"no\0es.md"), "a path inside the archive"),
        (renamed(b"a/c.txt", b"a/c.PNG"), "one of this name"),
        // The second entry of the directory says that it lies where the first one does.
        (patched(b"PK\x01\x02", 2, 42, &[0; 4]), "overlaps"),
        (patched(b"PK\x01\x02", 1, 20, &[0xff; 3]), "before byte"),
        (patched(b"PK\x05\x06", 0, 10, &[99, 0]), "99 entries"),
    ] {
        let (_root, opened) = open_bytes(&file);
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("images.zip"), "`{says}` is not in: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    // Found only when the entry is read.
    for (file, says) in [
        (patched(b"PK\x01\x02", 3, 8, &[1, 0]), "encrypted"),
        (patched(b"PK\x01\x02", 3, 10, &[12, 0]), "method 12"),
        (patched(b"PK\x01\x02", 3, 16, &[7; 4]), "CRC-32"),
        (patched(b"PK\x01\x02", 3, 24, &[5, 0, 0, 0]), "6 bytes, expected 5"),
        (patched(b"PK\x03\x04", 3, 28, &[0xff, 0xff]), "the next part begins"),
        (patched(b"PK\x03\x04", 3, 30, b"x"), "local header"),
    ] {
        let (_root, opened) = open_bytes(&file);
        let images = opened.unwrap();
        let error = images.image(1).unwrap_err().to_string();
        assert!(error.contains(says), "`{says}` is not in: {error}");
        assert!(error.contains("b.png") && error.contains("images.zip"), "{error}");
    }
}

#[test]
fn every_flipped_bit_is_refused_or_changes_nothing() {
    let whole = archive(&content()[2..4], CompressionMethod::Deflated);
    let (_root, opened) = open_bytes(&whole);
    let expected = (opened.as_ref().unwrap().image(0).unwrap(), opened.unwrap().captions(0).unwrap());
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("images.zip");
    let mut refused = 0;
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).unwrap();
        let read = ImageCollection::open(&path).and_then(|images| {
            if images.names() != ["b.png"] {
                return Err(DataError::empty("another name", ""));
            }
            Ok((images.image(0)?, images.captions(0)?))
        });
        match read {
            Ok(read) => assert!(read == expected, "bit {bit}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > whole.len() * 4, "{refused} of {}", whole.len() * 8);
}
