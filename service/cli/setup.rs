//! From a checked configuration to something that acts.

use std::sync::Arc;

use crate::apply::Clients;
use crate::clock::SystemClock;
use crate::config::{Config, ConfigError, NetBox, read_secret};
use crate::dns::Unbound;
use crate::model::explanation::Near;
use crate::netbox::{Client, ClientConfig};
use crate::plan::render::printable;
use crate::source::{Expansion, Source};
use crate::store::Store;
use crate::transport::Secret;
use crate::worker::{Entries, Readable, Service, Settings};

/// A client for this NetBox with this token.
pub(crate) fn client(netbox: &NetBox, token: Secret) -> anyhow::Result<Client> {
    Ok(Client::new(ClientConfig {
        url: netbox.url.clone(),
        token,
        tls: netbox.tls,
        ca_file: netbox.ca_file.clone(),
        timeout: netbox.timeout,
        page_size: netbox.page_size,
    })?)
}

/// Both clients.
pub(crate) fn clients(netbox: &NetBox) -> anyhow::Result<Clients> {
    let stager = client(netbox, read_token("netbox.stager_token_file", &netbox.stager_token_file)?)?;
    let materializer = if netbox.has_one_token() {
        stager.clone()
    } else {
        stager.with_token(read_token("netbox.materializer_token_file", &netbox.materializer_token_file)?)
    };
    Ok(Clients { stager, materializer })
}

/// A token: one word, as it goes into a header.
fn read_token(key: &str, file: &std::path::Path) -> anyhow::Result<Secret> {
    let token = match read_secret(key, file) {
        Err(_) if !file.exists() => {
            let fault = format!(
                "`{key}`: `{}` does not exist (hint: `surveyor bootstrap --admin-token-file FILE` makes the token and writes it)",
                file.display()
            );
            return Err(ConfigError { faults: vec![fault] }.into());
        }
        other => other?,
    };
    if !token.expose().chars().all(|c| c.is_ascii_graphic()) {
        let fault = format!(
            "`{key}`: `{}` has no NetBox token in it (hint: `surveyor bootstrap` writes it)",
            file.display()
        );
        return Err(ConfigError { faults: vec![fault] }.into());
    }
    Ok(token)
}

/// DNS servers.
pub(crate) fn servers(config: &Config) -> anyhow::Result<Vec<Unbound>> {
    let dns = config.dns.iter().flat_map(|dns| dns.unbound.iter().cloned());
    dns.map(|server| {
        Unbound::new(server)
            .map_err(|error| ConfigError { faults: vec![crate::transport::chain(&error)] }.into())
    })
    .collect()
}

/// What the entries are now, with what NetBox has for them, where one of them asks.
pub(crate) async fn expanded(config: &Config, entries: &Entries) -> Vec<Expansion> {
    if !entries.all().iter().any(|entry| matches!(entry.listed(), Ok(Some(_)))) {
        return entries.expanded(Err("")).await;
    }
    let found = config.netbox().map_err(anyhow::Error::from).and_then(clients);
    match found {
        Ok(clients) => entries.expanded(Ok(&clients.stager)).await,
        Err(error) => entries.expanded(Err(&format!("{error:#}"))).await,
    }
}

/// All sources, or those named.
pub(crate) async fn sources(
    config: &Config,
    entries: &Entries,
    only: &[String],
) -> anyhow::Result<Vec<Box<dyn Source>>> {
    let Readable { sources, faults } = entries.build(&expanded(config, entries).await, only);
    if faults.is_empty() { Ok(sources) } else { Err(ConfigError { faults }.into()) }
}

/// What the worker is told.
pub(crate) fn settings(config: &Config) -> Settings {
    let settle_after = config.netbox.as_ref().map_or(0, |netbox| netbox.settle_after.as_millis());
    Settings {
        wishes: config.wishes.clone(),
        policy: config.policy.clone(),
        settle_after_ms: i64::try_from(settle_after).unwrap_or(i64::MAX),
        dns_ttl: config.dns.as_ref().map_or(300, |dns| dns.ttl),
        snooze_days: config.snooze_days,
        stage_random_macs: config.stage_random_macs,
    }
}

/// Everything that acts.
pub(crate) async fn service(config: &Config) -> anyhow::Result<Service> {
    let clients = clients(config.netbox()?)?;
    let servers = servers(config)?;
    let store = Store::open(&config.store).await?;
    Ok(Service::new(clients, store, Arc::new(SystemClock), settings(config), servers))
}

/// Something that only reads NetBox, with a store in memory: `discover` leaves nothing behind.
pub(crate) async fn reader(config: &Config) -> anyhow::Result<Service> {
    let clients = clients(config.netbox()?)?;
    let store = Store::open("sqlite::memory:").await?;
    Ok(Service::new(clients, store, Arc::new(SystemClock), settings(config), Vec::new()))
}

/// No source has seen what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotFound(String);

impl NotFound {
    /// Nothing was seen that is called so; these are called almost so.
    pub(crate) fn unseen(asked: &str, near: &[Near]) -> Self {
        let near: Vec<String> = near
            .iter()
            .map(|near| {
                let (called, identity) = (printable(&near.called), printable(near.identity.as_str()));
                if identity.ends_with(&called.to_ascii_lowercase()) {
                    called
                } else {
                    format!("{called} ({identity})")
                }
            })
            .collect();
        let hint = if near.is_empty() {
            "hint: a MAC address, a name, an IP address or an identity, as `surveyor discover` prints them"
                .to_owned()
        } else {
            format!("nearest: {}", near.join(", "))
        };
        Self(format!("no source has seen `{}`; {hint}", printable(asked)))
    }
}
