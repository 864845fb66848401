//! `surveyor ignored` and `forget`: the remembered rejects.

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::output::Output;
use super::table::table;
use super::{Ended, setup};
use crate::config::Config;
use crate::model::{MacAddr, ObjectKind};
use crate::netbox::view;
use crate::plan::view::Tombstone;

/// Arguments of `forget`.
#[derive(Debug, Args)]
pub struct ForgetArguments {
    /// A MAC address, an identity or `dcim.macaddress/12`, as `surveyor ignored` lists them.
    pub object: String,
}

pub(super) async fn list(config: &Config, output: &mut Output) -> anyhow::Result<Ended> {
    let tombstones = tombstones(config).await?.1;
    output.object(&tombstones)?;
    if tombstones.is_empty() {
        output.line("nothing is rejected or ignored")?;
        return Ok(Ended::Done);
    }
    let rows = tombstones.iter().map(|tombstone| {
        vec![
            tombstone.mac.to_string(),
            tombstone.decision.clone(),
            tombstone.until.clone().unwrap_or_else(|| "for ever".to_owned()),
            tombstone.identity.clone().unwrap_or_default(),
            format!("dcim.macaddress/{}", tombstone.id),
        ]
    });
    output.block(&table(&["MAC", "DECISION", "UNTIL", "IDENTITY", "OBJECT"], rows))?;
    Ok(Ended::Done)
}

pub(super) async fn forget(
    config: &Config,
    wanted: &ForgetArguments,
    output: &mut Output,
) -> anyhow::Result<Ended> {
    let (service, tombstones) = tombstones(config).await?;
    let mac: Option<MacAddr> = wanted.object.parse().ok();
    let ids: Vec<i64> = tombstones
        .iter()
        .filter(|tombstone| {
            Some(tombstone.mac) == mac
                || tombstone.identity.as_deref() == Some(wanted.object.as_str())
                || format!("dcim.macaddress/{}", tombstone.id) == wanted.object
        })
        .map(|tombstone| tombstone.id)
        .collect();
    if ids.is_empty() {
        output.say(format!(
            "nothing is remembered about `{}` (hint: `surveyor ignored` lists what is)",
            wanted.object
        ));
        return Ok(Ended::Faulty);
    }
    let message = Some("surveyor forget");
    service
        .clients
        .stager
        .delete_many(ObjectKind::MacAddress, &ids, message)
        .await
        .context("cannot forget")?;
    output.object(&json!({ "forgotten": ids }))?;
    output.line(format!(
        "forgotten: {} ({} entries); the next run proposes it again",
        wanted.object,
        ids.len()
    ))?;
    Ok(Ended::Done)
}

async fn tombstones(config: &Config) -> anyhow::Result<(crate::worker::Service, Vec<Tombstone>)> {
    let service = setup::service(config).await?;
    let view = view::read_objects(&service.clients.stager, &service.settings.wishes)
        .await
        .context("cannot read what NetBox knows")?;
    Ok((service, view.tombstones))
}
