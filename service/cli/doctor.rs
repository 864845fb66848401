//! `surveyor doctor`: every check, one line each, with what to do about what is wrong.

use serde_json::json;

use super::output::{Output, counted};
use super::{Ended, bootstrap as wishes, setup};
use crate::config::Config;
use crate::netbox::{Client, bootstrap, view};
use crate::source::{Outcome, SourceConfig, check_all};
use crate::store::Store;
use crate::transport::chain;

/// One line.
struct Line {
    what: String,
    outcome: Result<String, String>,
    is_warning: bool,
}

/// Versions of NetBox that are tested for real.
const TESTED: &str = "4.7";
/// Versions that follow the documented contract.
const CONTRACT: [&str; 2] = ["4.5", "4.6"];

pub(super) async fn run(config: &Config, output: &mut Output) -> anyhow::Result<Ended> {
    let mut lines = vec![ok("configuration", format!("{} `[[source]]` entries", config.sources.len()))];
    match Store::open(&config.store).await {
        Ok(store) => lines.push(ok("store", store.location().to_owned())),
        Err(error) => lines.push(failed("store", chain(&error))),
    }
    if config.netbox.is_some() {
        check_netbox(config, &mut lines).await;
    } else {
        lines.push(warning("NetBox", "no `[netbox]` section: only `discover` works".to_owned()));
    }
    check_sources(config, &mut lines).await;
    match setup::servers(config) {
        Ok(servers) => {
            for server in &servers {
                for check in server.check().await {
                    let what = format!("DNS server {}: {}", server.name(), check.name);
                    lines.push(if check.ok { ok(&what, check.detail) } else { failed(&what, check.detail) });
                }
            }
        }
        Err(error) => lines.push(failed("DNS", format!("{error:#}"))),
    }
    match config.webhook_secrets() {
        Ok(secrets) if secrets.is_empty() => {
            lines.push(warning(
                "webhook",
                "no `[webhook]` section: approvals are found by the sweep alone".to_owned(),
            ));
        }
        Ok(_) => lines.push(ok("webhook", "the secret can be read".to_owned())),
        Err(error) => lines.push(failed("webhook", error.to_string())),
    }
    output.object(
        &lines
            .iter()
            .map(|line| {
                let (state, detail) = match &line.outcome {
                    Ok(detail) if line.is_warning => ("warning", detail),
                    Ok(detail) => ("ok", detail),
                    Err(detail) => ("failed", detail),
                };
                json!({ "check": line.what, "state": state, "detail": detail })
            })
            .collect::<Vec<_>>(),
    )?;
    for line in &lines {
        let (sign, detail) = match &line.outcome {
            Ok(detail) if line.is_warning => ("warn", detail),
            Ok(detail) => ("ok  ", detail),
            Err(detail) => ("FAIL", detail),
        };
        output.line(format!("{sign} {}: {detail}", line.what))?;
    }
    let failures = lines.iter().filter(|line| line.outcome.is_err()).count();
    output.line(format!("{}, {failures} failed", counted(lines.len(), "check")))?;
    Ok(if failures == 0 { Ended::Done } else { Ended::Faulty })
}

/// What each entry stands for, and whether that can be read.
async fn check_sources(config: &Config, lines: &mut Vec<Line>) {
    let entries = config.entries();
    let expanded = setup::expanded(config, &entries).await;
    for entry in entries.all() {
        let Ok(Some(listed)) = entry.listed() else { continue };
        let own: Vec<&Outcome> =
            expanded.iter().filter(|one| one.entry == *entry.name()).map(|one| &one.outcome).collect();
        // That NetBox could not be asked is said by the source's own check.
        if own.iter().any(|one| matches!(one, Outcome::Unread(unread) if unread.name == *entry.name())) {
            continue;
        }
        let what = format!("source {}", entry.name());
        let filter = listed.filter();
        let found = match own.as_slice() {
            [] => "nothing in NetBox".to_owned(),
            [Outcome::Source(source)] if let SourceConfig::Scan(scan) = source.as_ref() => {
                counted(scan.subnets.len(), "subnet")
            }
            [_] => "1 source".to_owned(),
            many => format!("{} sources", many.len()),
        };
        let detail = format!("`{filter}` finds {found}");
        lines.push(if own.is_empty() { warning(&what, detail) } else { ok(&what, detail) });
    }
    let readable = entries.build(&expanded, &[]);
    lines.extend(readable.faults.iter().map(|fault| failed("source", fault.clone())));
    for check in check_all(&readable.sources, config.limits).await {
        // A source that could not be made has been said.
        if !check.outcome.as_ref().is_err_and(|why| readable.faults.contains(why)) {
            lines.push(Line { what: check.what, outcome: check.outcome, is_warning: false });
        }
    }
}

async fn check_netbox(config: &Config, lines: &mut Vec<Line>) {
    let Ok(netbox) = config.netbox() else { return };
    let clients = match setup::clients(netbox) {
        Ok(clients) => clients,
        Err(error) => {
            lines.push(failed("NetBox", format!("{error:#}")));
            return;
        }
    };
    match clients.stager.status().await {
        Ok(version) => {
            let known = |wanted: &str| version.starts_with(&format!("{wanted}."));
            lines.push(if known(TESTED) {
                ok("NetBox", format!("{version}, tested for real"))
            } else if CONTRACT.iter().any(|wanted| known(wanted)) {
                warning(
                    "NetBox",
                    format!("{version}: supported by its documented contract, tested for real is {TESTED}"),
                )
            } else {
                warning("NetBox", format!("{version} was never tested; tested for real is {TESTED}"))
            });
        }
        Err(error) => {
            lines.push(failed("NetBox", chain(&error)));
            return;
        }
    }
    let mut users = Vec::new();
    for (what, client) in [("stager token", &clients.stager), ("materializer token", &clients.materializer)] {
        match client.me().await {
            Ok(user) => {
                users.push(user.username.clone());
                lines.push(ok(what, format!("user {}", user.username)));
            }
            Err(error) => lines.push(failed(what, chain(&error))),
        }
    }
    if users.len() == 2 && users[0] == users[1] {
        lines.push(warning(
            "tokens",
            "one token does both jobs: two, as `surveyor bootstrap` makes them, keep Surveyor from ever approving".to_owned(),
        ));
    }
    match view::read(&clients.stager, &config.wishes).await {
        Ok(view) => lines.push(ok(
            "NetBox objects",
            format!("{} devices and guests, {} prefixes", view.machines.len(), view.prefixes.len()),
        )),
        Err(error) => lines.push(failed("NetBox objects", chain(&error))),
    }
    check_bootstrap(config, &clients.stager, lines).await;
}

async fn check_bootstrap(config: &Config, client: &Client, lines: &mut Vec<Line>) {
    let wishes = match wishes::wishes(config, false) {
        Ok(wishes) => wishes,
        Err(error) => {
            lines.push(failed("bootstrap", format!("{error:#}")));
            return;
        }
    };
    match bootstrap::drift(client, &wishes).await {
        Ok(drift) if drift.is_empty() => {
            lines.push(ok("bootstrap", "NetBox is set up as it should be".to_owned()));
        }
        Ok(drift) => {
            for line in drift {
                lines.push(failed("bootstrap", format!("{line} (hint: run `surveyor bootstrap` again)")));
            }
        }
        Err(error) => {
            lines
                .push(warning("bootstrap", format!("cannot be compared with this token: {}", chain(&error))));
        }
    }
}

fn ok(what: &str, detail: String) -> Line {
    Line { what: what.to_owned(), outcome: Ok(detail), is_warning: false }
}

fn warning(what: &str, detail: String) -> Line {
    Line { what: what.to_owned(), outcome: Ok(detail), is_warning: true }
}

fn failed(what: &str, detail: String) -> Line {
    Line { what: what.to_owned(), outcome: Err(detail), is_warning: false }
}
