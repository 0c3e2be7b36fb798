//! Text from files and arguments in messages: the one place that makes it fit for a terminal.

/// Longest text of a file that a message repeats, in characters.
const MAX_QUOTED: usize = 200;
/// What is kept of the end of a longer one: there parsers say what they expected, and where.
const MAX_TAIL: usize = 80;
/// Longest cause of an error, in characters; what it quotes is shortened before.
const MAX_CAUSE: usize = 1000;

/// One line of at most 200 characters and a mark in place of what was in the middle: control characters of a hostile name must not
/// reach a terminal.
pub fn one_line(text: impl AsRef<str>) -> String {
    shortened(&escaped(text.as_ref()), MAX_QUOTED)
}

/// One line of at most 1000 characters: a whole message, in which texts of files may stand as they are.
pub fn one_cause(text: impl AsRef<str>) -> String {
    shortened(&escaped(text.as_ref()), MAX_CAUSE)
}

/// Text of several lines without characters that steer a terminal; JSON and TOML stay what they are.
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter == '\n' { letter.to_string() } else { shown(letter) }).collect()
}

/// Beyond this length only the ends are looked at: a message costs the same whatever a file holds.
fn escaped(text: &str) -> String {
    let text = text.trim_end();
    if text.chars().nth(4 * MAX_CAUSE).is_none() {
        return text.chars().map(shown).collect();
    }
    let mut tail: Vec<char> = text.chars().rev().take(MAX_CAUSE).collect();
    tail.reverse();
    text.chars().take(3 * MAX_CAUSE).chain(tail).map(shown).collect()
}

fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_string();
    }
    let head: String = text.chars().take(most - MAX_TAIL).collect();
    let tail: String = text.chars().skip(length - MAX_TAIL).collect();
    format!("{head}…{tail}")
}

/// A character as it may stand on a terminal; in strings of JSON and TOML the escapes mean the character itself.
fn shown(letter: char) -> String {
    match letter {
        '\n' => "\\n".into(),
        '\t' => " ".into(),
        letter if letter.is_control() || turns_text(letter) => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.into(),
    }
}

/// Marks that turn the direction of what follows, or begin a line where no line begins.
fn turns_text(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_are_tamed() {
        assert_eq!(one_line("a\u{1b}[2J\nb\u{9b}\u{202e}c\n"), r"a\u001b[2J\nb\u009b\u202ec");
        assert_eq!(one_line("é".repeat(200)), "é".repeat(200));
        let long = one_line(format!("{}, expected 3 at line 7", "é".repeat(3000)));
        assert_eq!(long.chars().count(), 201);
        assert!(long.starts_with("éé") && long.contains('…') && long.ends_with("expected 3 at line 7"));
        let cause = one_cause("\u{1b}".repeat(1_000_000));
        assert!(cause.chars().count() == 1001 && !cause.contains(char::is_control));
    }

    #[test]
    fn lines_stay_lines_and_json_stays_json() {
        assert_eq!(printable("a\nb\u{1b}"), "a\nb\\u001b");
        let json = serde_json::json!({ "caption": "\u{9b}2J\u{202e} é" }).to_string();
        let read: serde_json::Value = serde_json::from_str(&printable(&json)).unwrap();
        assert_eq!(read["caption"], "\u{9b}2J\u{202e} é");
        assert!(!printable(&json).contains(['\u{9b}', '\u{202e}']));
    }
}
