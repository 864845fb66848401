//! NetBox's rows as plain data. A row that cannot be read is left out: it cannot be anything of ours.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::model::{ObjectKind, ObjectRef};
use crate::netbox::value::{choice_of, custom_field, id_of, related_of, tags_of, text_of, written};
use crate::plan::view::{Address, Cable, Interface, Mac, Machine, Ours, Prefix, TAG_IGNORED, Tombstone};

/// A device or virtual machine; thin rows have no custom fields.
pub(super) fn machine(kind: ObjectKind, row: &Value) -> Option<Machine> {
    Some(Machine {
        object: ObjectRef::new(kind, id_of(row)?),
        name: text_of(row, "name").map(str::to_owned),
        status: choice_of(row, "status")?.to_owned(),
        site: related_of(row, "site"),
        cluster: related_of(row, "cluster"),
        serial: text_of(row, "serial").unwrap_or_default().to_owned(),
        tags: tags_of(row),
        primary_ip4: related_of(row, "primary_ip4"),
        primary_ip6: related_of(row, "primary_ip6"),
        ours: row.get("custom_fields").map(|_| ours(row)),
    })
}

/// Surveyor's custom fields.
pub(super) fn ours(row: &Value) -> Ours {
    let Some(Value::Object(fields)) = row.get("custom_fields") else { return Ours::default() };
    let mut plain: Map<String, Value> = fields
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("surveyor_")?.to_owned(), value)))
        .map(|(name, value)| {
            let value = if name == "ledger" { value.clone() } else { written(value) };
            (name, value)
        })
        .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
        .collect();
    // One field of an unexpected type (the custom field was made by somebody else) must not hide the others.
    loop {
        match serde_path_to_error::deserialize::<_, Ours>(Value::Object(plain.clone())) {
            Ok(ours) => return ours,
            Err(error) => {
                let path = error.path().to_string();
                let field = path.split('.').next().unwrap_or_default();
                if plain.remove(field).is_none() {
                    return Ours::default();
                }
            }
        }
    }
}

/// The interface and the machine that a row is assigned to.
fn assigned(row: &Value) -> (Option<(String, i64)>, Option<ObjectRef>, Option<String>) {
    let (Some(kind), Some(id)) =
        (text_of(row, "assigned_object_type"), related_of(row, "assigned_object_id"))
    else {
        return (None, None, None);
    };
    let object = row.get("assigned_object").unwrap_or(&Value::Null);
    let machine =
        related_of(object, "device").map(|id| ObjectRef::new(ObjectKind::Device, id)).or_else(|| {
            related_of(object, "virtual_machine").map(|id| ObjectRef::new(ObjectKind::VirtualMachine, id))
        });
    let owner = ["device", "virtual_machine"].iter().find_map(|field| shown(object.get(*field)?));
    let words = [owner, shown(object)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (Some((kind.to_owned(), id)), machine, (!words.is_empty()).then_some(words))
}

/// How NetBox shows a nested object.
fn shown(object: &Value) -> Option<String> {
    text_of(object, "display").or_else(|| text_of(object, "name")).map(str::to_owned)
}

/// A MAC address on an interface.
pub(super) fn mac(row: &Value) -> Option<Mac> {
    let (interface, machine, _) = assigned(row);
    let interface =
        interface.and_then(|(kind, id)| Some(ObjectRef::new(ObjectKind::from_content_type(&kind)?, id)));
    Some(Mac { id: id_of(row)?, mac: text_of(row, "mac_address")?.parse().ok()?, interface, machine })
}

/// A remembered reject: tagged, and on no interface.
pub(super) fn tombstone(row: &Value) -> Option<Tombstone> {
    let is_assigned = related_of(row, "assigned_object_id").is_some();
    if is_assigned || !tags_of(row).contains(TAG_IGNORED) {
        return None;
    }
    let text = |name: &str| custom_field(row, name).and_then(|value| value.as_str().map(str::to_owned));
    Some(Tombstone {
        id: id_of(row)?,
        mac: text_of(row, "mac_address")?.parse().ok()?,
        identity: text("surveyor_identity"),
        decision: text("surveyor_decision").unwrap_or_else(|| "reject".to_owned()),
        until: text("surveyor_snooze_until"),
    })
}

/// An IP address.
pub(super) fn address(row: &Value) -> Option<Address> {
    let (interface, machine, words) = assigned(row);
    Some(Address {
        id: id_of(row)?,
        address: text_of(row, "address")?.parse::<IpNet>().ok()?,
        vrf: related_of(row, "vrf"),
        status: choice_of(row, "status")?.to_owned(),
        assigned: interface,
        machine,
        assigned_to: words,
        dns_name: text_of(row, "dns_name").unwrap_or_default().to_owned(),
        tags: tags_of(row),
    })
}

/// A prefix.
pub(super) fn prefix(row: &Value) -> Option<Prefix> {
    let is_site = text_of(row, "scope_type") == Some("dcim.site");
    Some(Prefix {
        id: id_of(row)?,
        prefix: text_of(row, "prefix")?.parse().ok()?,
        vrf: related_of(row, "vrf"),
        status: choice_of(row, "status")?.to_owned(),
        site: related_of(row, "scope_id").filter(|_| is_site),
    })
}

/// A cable.
pub(super) fn cable(row: &Value) -> Option<Cable> {
    let ends = |field: &str| -> Vec<(String, i64)> {
        let ends = row.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        ends.iter()
            .filter_map(|end| Some((text_of(end, "object_type")?.to_owned(), related_of(end, "object_id")?)))
            .collect()
    };
    Some(Cable {
        id: id_of(row)?,
        status: choice_of(row, "status")?.to_owned(),
        tags: tags_of(row),
        label: text_of(row, "label").unwrap_or_default().to_owned(),
        a: ends("a_terminations"),
        b: ends("b_terminations"),
        ours: ours(row),
    })
}

/// An interface of a device.
pub(super) fn port(row: &Value) -> Option<Interface> {
    // What is at the end of the path, patch panels traversed; else what the cable alone leads to.
    let far = ["connected_endpoints", "link_peers"]
        .iter()
        .filter_map(|field| row.get(*field)?.as_array().filter(|ends| !ends.is_empty()))
        .find_map(|ends| {
            let words: BTreeSet<String> = ends
                .iter()
                .map(|end| {
                    let owner =
                        ["device", "circuit", "power_panel"].iter().find_map(|field| shown(end.get(*field)?));
                    [owner, shown(end)].into_iter().flatten().collect::<Vec<_>>().join(" ")
                })
                .filter(|words| !words.is_empty())
                .collect();
            (!words.is_empty()).then_some(words)
        });
    Some(Interface {
        object: ObjectRef::new(ObjectKind::Interface, id_of(row)?),
        machine: ObjectRef::new(ObjectKind::Device, related_of(row, "device")?),
        name: text_of(row, "name")?.to_owned(),
        kind: choice_of(row, "type").unwrap_or_default().to_owned(),
        cable: related_of(row, "cable"),
        mark_connected: row.get("mark_connected").and_then(Value::as_bool).unwrap_or_default(),
        mac: text_of(row, "mac_address").and_then(|mac| mac.parse().ok()),
        tags: tags_of(row),
        connected_to: far.into_iter().flatten().collect(),
        peers: peers(row),
        ours: ours(row),
    })
}

/// Devices at the far end of a path whose cables are all connected; planned ones do not count.
fn peers(row: &Value) -> BTreeSet<ObjectRef> {
    let is_live = row.get("connected_endpoints_reachable").and_then(Value::as_bool).unwrap_or_default();
    let ends = row.get("connected_endpoints").and_then(Value::as_array).filter(|_| is_live);
    ends.into_iter()
        .flatten()
        .filter_map(|end| Some(ObjectRef::new(ObjectKind::Device, related_of(end, "device")?)))
        .collect()
}

/// A network card of a virtual machine.
pub(super) fn card(row: &Value) -> Option<Interface> {
    Some(Interface {
        object: ObjectRef::new(ObjectKind::VmInterface, id_of(row)?),
        machine: ObjectRef::new(ObjectKind::VirtualMachine, related_of(row, "virtual_machine")?),
        name: text_of(row, "name")?.to_owned(),
        kind: String::new(),
        cable: None,
        mark_connected: false,
        mac: text_of(row, "mac_address").and_then(|mac| mac.parse().ok()),
        tags: tags_of(row),
        connected_to: Vec::new(),
        peers: BTreeSet::new(),
        ours: ours(row),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_of_another_type_hides_nothing_else() {
        let row = json!({ "custom_fields": {
            "surveyor_id": "mac:52:54:00:12:34:56", "surveyor_confidence": "high", "surveyor_port": "",
            "surveyor_state": { "value": "candidate", "label": "Candidate" }, "surveyor_switch": { "id": 4, "url": "/x/" },
            "surveyor_ledger": { "claim": "x", "values": { "value": 1, "label": 2 } }, "other": 1 } });
        let ours = ours(&row);
        assert_eq!(ours.id.as_deref(), Some("mac:52:54:00:12:34:56"));
        assert_eq!(ours.state.as_deref(), Some("candidate"));
        assert_eq!((ours.switch, ours.confidence, ours.port), (Some(4), None, None));
        assert_eq!(ours.ledger.unwrap()["values"]["label"], 2);
    }

    #[test]
    fn an_address_says_whose_it_is() {
        let row = json!({ "id": 3, "address": "192.0.2.50/24", "vrf": null, "status": { "value": "active", "label": "A" },
            "assigned_object_type": "dcim.interface", "assigned_object_id": 9, "dns_name": "", "tags": [],
            "assigned_object": { "id": 9, "display": "eth0", "device": { "id": 5, "display": "door-controller" } } });
        let address = address(&row).unwrap();
        assert_eq!(address.assigned_to.as_deref(), Some("door-controller eth0"));
        assert_eq!(address.machine, Some(ObjectRef::new(ObjectKind::Device, 5)));
    }
}
