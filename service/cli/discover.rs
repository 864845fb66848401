//! `surveyor discover`: read and correlate, print, write nothing.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{Output, counted};
use super::table::table;
use super::writing::Writing;
use super::{Ended, setup};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, ConfigError};
use crate::model::candidate::Known;
use crate::model::{Attachment, Candidate, CandidateKind, Collection, Conflict, Discovery};
use crate::plan::{explain, render};
use crate::scrub::{Key, scrub};
use crate::source::{collect_all, record};
use crate::worker;

/// Arguments of `discover`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Read only these sources.
    #[arg(long, value_name = "NAME")]
    pub source: Vec<String>,
    /// Write what the sources said to this folder, for a bug report or for `--replay`.
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Read a recorded folder instead of the sources.
    #[arg(long, value_name = "DIR", conflicts_with = "source")]
    pub replay: Option<PathBuf>,
    /// Replace names, texts and addresses by pseudonyms, in what is recorded and in what is printed. NetBox is not asked.
    #[arg(long, requires = "record")]
    pub scrub: bool,
}

pub(super) async fn run(config: &Config, wanted: &Arguments, output: &mut Output) -> anyhow::Result<Ended> {
    if let Some(folder) = &wanted.record {
        check_folder(folder, wanted)?;
    }
    let mut collections = collect(config, &wanted.source, wanted.replay.as_ref(), output).await?;
    if wanted.scrub {
        collections = scrub(&collections, &new_key()?);
    }
    if let Some(folder) = &wanted.record {
        record::record(folder, &collections)?;
        output.say(format!("recorded in {}", folder.display()));
    }
    if wanted.scrub {
        output.say(
            "note: everything below has pseudonyms too; error messages (`gap:`) keep their words: look through them before you send anything",
        );
    }
    let mut is_complete = true;
    let mut found = None;
    if config.netbox.is_some() && wanted.replay.is_none() && !wanted.scrub {
        match with_netbox(config, &collections).await {
            Ok(discovery) => found = Some(discovery),
            Err(error) => {
                is_complete = false;
                output.say(format!("warning: without NetBox: {error:#}"));
            }
        }
    }
    let rest = match found {
        Some(discovery) => print(discovery, output)?,
        None => print_without_netbox(config, &collections, output)?,
    };
    Ok(if is_complete && rest.gaps.is_empty() { Ended::Done } else { Ended::Incomplete })
}

/// Refuses a folder that must not be written to: the recording that is read, or one that has recordings which are not scrubbed.
fn check_folder(folder: &Path, wanted: &Arguments) -> Result<(), ConfigError> {
    let fault = |why: &str| {
        let fault = format!("`--record {}`: {why}", folder.display());
        Err(ConfigError { faults: vec![fault] })
    };
    let same = |other: &PathBuf| match (folder.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    if wanted.replay.as_ref().is_some_and(same) {
        return fault("this is the folder that is replayed (hint: name another one)");
    }
    let is_recording = |path: &Path| path.extension().is_some_and(|extension| extension == "jsonl");
    let mut found = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
    if wanted.scrub && found.any(|entry| is_recording(&entry.path())) {
        return fault(
            "there are recordings already, which may have real names in them (hint: name a new folder)",
        );
    }
    Ok(())
}

/// Thirty-two random bytes, which nothing keeps.
fn new_key() -> anyhow::Result<Key> {
    let mut bytes = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(Key(bytes))
}

/// Reads the sources, or a recording of them.
pub(super) async fn collect(
    config: &Config,
    only: &[String],
    replay: Option<&PathBuf>,
    output: &Output,
) -> anyhow::Result<Vec<Collection>> {
    if let Some(folder) = replay {
        return Ok(record::replay(folder)?);
    }
    let entries = config.entries();
    let sources = setup::sources(config, &entries, only).await?;
    if sources.is_empty() {
        output.say(if entries.is_empty() {
            "warning: no `[[source]]` is configured: there is nothing to read"
        } else {
            "warning: `from_netbox` finds nothing in NetBox: there is nothing to read (hint: `surveyor doctor` names the filter)"
        });
    }
    Ok(collect_all(&sources, SystemClock.now(), config.limits).await)
}

async fn with_netbox(config: &Config, collections: &[Collection]) -> anyhow::Result<Discovery> {
    let service = setup::reader(config).await?;
    Ok(service.discover(collections).await?.discovery)
}

/// What correlation cannot know without NetBox.
pub(super) const WITHOUT_NETBOX: &str = "note: without NetBox the known prefixes, documented MAC addresses and cables are not known: only networks that the sources are connected to make hosts";

/// Prints what is found, each candidate as soon as it is worded: there may be more than should be in memory at once.
fn print_without_netbox(
    config: &Config,
    collections: &[Collection],
    output: &mut Output,
) -> anyhow::Result<Discovery> {
    output.say(WITHOUT_NETBOX);
    let known = Known { stage_random_macs: config.stage_random_macs, ..Known::default() };
    if output.json {
        let writing = Writing::new(collections, &known);
        output.object(&writing)?;
        return Ok(writing.written());
    }
    let mut rows = Vec::new();
    let Ok(rest) = worker::correlate_each(collections, &known, |candidate| {
        rows.push(row(&candidate));
        Ok::<(), Infallible>(())
    });
    print_text(rows, &rest, output)?;
    Ok(rest)
}

/// Prints a whole discovery; what is left of it then has no candidates.
fn print(mut discovery: Discovery, output: &mut Output) -> anyhow::Result<Discovery> {
    if output.json {
        output.object(&discovery)?;
    } else {
        let rows = std::mem::take(&mut discovery.candidates).iter().map(row).collect();
        print_text(rows, &discovery, output)?;
    }
    Ok(discovery)
}

/// Candidates, links, contradictions and gaps, for people.
fn print_text(candidates: Vec<Vec<String>>, found: &Discovery, output: &mut Output) -> anyhow::Result<()> {
    let count = candidates.len();
    if count > 0 {
        let head = ["NAME", "KIND", "CLASS", "MAC", "ADDRESSES", "PORT", "CONF", "SOURCES", "NOTE"];
        output.block(&table(&head, candidates))?;
    }
    if !found.links.is_empty() {
        output.line("")?;
        let rows = found.links.iter().map(|link| {
            vec![
                format!("{} {}", link.a.switch, link.a.port),
                format!("{} {}", link.b.switch, link.b.port),
                link.evidence.join(", "),
                link.confidence.to_string(),
            ]
        });
        output.block(&table(&["LINK", "TO", "EVIDENCE", "CONF"], rows))?;
    }
    for conflict in &found.conflicts {
        output.line(format!("conflict: {}", explain::conflict(conflict, render::printable)))?;
    }
    for gap in &found.gaps {
        output.line(format!("gap: {} {}: {}", gap.source, gap.facts.as_str(), gap.reason))?;
    }
    output.line(format!(
        "{}, {}, {}, {}",
        counted(count, "candidate"),
        counted(found.links.len(), "link"),
        counted(found.conflicts.len(), "conflict"),
        counted(found.gaps.len(), "gap")
    ))
}

/// Cells longer than this are cut: the JSON has everything.
const WIDE: usize = 46;

fn row(candidate: &Candidate) -> Vec<String> {
    let macs: Vec<String> = candidate
        .interfaces
        .iter()
        .filter_map(|interface| interface.mac)
        .map(|mac| mac.to_string())
        .collect();
    let addresses: Vec<String> = candidate
        .interfaces
        .iter()
        .flat_map(|interface| &interface.addresses)
        .map(ToString::to_string)
        .collect();
    let is_contested =
        candidate.conflicts.iter().any(|conflict| matches!(conflict, Conflict::SeveralPorts { .. }));
    let ports: Vec<String> = candidate
        .interfaces
        .iter()
        .filter_map(|interface| interface.attachment.as_ref())
        .map(|attachment| place(attachment, is_contested))
        .collect();
    let kind = match candidate.kind {
        CandidateKind::Device => "device",
        CandidateKind::VirtualMachine => "vm",
    };
    vec![
        candidate.name.to_string(),
        kind.to_owned(),
        candidate.class.as_str().to_owned(),
        short(&macs, 1),
        short(&addresses, 2),
        short(&ports, 1),
        candidate.confidence.to_string(),
        candidate.sources.join(","),
        cut(candidate.evidence_only.as_deref().unwrap_or_default()),
    ]
}

/// Where it is. Other ports can lead to the same place (two aggregates of one host, both sides of an unread switch).
fn place(attachment: &Attachment, is_contested: bool) -> String {
    let behind = if attachment.exclusive { "" } else { "behind " };
    let competing = match attachment.competing.len() {
        0 => String::new(),
        _ if is_contested => " (contested)".to_owned(),
        others => format!(" (and {others} more)"),
    };
    format!("{behind}{} {}{competing}", attachment.switch, attachment.port)
}

fn short(items: &[String], keep: usize) -> String {
    let mut unique: Vec<&String> = items.iter().collect();
    unique.dedup();
    let more = unique.len().saturating_sub(keep);
    let shown: Vec<&str> = unique.iter().take(keep).map(|item| item.as_str()).collect();
    if more > 0 { format!("{} +{more}", shown.join(" ")) } else { shown.join(" ") }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDE {
        return text.to_owned();
    }
    let kept: String = text.chars().take(WIDE - 1).collect();
    format!("{kept}…")
}
