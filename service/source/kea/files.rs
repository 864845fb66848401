//! Kea's lease files, where the server itself cannot be asked. Talks; what rows mean is in `parse`.
//!
//! Kea's clean-up moves rows only from newer files to older ones: from the file to `.1`, and from `.1` and `.2` into `.completed`,
//! which becomes the new `.2`. So they are read from the newest to the oldest: a row may then be read twice, and never missed.

use std::time::Duration;

use super::parse::{LeaseFile, lease_files};
use crate::source::remote::{Place, RemoteError};

/// How long Kea may be between renaming the file and making a new one.
const RENAMING: Duration = Duration::from_millis(200);

/// Reads and understands the files.
pub(super) async fn read(place: &Place, path: &str, limit: Duration) -> Result<LeaseFile, RemoteError> {
    let find = |suffix: &'static str| async move {
        let path = format!("{path}{suffix}");
        let bytes = place.find(&path, limit).await?;
        Ok::<_, RemoteError>(bytes.map(|bytes| (place.names(&path), bytes)))
    };
    let mut newest = find("").await?;
    if newest.is_none() {
        tokio::time::sleep(RENAMING).await;
        let bytes = place.read(path, limit).await?;
        newest = Some((place.names(path), bytes));
    }
    let renamed = find(".1").await?;
    let mut merged = find(".2").await?;
    let completed = find(".completed").await?;
    let older = if completed.is_some() {
        [None, completed]
    } else {
        if merged.is_none() {
            // It may have been replaced between two looks.
            merged = find(".2").await?;
        }
        [merged, renamed]
    };
    let files: Vec<_> = older.into_iter().chain([newest]).flatten().collect();
    lease_files(&files).map_err(|fault| RemoteError::Content(fault.to_string()))
}
