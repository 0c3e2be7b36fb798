//! What comments cite exists, and so does every path that the documentation names.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

const SPECIFICATION: &str = "docs/spec/";
/// Folders whose comments are read.
const SOURCES: [&str; 3] = ["src", "tests", "benches"];
/// Folders and files whose paths are looked up.
const DOCUMENTS: [&str; 3] = ["docs", "README.md", "CONTRIBUTING.md"];
/// A code span that begins so is a path of the repository.
const ROOTS: [&str; 7] = ["src/", "tests/", "docs/", "benches/", "scripts/", "configs/", "assets/"];

/// A section or an open question of a page, as a comment names it.
#[derive(Debug, PartialEq, Eq)]
struct Citation {
    page: String,
    /// A number, or the name of a question; empty when the page as a whole is meant.
    heading: String,
}

/// Citations of a comment, and whether a section or question is left that belongs to no page.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    citations: Vec<Citation>,
    has_stray: bool,
}

/// The heading that `text` begins with, and its length in bytes.
fn heading_at(text: &str) -> Option<(String, usize)> {
    let is_part = |sign: char| sign.is_ascii_digit() || sign == '.';
    let number = |text: &str| {
        let number: String = text.chars().take_while(|sign| is_part(*sign)).collect();
        number.trim_end_matches('.').to_string()
    };
    for (mark, shown) in [("§", ""), ("OQ-", "OQ-")] {
        if let Some(rest) = text.strip_prefix(mark) {
            let number = number(rest);
            let length = mark.len() + number.len();
            return (!number.is_empty()).then(|| (format!("{shown}{number}"), length));
        }
    }
    None
}

/// Reads the path of a page and the sections or questions that follow it, as the samples below show.
fn read_citations(comment: &str) -> Reading {
    let mut reading = Reading::default();
    let (mut rest, mut unread) = (comment, String::new());
    while let Some(start) = rest.find(SPECIFICATION) {
        unread.push_str(&rest[..start]);
        let after = &rest[start + SPECIFICATION.len()..];
        let Some(end) = after.find(".md") else { break };
        let page = after[..end].to_string();
        rest = &after[end + ".md".len()..];
        let before = reading.citations.len();
        while let Some((separator, (heading, length))) = [" ", ", ", " and ", ", and ", " to "]
            .iter()
            .find_map(|separator| Some((separator, heading_at(rest.strip_prefix(separator)?)?)))
        {
            reading.citations.push(Citation { page: page.clone(), heading });
            rest = &rest[separator.len() + length..];
        }
        if reading.citations.len() == before {
            reading.citations.push(Citation { page, heading: String::new() });
        }
    }
    unread.push_str(rest);
    let marks = unread.match_indices("OQ-").chain(unread.match_indices('§'));
    reading.has_stray = marks.into_iter().any(|(at, _)| heading_at(&unread[at..]).is_some());
    reading
}

/// Runs of comment lines, joined, and comments behind code.
fn comments(source: &str) -> Vec<String> {
    let mut comments = vec![String::new()];
    for line in source.lines() {
        let line = line.trim_start();
        if line.starts_with("//") {
            let text = line.trim_start_matches(['/', '!']).trim();
            if let Some(comment) = comments.last_mut() {
                comment.push_str(text);
                comment.push(' ');
            }
        } else {
            comments.push(line.split_once(" // ").map(|(_, text)| text.to_string()).unwrap_or_default());
            comments.push(String::new());
        }
    }
    comments.retain(|comment| !comment.is_empty());
    comments
}

/// First words of a page's headings: section numbers and names of open questions.
fn headings(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter_map(|line| line.strip_prefix("##"));
    let first_word = |line: &str| Some(line.trim_start_matches('#').split_whitespace().next()?.to_string());
    headings.filter_map(first_word).map(|word| word.trim_end_matches('.').to_string()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(start: &Path, extension: &str) -> Vec<PathBuf> {
    if start.is_file() {
        return vec![start.to_path_buf()];
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(start).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry, extension));
        } else if entry.extension().is_some_and(|of_file| of_file == extension) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// What is wrong with one citation, if anything.
fn complaint(citation: &Citation) -> Option<String> {
    let Citation { page, heading } = citation;
    let path = format!("{SPECIFICATION}{page}.md");
    let Ok(text) = read_to_string(root().join(&path)) else {
        return Some(format!("no page `{path}`"));
    };
    let is_known = heading.is_empty() || headings(&text).contains(heading);
    (!is_known).then(|| format!("`{path}` has no heading `{heading}`"))
}

#[test]
fn every_citation_in_a_comment_has_its_heading() {
    let (mut wrong, mut found) = (Vec::new(), 0);
    for file in SOURCES.iter().flat_map(|folder| files(&root().join(folder), "rs")) {
        for comment in comments(&read_to_string(&file).unwrap()) {
            let reading = read_citations(&comment);
            found += reading.citations.len();
            let strays =
                reading.has_stray.then(|| format!("a section or question without its page: {comment}"));
            let complaints = reading.citations.iter().filter_map(complaint).chain(strays);
            wrong.extend(complaints.map(|complaint| format!("{}: {complaint}", file.display())));
        }
    }
    assert!(found > 100, "only {found} citations found: is the form still `{SPECIFICATION}NAME.md §1.2`?");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn open_questions_that_pages_name_have_entries() {
    let entries = headings(&read_to_string(root().join(SPECIFICATION).join("open-questions.md")).unwrap());
    let mut found = 0;
    for page in files(&root().join(SPECIFICATION), "md") {
        let text = read_to_string(&page).unwrap();
        for (at, _) in text.match_indices("OQ-") {
            if let Some((heading, _)) = heading_at(&text[at..]) {
                assert!(entries.contains(&heading), "{}: {heading}", page.display());
                found += 1;
            }
        }
    }
    assert!(found > 100);
}

#[test]
fn citations_are_read_and_wrong_ones_are_noticed() {
    let cited = |comment: &str| -> Vec<String> {
        let name = |citation: &Citation| format!("{} {}", citation.page, citation.heading);
        read_citations(comment).citations.iter().map(name).collect()
    };
    assert_eq!(
        cited(
            "Noise (docs/spec/gan-training.md §1.1, §2 and §4.5; docs/spec/open-questions.md OQ-16, OQ-17)."
        ),
        [
            "gan-training 1.1",
            "gan-training 2",
            "gan-training 4.5",
            "open-questions OQ-16",
            "open-questions OQ-17"
        ]
    );
    assert_eq!(cited("docs/spec/mapper.md §1.4 to §5."), ["mapper 1.4", "mapper 5"]);
    assert_eq!(cited("Specification: docs/spec/generator.md, with truncation"), ["generator "]);
    for (comment, is_stray) in [("mapper §5", true), ("OQ-31", true), ("docs/spec/mapper.md §5", false)] {
        assert_eq!(read_citations(comment).has_stray, is_stray, "{comment}");
    }
    let complaint_of = |comment: &str| complaint(&read_citations(comment).citations[0]);
    assert_eq!(complaint_of("docs/spec/mapper.md §5.2"), None);
    assert!(complaint_of("docs/spec/mapper.md §99").is_some());
    assert!(complaint_of("docs/spec/open-questions.md OQ-99").is_some());
    assert!(complaint_of("docs/spec/nothing.md §1").is_some());
    let source = "/// One comment (docs/spec/mapper.md\n/// §5).\nlet a = 1; // docs/spec/mapper.md §1\n";
    assert_eq!(comments(source), ["One comment (docs/spec/mapper.md §5). ", "docs/spec/mapper.md §1"]);
}

/// Paths that a page names: code spans below one of [`ROOTS`], and targets of links that stay in the repository.
fn named_paths(text: &str) -> Vec<String> {
    // Listings may show what was, or what a user types.
    let parts = text.split("```").step_by(2).collect::<String>();
    let spans = parts.split('`').skip(1).step_by(2).filter(|span| {
        ROOTS.iter().any(|root| span.starts_with(root)) && !span.contains([' ', '*', '{', '<', '…'])
    });
    let links = parts.split("](").skip(1).filter_map(|link| link.split([')', '#']).next());
    let inside =
        links.filter(|link| !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:"));
    spans.map(|span| format!("/{span}")).chain(inside.map(str::to_string)).collect()
}

#[test]
fn every_path_in_the_documentation_exists() {
    let (mut wrong, mut found) = (Vec::new(), 0);
    for page in DOCUMENTS.iter().flat_map(|document| files(&root().join(document), "md")) {
        for path in named_paths(&read_to_string(&page).unwrap()) {
            let target = match path.strip_prefix('/') {
                Some(from_root) => root().join(from_root),
                None => page.with_file_name(&path),
            };
            found += 1;
            if !target.exists() {
                wrong.push(format!("{}: `{path}`", page.display()));
            }
        }
    }
    assert!(found > 50, "only {found} paths found");
    assert!(wrong.is_empty(), "not there:\n{}", wrong.join("\n"));
}

#[test]
fn paths_are_read_from_spans_and_links() {
    let page = "See [x](stage-one.md#a), [y](https://example.org), `src/lib.rs`, `src/*`, `a/b`.\n```\n`src/old.rs`\n```\n";
    assert_eq!(named_paths(page), ["/src/lib.rs", "stage-one.md"]);
}
