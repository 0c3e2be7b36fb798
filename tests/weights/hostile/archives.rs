//! Zip archives whose fields lie.

use std::io::Write;

use mindreader::weights::readers::parse_foreign;

use super::{Hostile, check};
use crate::assembler::{Pickle, ZipEntry, zip};
use crate::small_files::{floats, state_dict, zip_entries, zip_tensor};

#[test]
fn archives() {
    let entries = || zip_entries(state_dict(zip_tensor));
    let changed = |index: usize, change: fn(&mut ZipEntry)| {
        let mut entries = entries();
        change(&mut entries[index]);
        zip(&entries)
    };
    let added = |entry: ZipEntry| zip(&[entries(), vec![entry]].concat());
    let patched = |from_end: usize, bytes: &[u8]| {
        let mut file = zip(&entries());
        let at = file.len() - from_end;
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let bomb = |size: usize| {
        let mut entries = entries();
        entries[2] = ZipEntry::deflated("archive/data/0", &vec![0; size]);
        entries
    };
    let lying = |size: u32| {
        let mut entries = bomb(24);
        entries[2].size = Some(size);
        zip(&entries)
    };
    let mut damaged = bomb(24);
    damaged[2].data = vec![0xff; 9];
    let flipped = {
        let mut file = zip(&entries());
        let at = file.windows(4).position(|bytes| bytes == 5_f32.to_le_bytes()).unwrap();
        file[at] ^= 1;
        file
    };
    let many =
        (0..40_000).map(|index| ZipEntry::stored(&format!("archive/data/{index}"), *b"")).collect::<Vec<_>>();
    let wide = [
        &zip(&entries())[..22],
        b"PK\x06\x07\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f\x01\0\0\0PK\x05\x06",
        &[0xff; 16],
        &[0, 0],
    ]
    .concat();
    check(vec![
        Hostile("big-endian", changed(1, |entry| entry.data = b"big".to_vec()), "big endian"),
        Hostile("no byte order known", changed(1, |entry| entry.data = b"middle".to_vec()), "middle"),
        Hostile(
            "two entries of one name",
            added(ZipEntry::stored("archive/data/0", floats())),
            "one of this name",
        ),
        Hostile("an encrypted entry", changed(2, |entry| entry.flags = 1), "encrypted"),
        Hostile("a bomb", zip(&bomb(64 << 20)), "decoded bytes"),
        Hostile("more than announced", lying(8), "9 bytes"),
        Hostile("less than announced", lying(1000), "24 bytes, expected 1000"),
        Hostile("no deflated bytes", zip(&damaged), "archive/data/0"),
        Hostile(
            "stored, but of two sizes",
            changed(2, |entry| entry.size = Some(4000)),
            "24 bytes, expected 4000",
        ),
        Hostile("a flipped bit", flipped, "CRC-32"),
        Hostile("an unknown method", changed(2, |entry| entry.method = 12), "method 12"),
        Hostile(
            "a path upwards",
            added(ZipEntry::stored("archive/../../x", *b"")),
            "a path inside the archive",
        ),
        Hostile("a path from the root", added(ZipEntry::stored("/etc/x", *b"")), "a path inside the archive"),
        Hostile(
            "a name of no UTF-8",
            added(ZipEntry { name: b"archive/\xff".to_vec(), ..ZipEntry::default() }),
            "UTF-8",
        ),
        Hostile(
            "entries over each other",
            changed(3, |entry| {
                entry.header_at = Some(0);
                entry.name = b"archive/data.pkl".to_vec();
            }),
            "one of this name",
        ),
        Hostile(
            "an entry inside another",
            {
                let mut entries = entries();
                let inner = zip(&[ZipEntry::stored("archive/data/0", floats())]);
                entries[3] = ZipEntry::stored("archive/inner", inner);
                let at = zip(&entries[..3]).windows(4).filter(|b| b == b"PK\x03\x04").count() as u32;
                assert_eq!(at, 3);
                let start: usize = entries[..3].iter().map(|e| 30 + e.name.len() + e.data.len()).sum();
                entries[2].header_at = Some((start + 30 + "archive/inner".len()) as u32);
                zip(&entries)
            },
            "overlaps",
        ),
        Hostile(
            "an entry past the directory",
            changed(3, |entry| {
                entry.packed_len = Some(1 << 30);
                entry.size = Some(1 << 30);
            }),
            "1073741824 bytes",
        ),
        Hostile(
            "a header past the directory",
            changed(3, |entry| entry.header_at = Some(1 << 30)),
            "1073741824",
        ),
        Hostile(
            "a local header of another name",
            changed(2, |entry| entry.local_name = Some(b"archive/data/1".to_vec())),
            "local header",
        ),
        Hostile("no pickle", zip(&entries()[1..]), "<folder>/data.pkl"),
        Hostile("two pickles", added(ZipEntry::stored("other/data.pkl", *b"")), "archive, other"),
        Hostile("an empty archive", zip(&[]), "<folder>/data.pkl"),
        Hostile("no end record", zip(&entries())[..300].to_vec(), "none: cut off"),
        Hostile("bytes after the end", [zip(&entries()), vec![0; 5]].concat(), "none: cut off"),
        Hostile("a wrong count", patched(12, &[9, 0]), "found 4, expected 9 entries"),
        Hostile("a directory past the end", patched(6, &[0xfe; 4]), "zip directory"),
        Hostile("a directory of no size", patched(10, &[0; 4]), "expected 4 entries"),
        Hostile("several disks", patched(18, &[1, 0]), "one of several parts"),
        Hostile("a 64-bit record nowhere", wide, "a 64-bit end record"),
        Hostile("forty thousand entries", zip(&many), "<folder>/data.pkl"),
        Hostile(
            "a script that is a dict",
            zip(&[
                zip_entries(state_dict(zip_tensor)),
                vec![ZipEntry::stored("archive/constants.pkl", *b"")],
            ]
            .concat()),
            "a module of `__torch__`",
        ),
    ]);
}

#[test]
fn deflated_entries_and_shared_storages_are_read() {
    let data_pkl =
        Pickle::new().empty_dict().mark().text("a").then(zip_tensor).text("b").then(zip_tensor).set_items();
    let mut entries = zip_entries(data_pkl.stop());
    for entry in &mut entries {
        *entry = ZipEntry::deflated(std::str::from_utf8(&entry.name).unwrap(), &entry.data);
    }
    let (_, networks) = parse_foreign(&zip(&entries)).unwrap();
    assert_eq!(networks[""].tensors["a"], networks[""].tensors["b"]);
    assert_eq!(networks[""].tensors["a"].bytes, floats());
}

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing() {
    let file = zip(&zip_entries(state_dict(zip_tensor)));
    let (_, expected) = parse_foreign(&file).unwrap();
    let mut refused = 0;
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match parse_foreign(&flipped) {
            Ok((_, networks)) => assert_eq!(networks, expected, "bit {bit}"),
            Err(_) => refused += 1,
        }
    }
    // Dates, versions and the sizes of local headers are not read.
    assert!(refused > file.len() * 8 / 2, "{refused} of {}", file.len() * 8);
}

#[test]
fn archives_of_another_writer_are_read() {
    let options = ::zip::write::SimpleFileOptions::default();
    for method in [::zip::CompressionMethod::Stored, ::zip::CompressionMethod::Deflated] {
        let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for entry in zip_entries(state_dict(zip_tensor)) {
            let name = String::from_utf8(entry.name).unwrap();
            writer.start_file(name, options.compression_method(method).large_file(true)).unwrap();
            writer.write_all(&entry.data).unwrap();
        }
        let (_, networks) = parse_foreign(&writer.finish().unwrap().into_inner()).unwrap();
        assert_eq!(networks[""].tensors["w"].bytes, floats(), "{method}");
    }
}

#[test]
fn directories_with_64_bit_end_records_are_read() {
    let file = zip(&zip_entries(state_dict(zip_tensor)));
    let (body, end) = file.split_at(file.len() - 22);
    let field = |at: usize| u64::from(u32::from_le_bytes(*end[at..].first_chunk().unwrap())).to_le_bytes();
    let count = u64::from(end[8]).to_le_bytes();
    let wide = [&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8], &count, &count];
    let wide = [wide.concat(), field(12).to_vec(), field(16).to_vec()].concat();
    let locator = [&b"PK\x06\x07\0\0\0\0"[..], &(body.len() as u64).to_le_bytes(), &[1, 0, 0, 0]].concat();
    let marks = [&end[..8], &[0xff; 12], &[0, 0]].concat();
    let (_, networks) = parse_foreign(&[body, &wide, &locator, &marks].concat()).unwrap();
    assert_eq!(networks[""].tensors["w"].bytes, floats());
}
