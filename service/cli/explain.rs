//! `surveyor explain`: the whole reasoning for one host.

use std::path::PathBuf;

use clap::Args;

use super::output::Output;
use super::setup::NotFound;
use super::{Ended, discover, setup};
use crate::config::Config;
use crate::correlate;
use crate::model::candidate::Known;
use crate::model::explanation::{Explanations, Near};
use crate::model::{Collection, Explanation};
use crate::plan::{explain, render};

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A MAC address in any notation, a name, an IP address, or an identity (`mac:...`, `pve:...`, `lldp:...`).
    #[arg(value_name = "MAC|NAME|IP")]
    pub host: String,
    /// Read only these sources.
    #[arg(long, value_name = "NAME")]
    pub source: Vec<String>,
    /// Read a recorded folder instead of the sources.
    #[arg(long, value_name = "DIR", conflicts_with = "source")]
    pub replay: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, wanted: &Arguments, output: &mut Output) -> anyhow::Result<Ended> {
    let collections = discover::collect(config, &wanted.source, wanted.replay.as_ref(), output).await?;
    let mut is_complete = true;
    let found = match &config.netbox {
        Some(_) if wanted.replay.is_none() => match with_netbox(config, &collections, &wanted.host).await {
            Ok(found) => found,
            Err(error) => {
                is_complete = false;
                output.say(format!("warning: without NetBox: {error:#}"));
                without_netbox(config, &collections, &wanted.host, output)
            }
        },
        _ => without_netbox(config, &collections, &wanted.host, output),
    };
    let hosts = found.map_err(|near| NotFound::unseen(&wanted.host, &near))?;
    let told = Explanations { asked: wanted.host.clone(), hosts };
    output.object(&told)?;
    for (position, host) in told.hosts.iter().enumerate() {
        if position > 0 {
            output.line("")?;
        }
        print(host, output)?;
    }
    is_complete &= collections.iter().all(|collection| collection.gaps.is_empty());
    Ok(if is_complete { Ended::Done } else { Ended::Incomplete })
}

type Found = Result<Vec<Explanation>, Vec<Near>>;

async fn with_netbox(config: &Config, collections: &[Collection], host: &str) -> anyhow::Result<Found> {
    let service = setup::reader(config).await?;
    let discovered = service.discover(collections).await?;
    let staging = service.preview(&discovered);
    let mut found = correlate::explain(collections, &discovered.known, host);
    for host in found.iter_mut().flatten() {
        let identity = host.candidate.as_ref().map(|candidate| &candidate.identity);
        host.netbox = identity.map(|identity| {
            let beyond = "not there; beyond `stage.max_new` in this run";
            staging.fate(identity).unwrap_or_else(|| beyond.to_owned())
        });
    }
    Ok(found)
}

fn without_netbox(config: &Config, collections: &[Collection], host: &str, output: &Output) -> Found {
    output.say(discover::WITHOUT_NETBOX);
    let known = Known { stage_random_macs: config.stage_random_macs, ..Known::default() };
    correlate::explain(collections, &known, host)
}

/// The conclusion, every observation, then what became of each possibility.
fn print(host: &Explanation, output: &mut Output) -> anyhow::Result<()> {
    output.line(render::printable(&host.conclusion))?;
    if let Some(candidate) = &host.candidate {
        output.line(format!("  identity {}", render::printable(candidate.identity.as_str())))?;
    }
    if !host.observations.is_empty() {
        output.line("\nObservations")?;
        for line in &host.observations {
            let text = format!("  {}: {}", line.source, explain::observation(line));
            output.line(render::printable(&text))?;
        }
    }
    for section in explain::sections(host) {
        output.line(format!("\n{}", render::printable(&section.title)))?;
        for line in &section.lines {
            output.line(format!("  {}", render::printable(line)))?;
        }
    }
    Ok(())
}
