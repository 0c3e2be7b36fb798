//! Masks as COCO's run lengths: down the columns, beginning with a run outside.
//!
//! Specification: COCO's data format, `counts` as a list or as text of five bits a character.

use serde_json::Value;

/// Run lengths of a segmentation with `counts`, and the mask's height; none where it is no such thing, or the runs are longer than the
/// mask.
pub(super) fn run_lengths(segmentation: &Value) -> Option<(Vec<u64>, u64)> {
    let side =
        |place: usize| segmentation["size"].get(place)?.as_u64().and_then(|side| u32::try_from(side).ok());
    let (height, width) = (u64::from(side(0).filter(|height| *height > 0)?), u64::from(side(1)?));
    let counts: Vec<u64> = match &segmentation["counts"] {
        Value::Array(counts) => counts.iter().map(Value::as_u64).collect::<Option<_>>()?,
        Value::String(text) => decompressed(text)?,
        _ => return None,
    };
    let total = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))?;
    (total <= height * width).then_some((counts, height))
}

/// The text form: differences to the run before the last, lowest bits first.
fn decompressed(text: &str) -> Option<Vec<u64>> {
    let mut counts: Vec<i64> = Vec::new();
    let mut letters = text.bytes();
    while let Some(mut letter) = letters.next() {
        let (mut value, mut shift) = (0_i64, 0);
        loop {
            let bits = i64::from(letter.checked_sub(48).filter(|bits| *bits < 64)?);
            value |= (bits & 0x1f) << shift;
            shift += 5;
            if bits & 0x20 == 0 {
                if bits & 0x10 != 0 {
                    value |= -1 << shift;
                }
                break;
            }
            // A length of more than 50 bits is no picture's.
            letter = letters.next().filter(|_| shift < 50)?;
        }
        if counts.len() > 2 {
            value = value.checked_add(counts[counts.len() - 2])?;
        }
        counts.push(value);
    }
    counts.into_iter().map(|count| u64::try_from(count).ok()).collect()
}

/// Pixels of a mask within the rows and columns from `[left, top]` to before `[right, bottom]`.
pub(super) fn pixels_within(counts: &[u64], height: u64, [left, top, right, bottom]: [u64; 4]) -> u64 {
    let mut start = 0;
    let mut inside = 0;
    for (index, count) in counts.iter().enumerate() {
        let end = start + count;
        if index % 2 == 1 {
            let first = (start / height).max(left);
            for column in first..end.div_ceil(height).min(right) {
                let from = start.max(column * height + top);
                let to = end.min(column * height + bottom.min(height));
                inside += to.saturating_sub(from);
            }
        }
        start = end;
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_and_list_say_the_same() {
        let counts: Vec<u64> = vec![5, 40, 3, 1000, 3, 2, 700, 2, 1];
        // By pycocotools.
        let text = json!({"counts": "5X13Pn00jPOie00UZO", "size": [60, 30]});
        assert_eq!(run_lengths(&text), Some((counts.clone(), 60)));
        assert_eq!(run_lengths(&json!({"counts": counts.clone(), "size": [60, 30]})), Some((counts, 60)));
        for wrong in [
            json!([[1, 2]]),
            json!({"counts": "\u{1}", "size": [2, 2]}),
            json!({"counts": "oo"}),
            // Longer than the mask, or than any number.
            json!({"counts": [1, 4], "size": [2, 2]}),
            json!({"counts": [u64::MAX, u64::MAX], "size": [2, 2]}),
            json!({"counts": [1], "size": [u64::MAX, 2]}),
            json!({"counts": "PPPPPPPPP?".repeat(200), "size": [2, 2]}),
        ] {
            assert_eq!(run_lengths(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn pixels_are_counted_inside_the_window() {
        // 4 rows, 3 columns; inside: rows 2 and 3 of column 0, all of column 1, row 0 of column 2.
        let counts = [2, 7, 3];
        assert_eq!(pixels_within(&counts, 4, [0, 0, 3, 4]), 7);
        assert_eq!(pixels_within(&counts, 4, [0, 0, 1, 3]), 1);
        assert_eq!(pixels_within(&counts, 4, [1, 1, 3, 4]), 3);
        assert_eq!(pixels_within(&counts, 4, [2, 1, 3, 9]), 0);
    }
}
