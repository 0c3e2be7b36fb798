//! What CLIP does to a text before it is tokenized.
//!
//! The published tokenizer runs the package `ftfy`, replaces HTML entities twice, collapses white space and
//! lower-cases. Done here: entities (the named ones of Latin-1 and common typography, all numeric ones),
//! UTF-8 that was read as Windows-1252, Latin ligatures, full-width forms, curly quotes, control characters,
//! composed accents (NFC). Not done: repairing a text of which only a part was misread.

use unicode_normalization::UnicodeNormalization;

/// Rounds of repair: each may uncover the next, as in `&amp;amp;`.
const ROUNDS: usize = 4;

/// The text as CLIP sees it: repaired, white space collapsed, lower case.
pub fn clean(text: &str) -> String {
    let mut text = text.to_string();
    for _ in 0..ROUNDS {
        let repaired = repair(&text);
        if repaired == text {
            break;
        }
        text = repaired;
    }
    // Twice, as the published tokenizer does: captions from the web are often escaped twice.
    let text = unescape_html(&unescape_html(&text));
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn repair(text: &str) -> String {
    // A text with tags is HTML on purpose: its entities wait for the last step.
    let text = if text.contains('<') { text.to_string() } else { unescape_html(text) };
    let text = misread_utf8(&text).unwrap_or(text);
    let mut result = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // Control characters without meaning in text, byte-order mark, interlinear marks.
            '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' => {}
            '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' => {}
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => result.push('\''),
            '\u{201c}'..='\u{201f}' => result.push('"'),
            '\u{2028}' | '\u{2029}' | '\u{85}' => result.push('\n'),
            // Latin ligatures and digraphs, full-width and half-width forms, the ideographic space.
            'ĳ' | 'Ĳ' | 'ŉ' | 'Ǆ'..='ǌ' | 'Ǳ'..='ǳ' | 'ﬀ'..='ﬆ' | '\u{ff01}'..='\u{ffef}' | '\u{3000}' =>
            {
                result.extend(std::iter::once(letter).nfkc());
            }
            _ => result.push(letter),
        }
    }
    result.nfc().collect()
}

/// Undoes "UTF-8 read as Windows-1252", when the whole text is valid that way.
fn misread_utf8(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    // All or nothing: a text with one letter outside the code page was not misread as a whole.
    let bytes = text.chars().map(windows_1252_byte).collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}

/// The byte that Windows-1252 reads as this letter; bytes without a letter stand for themselves.
fn windows_1252_byte(letter: char) -> Option<u8> {
    const FROM_0X80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '•', '–', '—', '˜', '™', 'š', '›', 'œ',
        '\u{9d}', 'ž', 'Ÿ',
    ];
    match u8::try_from(u32::from(letter)) {
        Ok(byte) => Some(byte),
        Err(_) => FROM_0X80.iter().zip(0x80..).find(|(read, _)| **read == letter).map(|(_, byte)| byte),
    }
}

/// Names of U+00A0 … U+00FF in their order.
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo",
    "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot",
    "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc",
    "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute",
    "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash",
    "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave", "aacute", "acirc", "atilde",
    "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
    "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave",
    "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// Signs of the mark-up itself and common typography.
const SIGNS: [(&str, char); 17] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '\u{2018}'),
    ("rsquo", '\u{2019}'),
    ("ldquo", '\u{201c}'),
    ("rdquo", '\u{201d}'),
    ("hellip", '…'),
    ("bull", '•'),
    ("euro", '€'),
    ("trade", '™'),
    ("oelig", 'œ'),
    ("OElig", 'Œ'),
];

fn unescape_html(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        // An ampersand without a known name and a semicolon is text.
        let entity = rest.find(';').and_then(|end| Some((entity(&rest[1..end])?, end)));
        match entity {
            Some((letter, end)) => {
                result.push(letter);
                rest = &rest[end + 1..];
            }
            None => {
                result.push('&');
                rest = &rest[1..];
            }
        }
    }
    result.push_str(rest);
    result
}

/// The letter of an entity without its `&` and `;`.
fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    let latin = LATIN_1.iter().zip('\u{a0}'..='\u{ff}').find(|(entity, _)| **entity == name);
    let sign = SIGNS.iter().find(|(entity, _)| *entity == name);
    latin.map(|(_, letter)| letter).or(sign.map(|(_, letter)| *letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_repair_does_its_part() {
        for (text, cleaned) in [
            ("  A  Dog\n\tRuns ", "a dog runs"),
            ("&amp;amp; tea", "& tea"),
            ("&eacute;t&eacute; &#39;x&#39; &#x2603; &nbsp;end", "été 'x' ☃ end"),
            ("&lt;b&gt;", "<b>"),
            ("R&B; & &unknown; &#xffffff;", "r&b; & &unknown; &#xffffff;"),
            ("schÃ¶n cafÃ©", "schön café"),
            ("café naïve", "café naïve"),
            ("cafe\u{301}", "café"),
            ("ﬁne ﬂuffy", "fine fluffy"),
            ("ｆｕｌｌ，", "full,"),
            ("“curly” ‘quotes’", "\"curly\" 'quotes'"),
            ("a\u{0}b\u{feff}c", "abc"),
            ("", ""),
        ] {
            assert_eq!(clean(text), cleaned, "{text}");
        }
    }
}
