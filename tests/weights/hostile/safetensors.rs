//! Safetensors headers.

use super::{Hostile, check};
use crate::small_files::safetensors_of;

#[test]
fn safetensors_files() {
    let one = |info: &str, data: &[u8]| safetensors_of(&format!("{{\"w\":{info}}}"), data);
    let deep = format!("{{\"w\":{}", "[".repeat(100_000));
    check(vec![
        Hostile(
            "a header past the end",
            [&[0xff, 0, 0, 0, 0, 0, 0, 0][..], b"{}"].concat(),
            "safetensors header",
        ),
        Hostile("an endless header", [&[0xff; 8][..], b"{}"].concat(), "safetensors header"),
        Hostile("no JSON", safetensors_of("{\"w\":", b""), "safetensors header"),
        Hostile("deep JSON", safetensors_of(&deep, b""), "safetensors header"),
        Hostile("no UTF-8", [&[3, 0, 0, 0, 0, 0, 0, 0][..], b"{\xff}"].concat(), "safetensors header"),
        Hostile(
            "a gap",
            one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#, &[0; 8]),
            "safetensors header",
        ),
        Hostile(
            "offsets backwards",
            one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,0]}"#, &[0; 4]),
            "safetensors header",
        ),
        Hostile(
            "offsets past the end",
            one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, &[0; 4]),
            "safetensors header",
        ),
        Hostile(
            "another size than the shape",
            one(r#"{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#, &[0; 8]),
            "safetensors header",
        ),
        Hostile(
            "a shape without number",
            one(
                r#"{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,4]}"#,
                &[0; 4],
            ),
            "safetensors header",
        ),
        Hostile(
            "an empty shape without number",
            one(
                r#"{"dtype":"F32","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}"#,
                &[],
            ),
            "`w`",
        ),
        Hostile(
            "a negative size",
            one(r#"{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}"#, &[0; 4]),
            "safetensors header",
        ),
        Hostile(
            "an unknown type",
            one(r#"{"dtype":"F99","shape":[1],"data_offsets":[0,4]}"#, &[0; 4]),
            "safetensors header",
        ),
        Hostile(
            "a type that is not read",
            one(r#"{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}"#, &[0; 4]),
            "dtype of tensor `w`",
        ),
        Hostile(
            "two of one name",
            safetensors_of(
                r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                &[0; 4],
            ),
            "tensor `w`: found several",
        ),
        Hostile("no tensors", safetensors_of("{}", b""), "at least one tensor"),
    ]);
}
