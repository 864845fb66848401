//! Passwords, tokens and keys: read from a file once, never printed. Knows nothing of who uses them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Longest secret file that is read; a longer one is the wrong file (a log, an image), not a password.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A text that must not be seen: `Debug` and `Display` print `[redacted]`, and it cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a secret file gave no secret. All of them are the user's to fix.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no such file.
    #[error(
        "secret file `{}` does not exist; hint: create it with mode 0600, or correct the path in the configuration",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file cannot be read: permissions, a folder, a broken disk.
    #[error("secret file `{}` cannot be read; hint: it must be a file that the user running surveyor may read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nothing is in it, or only blanks.
    #[error("secret file `{}` is empty; hint: write the secret into it, followed by at most a line break", .0.display())]
    Empty(PathBuf),
    /// It is not text, or far too long.
    #[error("secret file `{}` is not a text of at most {MAX_SECRET_BYTES} bytes; hint: is this the right file?", .0.display())]
    NotText(PathBuf),
}

/// Reads one secret. Line breaks at the end are not part of it (editors and `echo` add one); blanks are.
pub fn read_secret_file(path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SecretError::Missing(path.to_owned()),
        _ => SecretError::Unreadable { path: path.to_owned(), source },
    };
    let found = std::fs::metadata(path).map_err(unreadable)?;
    if found.len() > MAX_SECRET_BYTES {
        return Err(SecretError::NotText(path.to_owned()));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.to_owned()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return Err(SecretError::Empty(path.to_owned()));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Secret, SecretError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        read_secret_file(&path)
    }

    #[test]
    fn only_line_breaks_at_the_end_are_dropped() {
        assert_eq!(read(b"token\n").unwrap().expose(), "token");
        assert_eq!(read(b"token\r\n\n").unwrap().expose(), "token");
        assert_eq!(read(b" pass word ").unwrap().expose(), " pass word ");
        assert_eq!(read("\u{feff}token\n".as_bytes()).unwrap().expose(), "token");
    }

    #[test]
    fn what_is_no_secret_is_named() {
        assert!(matches!(read(b""), Err(SecretError::Empty(_))));
        assert!(matches!(read(b" \n\n"), Err(SecretError::Empty(_))));
        assert!(matches!(read(&[0xff, 0xfe, 0x00]), Err(SecretError::NotText(_))));
        assert!(matches!(read(&vec![b'x'; 70_000]), Err(SecretError::NotText(_))));
        let missing = read_secret_file(Path::new("/nonexistent/token")).unwrap_err();
        assert!(missing.to_string().starts_with("secret file `/nonexistent/token` does not exist; hint:"));
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read_secret_file(folder.path()), Err(SecretError::Unreadable { .. })));
    }

    #[test]
    fn it_never_prints() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("hunter2").count(), 0);
    }
}
