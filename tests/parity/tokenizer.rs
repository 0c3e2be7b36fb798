//! Sixty strings against the published tokenizer (integer match).
//! Catches: cleaning, markers inside a text, contractions, digits, scripts, truncation and padding.

use mindreader::models::clip::tokenizer::{LongText, Tokenizer};

use crate::golden::Golden;

#[test]
fn every_string_gives_the_published_ids() {
    let Some(golden) = Golden::open("clip_tokenizer") else { return };
    let bytes: Vec<u8> = golden.ints("text.bytes").0.iter().map(|&byte| byte as u8).collect();
    let offsets: Vec<usize> = golden.ints("text.offsets").0.iter().map(|&offset| offset as usize).collect();
    let (ids, shape) = golden.ints("output.ids");
    let (lengths, _) = golden.ints("output.full_len");
    assert_eq!(shape, [60, 77]);
    let cut = Tokenizer::new(77, LongText::Truncate);
    let strict = Tokenizer::new(77, LongText::Error);
    let (mut all_ids, mut all_lengths) = (Vec::new(), Vec::new());
    for (index, range) in offsets.windows(2).enumerate() {
        let text = std::str::from_utf8(&bytes[range[0]..range[1]]).unwrap();
        let expected: Vec<i32> = ids[index * 77..(index + 1) * 77].iter().map(|&id| id as i32).collect();
        let found = cut.encode(text).unwrap();
        assert_eq!(found, expected, "string {index}: {text}");
        all_ids.extend(found.into_iter().map(i64::from));
        all_lengths.push(match strict.encode(text) {
            Ok(_) => {
                assert!(lengths[index] <= 77, "string {index}");
                lengths[index]
            }
            Err(error) => error.found as i64,
        });
    }
    golden.expect_ints("output.ids", &all_ids);
    golden.expect_ints("output.full_len", &all_lengths);
}
