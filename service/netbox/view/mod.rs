//! Fills [`plan::View`](crate::plan::View): what planners read, in as few requests as possible.
//!
//! Everything is read in thin lists; only what Surveyor proposed is read in full. No object is read by itself.

mod defaults;
mod rows;

use std::collections::BTreeSet;

use futures_util::future::try_join;

use super::{Client, Error};
use crate::model::{ObjectKind, ObjectRef};
use crate::plan::View;
use crate::plan::view::TAG;

pub use defaults::{DefaultsError, Wishes};

/// Columns of an IP address.
const ADDRESS_FIELDS: &str =
    "id,address,vrf,status,assigned_object_type,assigned_object_id,assigned_object,dns_name,tags";

/// Why the view could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// NetBox did not answer as it should.
    #[error(transparent)]
    NetBox(#[from] Error),
    /// The configuration names something NetBox does not have.
    #[error(transparent)]
    Defaults(#[from] DefaultsError),
}

/// Reads everything but interfaces; those of interest are known only after matching ([`read_interfaces`]).
pub async fn read(client: &Client, wishes: &Wishes) -> Result<View, ViewError> {
    let mut view = read_objects(client, wishes).await?;
    view.defaults = defaults::read(client, wishes).await?;
    Ok(view)
}

/// The same without what only new objects need: sites, roles, device types and clusters are not asked for.
pub async fn read_objects(client: &Client, wishes: &Wishes) -> Result<View, ViewError> {
    let mut view = View::default();
    view.features.inline_mac = has_inline_mac(&client.status().await?);
    view.defaults.staged.clone_from(&wishes.staged);
    view.defaults.zone.clone_from(&wishes.zone);
    let thin = [("fields", "id,name,status,site,serial,primary_ip4,primary_ip6")];
    let ours =
        [("tag", TAG), ("fields", "id,name,status,site,serial,tags,primary_ip4,primary_ip6,custom_fields")];
    let guests =
        [("fields", "id,name,status,cluster,site,serial,tags,primary_ip4,primary_ip6,custom_fields")];
    let (devices, full) =
        try_join(client.list(ObjectKind::Device, &thin), client.list(ObjectKind::Device, &ours)).await?;
    let macs = [(
        "fields",
        "id,mac_address,assigned_object_type,assigned_object_id,assigned_object,tags,custom_fields",
    )];
    let (guests, macs) = try_join(
        client.list(ObjectKind::VirtualMachine, &guests),
        client.list(ObjectKind::MacAddress, &macs),
    )
    .await?;
    let addresses = [("fields", ADDRESS_FIELDS)];
    let prefixes = [("fields", "id,prefix,vrf,status,scope_type,scope_id")];
    let (addresses, prefixes) =
        try_join(client.list(ObjectKind::IpAddress, &addresses), client.list(ObjectKind::Prefix, &prefixes))
            .await?;
    let cables =
        [("tag", TAG), ("fields", "id,status,tags,label,a_terminations,b_terminations,custom_fields")];
    let cables = client.list(ObjectKind::Cable, &cables).await?;

    let full: Vec<_> = full.iter().filter_map(|row| rows::machine(ObjectKind::Device, row)).collect();
    let known: BTreeSet<ObjectRef> = full.iter().map(|machine| machine.object).collect();
    view.machines = devices
        .iter()
        .filter_map(|row| rows::machine(ObjectKind::Device, row))
        .filter(|machine| !known.contains(&machine.object))
        .collect();
    view.machines.extend(full);
    view.machines.extend(guests.iter().filter_map(|row| rows::machine(ObjectKind::VirtualMachine, row)));
    view.machines.sort_by_key(|machine| machine.object);
    for row in &macs {
        if let Some(tombstone) = rows::tombstone(row) {
            view.tombstones.push(tombstone);
        } else if let Some(mac) = rows::mac(row) {
            view.macs.push(mac);
        }
    }
    view.addresses = addresses.iter().filter_map(rows::address).collect();
    view.prefixes = prefixes.iter().filter_map(rows::prefix).collect();
    view.cables = cables.iter().filter_map(rows::cable).collect();
    Ok(view.indexed())
}

/// Adds the interfaces of these devices and guests, with what they are connected to.
pub async fn read_interfaces(
    client: &Client,
    mut view: View,
    machines: &BTreeSet<ObjectRef>,
) -> Result<View, ViewError> {
    let ids = |kind: ObjectKind| -> Vec<String> {
        machines.iter().filter(|machine| machine.kind == kind).map(|machine| machine.id.to_string()).collect()
    };
    let ports = [(
        "fields",
        "id,device,name,type,cable,mark_connected,mac_address,tags,connected_endpoints,connected_endpoints_reachable,link_peers,custom_fields",
    )];
    let cards = [("fields", "id,virtual_machine,name,mac_address,tags,custom_fields")];
    let (ports, cards) = try_join(
        client.list_in(ObjectKind::Interface, "device_id", &ids(ObjectKind::Device), &ports),
        client.list_in(
            ObjectKind::VmInterface,
            "virtual_machine_id",
            &ids(ObjectKind::VirtualMachine),
            &cards,
        ),
    )
    .await?;
    view.interfaces =
        ports.iter().filter_map(rows::port).chain(cards.iter().filter_map(rows::card)).collect();
    Ok(view.indexed())
}

/// The view with its addresses read again: after a run made some.
pub async fn read_addresses(client: &Client, mut view: View) -> Result<View, ViewError> {
    let query = [("tag", TAG), ("fields", ADDRESS_FIELDS)];
    let rows = client.list(ObjectKind::IpAddress, &query).await?;
    view.addresses = rows.iter().filter_map(rows::address).collect();
    Ok(view.indexed())
}

/// `mac_address` can be written with an interface since 4.7; before, such a write was dropped in silence (4.2 to 4.6).
fn has_inline_mac(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= (4, 7)
}

#[cfg(test)]
mod tests {
    use super::has_inline_mac;

    #[test]
    fn versions() {
        for (version, expected) in
            [("4.7.3", true), ("4.10.0", true), ("5.0.0-beta1", true), ("4.6.8", false), ("", false)]
        {
            assert_eq!(has_inline_mac(version), expected, "{version}");
        }
    }
}
