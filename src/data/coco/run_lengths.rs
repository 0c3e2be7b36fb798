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
                    // Bit 4 of the last group is the sign.
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

/// Pixels of a mask within the rows and columns from `[left, top]` to before `[right, bottom]`; in a few steps a run, however long
/// a file says that it is.
pub(super) fn pixels_within(counts: &[u64], height: u64, window: [u64; 4]) -> u64 {
    let mut start = 0;
    let mut inside = 0;
    for (index, count) in counts.iter().enumerate() {
        let end = start + count;
        if index % 2 == 1 && *count > 0 {
            inside += pixels_of_run(start, end, height, window);
        }
        start = end;
    }
    inside
}

/// Pixels from `start` to before `end`, down the columns, that lie in the window.
fn pixels_of_run(start: u64, end: u64, height: u64, [left, top, right, bottom]: [u64; 4]) -> u64 {
    let bottom = bottom.min(height);
    let in_column = |column: u64, from: u64, to: u64| {
        let is_inside = (left..right).contains(&column);
        if is_inside { to.min(bottom).saturating_sub(from.max(top)) } else { 0 }
    };
    // The columns in which the run begins and ends; those between are whole.
    let (first, last) = (start / height, (end - 1) / height);
    let (from, to) = (start % height, (end - 1) % height + 1);
    if first == last {
        return in_column(first, from, to);
    }
    let whole_columns = last.min(right).saturating_sub((first + 1).max(left));
    in_column(first, from, height) + whole_columns * bottom.saturating_sub(top) + in_column(last, 0, to)
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
        // Every window of a mask, against the pixels one by one.
        let counts = [3, 9, 0, 2, 5, 1, 4, 6];
        let is_set = |pixel: u64| {
            let mut end = 0;
            let run = counts.iter().position(|count| {
                end += count;
                pixel < end
            });
            run.is_some_and(|run| run % 2 == 1)
        };
        for window in 0..6_u64.pow(4) {
            let [left, top, right, bottom] = [216, 36, 6, 1].map(|place| window / place % 6);
            let one_by_one = (left..right.min(6))
                .flat_map(|column| (top..bottom.min(5)).map(move |row| column * 5 + row))
                .filter(|pixel| is_set(*pixel))
                .count() as u64;
            assert_eq!(pixels_within(&counts, 5, [left, top, right, bottom]), one_by_one);
        }
    }

    #[test]
    fn a_run_of_four_thousand_million_pixels_takes_no_time() {
        let side = u64::from(u32::MAX);
        assert_eq!(pixels_within(&[0, side], 1, [0, 0, side, 1]), side);
        assert_eq!(pixels_within(&[0, side], 1, [5, 0, 15, 1]), 10);
    }
}
