//! Views and storages of tensors.

use mindreader::weights::readers::parse_foreign;

use super::{Hostile, check};
use crate::assembler::{Pickle, View, zip};
use crate::small_files::{ROWS, state_dict, torch_zip, zip_entries, zip_tensor};

/// A state dict in a zip whose tensor has this view of six floats.
fn viewed(offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let view = View { offset, shape, strides };
    torch_zip(state_dict(|p| p.tensor(&view, |p| p.storage("FloatStorage", "0", 6, false))))
}

fn stored_as(storage: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    torch_zip(state_dict(|p| p.tensor(&ROWS, storage)))
}

#[test]
fn tensors() {
    let storage = |p: Pickle| p.storage("FloatStorage", "0", 6, false);
    let huge = 1_i64 << 40;
    let repeated = (0..3000).fold(Pickle::new().empty_dict(), |p, index| {
        p.text(&index.to_string())
            .tensor(&View { offset: 0, shape: &[16384], strides: &[0] }, storage)
            .set_item()
    });
    check(vec![
        Hostile("a negative offset", viewed(-1, &[2], &[1]), "offset of tensor `w`"),
        Hostile("a negative stride", viewed(0, &[2], &[-1]), "strides of tensor `w`"),
        Hostile("a negative size", viewed(0, &[-2], &[1]), "shape of tensor `w`"),
        Hostile(
            "a size that is a text",
            torch_zip(state_dict(|p| {
                storage(p.global("torch._utils", "_rebuild_tensor").mark())
                    .int(0)
                    .text("x")
                    .text("y")
                    .tuple()
                    .reduce()
            })),
            "a tuple of integers",
        ),
        Hostile("a shape without number", viewed(0, &[huge, huge], &[0, 0]), "shape of tensor `w`"),
        Hostile(
            "an empty shape without number",
            viewed(0, &[0, huge, huge], &[0, 0, 0]),
            "shape of tensor `w`",
        ),
        Hostile("a view past the end", viewed(1, &[2, 3], &[3, 1]), "inside its storage of 6 elements"),
        Hostile("a far offset", viewed(i64::MAX, &[2], &[1]), "view of tensor `w`"),
        Hostile("a far stride", viewed(0, &[3], &[i64::MAX]), "view of tensor `w`"),
        Hostile("one value a trillion times", viewed(0, &[huge], &[0]), "decoded bytes"),
        Hostile("one value often, in many tensors", torch_zip(repeated.stop()), "decoded bytes"),
        Hostile("a stride too few", viewed(0, &[2, 3], &[1]), "strides of tensor `w`: found 1, expected 2"),
        Hostile("seventeen axes", viewed(0, &[1; 17], &[1; 17]), "at most 16 axes"),
        Hostile(
            "a storage of more than the entry",
            stored_as(|p| p.storage("FloatStorage", "0", 7, false)),
            "7 elements of 4 bytes",
        ),
        Hostile(
            "a storage without number",
            stored_as(|p| p.storage("DoubleStorage", "0", i64::MAX, false)),
            "elements of 8 bytes",
        ),
        Hostile(
            "a storage of -1",
            stored_as(|p| p.storage("FloatStorage", "0", -1, false)),
            "storage size of tensor `w`",
        ),
        Hostile(
            "a storage that is missing",
            stored_as(|p| p.storage("FloatStorage", "5", 6, false)),
            "archive/data/5",
        ),
        Hostile(
            "a storage elsewhere",
            stored_as(|p| p.storage("FloatStorage", "../../0", 6, false)),
            "missing",
        ),
        Hostile(
            "a quantised storage",
            stored_as(|p| p.storage("QInt8Storage", "0", 6, false)),
            "torch.QInt8Storage",
        ),
        Hostile(
            "a complex storage",
            stored_as(|p| p.storage("ComplexFloatStorage", "0", 3, false)),
            "storage class of tensor `w`",
        ),
        Hostile(
            "a persistent number",
            stored_as(|p| p.int(3).persistent_id()),
            "('storage', class, key, location, count)",
        ),
        Hostile(
            "a short persistent id",
            stored_as(|p| p.text("storage").tuple1().persistent_id()),
            "('storage', class",
        ),
        Hostile(
            "another persistent id",
            stored_as(|p| p.mark().text("module").none().none().none().none().tuple().persistent_id()),
            "('storage', class",
        ),
        Hostile(
            "a key that is a number",
            stored_as(|p| {
                p.mark()
                    .text("storage")
                    .global("torch", "FloatStorage")
                    .int(0)
                    .none()
                    .int(6)
                    .tuple()
                    .persistent_id()
            }),
            "storage key of tensor `w`",
        ),
        Hostile("no storage", stored_as(Pickle::none), "expected a storage"),
    ]);
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let values: Vec<u8> =
        [1.0, f32::NAN, 2.0, 3.0, f32::INFINITY, 0.0].into_iter().flat_map(f32::to_le_bytes).collect();
    let mut entries = zip_entries(state_dict(zip_tensor));
    entries[2].data = values;
    let (_, networks) = parse_foreign(&zip(&entries)).unwrap();
    let fault = networks[""].tensors["w"].check_finite("w").unwrap_err().to_string();
    assert!(fault.contains("tensor `w`") && fault.contains("element 1"), "{fault}");
}
