//! Which file imports which: `use` trees and paths in the code, resolved to files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::rust_source::{Word, behind_closing, test_modules, words};

/// Files by what they import; tests are left out, for their fixtures may come from anywhere below.
pub struct ImportGraph {
    files: Vec<PathBuf>,
    imports: Vec<BTreeSet<usize>>,
}

impl ImportGraph {
    /// Reads the imports of files, given by path below `src` and text.
    pub fn new(sources: &[(PathBuf, String)]) -> Self {
        let tests: BTreeSet<Vec<String>> = sources
            .iter()
            .flat_map(|(path, text)| {
                let own = module_of(path);
                test_modules(text).into_iter().map(move |name| [own.clone(), vec![name]].concat())
            })
            .collect();
        let kept: Vec<&(PathBuf, String)> =
            sources.iter().filter(|(path, _)| !tests.contains(&module_of(path))).collect();
        let modules: BTreeMap<Vec<String>, usize> =
            kept.iter().enumerate().map(|(index, (path, _))| (module_of(path), index)).collect();
        let imports = kept.iter().enumerate().map(|(index, (path, text))| {
            let own = module_of(path);
            let targets = paths(&words(text)).into_iter().filter_map(|path| resolve(&path, &own, &modules));
            targets.filter(|target| *target != index).collect()
        });
        Self { imports: imports.collect(), files: kept.iter().map(|(path, _)| path.clone()).collect() }
    }

    /// Groups of files each of which imports, over others, itself.
    pub fn circles(&self) -> Vec<Vec<&Path>> {
        let reached: Vec<BTreeSet<usize>> = (0..self.files.len()).map(|from| self.reached(from)).collect();
        let mut groups = BTreeSet::new();
        for from in 0..self.files.len() {
            let group: Vec<usize> =
                reached[from].iter().copied().filter(|to| reached[*to].contains(&from)).collect();
            if !group.is_empty() {
                groups.insert(group);
            }
        }
        let paths = |group: Vec<usize>| group.into_iter().map(|index| self.files[index].as_path()).collect();
        groups.into_iter().map(paths).collect()
    }

    /// Pairs of one group, for the message.
    pub fn inside(&self, group: &[&Path]) -> Vec<String> {
        let within = |index: &usize| group.contains(&self.files[*index].as_path());
        let pairs = (0..self.files.len()).filter(within).flat_map(|from| {
            let targets = self.imports[from].iter().copied().filter(within);
            targets.map(move |to| (from, to))
        });
        pairs
            .map(|(from, to)| format!("{} → {}", self.files[from].display(), self.files[to].display()))
            .collect()
    }

    fn reached(&self, from: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<usize> = self.imports[from].iter().copied().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(&self.imports[next]);
            }
        }
        reached
    }
}

/// `data/nsd/mod.rs` and `data/nsd.rs` are both `[data, nsd]`.
fn module_of(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let last = parts.pop().unwrap();
    if last != "mod.rs" && last != "lib.rs" {
        parts.push(last.trim_end_matches(".rs").to_string());
    }
    parts
}

/// The file that holds the longest part of a path.
fn resolve(path: &[String], own: &[String], modules: &BTreeMap<Vec<String>, usize>) -> Option<usize> {
    let mut module = own.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => module.clear(),
        "self" | "super" => {}
        child => {
            let child = [own, &[child.to_string()]].concat();
            modules.get(&child)?;
        }
    }
    while let Some(first) = rest.first() {
        match first.as_str() {
            "crate" | "self" => {}
            "super" => _ = module.pop(),
            _ => break,
        }
        rest = &rest[1..];
    }
    for name in rest {
        module.push(name.clone());
        if !modules.contains_key(&module) {
            module.pop();
            break;
        }
    }
    modules.get(&module).copied()
}

/// All paths of a file: those of `use` declarations, and those of two names or more elsewhere.
pub fn paths(words: &[Word]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let is_path = words.get(at + 1).is_some_and(|next| next.text == "::")
            && (at == 0 || words[at - 1].text != "::");
        // `pub(in super::super)` says who may import, not what is imported.
        let is_visibility = at > 1 && words[at - 1].text == "in" && words[at - 2].text == "(";
        // `use<'a>` names what an opaque type captures.
        let is_declaration =
            words[at].text == "use" && words.get(at + 1).is_some_and(|next| next.text != "<");
        if is_declaration {
            at = add_tree(words, at + 1, &mut Vec::new(), &mut found);
        } else if is_path && !is_visibility && is_name(&words[at]) {
            let mut path = vec![words[at].text.clone()];
            while words.get(at + 1).is_some_and(|next| next.text == "::")
                && words.get(at + 2).is_some_and(is_name)
            {
                at += 2;
                path.push(words[at].text.clone());
            }
            found.push(path);
            at += 1;
        } else {
            at += 1;
        }
    }
    found
}

/// Adds the paths of a `use` tree; gives the place behind it.
fn add_tree(words: &[Word], mut at: usize, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let depth = prefix.len();
    while at < words.len() {
        match words[at].text.as_str() {
            "{" => {
                let end = behind_closing(words, at);
                at += 1;
                while at + 1 < end {
                    at = add_tree(words, at, prefix, found);
                    if words[at].text == "," {
                        at += 1;
                    }
                }
                prefix.truncate(depth);
                return end;
            }
            "}" | "," | ";" => break,
            "as" => at += 1,
            "::" => {}
            name => prefix.push(name.to_string()),
        }
        at += 1;
    }
    found.push(prefix.clone());
    prefix.truncate(depth);
    at
}

fn is_name(word: &Word) -> bool {
    word.text.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> (PathBuf, String) {
        (PathBuf::from(path), text.to_string())
    }

    #[test]
    fn use_trees_unfold_and_inline_paths_count() {
        let text = "use crate::{a::{B, c::d as e}, f}; pub use super::g::*; fn h() { crate::i::j(); k::l() }";
        let found: Vec<String> = paths(&words(text)).into_iter().map(|path| path.join("::")).collect();
        let expected = ["crate::a::B", "crate::a::c::d", "crate::f", "super::g::*", "crate::i::j", "k::l"];
        assert_eq!(found, expected);
    }

    #[test]
    fn circles_are_found_over_several_files_and_through_parents() {
        let open = [
            source("lib.rs", "pub mod a; pub mod b;"),
            source("a.rs", "use crate::b::c::C;"),
            source("b/mod.rs", "pub mod c; mod d; #[cfg(test)] mod tests;"),
            source("b/c.rs", "use super::d::D; #[cfg(test)] mod tests { use crate::a::A; }"),
            source("b/d.rs", ""),
            source("b/tests.rs", "use crate::a::A; use super::*;"),
        ];
        assert!(ImportGraph::new(&open).circles().is_empty());
        let closed = [
            source("a.rs", "use crate::b::B;"),
            source("b/mod.rs", "pub use c::C; pub struct B;"),
            source("b/c.rs", "use super::super::a; struct C(a::A);"),
            source("d.rs", "use crate::a::A;"),
        ];
        let graph = ImportGraph::new(&closed);
        assert_eq!(
            graph.circles(),
            [[Path::new("a.rs"), Path::new("b/mod.rs"), Path::new("b/c.rs")].to_vec()]
        );
        assert_eq!(graph.inside(&graph.circles()[0]).len(), 3);
    }
}
