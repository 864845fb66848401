//! What is read: the entries of the configuration, with the devices and prefixes that some of them take from NetBox.

use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use serde_json::Value;

use crate::model::{ObjectKind, SourceName};
use crate::netbox::value::{id_of, text_of};
use crate::netbox::{Client, Endpoint, Error};
use crate::source::snmp::Credentials;
use crate::source::{
    Expansion, Inventory, KnownDevice, Listed, Outcome, Source, SourceConfig, Unread, expand,
};
use crate::transport::chain;

/// A value that no object has: what a filter finds with it, the filter does not look at.
const NOBODY: &str = "surveyor-finds-nobody";

/// The entries, and what NetBox had for them the last time it could be asked.
#[derive(Debug)]
pub struct Entries {
    configured: Vec<SourceConfig>,
    credentials: Vec<Credentials>,
    last: Mutex<Inventory>,
}

/// Sources that can be read now.
pub struct Readable {
    /// One a source, gaps included.
    pub sources: Vec<Box<dyn Source>>,
    /// What is wrong with the configuration; such a source is among the sources, as a gap.
    pub faults: Vec<String>,
}

impl Entries {
    /// The entries of a configuration.
    pub fn new(entries: Vec<SourceConfig>, credentials: Vec<Credentials>) -> Self {
        Self { configured: entries, credentials, last: Mutex::default() }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// The entries.
    pub fn all(&self) -> &[SourceConfig] {
        &self.configured
    }

    /// What the entries are now. Without a client, those that need NetBox are gaps that say so.
    pub async fn expanded(&self, netbox: Result<&Client, &str>) -> Vec<Expansion> {
        let mut inventory = Inventory::default();
        for listed in self.configured.iter().filter_map(|entry| entry.listed().ok().flatten()) {
            let filter = listed.filter().to_owned();
            match (&listed, netbox) {
                (Listed::Devices(_), Ok(client)) => {
                    inventory.devices.insert(filter, devices(client, &listed).await);
                }
                (Listed::Prefixes(_), Ok(client)) => {
                    inventory.prefixes.insert(filter, prefixes(client, &listed).await);
                }
                (Listed::Devices(_), Err(why)) => {
                    inventory.devices.insert(filter, Err(why.to_owned()));
                }
                (Listed::Prefixes(_), Err(why)) => {
                    inventory.prefixes.insert(filter, Err(why.to_owned()));
                }
            }
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        inventory.or_earlier(&last);
        *last = inventory;
        expand(&self.configured, &last)
    }

    /// The sources themselves, or those of these names; an entry's name means all its sources. Reads their secrets.
    pub fn build(&self, expanded: &[Expansion], only: &[String]) -> Readable {
        let mut readable = Readable { sources: Vec::new(), faults: Vec::new() };
        let is_named =
            |name: &str, one: &Expansion| one.outcome.name().as_str() == name || one.entry.as_str() == name;
        for name in only {
            let is_entry = self.configured.iter().any(|entry| entry.name().as_str() == name);
            if !is_entry && !expanded.iter().any(|one| is_named(name, one)) {
                let known: Vec<&str> = expanded.iter().map(|one| one.outcome.name().as_str()).collect();
                readable
                    .faults
                    .push(format!("there is no source `{name}` (hint: there are {})", known.join(", ")));
            }
        }
        let mut faulty: Option<&SourceName> = None;
        for one in expanded {
            if !only.is_empty() && !only.iter().any(|name| is_named(name, one)) {
                continue;
            }
            let config = match &one.outcome {
                Outcome::Source(config) => config,
                Outcome::Unread(unread) => {
                    readable.sources.push(Box::new(unread.clone()));
                    continue;
                }
            };
            match config.build(&self.credentials) {
                Ok(source) => readable.sources.push(source),
                Err(error) => {
                    let reason = chain(&error);
                    readable
                        .sources
                        .push(Box::new(Unread { name: config.name().clone(), reason: reason.clone() }));
                    // Five hundred devices with one missing password file are one fault.
                    if faulty != Some(&one.entry) {
                        readable.faults.push(reason);
                    }
                    faulty = Some(&one.entry);
                }
            }
        }
        readable
    }
}

/// The devices that a filter finds.
async fn devices(client: &Client, listed: &Listed) -> Result<Vec<KnownDevice>, String> {
    let rows = rows(client, ObjectKind::Device.into(), listed, "id,name,primary_ip,oob_ip").await?;
    let address = |row: &Value, field: &str| {
        let text = text_of(row.get(field)?, "address")?;
        text.split('/').next()?.parse().ok()
    };
    let device = |row: &Value| {
        Some(KnownDevice {
            id: id_of(row)?,
            name: text_of(row, "name").map(str::to_owned),
            primary: address(row, "primary_ip"),
            out_of_band: address(row, "oob_ip"),
        })
    };
    Ok(rows.iter().filter_map(device).collect())
}

/// The prefixes that a filter finds.
async fn prefixes(client: &Client, listed: &Listed) -> Result<Vec<IpNet>, String> {
    let rows = rows(client, Endpoint::Path("ipam/prefixes/"), listed, "id,prefix").await?;
    Ok(rows.iter().filter_map(|row| text_of(row, "prefix")?.parse().ok()).collect())
}

async fn rows(
    client: &Client,
    endpoint: Endpoint,
    listed: &Listed,
    fields: &str,
) -> Result<Vec<Value>, String> {
    let filters = listed.pairs()?;
    let mut query = filters.clone();
    query.push(("fields".to_owned(), fields.to_owned()));
    let rows = client.list(endpoint, &query).await.map_err(|error| chain(&error))?;
    let Some(first) = rows.first().and_then(id_of) else { return Ok(rows) };
    for (key, _) in &filters {
        if is_ignored(client, endpoint, key, first).await.map_err(|error| chain(&error))? {
            return Err(format!(
                "NetBox ignores `{key}`, so everything would be found; hint: is it spelled like the filter in the address of \
                 NetBox's list?"
            ));
        }
    }
    Ok(rows)
}

/// Whether NetBox knows no such filter: it ignores those in silence, and a typing mistake would mean every device. A filter
/// that is looked at does not find an object by a nonsense value, and finds it either by `true` or by `false`.
async fn is_ignored(client: &Client, endpoint: Endpoint, key: &str, id: i64) -> Result<bool, Error> {
    if key == "id" {
        return Ok(false);
    }
    for value in [NOBODY, "true", "false"] {
        let id = id.to_string();
        let query = [(key, value), ("id", id.as_str()), ("fields", "id")];
        match client.first(endpoint, &query).await {
            Ok(found) if found.is_empty() => return Ok(false),
            Ok(_) => {}
            // "Select a valid choice": it is looked at.
            Err(Error::Rejected { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
