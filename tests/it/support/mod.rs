//! What several modules of the suite need. Knows no test.

pub(crate) mod acts;
mod fields;
pub(crate) mod network;
mod permissions;
mod rules;
pub(crate) mod shown;
pub(crate) mod world;

use std::path::{Path, PathBuf};

/// The package's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a text with the file that says what it should be, or writes the file if `UPDATE_EXPECT` is set. The difference, if any.
pub(crate) fn expect(path: &Path, actual: &str) -> Option<String> {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, actual)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        return None;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return None;
    }
    let line = expected.lines().zip(actual.lines()).position(|(expected, actual)| expected != actual);
    let line = line.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(end of file)").to_owned();
    let shown = path.strip_prefix(root()).unwrap_or(path).display();
    Some(format!("{shown} line {}\n  expected: {}\n  actual:   {}", line + 1, at(&expected), at(actual)))
}
