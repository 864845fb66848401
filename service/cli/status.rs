//! `surveyor status`: counts by state, freshness of the sources, DNS servers, backlog.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::output::Output;
use super::table::table;
use super::{Ended, setup};
use crate::config::Config;
use crate::netbox::{bootstrap, view};
use crate::plan::view::TAG;

pub(super) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Ended> {
    let service = setup::service(config).await?;
    let view = view::read_objects(&service.clients.stager, &service.settings.wishes)
        .await
        .context("cannot read what NetBox knows")?;
    let mut counts: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for machine in view.machines.iter().filter(|machine| machine.has_tag(TAG)) {
        let state = machine.ours.as_ref().and_then(|ours| ours.state.clone()).unwrap_or_default();
        let kind = machine.object.kind.content_type().to_owned();
        *counts.entry((kind, machine.status.clone(), state)).or_default() += 1;
    }
    for cable in &view.cables {
        let state = cable.ours.state.clone().unwrap_or_default();
        *counts.entry(("dcim.cable".to_owned(), cable.status.clone(), state)).or_default() += 1;
    }
    let freshness = service.store.freshness().await?;
    let dns = service.store.dns_states().await?;
    let store = service.store.counts().await?;
    let last = service.store.last_run("stage").await?;
    let inbox = bootstrap::inbox(&service.clients.stager).await.unwrap_or_default();
    output.object(&json!({
        "objects": counts.iter().map(|((kind, status, state), count)| json!({
            "kind": kind, "status": status, "state": state, "count": count,
        })).collect::<Vec<_>>(),
        "ignored": view.tombstones.len(),
        "sources": freshness.iter().map(|source| json!({
            "source": source.source,
            "last_complete": source.last_complete.map(|at| at.to_string()),
            "last_attempt": source.last_attempt.to_string(),
            "gaps": source.gaps,
            "error": source.error,
        })).collect::<Vec<_>>(),
        "dns": dns.iter().map(|server| json!({
            "server": server.server,
            "state": serde_json::from_str::<Value>(&server.state).unwrap_or_default(),
            "updated": server.updated.to_string(),
        })).collect::<Vec<_>>(),
                "last_run": last.as_ref().map(|run| json!({
            "begun": run.begun.to_string(),
            "ended": run.ended.map(|at| at.to_string()),
            "summary": run.summary.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()),
        })),
        "backlog": store.backlog,
        "receipts": store.receipts,
        "inbox": inbox.iter().map(|(title, url)| json!({ "title": title, "url": url })).collect::<Vec<_>>(),
    }))?;
    let rows = counts.iter().map(|((kind, status, state), count)| {
        vec![kind.clone(), status.clone(), state.clone(), count.to_string()]
    });
    output.block(&table(&["KIND", "STATUS", "STATE", "COUNT"], rows))?;
    output.line(format!("ignored: {}; webhooks waiting: {}", view.tombstones.len(), store.backlog))?;
    if let Some(run) = &last {
        let end = run.ended.map_or_else(|| "not finished".to_owned(), |at| format!("finished {at}"));
        output.line(format!("last staging run: begun {}, {end}", run.begun))?;
    }
    for source in &freshness {
        let complete = source.last_complete.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let error = source.error.as_ref().map(|error| format!("; {error}")).unwrap_or_default();
        output.line(format!("source {}: complete {complete}, {} gaps{error}", source.source, source.gaps))?;
    }
    for server in &dns {
        let state: Value = serde_json::from_str(&server.state).unwrap_or_default();
        let state =
            state.get("error").and_then(Value::as_str).map_or_else(|| "in step".to_owned(), str::to_owned);
        output.line(format!("DNS server {}: {state} ({})", server.server, server.updated))?;
    }
    for (title, url) in &inbox {
        output.line(format!("{title}: {url}"))?;
    }
    let has_trouble = freshness.iter().any(|source| source.gaps > 0 || source.error.is_some());
    Ok(if has_trouble { Ended::Incomplete } else { Ended::Done })
}
