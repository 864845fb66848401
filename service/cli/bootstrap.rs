//! `surveyor bootstrap`: NetBox is set up, with an administrator's token that is not kept.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::output::Output;
use super::{Ended, setup};
use crate::config::{Config, ConfigError, read_secret};
use crate::http::BODY_TEMPLATE;
use crate::model::ObjectKind;
use crate::netbox::Client;
use crate::netbox::bootstrap::{self, Mode, WebhookWish, Wishes};
use crate::source::SourceConfig;

/// Arguments of `bootstrap`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// File with the token of a NetBox administrator. It is used now and not kept.
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: PathBuf,
    /// Only print what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Remove everything that bootstrap made.
    #[arg(long)]
    pub remove: bool,
    /// Remove although proposals, decisions and ledgers are lost.
    #[arg(long, requires = "remove")]
    pub force: bool,
}

/// The custom scripts that come with the program.
const SCRIPTS: [(&str, &str); 1] =
    [("surveyor_scripts.py", include_str!("../../netbox-scripts/surveyor_scripts.py"))];

pub(super) async fn run(config: &Config, wanted: &Arguments, output: &mut Output) -> anyhow::Result<Ended> {
    let netbox = config.netbox()?;
    let token = read_secret("--admin-token-file", &wanted.admin_token_file)?;
    let admin = setup::client(netbox, token)?;
    let wishes = wishes(config, wanted.force)?;
    let mut lines = Vec::new();
    if !wanted.remove {
        lines.extend(ensure_site(&admin, config, wanted.dry_run).await?);
    }
    let mode = match (wanted.remove, wanted.dry_run) {
        (false, true) => Mode::DryRun,
        (false, false) => Mode::Apply,
        (true, true) => Mode::RemoveDryRun,
        (true, false) => Mode::Remove,
    };
    let report = bootstrap::run(&admin, &wishes, mode).await?;
    lines.extend(report.lines.iter().cloned());
    output.object(&json!({
        "dry_run": wanted.dry_run,
        "lines": lines,
        "failed": report.failed,
        "writes": report.writes,
        "requests": report.requests,
        "hash": report.plan_hash,
        "token_files": report.token_files,
        "inbox": report.inbox.iter().map(|(title, url)| json!({ "title": title, "url": url })).collect::<Vec<_>>(),
    }))?;
    for line in &lines {
        output.line(line)?;
    }
    for line in &report.failed {
        output.line(format!("failed: {line}"))?;
    }
    for (title, url) in &report.inbox {
        output.line(format!("{title}: {url}"))?;
    }
    output.line(format!(
        "{}: {} writes, {} requests; hash {}",
        match mode {
            Mode::DryRun | Mode::RemoveDryRun => "dry run",
            Mode::Apply => "bootstrapped",
            Mode::Remove => "removed",
        },
        report.writes,
        report.requests,
        report.plan_hash
    ))?;
    Ok(if report.failed.is_empty() { Ended::Done } else { Ended::Incomplete })
}

/// What bootstrap makes, from the configuration.
pub(super) fn wishes(config: &Config, force: bool) -> anyhow::Result<Wishes> {
    let netbox = config.netbox()?;
    let webhook = match &config.webhook {
        Some(webhook) => config.webhook_secrets()?.into_iter().next().map(|secret| WebhookWish {
            public_url: webhook.public_url.clone(),
            secret,
            body_template: BODY_TEMPLATE.to_owned(),
            ssl_verification: true,
        }),
        None => None,
    };
    let mut clusters: Vec<String> = config
        .sources
        .iter()
        .filter_map(|source| match source {
            SourceConfig::Proxmox(proxmox) => proxmox.cluster.clone(),
            _ => None,
        })
        .collect();
    clusters.sort();
    clusters.dedup();
    let has_two = !netbox.has_one_token();
    Ok(Wishes {
        staged_status: config.wishes.staged.clone(),
        clusters,
        webhook,
        scripts: SCRIPTS.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect(),
        stager_token_file: has_two.then(|| netbox.stager_token_file.clone()),
        materializer_token_file: has_two.then(|| netbox.materializer_token_file.clone()),
        force,
    })
}

/// A NetBox without any site gets the one that the configuration names; where there are sites, a wrong slug is an error.
async fn ensure_site(admin: &Client, config: &Config, dry_run: bool) -> anyhow::Result<Option<String>> {
    let slug = &config.wishes.site;
    let sites = admin
        .list(ObjectKind::Site, &[("fields", "id,slug")])
        .await
        .context("cannot read the sites of NetBox")?;
    let slugs: Vec<&str> =
        sites.iter().filter_map(|site| site.get("slug").and_then(|slug| slug.as_str())).collect();
    if slugs.contains(&slug.as_str()) {
        return Ok(None);
    }
    if !slugs.is_empty() {
        return Err(ConfigError {
            faults: vec![format!(
                "`defaults.site = \"{slug}\"`: NetBox has no such site (hint: it has {})",
                slugs.join(", ")
            )],
        }
        .into());
    }
    if !dry_run {
        let site = json!({ "name": slug.to_uppercase(), "slug": slug, "status": "active" });
        admin.create(ObjectKind::Site, &site).await.context("cannot make the site")?;
    }
    Ok(Some(format!("+ dcim.site {slug} (NetBox had no site at all)")))
}
