//! `surveyor diff`: what changed between two recorded runs, or between NetBox and a run.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::Output;
use super::table::table;
use super::{Ended, discover, setup};
use crate::config::Config;
use crate::model::candidate::Known;
use crate::model::{Collection, Discovery, Link};
use crate::plan::diff::{self, Diff, Host, Run};
use crate::plan::render::printable;
use crate::source::record;
use crate::worker;

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder that `discover --record` wrote; without it the sources are read now.
    #[arg(value_name = "A")]
    pub a: Option<PathBuf>,
    /// A later one. Without it, the first is compared with what NetBox has.
    #[arg(value_name = "B")]
    pub b: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, wanted: &Arguments, output: &mut Output) -> anyhow::Result<Ended> {
    let diff = match (&wanted.a, &wanted.b) {
        (Some(a), Some(b)) => {
            let (a, b) = (replayed(config, a)?, replayed(config, b)?);
            diff::between(a.run(), b.run())
        }
        (a, _) => {
            let service = setup::reader(config).await?;
            let collections = discover::collect(config, &[], a.as_ref(), output).await?;
            let found = service.discover(&collections).await?;
            let sources = diff::sources_of(&collections);
            diff::against(&found.view, Run { discovery: &found.discovery, sources: &sources })
        }
    };
    output.object(&diff)?;
    print(&diff, output)?;
    Ok(if diff.gaps.is_empty() { Ended::Done } else { Ended::Incomplete })
}

struct Replayed {
    discovery: Discovery,
    sources: std::collections::BTreeSet<String>,
}

impl Replayed {
    const fn run(&self) -> Run<'_> {
        Run { discovery: &self.discovery, sources: &self.sources }
    }
}

fn replayed(config: &Config, folder: &Path) -> anyhow::Result<Replayed> {
    let collections: Vec<Collection> = record::replay(folder)?;
    let known = Known { stage_random_macs: config.stage_random_macs, ..Known::default() };
    Ok(Replayed {
        discovery: worker::correlate(&collections, &known),
        sources: diff::sources_of(&collections),
    })
}

fn print(diff: &Diff, output: &mut Output) -> anyhow::Result<()> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, host: &Host, from: String, to: String| {
        let object = host.object.map(|object| format!(" ({object})")).unwrap_or_default();
        rows.push(vec![
            what.to_owned(),
            format!("{}{object}", host.name),
            host.identity.to_string(),
            from,
            to,
        ]);
    };
    for host in &diff.new {
        row("new", host, String::new(), String::new());
    }
    for moved in &diff.moved {
        let port = |port: &diff::Port| format!("{} {}", port.switch, port.port);
        row("moved", &moved.host, port(&moved.from), port(&moved.to));
    }
    for renamed in &diff.renamed {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "(no name)".to_owned());
        row("renamed", &renamed.host, name(&renamed.from), name(&renamed.to));
    }
    for found in &diff.readdressed {
        let list = |addresses: &std::collections::BTreeSet<std::net::IpAddr>| {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        row("re-addressed", &found.host, list(&found.removed), list(&found.added));
    }
    for host in &diff.gone {
        row("gone", host, String::new(), String::new());
    }
    let link = |link: &Link| format!("{} {} - {} {}", link.a.switch, link.a.port, link.b.switch, link.b.port);
    if !rows.is_empty() {
        output.block(&table(&["WHAT", "NAME", "IDENTITY", "FROM", "TO"], rows))?;
    }
    for new in &diff.new_links {
        output.line(format!("new link: {}", printable(&link(new))))?;
    }
    for gone in &diff.gone_links {
        output.line(format!("link gone: {}", printable(&link(gone))))?;
    }
    for unknown in &diff.unknown {
        let text = format!("unknown: {} ({}): {}", unknown.host.name, unknown.host.identity, unknown.why);
        output.line(printable(&text))?;
    }
    for gap in &diff.gaps {
        let text = format!("gap: {} {}: {}", gap.source, gap.facts.as_str(), gap.reason);
        output.line(printable(&text))?;
    }
    let unseen = match diff.never_seen {
        0 => String::new(),
        count => format!(", {count} in NetBox that no run ever reported"),
    };
    output.line(format!(
        "{} new, {} moved, {} renamed, {} re-addressed, {} gone, {} unchanged, {} unknown{unseen}",
        diff.new.len(),
        diff.moved.len(),
        diff.renamed.len(),
        diff.readdressed.len(),
        diff.gone.len(),
        diff.unchanged,
        diff.unknown.len(),
    ))
}
