//! Tokens of the service users: made once, kept in files that only the owner may read, never printed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Error, Wishes, token_files, token_wish};
use crate::model::ObjectKind;
use crate::netbox::client::Client;
use crate::netbox::error::Error as NetBoxError;
use crate::netbox::value;
use crate::plan::Fields;
use crate::plan::bootstrap::TokenWish;
use crate::transport::secret::{Secret, SecretError, read_secret_file};

/// Only the owner reads and writes.
const MODE: u32 = 0o600;

/// Which users need a token: no file, or one whose token NetBox refuses. And what a person should know.
pub(super) async fn missing(admin: &Client, wishes: &Wishes) -> Result<(Vec<TokenWish>, Vec<String>), Error> {
    let mut missing = Vec::new();
    let mut lines = Vec::new();
    for (username, file) in token_files(wishes) {
        let Some(file) = file else { continue };
        let token = match read_secret_file(file) {
            Ok(token) => token,
            Err(SecretError::Missing(_) | SecretError::Empty(_)) => {
                missing.push(token_wish(username, file));
                continue;
            }
            Err(SecretError::Unreadable { path, source }) => return Err(Error::TokenFile { path, source }),
            Err(SecretError::NotText(path)) => {
                let source = io::Error::other("there is something in it that is no token");
                return Err(Error::TokenFile { path, source });
            }
        };
        match admin.with_token(token).me().await {
            Ok(user) if user.username == username => {}
            Ok(user) => lines.push(format!(
                "`{}` holds a token of `{}`, not of `{username}`: left as it is",
                file.display(),
                user.username
            )),
            Err(NetBoxError::Unauthorized { .. }) => missing.push(token_wish(username, file)),
            Err(other) => return Err(other.into()),
        }
    }
    Ok((missing, lines))
}

/// Makes a token and puts it where it belongs. The file is opened first: a token that cannot be kept is not made.
pub(super) async fn make(
    admin: &Client,
    username: &str,
    fields: &Fields,
    file: &Path,
    version: &str,
) -> Result<PathBuf, Error> {
    let draft = Draft::open(file)?;
    let secret = create(admin, fields, version).await?;
    let user = admin.with_token(secret.clone()).me().await?;
    if user.username != username {
        let source = io::Error::other(format!("NetBox made the token for `{}`", user.username));
        return Err(Error::TokenFile { path: file.to_owned(), source });
    }
    draft.keep(&secret)?;
    Ok(file.to_owned())
}

/// A v2 token; v1 where NetBox has no peppers to keep v2 tokens with (before 5.0 both work).
async fn create(admin: &Client, fields: &Fields, version: &str) -> Result<Secret, Error> {
    let mut body = json!(fields);
    if super::at_least(version, 4, 5) {
        body["version"] = json!(2);
    }
    let made = match admin.create(ObjectKind::Token, &body).await {
        Err(NetBoxError::Rejected { body: why, .. }) if why.contains("API_TOKEN_PEPPERS") => {
            body["version"] = json!(1);
            admin.create(ObjectKind::Token, &body).await?
        }
        other => other?,
    };
    let key = value::text_of(&made, "key").unwrap_or_default();
    match value::text_of(&made, "token") {
        Some(token) if token.starts_with("nbt_") || value_version(&made) != 2 => Ok(Secret::new(token)),
        Some(token) => Ok(Secret::new(format!("nbt_{key}.{token}"))),
        // Before 4.5 the key is the token.
        None if !key.is_empty() => Ok(Secret::new(key)),
        None => Err(Error::NetBox(NetBoxError::Malformed {
            url: format!("{}/api/{}", admin.base_url(), ObjectKind::Token.path()),
            why: "the new token has no text".to_owned(),
            hint: "tokens made by a background job cannot be read".to_owned(),
        })),
    }
}

fn value_version(made: &Value) -> i64 {
    let version = made.get("version").unwrap_or(&Value::Null);
    version.as_i64().or_else(|| version.get("value").and_then(Value::as_i64)).unwrap_or(1)
}

/// A file beside the one to be written, so that there is never half a token.
struct Draft {
    target: PathBuf,
    path: PathBuf,
    file: Option<fs::File>,
}

impl Draft {
    fn open(target: &Path) -> Result<Self, Error> {
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = target.with_file_name(format!(".{name}.{}", std::process::id()));
        let failed = |source: io::Error| Error::TokenFile { path: target.to_owned(), source };
        if name.is_empty() || target.is_dir() {
            return Err(failed(io::Error::other("it is a folder; the path of a file is needed")));
        }
        if path.exists() {
            // Left by a run that was killed.
            fs::remove_file(&path).map_err(failed)?;
        }
        let file =
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::NotFound => failed(io::Error::other("its folder does not exist")),
                    _ => failed(source),
                }
            })?;
        Ok(Self { target: target.to_owned(), path, file: Some(file) })
    }

    fn keep(mut self, secret: &Secret) -> Result<(), Error> {
        let mut write = || {
            if let Some(mut file) = self.file.take() {
                file.write_all(secret.expose().as_bytes())?;
                file.write_all(b"\n")?;
                file.sync_all()?;
            }
            fs::rename(&self.path, &self.target)
        };
        write().map_err(|source| Error::TokenFile { path: self.target.clone(), source })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a draft of a token file is left");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_file_appears_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("stager");
        fs::write(&target, "old").unwrap();
        Draft::open(&target).unwrap().keep(&Secret::new("nbt_new")).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "nbt_new\n");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_draft_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("stager");
        fs::write(&target, "old").unwrap();
        drop(Draft::open(&target).unwrap());
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_said_before_a_token_is_made() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Draft::open(&folder.path().join("no/stager")), Err(Error::TokenFile { .. })));
        assert!(matches!(Draft::open(folder.path()), Err(Error::TokenFile { .. })));
    }
}
