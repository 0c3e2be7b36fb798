//! Legacy streams.

use super::{Hostile, check};
use crate::assembler::Pickle;
use crate::small_files::{ROWS, floats, legacy, legacy_start, state_dict};

#[test]
fn legacy_streams() {
    let object = |class: &str, count| state_dict(|p| p.tensor(&ROWS, |p| p.storage(class, "0", count, true)));
    let good = || object("FloatStorage", 6);
    let viewed = state_dict(|p| {
        p.tensor(&ROWS, |p| {
            let p = p.mark().text("storage").global("torch", "FloatStorage").text("0").text("cpu").int(6);
            p.mark().text("1").int(0).int(3).tuple().tuple().persistent_id()
        })
    });
    let two_types = Pickle::new()
        .empty_dict()
        .mark()
        .text("a")
        .tensor(&ROWS, |p| p.storage("FloatStorage", "0", 6, true))
        .text("b")
        .tensor(&ROWS, |p| p.storage("IntStorage", "0", 6, true))
        .set_items()
        .stop();
    let start = |rest: &[u8]| [&legacy_start(1001, true)[..], rest].concat();
    check(vec![
        Hostile(
            "another protocol",
            [legacy_start(1000, true), good()].concat(),
            "protocol of the legacy file: found 1000",
        ),
        Hostile("a big-endian machine", [legacy_start(1001, false), good()].concat(), "big endian"),
        Hostile("the start alone", start(b""), "object of the legacy file"),
        Hostile("noise after the start", start(&[0x41; 200]), "object of the legacy file"),
        Hostile("no list of keys", start(&[good(), Pickle::new().none().stop()].concat()), "a list"),
        Hostile(
            "a key that nobody names",
            legacy(good(), &[("0", 6, &floats()), ("7", 6, &floats())]),
            "storage `7`",
        ),
        Hostile("a key that is not listed", legacy(good(), &[]), "missing key `0`"),
        Hostile("another count", legacy(good(), &[("0", 5, &floats())]), "expected 6 elements"),
        Hostile("a negative count", legacy(good(), &[("0", -1, &floats())]), "found -1, expected 6 elements"),
        Hostile("fewer bytes than counted", legacy(good(), &[("0", 6, &floats()[..23])]), "23 bytes"),
        Hostile(
            "no count",
            legacy(good(), &[("0", 6, &floats())])[..legacy(good(), &[]).len() + 10].to_vec(),
            "storage `0`",
        ),
        Hostile("a storage twice", legacy(good(), &[("0", 6, &floats()), ("0", 6, &floats())]), "several"),
        Hostile(
            "a count without number",
            legacy(object("DoubleStorage", i64::MAX), &[("0", i64::MAX, &floats())]),
            "elements of 8 bytes",
        ),
        Hostile("a view of another storage", legacy(viewed, &[("0", 6, &floats())]), "a view of another one"),
        Hostile("one storage of two types", legacy(two_types, &[("0", 6, &floats())]), "one type and size"),
        Hostile(
            "bytes after the last",
            legacy(good(), &[("0", 6, &[floats(), vec![0]].concat())]),
            "end of the legacy file",
        ),
    ]);
}
