//! `surveyor plan`, `apply` and `rollback`: what approval makes true, and its inverse.

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::output::Output;
use super::{Ended, setup};
use crate::config::Config;
use crate::netbox::view;
use crate::plan::{Plan, render};
use crate::worker::{Approvals, Held, Push, Scope, Service};

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// A name, an identity, `dcim.device/12` or the address of its page in NetBox.
    pub object: String,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of a command")]
pub struct ApplyArguments {
    /// Only this object; everything that was decided if not given.
    pub object: Option<String>,
    /// Only print what would be written.
    #[arg(long)]
    pub dry_run: bool,
    /// Only go on if the plan still has this hash.
    #[arg(long, value_name = "HASH")]
    pub expect: Option<String>,
    /// Leave NetBox alone: only bring the DNS servers to what it says.
    #[arg(long)]
    pub skip_netbox: bool,
    /// Leave the DNS servers alone.
    #[arg(long)]
    pub skip_dns: bool,
    /// Withdraw DNS records even if most of them go at once.
    #[arg(long, conflicts_with = "skip_dns")]
    pub withdraw_many: bool,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArguments {
    /// A name, an identity, `dcim.device/12` or the address of its page in NetBox.
    pub object: String,
    /// Only print what would be removed.
    #[arg(long)]
    pub dry_run: bool,
}

pub(super) async fn plan(
    config: &Config,
    wanted: &PlanArguments,
    output: &mut Output,
) -> anyhow::Result<Ended> {
    let service = setup::service(config).await?;
    let scope = Scope::Named(wanted.object.clone());
    let approvals =
        Approvals { scope, write: false, push: Push::Skip, undo: false, expect: None, suppose: true };
    let held = service.approve(&approvals).await?;
    print(&held, true, output)?;
    Ok(if held.is_complete() { Ended::Done } else { Ended::Incomplete })
}

pub(super) async fn apply(
    config: &Config,
    wanted: &ApplyArguments,
    output: &mut Output,
) -> anyhow::Result<Ended> {
    let service = setup::service(config).await?;
    let push = match (wanted.skip_dns, wanted.dry_run) {
        (true, _) => Push::Skip,
        (false, true) => Push::DryRun,
        (false, false) if wanted.withdraw_many => Push::Force,
        (false, false) => Push::Now,
    };
    if wanted.skip_netbox {
        let view = view::read_objects(&service.clients.stager, &service.settings.wishes)
            .await
            .context("cannot read what NetBox knows")?;
        let mut held = Held { servers: service.push_names(&view, push).await, ..Held::default() };
        held.requests = service.counts().requests;
        print(&held, wanted.dry_run, output)?;
        return Ok(if held.is_complete() { Ended::Done } else { Ended::Incomplete });
    }
    let scope = wanted.object.clone().map_or(Scope::All, Scope::Named);
    let approvals = Approvals {
        scope,
        write: !wanted.dry_run,
        push,
        undo: false,
        expect: wanted.expect.clone(),
        suppose: false,
    };
    run(&service, &approvals, output).await
}

pub(super) async fn rollback(
    config: &Config,
    wanted: &RollbackArguments,
    output: &mut Output,
) -> anyhow::Result<Ended> {
    let service = setup::service(config).await?;
    let scope = Scope::Named(wanted.object.clone());
    let push = if wanted.dry_run { Push::DryRun } else { Push::Now };
    let approvals =
        Approvals { scope, write: !wanted.dry_run, push, undo: true, expect: None, suppose: false };
    run(&service, &approvals, output).await
}

async fn run(service: &Service, approvals: &Approvals, output: &mut Output) -> anyhow::Result<Ended> {
    let held = if approvals.write {
        service.approve_exclusively(approvals).await?
    } else {
        service.approve(approvals).await?
    };
    print(&held, !approvals.write, output)?;
    Ok(if held.is_complete() { Ended::Done } else { Ended::Incomplete })
}

fn print(held: &Held, dry_run: bool, output: &mut Output) -> anyhow::Result<()> {
    output.object(&json!({
        "dry_run": dry_run,
        "hash": held.hash,
        "plans": held.done,
        "waiting": held.waiting.iter().map(|(plan, step, until)| json!({
            "object": plan.object, "step": step, "until": until.to_string(),
        })).collect::<Vec<_>>(),
        "dns": held.servers,
        "disregarded": held.disregarded,
        "requests": held.requests,
        "writes": held.writes,
    }))?;
    for done in &held.done {
        output.block(&render::plan(&done.plan))?;
        if let Some(reason) = &done.failed {
            output.line(format!("  x {}", render::printable(reason)))?;
        }
        if let Some(step) = &done.unsettled {
            output.line(format!("  ? no answer: {}", render::printable(step)))?;
        }
        if let Some(reason) = &done.overtaken {
            output.line(format!("  ~ planned again, below: {}", render::printable(reason)))?;
        }
    }
    for (plan, step, until) in &held.waiting {
        output.line(format!("waiting: {}: `{step}` had no answer; tried again after {until}", plan.title))?;
    }
    for server in &held.servers {
        if !server.changes.is_empty() {
            let state = match (&server.error, server.pushed) {
                (Some(_), _) => "not changed",
                (None, true) => "changed and verified",
                (None, false) => "would change",
            };
            output.line(format!("DNS server {}: {state}", server.name))?;
            for change in &server.changes {
                output.line(format!("  {change}"))?;
            }
        }
        for refused in &server.refused {
            output.line(format!(
                "DNS server {}: refused: {} {}: {}",
                server.name, refused.name, refused.address, refused.reason
            ))?;
        }
        if let Some(error) = &server.error {
            output.line(format!("DNS server {}: {error}", server.name))?;
        }
        if let Some(note) = &server.note {
            output.line(format!("DNS server {}: note: {note}", server.name))?;
        }
    }
    for reason in &held.disregarded {
        output.line(format!("disregarded: {}", render::printable(reason)))?;
    }
    let plans: Vec<&Plan> = held.done.iter().map(|done| &done.plan).collect();
    output.line(format!(
        "{}: {}; {} writes, {} requests; hash {}",
        if dry_run { "dry run" } else { "applied" },
        render::summary(&plans),
        held.writes,
        held.requests,
        held.hash,
    ))
}
