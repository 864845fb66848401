//! What must stay true of the source itself: who may import whom, what pure code may use, how big a file is.

use std::path::{Path, PathBuf};

use crate::support::root;

/// Longest file of the program and its tests.
const MAX_LINES: usize = 500;

/// What a top-level module may import, besides itself. What is not listed here is free.
const IMPORTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("correlate", &["model"]),
    ("plan", &["model"]),
    ("scrub", &["correlate", "model"]),
    ("transport", &["model"]),
    ("source", &["model", "transport"]),
    ("netbox", &["model", "plan", "transport"]),
    ("dns", &["model", "plan", "transport"]),
    ("store", &["model", "plan"]),
    ("http", &["clock", "correlate", "model", "plan", "store"]),
];

/// What pure code has no use for: a clock, randomness, waiting, input and output.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "sqlx",
    "reqwest",
    "russh",
    "std::fs",
    "std::env",
    "std::io",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "now()",
];

/// Words that say nothing about what is in a module.
const EMPTY_WORDS: &[&str] = &["util", "utils", "helper", "helpers", "manager", "common", "misc"];

#[derive(Debug)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The code of the program: no comments, and nothing that is compiled for tests only.
    fn code(&self) -> String {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.map(|line| format!("{line}\n")).collect()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("tests.rs")
    }

    fn module(&self) -> &str {
        let inner = self.path.strip_prefix("service/").unwrap_or_default();
        inner.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_pure(&self) -> bool {
        let in_parse = self.path.starts_with("service/source/")
            && (self.path.contains("/parse/") || self.path.ends_with("/parse.rs"));
        !self.is_test() && (matches!(self.module(), "model" | "correlate" | "plan" | "scrub") || in_parse)
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_made =
                matches!(name.as_str(), "target" | "node_modules" | "__pycache__" | "proptest-regressions");
            if !is_made && !name.starts_with(".git") && !name.starts_with(".venv") && !name.starts_with("._")
            {
                walk(&path, found);
            }
        } else if name != ".git" {
            found.push(path);
        }
    }
}

/// Every text file below these folders.
fn files(below: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in below {
        walk(&root().join(folder), &mut paths);
    }
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            Some(Source { path: path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text })
        })
        .collect()
}

fn rust(below: &[&str]) -> Vec<Source> {
    let mut files = files(below);
    files.retain(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "rs"));
    assert!(files.len() > 10);
    files
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether the word is there, not as part of a longer one.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        let ends_in_word = word.ends_with(|c: char| c.is_alphanumeric());
        !is_part(code[..at].chars().next_back())
            && !(ends_in_word && is_part(code[at + word.len()..].chars().next()))
    })
}

#[test]
fn pure_code_has_no_clock_and_no_input() {
    let mut faults = Vec::new();
    for file in rust(&["service"]).iter().filter(|file| file.is_pure()) {
        let code = file.code();
        faults.extend(
            IMPURE.iter().filter(|word| has_word(&code, word)).map(|word| format!("{}: {word}", file.path)),
        );
    }
    none(&faults);
}

#[test]
fn modules_import_only_what_is_below_them() {
    let mut faults = Vec::new();
    for file in rust(&["service"]).iter().filter(|file| !file.is_test()) {
        let Some((_, allowed)) = IMPORTS.iter().find(|(module, _)| *module == file.module()) else {
            continue;
        };
        let code = file.code();
        for (at, _) in code.match_indices("crate::") {
            let imported: String = code[at + "crate::".len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let is_module = !imported.is_empty() && imported.starts_with(|c: char| c.is_lowercase());
            if is_module && imported != file.module() && !allowed.contains(&imported.as_str()) {
                faults.push(format!("{}: imports {imported}", file.path));
            }
        }
        assert!(
            !code.contains("use crate::{"),
            "{}: one `use` a module, so that this test can read it",
            file.path
        );
    }
    none(&faults);
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut faults = Vec::new();
    for file in rust(&["service", "tests"]) {
        if !file.text.starts_with("//! ") {
            faults.push(format!("{}: does not begin with `//!`", file.path));
        }
    }
    for file in files(&["service", "tests"]) {
        let extension =
            Path::new(&file.path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let lines = file.text.lines().count();
        if matches!(extension, "rs" | "py" | "sql" | "sh" | "") && lines > MAX_LINES {
            faults.push(format!("{}: {lines} lines, over {MAX_LINES}", file.path));
        }
        let stem = Path::new(&file.path).file_stem().unwrap().to_string_lossy().into_owned();
        if EMPTY_WORDS.contains(&stem.as_str()) {
            faults.push(format!("{}: says nothing about what it is", file.path));
        }
    }
    none(&faults);
}

#[test]
fn nothing_is_left_undone() {
    // Split, so that this file is no hit itself.
    let words = [
        concat!("to", "do!("),
        concat!("unimplemen", "ted!("),
        concat!("#[ig", "nore"),
        concat!("FIX", "ME"),
    ];
    let mut faults = Vec::new();
    for file in rust(&["service", "tests"]) {
        faults.extend(
            words
                .iter()
                .filter(|word| file.text.contains(*word))
                .map(|word| format!("{}: {word}", file.path)),
        );
    }
    none(&faults);
}

#[test]
fn no_machine_is_mentioned() {
    let folders = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/tm", "p/")];
    let mut faults = Vec::new();
    for file in files(&["."]).iter().filter(|file| file.path != "Cargo.lock") {
        let path = file.path.trim_start_matches("./");
        for (number, line) in file.text.lines().enumerate() {
            let is_path = |folder: &&&str| {
                line.match_indices(**folder).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| {
                        c.is_alphanumeric() || matches!(c, '}' | '.' | '-' | '_' | ':' | '/')
                    })
                })
            };
            let is_scratch = |folder: &&str| folder.contains("tm") && path.starts_with("tests/");
            for folder in folders.iter().filter(is_path).filter(|folder| !is_scratch(folder)) {
                faults.push(format!("{path} line {}: {folder}", number + 1));
            }
        }
    }
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let foreign = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .filter(|source| *source != "\"registry+https://github.com/rust-lang/crates.io-index\"");
    faults.extend(foreign.map(|source| format!("Cargo.lock: {source}")));
    none(&faults);
}
