//! `surveyor stage`: what was found becomes proposals in NetBox.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::{Ended, discover, setup};
use crate::config::Config;
use crate::plan::{Plan, render};
use crate::worker::{StageMode, Staged};

/// Arguments of `stage`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only print what would be written.
    #[arg(long)]
    pub dry_run: bool,
    /// Read only these sources.
    #[arg(long, value_name = "NAME")]
    pub source: Vec<String>,
    /// Read a recorded folder instead of the sources.
    #[arg(long, value_name = "DIR", conflicts_with = "source")]
    pub replay: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, wanted: &Arguments, output: &mut Output) -> anyhow::Result<Ended> {
    let service = setup::service(config).await?;
    let collections = discover::collect(config, &wanted.source, wanted.replay.as_ref(), output).await?;
    for collection in collections.iter().filter(|_| !wanted.dry_run) {
        let error = collection.gaps.first().map(|gap| gap.reason.as_str());
        service.note_collection(collection, error).await?;
    }
    let mode = if wanted.dry_run { StageMode::DryRun } else { StageMode::Now };
    let staged = if wanted.dry_run {
        service.stage(&collections, mode).await?
    } else {
        service.stage_exclusively(&collections, mode).await?
    };
    print(&staged, wanted.dry_run, output)?;
    Ok(if staged.is_complete() { Ended::Done } else { Ended::Incomplete })
}

fn print(staged: &Staged, dry_run: bool, output: &mut Output) -> anyhow::Result<()> {
    output.object(&json!({
        "dry_run": dry_run,
        "plans": staged.done,
        "waiting": staged.waiting.iter().map(|(plan, step, until)| json!({
            "object": plan.object, "step": step, "until": until.to_string(),
        })).collect::<Vec<_>>(),
        "unchanged": staged.staging.unchanged.iter().map(|(identity, object)| json!({
            "identity": identity, "object": object.to_string(),
        })).collect::<Vec<_>>(),
        "documented": staged.staging.documented.iter().map(|(identity, object, differences)| json!({
            "identity": identity, "object": object.to_string(), "differences": differences,
        })).collect::<Vec<_>>(),
        "held_back": staged.staging.held_back.iter().map(|(identity, name, reason)| json!({
            "identity": identity, "name": name, "reason": reason,
        })).collect::<Vec<_>>(),
        "beyond_limit": staged.staging.beyond_limit,
        "gaps": staged.discovery.gaps,
        "requests": staged.requests,
        "writes": staged.writes,
    }))?;
    for done in &staged.done {
        output.block(&render::plan(&done.plan))?;
        if let Some(reason) = &done.failed {
            output.line(format!("  x {}", render::printable(reason)))?;
        }
        if let Some(step) = &done.unsettled {
            output.line(format!("  ? no answer: {}", render::printable(step)))?;
        }
    }
    for (plan, step, until) in &staged.waiting {
        output.line(format!("waiting: {}: `{step}` had no answer; tried again after {until}", plan.title))?;
    }
    for (_, object, differences) in &staged.staging.documented {
        for difference in differences {
            output.line(format!("differs: {object} {}", render::printable(difference)))?;
        }
    }
    for (_, name, reason) in &staged.staging.held_back {
        output.line(format!("held back: {}: {}", render::printable(name), render::printable(reason)))?;
    }
    for (group, count) in &staged.staging.beyond_limit {
        output.line(format!("beyond `stage.max_new`: {count} ({group})"))?;
    }
    for gap in &staged.discovery.gaps {
        output.line(format!("gap: {} {}: {}", gap.source, gap.facts.as_str(), gap.reason))?;
    }
    let plans: Vec<&Plan> = staged.done.iter().map(|done| &done.plan).collect();
    let failed = staged.done.iter().filter(|done| done.failed.is_some() || done.unsettled.is_some()).count();
    let staging = &staged.staging;
    output.line(format!(
        "{}: {}; {} unchanged, {} documented, {} held back, {failed} failed; {} writes, {} requests",
        if dry_run { "dry run" } else { "staged" },
        render::summary(&plans),
        staging.unchanged.len(),
        staging.documented.len(),
        staging.held_back.len(),
        staged.writes,
        staged.requests,
    ))
}
