//! Slugs in the configuration become ids; a wrong one lists those that exist.

use std::collections::BTreeMap;

use futures_util::future::try_join;
use serde_json::Value;

use super::ViewError;
use crate::model::{Class, ObjectKind};
use crate::netbox::Client;
use crate::netbox::value::{id_of, related_of, text_of};
use crate::plan::view::{Cluster, Defaults};

/// What the configuration names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Slug of the site of new devices.
    pub site: String,
    /// Slug of the device role, by class.
    pub roles: BTreeMap<Class, String>,
    /// Slug of the device type, by class.
    pub device_types: BTreeMap<Class, String>,
    /// Status of what waits for approval.
    pub staged: String,
    /// Zone of DNS names.
    pub zone: Option<String>,
}

/// The configuration names something that NetBox does not have.
#[derive(Debug, thiserror::Error)]
#[error("`{key} = \"{wished}\"`: NetBox has no such {what}{}", existing(.known))]
pub struct DefaultsError {
    /// Configuration key.
    pub key: String,
    /// Its value.
    pub wished: String,
    /// What it names.
    pub what: &'static str,
    /// Slugs that exist.
    pub known: Vec<String>,
}

/// Slugs named in a message; the rest is counted.
const SHOWN: usize = 12;

fn existing(known: &[String]) -> String {
    match known {
        [] => " (hint: it has none; run `surveyor bootstrap`)".to_owned(),
        known => {
            let more = known.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!(" (hint: it has {}{more})", known[..known.len().min(SHOWN)].join(", "))
        }
    }
}

pub(super) async fn read(client: &Client, wishes: &Wishes) -> Result<Defaults, ViewError> {
    let thin = [("fields", "id,slug,name")];
    let (sites, roles) =
        try_join(client.list(ObjectKind::Site, &thin), client.list(ObjectKind::DeviceRole, &thin)).await?;
    let types = [("fields", "id,slug")];
    let clusters = [("fields", "id,name,scope_type,scope_id")];
    let (types, clusters) =
        try_join(client.list(ObjectKind::DeviceType, &types), client.list(ObjectKind::Cluster, &clusters))
            .await?;
    let site = named(&sites, "defaults.site", &wishes.site, "site")?;
    let site_name = sites.iter().find(|row| id_of(row) == Some(site)).and_then(|row| text_of(row, "name"));
    Ok(Defaults {
        site,
        site_name: site_name.unwrap_or(&wishes.site).to_owned(),
        roles: by_class(&roles, "defaults.role", &wishes.roles, "device role")?,
        device_types: by_class(&types, "defaults.device_type", &wishes.device_types, "device type")?,
        clusters: clusters
            .iter()
            .filter_map(|row| {
                let is_site = text_of(row, "scope_type") == Some("dcim.site");
                let site = related_of(row, "scope_id").filter(|_| is_site);
                Some((text_of(row, "name")?.to_owned(), Cluster { id: id_of(row)?, site }))
            })
            .collect(),
        staged: wishes.staged.clone(),
        zone: wishes.zone.clone(),
    })
}

fn by_class(
    rows: &[Value],
    key: &str,
    wishes: &BTreeMap<Class, String>,
    what: &'static str,
) -> Result<BTreeMap<Class, i64>, DefaultsError> {
    wishes
        .iter()
        .map(|(class, slug)| Ok((*class, named(rows, &format!("{key}.{}", class.as_str()), slug, what)?)))
        .collect()
}

fn named(rows: &[Value], key: &str, slug: &str, what: &'static str) -> Result<i64, DefaultsError> {
    rows.iter().find(|row| text_of(row, "slug") == Some(slug)).and_then(id_of).ok_or_else(|| DefaultsError {
        key: key.to_owned(),
        wished: slug.to_owned(),
        what,
        known: rows.iter().filter_map(|row| text_of(row, "slug").map(str::to_owned)).collect(),
    })
}
