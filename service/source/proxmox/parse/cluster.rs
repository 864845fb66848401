//! The cluster as a whole: its name, nodes and guests, and whether the token sees all of them. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::{number, rows, text, truth};
use crate::model::observation::GuestKind;

const MEBIBYTE: u64 = 1024 * 1024;

/// One guest in `/cluster/resources`. Of a node that is offline it has neither name nor size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct GuestRow {
    pub(in super::super) id: u32,
    pub(in super::super) kind: GuestKind,
    pub(in super::super) node: String,
    pub(in super::super) name: Option<String>,
    /// `None` if the node could not be asked.
    pub(in super::super) running: Option<bool>,
    pub(in super::super) vcpus: Option<u32>,
    pub(in super::super) memory_mib: Option<u64>,
    pub(in super::super) disk_mib: Option<u64>,
    pub(in super::super) tags: Vec<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct NodeRow {
    pub(in super::super) name: String,
    pub(in super::super) online: bool,
    pub(in super::super) address: Option<IpAddr>,
}

/// `/cluster/resources?type=vm`, sorted by number. Templates are no guests.
pub(in super::super) fn guest_rows(data: &Value) -> Vec<GuestRow> {
    let mut guests: Vec<GuestRow> = rows(data).iter().filter_map(guest_row).collect();
    guests.sort_by_key(|guest| guest.id);
    guests.dedup_by_key(|guest| guest.id);
    guests
}

fn guest_row(row: &Value) -> Option<GuestRow> {
    let kind = match text(row, "type")?.as_str() {
        "qemu" => GuestKind::Qemu,
        "lxc" => GuestKind::Lxc,
        _ => return None,
    };
    if truth(row, "template") {
        return None;
    }
    // Zero is what an offline node's guest or a container without a limit has: not a size.
    let mebibytes = |key| number(row, key).map(|bytes| bytes / MEBIBYTE).filter(|size| *size > 0);
    Some(GuestRow {
        id: u32::try_from(number(row, "vmid")?).ok()?,
        kind,
        node: text(row, "node")?,
        name: text(row, "name"),
        running: match text(row, "status").as_deref() {
            Some("running") => Some(true),
            None | Some("unknown") => None,
            Some(_) => Some(false),
        },
        vcpus: number(row, "maxcpu").and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0),
        memory_mib: mebibytes("maxmem"),
        disk_mib: mebibytes("maxdisk"),
        tags: tags(&text(row, "tags").unwrap_or_default()),
    })
}

/// Tags are separated by `;`, older versions also wrote `,` or blanks; a lone blank is none.
fn tags(text: &str) -> Vec<String> {
    text.split(|c: char| matches!(c, ';' | ',') || c.is_whitespace())
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `/cluster/status`: the name of the cluster; a node that is in none stands for itself.
pub(in super::super) fn cluster_name(data: &Value) -> Option<String> {
    let of_type = |wanted: &str| {
        rows(data)
            .iter()
            .find(|row| text(row, "type").as_deref() == Some(wanted))
            .and_then(|row| text(row, "name"))
    };
    of_type("cluster").or_else(|| of_type("node"))
}

/// `/nodes`, with the addresses that `/cluster/status` knows.
pub(in super::super) fn node_rows(nodes: &Value, status: &Value) -> Vec<NodeRow> {
    let mut found: BTreeMap<String, NodeRow> = BTreeMap::new();
    for row in rows(nodes) {
        let Some(name) = text(row, "node") else { continue };
        // A row without a status comes from a token that may not see it, not from a node that is down.
        let online = text(row, "status").is_none_or(|status| status == "online");
        found.insert(name.clone(), NodeRow { name, online, address: None });
    }
    for row in rows(status).iter().filter(|row| text(row, "type").as_deref() == Some("node")) {
        let Some(name) = text(row, "name") else { continue };
        let address = text(row, "ip").and_then(|ip| ip.parse().ok());
        let online = row.get("online").is_none() || truth(row, "online");
        let node = found.entry(name.clone()).or_insert(NodeRow { name, online, address });
        node.address = address;
    }
    found.into_values().collect()
}

/// `/access/permissions`: whether the token may read every guest. Without it the list of guests is short or empty, and looks
/// like one that is complete.
pub(in super::super) fn sees_all_guests(permissions: &Value) -> bool {
    on_all_guests(permissions, &["VM.Audit"])
}

/// Privileges of which one lets a token ask the guest agent for addresses, by the version of Proxmox VE: 9 has its own, before
/// it was the right to the monitor. All of them where the version is not known.
pub(in super::super) fn agent_privileges(version: &str) -> &'static [&'static str] {
    const ALL: [&str; 3] = ["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted", "VM.Monitor"];
    match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
        Some(..9) => &ALL[2..],
        Some(_) => &ALL[..2],
        None => &ALL,
    }
}

/// Whether the token has one of the privileges on every guest: on `/vms` or, inherited, on `/`. A value of 0 does not reach
/// below, and what is granted on a guest alone takes away what is inherited.
pub(in super::super) fn on_all_guests(permissions: &Value, privileges: &[&str]) -> bool {
    let has = |granted: &Value| privileges.iter().any(|privilege| truth(granted, privilege));
    let names = |granted: &Value| privileges.iter().any(|privilege| granted.get(*privilege).is_some());
    let everywhere = ["/vms", "/"].into_iter().find_map(|path| permissions.get(path)).is_some_and(has);
    let taken_away = permissions
        .as_object()
        .into_iter()
        .flatten()
        .any(|(path, granted)| path.starts_with("/vms/") && !names(granted));
    everywhere && !taken_away
}
