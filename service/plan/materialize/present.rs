//! What is there of an earlier, interrupted approval: so that the ledger and the journal entry are those of an uninterrupted one.

use serde_json::json;

use crate::model::name::escape_markdown;
use crate::model::{ObjectKind, ObjectRef};
use crate::plan::ledger::{Ledger, Made};
use crate::plan::view::{Interface, Machine, TAG};
use crate::plan::{Plan, View};

/// Notes what carries the tag on the machine's interfaces and does not come from elsewhere.
pub(super) fn note(machine: &Machine, view: &View, ledger: &mut Ledger, plan: &mut Plan) {
    let mine = |end: &(String, i64)| {
        view.interfaces_of(machine.object)
            .find(|interface| interface.object.kind.content_type() == end.0 && interface.object.id == end.1)
    };
    for address in view.addresses.iter().filter(|address| address.machine == Some(machine.object)) {
        let Some(interface) = address.assigned.as_ref().and_then(mine) else { continue };
        if !address.tags.contains(TAG) {
            continue;
        }
        plan.facts.insert(address_fact(&address.address.to_string(), &interface.name));
        if [machine.primary_ip4, machine.primary_ip6].contains(&Some(address.id)) {
            plan.facts.insert(format!("primary address {}", address.address.addr()));
        }
        if !address.dns_name.is_empty() {
            push_records(&address.dns_name, address.address.addr(), plan);
        }
        if !ledger.changed.iter().any(|changed| changed.id == address.id) {
            keep(ObjectKind::IpAddress, address.id, ledger);
        }
    }
    for cable in view.cables.iter().filter(|cable| cable.tags.contains(TAG) && cable.ours.id.is_none()) {
        let Some(near) = cable.a.iter().find_map(mine) else { continue };
        let far =
            cable.b.iter().find_map(|(_, id)| view.interface(ObjectRef::new(ObjectKind::Interface, *id)));
        if let Some(far) = far {
            plan.facts.insert(cable_fact(&near.name, far, view));
            keep(ObjectKind::Cable, cable.id, ledger);
        }
    }
    plan.records.sort();
    plan.records.dedup();
}

fn keep(kind: ObjectKind, id: i64, ledger: &mut Ledger) {
    let id = json!(id);
    if !ledger.made.iter().any(|made| made.kind == kind && made.id == id) {
        ledger.made.push(Made { kind, id });
    }
}

/// An address in words.
pub(super) fn address_fact(address: &str, interface: &str) -> String {
    format!("IP address {address} on {}", escape_markdown(interface, 64))
}

/// A cable in words.
pub(super) fn cable_fact(near: &str, far: &Interface, view: &View) -> String {
    let switch = view.machine(far.machine).map(Machine::title).unwrap_or_default();
    format!(
        "cable {} - {} {}",
        escape_markdown(near, 64),
        escape_markdown(&switch, 64),
        escape_markdown(&far.name, 64)
    )
}

/// The DNS records that follow from a name on an address.
pub(super) fn push_records(name: &str, address: std::net::IpAddr, plan: &mut Plan) {
    plan.records.push(format!("{name} {} {address}", if address.is_ipv4() { "A" } else { "AAAA" }));
    plan.records.push(format!("{address} PTR {name}"));
}
