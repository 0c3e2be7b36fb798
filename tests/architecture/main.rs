//! Keeps the ranks of `src/lib.rs` and the names that a reader can trust.

#![allow(clippy::unwrap_used)]

mod imports;
mod rust_source;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imports::ImportGraph;

const RANKS: &[(&str, u8)] = &[
    ("cli", 6),
    ("commands", 5),
    ("pipelines", 4),
    ("training", 3),
    ("weights", 3),
    ("phantom", 3),
    ("models", 2),
    ("data", 2),
    ("losses", 2),
    ("metrics", 2),
    ("report", 2),
    ("run", 2),
    ("tensor_ops", 1),
    ("error", 0),
    ("files", 1),
    ("interrupt", 1),
    ("kernels", 0),
];

/// Most `.rs` files in one folder.
const MOST_FILES: usize = 20;

/// Most lines of a function of a command, from `fn` to the closing brace: what fits on a screen.
const MOST_COMMAND_LINES: usize = 60;
/// Most lines of a file.
const MOST_LINES: usize = 500;

const BANNED_NAMES: &[&str] = &["utils", "util", "helpers", "common", "misc", "base", "core", "types"];

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file of `src/` with its path relative to it and its text.
fn files() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "the source folder was not found");
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_path_buf(), text)
        })
        .collect()
}

fn unit(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_string()
}

/// The modules named in `crate::a::…` and `crate::{a::…, b::…}` on one line.
fn imported(text: &str) -> Vec<String> {
    text.match_indices("crate::")
        .flat_map(|(at, _)| {
            let rest = &text[at + "crate::".len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => {
                    let mut depth = 0_i32;
                    let mut top_level = String::new();
                    for letter in group.chars() {
                        match letter {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            _ if depth == 0 => top_level.push(letter),
                            _ => {}
                        }
                    }
                    top_level.split(',').map(|part| part.trim().to_string()).collect()
                }
                None => vec![rest.to_string()],
            };
            names.into_iter().map(|name| {
                name.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
            })
        })
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn modules_import_only_from_lower_ranks() {
    let mut broken = Vec::new();
    for (path, text) in files() {
        let Some(own) = rank(&unit(&path)) else { continue };
        for name in imported(&text) {
            let Some(other) = rank(&name) else { continue };
            if name != unit(&path) && other >= own {
                broken.push(format!("{} (rank {own}) imports `{name}` (rank {other})", path.display()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "a module imports from strictly lower ranks and its own folder:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_module_has_a_rank() {
    for (path, _) in files() {
        let unit = unit(&path);
        assert!(
            unit == "main" || unit == "lib" || rank(&unit).is_some(),
            "beside main.rs and lib.rs, `src` holds ranked modules only: {}",
            path.display()
        );
    }
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    for (path, _) in files() {
        for part in path.components() {
            let name = part.as_os_str().to_string_lossy();
            let stem = name.trim_end_matches(".rs");
            assert!(!BANNED_NAMES.contains(&stem), "`{}`: name the idea in the file", path.display());
        }
    }
}

#[test]
fn clap_stays_in_cli_and_printing_in_render() {
    for (path, text) in files() {
        if unit(&path) != "cli" && unit(&path) != "main" {
            assert!(!text.contains("clap::"), "`{}`: clap belongs below cli/", path.display());
        }
        if path != Path::new("cli/render.rs") {
            for (number, line) in text.lines().enumerate() {
                let prints = ["println!(", "eprintln!(", "print!(", "dbg!("]
                    .iter()
                    .any(|name| line.trim_start().starts_with(name));
                // Tests at the bottom of a file may say why they were skipped.
                let in_tests = text.lines().take(number).any(|line| line.starts_with("#[cfg(test)]"));
                assert!(
                    !prints || in_tests,
                    "`{}`:{}: only cli/render.rs prints",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn partial_loading_and_home_paths_stay_out() {
    for (path, text) in files() {
        if unit(&path) != "weights" {
            assert!(!text.contains("allow_partial"), "`{}`: strict loading only", path.display());
        }
        for needle in ["/home/", "/root/", "/Users/"] {
            assert!(!text.contains(needle), "`{}`: no home path in the program", path.display());
        }
    }
}

#[test]
fn kernels_know_no_tensors_and_only_tensor_ops_knows_the_kernels() {
    for (path, text) in files() {
        let paths = imports::paths(&rust_source::words(&text));
        let names = |name: &str| paths.iter().any(|path| path[0] == name);
        match unit(&path).as_str() {
            "kernels" => assert!(!names("burn"), "`{}`: kernels take slices", path.display()),
            "tensor_ops" => {}
            _ => assert!(
                !paths.iter().any(|path| path[0] == "crate" && path[1] == "kernels"),
                "`{}`: tensor_ops chooses the kernels",
                path.display()
            ),
        }
    }
}

/// Ways to open an input that do not ask what it is first.
const SIDE_DOORS: [&str; 7] = [
    "File::open(",
    "File::open_as(",
    "fs::read(",
    "fs::read_to_string(",
    "image::open(",
    "ImageReader::open(",
    "OpenOptions::new().read(",
];

/// A pipe hangs, a device never ends: the door of `files` asks first.
#[test]
fn inputs_are_opened_by_the_door_of_files_alone() {
    let mut side_doors = Vec::new();
    for (path, text) in files() {
        let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "fixtures");
        // The library of HDF5 opens by path, what `open_input` has looked at.
        let is_hdf5 = (path == Path::new("data/formats/hdf5/read.rs") && text.contains("open_input(path"))
            || (path == Path::new("data/formats/hdf5/elsewhere.rs") && text.contains("open_input(&place"));
        if unit(&path) == "files" || is_test || is_hdf5 {
            continue;
        }
        for (number, line) in text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).enumerate() {
            // Files of tests alone are known by what only tests may do.
            let is_code = !line.trim_start().starts_with("//") && !line.contains(".unwrap()");
            let opens = |door: &&str| {
                line.match_indices(*door).any(|(at, _)| {
                    // `H5File::open` is another word.
                    !line[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
                })
            };
            if is_code && SIDE_DOORS.iter().any(opens) {
                side_doors.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(
        side_doors.is_empty(),
        "inputs are opened by `open_input`, `read_input` and `read_text` of `files`:\n{}",
        side_doors.join("\n")
    );
}

#[test]
fn folders_stay_small() {
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (path, _) in files() {
        *counts.entry(path.parent().unwrap().to_path_buf()).or_default() += 1;
    }
    counts.retain(|_, count| *count > MOST_FILES);
    assert!(counts.is_empty(), "at most {MOST_FILES} files in a folder: {counts:?}");
}

#[test]
fn files_fit_into_the_head() {
    let long: Vec<String> = files()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MOST_LINES)
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(long.is_empty(), "at most {MOST_LINES} lines in a file: {long:?}");
}

#[test]
fn functions_of_commands_fit_on_a_screen() {
    let mut long = Vec::new();
    for (path, text) in files() {
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests") || is_fixture(&path);
        if unit(&path) == "commands" && !is_test {
            let functions = rust_source::functions(&text).into_iter();
            let over = functions.filter(|function| function.num_lines > MOST_COMMAND_LINES);
            long.extend(over.map(|function| {
                format!("{}: `{}` has {} lines", path.display(), function.name, function.num_lines)
            }));
        }
    }
    assert!(long.is_empty(), "at most {MOST_COMMAND_LINES} lines in a function:\n{}", long.join("\n"));
}

#[test]
fn commands_holds_subcommands_alone() {
    let files = files();
    let (_, arguments) = files.iter().find(|(path, _)| path == Path::new("cli/args/mod.rs")).unwrap();
    let subcommands: Vec<String> =
        rust_source::variants(arguments, "Command").iter().map(|name| snake_case(name)).collect();
    assert!(subcommands.len() > 10, "the subcommands were not found");
    for (path, _) in files.iter().filter(|(path, _)| unit(path) == "commands") {
        let name = path.iter().nth(1).unwrap().to_string_lossy();
        let name = name.trim_end_matches(".rs");
        assert!(
            name == "mod" || is_fixture(path) || subcommands.iter().any(|known| known == name),
            "`{}` is no subcommand: what several commands share belongs to pipelines",
            path.display()
        );
    }
}

/// What tests of several commands share.
fn is_fixture(path: &Path) -> bool {
    path.iter().any(|part| part == "fixtures" || part == "fixtures.rs")
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[test]
fn no_file_imports_itself_over_others() {
    let files = files();
    let graph = ImportGraph::new(&files);
    let circles: Vec<String> =
        graph.circles().into_iter().map(|group| graph.inside(&group).join("\n")).collect();
    assert!(circles.is_empty(), "{} circles:\n{}", circles.len(), circles.join("\n\n"));
}
