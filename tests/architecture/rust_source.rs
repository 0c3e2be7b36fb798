//! As much of Rust's grammar as the checks need: words without comments, literals and tests.

/// A name, `::`, or one sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// 1-based.
    pub line: usize,
}

/// The words of a file, without its tests.
pub fn words(text: &str) -> Vec<Word> {
    let all = all_words(&code(text));
    let mut kept = Vec::new();
    let mut next = 0;
    while next < all.len() {
        if starts_with(&all[next..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            next = end_of_item(&all, next + 7);
        } else {
            kept.push(all[next].clone());
            next += 1;
        }
    }
    kept
}

/// Names of the modules that a file declares for its tests alone and keeps in files of their own.
pub fn test_modules(text: &str) -> Vec<String> {
    let all = all_words(&code(text));
    let declaration = |at: usize| starts_with(&all[at..], &["#", "[", "cfg", "(", "test", ")", "]", "mod"]);
    let names = (0..all.len()).filter(|at| declaration(*at) && all[at + 9].text == ";");
    names.map(|at| all[at + 8].text.clone()).collect()
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// From `fn` to the closing brace.
    pub num_lines: usize,
}

/// The functions of a file, without its tests; those inside others count as well.
pub fn functions(text: &str) -> Vec<Function> {
    let words = words(text);
    let starts = (0..words.len()).filter(|at| words[*at].text == "fn" && words.len() > at + 1);
    let functions = starts.filter_map(|start| {
        let mut at = start + 1;
        while at < words.len() {
            match words[at].text.as_str() {
                "{" => {
                    let last = &words[behind_closing(&words, at) - 1];
                    let num_lines = last.line + 1 - words[start].line;
                    return Some(Function { name: words[start + 1].text.clone(), num_lines });
                }
                ";" => return None,
                "(" | "[" => at = behind_closing(&words, at),
                _ => at += 1,
            }
        }
        None
    });
    functions.collect()
}

/// Names of an enum's variants.
pub fn variants(text: &str, name: &str) -> Vec<String> {
    let words = words(text);
    let Some(start) = (0..words.len()).find(|at| starts_with(&words[*at..], &["enum", name, "{"])) else {
        return vec![];
    };
    let end = behind_closing(&words, start + 2) - 1;
    let mut names = vec![];
    let mut at = start + 3;
    while at < end {
        match words[at].text.as_str() {
            "(" | "[" | "{" => at = behind_closing(&words, at),
            "#" | "," => at += 1,
            variant => {
                names.push(variant.to_string());
                at += 1;
            }
        }
    }
    names
}

/// Whether the next words are these.
pub fn starts_with(words: &[Word], texts: &[&str]) -> bool {
    words.len() >= texts.len() && words.iter().zip(texts).all(|(word, text)| word.text == *text)
}

/// Place behind the bracket that closes the one at `open`.
pub fn behind_closing(words: &[Word], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, word) in words.iter().enumerate().skip(open) {
        match word.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    words.len()
}

/// Place behind an item: behind its body, or its semicolon where it has none.
fn end_of_item(words: &[Word], mut at: usize) -> usize {
    let mut is_use = false;
    while at < words.len() {
        match words[at].text.as_str() {
            "use" => is_use = true,
            ";" => return at + 1,
            "{" if is_use => at = behind_closing(words, at) - 1,
            "{" => return behind_closing(words, at),
            "(" | "[" => at = behind_closing(words, at) - 1,
            _ => {}
        }
        at += 1;
    }
    at
}

fn all_words(code: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let letters: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < letters.len() {
            let is_name = |at: usize| letters.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_');
            let start = at;
            while is_name(at) {
                at += 1;
            }
            if at == start {
                at += if letters[at] == ':' && letters.get(at + 1) == Some(&':') { 2 } else { 1 };
            }
            let text: String = letters[start..at].iter().collect();
            if !text.trim().is_empty() {
                words.push(Word { text, line: number + 1 });
            }
        }
    }
    words
}

/// The text with spaces in place of comments and of what strings hold; lines stay where they are.
fn code(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let end = end_of_blank(&letters, at);
        if end == at {
            code.push(letters[at]);
            at += 1;
        } else {
            code.extend(letters[at..end].iter().map(|letter| if *letter == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// End of the comment or literal that starts here; `at` itself where none does.
fn end_of_blank(letters: &[char], at: usize) -> usize {
    let ahead = |text: &str| text.chars().enumerate().all(|(i, c)| letters.get(at + i) == Some(&c));
    let follows_name = at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_');
    if ahead("//") {
        return letters[at..].iter().position(|c| *c == '\n').map_or(letters.len(), |len| at + len);
    }
    if ahead("/*") {
        let mut end = at + 2;
        while end < letters.len() && !(letters[end - 1] == '*' && letters[end] == '/' && end > at + 2) {
            end += 1;
        }
        return (end + 1).min(letters.len());
    }
    if ahead("r\"") || ahead("r#") && !follows_name {
        let marks = letters[at + 1..].iter().take_while(|c| **c == '#').count();
        if letters.get(at + 1 + marks) == Some(&'"') {
            let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
            let inside = at + 2 + marks;
            let len = letters[inside..].windows(closing.len()).position(|window| window == closing);
            return len.map_or(letters.len(), |len| inside + len + closing.len());
        }
    }
    match letters[at] {
        '"' => end_of_quoted(letters, at, '"'),
        // A lifetime has no closing quote behind its first letter.
        '\'' if letters.get(at + 1) == Some(&'\\') || letters.get(at + 2) == Some(&'\'') => {
            end_of_quoted(letters, at, '\'')
        }
        _ => at,
    }
}

fn end_of_quoted(letters: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < letters.len() && letters[end] != quote {
        end += if letters[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(letters.len())
}

#[test]
fn comments_literals_and_tests_are_no_words() {
    let text = r##"
        // use crate::a;
        use crate::b; /* c */
        const D: &str = "crate::e"; const F: char = '"'; fn g<'h>(i: &'h str) {}
        const J: &str = r#"crate::"k""#;
        #[cfg(test)]
        use crate::l::{m, n};
        #[cfg(test)]
        mod o { fn p() { { } } }
        fn q() {}
    "##;
    let words: Vec<String> = words(text).into_iter().map(|word| word.text).collect();
    for name in ["a", "c", "e", "k", "l", "m", "o", "p"] {
        assert!(!words.iter().any(|word| word == name), "{name}");
    }
    for name in ["b", "D", "F", "g", "i", "q"] {
        assert!(words.iter().any(|word| word == name), "{name}");
    }
    assert_eq!(test_modules("#[cfg(test)]\nmod tests;\nmod other;"), ["tests"]);
}

#[test]
fn functions_have_their_length_and_enums_their_variants() {
    let text =
        "fn a(b: [u8; 3]) -> u8\nwhere\n{\n fn c() {\n }\n}\ntrait D { fn e(); }\n#[cfg(test)]\nfn f() {}";
    let found: Vec<(String, usize)> =
        functions(text).into_iter().map(|function| (function.name, function.num_lines)).collect();
    assert_eq!(found, [("a".to_string(), 6), ("c".to_string(), 2)]);
    let text = "enum A { B } pub enum C { #[serde(rename = \"x\")] D(E), F { g: H }, I }";
    assert_eq!(variants(text, "C"), ["D", "F", "I"]);
}
