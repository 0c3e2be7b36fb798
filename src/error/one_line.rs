//! Text from files in messages.

/// Longest text of a file that a message repeats, in characters.
const MAX_QUOTED: usize = 200;

/// One line of at most 200 characters and a mark: control characters of a hostile name must not reach a terminal.
pub fn one_line(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    let is_long = text.chars().nth(MAX_QUOTED).is_some();
    let shown: String = text
        .chars()
        .take(MAX_QUOTED)
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect();
    if is_long { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_are_tamed() {
        assert_eq!(one_line("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(one_line("é".repeat(200)), "é".repeat(200));
        let long = one_line("é".repeat(201));
        assert!(long.chars().count() == 201 && long.ends_with('…'));
    }
}
