//! Recordings: what the sources returned in one run, as one JSONL file each, to be looked at or replayed elsewhere.
//! Knows no kind of source.
//!
//! The first line says whose recording it is; then one observation or gap a line. The number of lines is in the header,
//! because a recording that was cut short would otherwise read as "that is all there is".

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::model::{Collection, Gap, Observation, SourceName, Timestamp};

/// Version of the file format; another one is refused.
pub const FORMAT_VERSION: u32 = 1;

/// Names that are safe in any file system stay readable; everything else (`/`, a leading dot) is percent-encoded.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Why a recording could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder holds no recording.
    #[error("`{}` holds no recording; hint: it must be a folder that `--record` wrote, with .jsonl files in it", .0.display())]
    Nothing(PathBuf),
    /// A line is not what it should be.
    #[error("`{}` line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The source it is of.
    pub source: SourceName,
    /// When the run began, Unix milliseconds.
    pub observed_at: Timestamp,
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// How many lines follow; absent in recordings made by hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lines: Option<usize>,
}

/// Writes one file per collection into `folder`, which is made if needed. An older recording of the same source is
/// replaced as a whole or not at all; files of other sources stay.
pub fn record(folder: &Path, collections: &[Collection]) -> Result<(), RecordError> {
    fs::create_dir_all(folder).map_err(failed("write", folder))?;
    for collection in collections {
        let name = utf8_percent_encode(collection.source.as_str(), FILE_NAME);
        let path = folder.join(format!("{name}.jsonl"));
        let unfinished = folder.join(format!("{name}.jsonl.new"));
        let file = File::create(&unfinished).map_err(failed("write", &unfinished))?;
        write_collection(BufWriter::new(file), collection).map_err(failed("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(failed("write", &path))?;
    }
    Ok(())
}

/// Reads every recording in `folder`, sorted by source name.
pub fn replay(folder: &Path) -> Result<Vec<Collection>, RecordError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let path = entry.map_err(failed("read", folder))?.path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let collection = replay_file(&path)?;
        if let Some((other, _)) = found.insert(collection.source.clone(), (path.clone(), collection)) {
            let reason = format!("the same source is recorded in `{}` too", other.display());
            return Err(RecordError::Line { path, line: 1, reason });
        }
    }
    if found.is_empty() {
        return Err(RecordError::Nothing(folder.to_owned()));
    }
    Ok(found.into_values().map(|(_, collection)| collection).collect())
}

/// Reads one recording.
pub fn replay_file(path: &Path) -> Result<Collection, RecordError> {
    let wrong = |line: usize, reason: String| RecordError::Line { path: path.to_owned(), line, reason };
    let file = File::open(path).map_err(failed("read", path))?;
    let mut lines = BufReader::new(file).lines().enumerate().map(|(index, line)| (index + 1, line));

    let (_, first) = lines.next().ok_or_else(|| wrong(1, "the file is empty".to_owned()))?;
    let first = first.map_err(failed("read", path))?;
    let header: Header = serde_json::from_str(&first)
        .map_err(|error| wrong(1, format!("not the header of a recording: {error}")))?;
    if header.version != FORMAT_VERSION {
        let version = header.version;
        return Err(wrong(1, format!("format version {version}, but this program reads {FORMAT_VERSION}")));
    }

    let mut collection = Collection::new(header.source, header.observed_at);
    let mut count = 0;
    for (number, line) in lines {
        let line = line.map_err(failed("read", path))?;
        if line.trim().is_empty() {
            continue;
        }
        count += 1;
        absorb(&mut collection, &line).map_err(|reason| wrong(number, reason))?;
    }
    match header.lines {
        Some(expected) if expected != count => {
            Err(wrong(count + 1, format!("the recording is cut short: {count} of {expected} lines")))
        }
        _ => Ok(collection),
    }
}

fn write_collection(mut out: impl io::Write, collection: &Collection) -> io::Result<()> {
    let header = Header {
        source: collection.source.clone(),
        observed_at: collection.observed_at,
        version: FORMAT_VERSION,
        lines: Some(collection.facts.len() + collection.fdb.len() + collection.gaps.len()),
    };
    write_line(&mut out, &header)?;
    for observation in collection.observations() {
        write_line(&mut out, &observation)?;
    }
    for gap in &collection.gaps {
        write_line(&mut out, gap)?;
    }
    out.flush()
}

fn write_line(out: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Tells the two kinds of lines apart without an untagged enum, whose errors say nothing.
#[derive(Deserialize)]
struct Shape {
    fact: Option<IgnoredAny>,
    facts: Option<IgnoredAny>,
}

fn absorb(collection: &mut Collection, line: &str) -> Result<(), String> {
    let shape: Shape = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let of_this_source = |source: &SourceName| {
        if *source == collection.source {
            return Ok(());
        }
        Err(format!("it is of source `{source}`, the header says `{}`", collection.source))
    };
    if shape.fact.is_some() {
        let observation: Observation =
            serde_json::from_str(line).map_err(|error| format!("not an observation: {error}"))?;
        of_this_source(&observation.source)?;
        collection.absorb(observation.fact);
    } else if shape.facts.is_some() {
        let gap: Gap = serde_json::from_str(line).map_err(|error| format!("not a gap: {error}"))?;
        of_this_source(&gap.source)?;
        collection.gaps.push(gap);
    } else {
        return Err("neither an observation (with `fact`) nor a gap (with `facts`)".to_owned());
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fact, FactKind, MacAddr};

    fn collection(name: &str) -> Collection {
        let mut collection = Collection::new(SourceName::new(name), Timestamp(1_700_000_000_123));
        let mac = MacAddr::new([2, 0, 0, 0, 0, 1]);
        let address = "2001:db8::1".parse().unwrap();
        collection.facts.push(Fact::Neighbor { mac, address, interface: Some("bridge\n\"x\"".to_owned()) });
        collection.push_fdb(name, Ok("ether1"), mac, Some(10));
        collection.push_fdb(name, Err(976), mac, None);
        collection.gap(FactKind::Leases, "timed out after 10 s");
        collection
    }

    fn texts(collections: &[Collection]) -> Vec<String> {
        collections
            .iter()
            .map(|c| {
                let mut out = Vec::new();
                write_collection(&mut out, c).unwrap();
                String::from_utf8(out).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_recording_reads_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let collections = [collection("../etc/a b"), collection("router1")];
        record(folder.path(), &collections).unwrap();
        record(folder.path(), &collections).unwrap();
        let again = replay(folder.path()).unwrap();
        assert_eq!(texts(&again), texts(&collections));
        assert_eq!(again[1].gaps, collections[1].gaps);
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["%2E%2E%2Fetc%2Fa%20b.jsonl", "router1.jsonl"]);
    }

    fn refusal(content: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.jsonl"), content).unwrap();
        let text = replay(folder.path()).unwrap_err().to_string();
        text.replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let header = r#"{"source":"r","observed_at":0,"version":1}"#;
        assert_eq!(refusal(""), "`DIR/x.jsonl` line 1: the file is empty");
        assert!(refusal("hello").starts_with("`DIR/x.jsonl` line 1: not the header of a recording: "));
        assert_eq!(
            refusal(r#"{"source":"r","observed_at":0,"version":2}"#),
            "`DIR/x.jsonl` line 1: format version 2, but this program reads 1"
        );
        let other = format!("{header}\n\n{}", r#"{"source":"q","facts":"fdb","reason":"x"}"#);
        assert_eq!(refusal(&other), "`DIR/x.jsonl` line 3: it is of source `q`, the header says `r`");
        let bad = format!("{header}\n{}", r#"{"source":"r","observed_at":0,"fact":"neighbour"}"#);
        assert!(refusal(&bad).starts_with("`DIR/x.jsonl` line 2: not an observation: unknown variant"));
        let neither = format!("{header}\n{{}}");
        assert!(refusal(&neither).starts_with("`DIR/x.jsonl` line 2: neither"));
    }

    #[test]
    fn a_recording_that_was_cut_short_is_refused() {
        let text = texts(&[collection("r")]).remove(0);
        let cut = text.lines().take(3).collect::<Vec<_>>().join("\n");
        assert!(refusal(&cut).ends_with("the recording is cut short: 2 of 4 lines"));
    }

    #[test]
    fn an_empty_or_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(replay(folder.path()), Err(RecordError::Nothing(_))));
        assert!(matches!(replay(Path::new("/nonexistent")), Err(RecordError::Io { doing: "read", .. })));
    }
}
