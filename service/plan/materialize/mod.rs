//! Materializing: what a person approved is made true. Addresses, primary IP, cable; DNS follows from the addresses.
//!
//! Never takes an address, a MAC or a port that another object owns, and never touches `status`.

mod address;
mod cable;
mod nic;
mod present;
mod record;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::dns::{self, DesiredAddress, ForeignRecord};
use super::ledger::Ledger;
use super::view::{Machine, TAG, TAG_MANAGED, takes_cable};
use super::{Cause, Credential, Fields, Key, Phase, Plan, RefusalKind, Step, Target, View};
use crate::model::name::escape_markdown;
use crate::model::{MacAddr, ObjectKind, ObjectRef, Timestamp};

use nic::Nic;
use present::cable_fact;
pub use record::failure;
pub(crate) use record::{change_custom, push_state};

/// Evidence older than this proposes no cable any more: hosts move. Two weeks, as for candidates nobody sees.
pub const CLAIM_TTL_MS: i64 = 14 * 24 * 3600 * 1000;

/// Everything the planner looks at besides the object.
pub struct Context<'a> {
    /// NetBox.
    pub view: &'a View,
    /// When this run began.
    pub now: Timestamp,
    /// When an identity was last seen, where the local store knows; else `last_seen` counts.
    pub seen: &'a BTreeMap<String, Timestamp>,
    /// Records on DNS servers that are not ours: their names and addresses are taken.
    pub foreign: &'a [ForeignRecord],
}

/// Plans what approval of this object makes true. Empty if nothing is missing, or if the same refusal stands as last time.
pub fn materialize(machine: &Machine, context: &Context<'_>) -> Plan {
    let view = context.view;
    let mut plan = Plan::new(title_identity(machine), machine.title(), Cause::Materialize);
    plan.netbox = Some(machine.object);
    let Some(ours) = &machine.ours else { return plan };
    let before = Ledger::read(ours.ledger.as_ref());
    let mut ledger = before.clone();

    check_identity(machine, view, &mut plan);
    let nics = nic::nics(machine, view, &mut plan);
    let dns_name = dns_name(machine, &nics, context, &mut plan);
    let mut emptied: BTreeMap<ObjectRef, Fields> = BTreeMap::new();
    let mut wants = Vec::new();
    for nic in &nics {
        address::plan(machine, nic, dns_name.name.as_deref(), &mut ledger, &mut plan, context, &mut wants);
        if !nic.addresses.is_empty() && !nic.has_refused_lines && !dns_name.is_refused {
            empty(&mut emptied, nic.proposed_on, "addresses", nic.addresses_text.as_deref());
        }
        if cable::plan(machine, nic, ledger_seen(machine, context), &mut ledger, &mut plan, context)
            && nic.port.is_some()
        {
            empty(&mut emptied, nic.proposed_on, "port", nic.port.as_deref());
            emptied.entry(nic.proposed_on).or_default().insert("switch".to_owned(), json!(nic.switch));
        }
    }
    address::primary(machine, &wants, &mut plan, view);
    if ours.dns_name.is_some() && !dns_name.is_refused {
        empty(&mut emptied, machine.object, "dns_name", ours.dns_name.as_deref());
    }
    nic::note_made(machine, &nics, &mut ledger);
    present::note(machine, view, &mut ledger, &mut plan);
    if plan.is_blocked() {
        plan.facts.clear();
        plan.steps.clear();
        plan.records.clear();
        emptied.clear();
        ledger = before.clone();
    }
    record::push_early_ledger(machine, &before, &ledger, &emptied, &mut plan);
    record::finish(machine, &before, ledger, &emptied, &mut plan, context);
    plan
}

/// The identity, or the object for those without one.
pub(crate) fn title_identity(machine: &Machine) -> String {
    machine.ours.as_ref().and_then(|ours| ours.id.clone()).unwrap_or_else(|| machine.object.to_string())
}

fn ledger_seen(machine: &Machine, context: &Context<'_>) -> Option<Timestamp> {
    let ours = machine.ours.as_ref()?;
    let stored = ours.id.as_ref().and_then(|identity| context.seen.get(identity)).copied();
    let written = ours.last_seen.as_deref().and_then(Timestamp::parse);
    stored.max(written)
}

fn empty(emptied: &mut BTreeMap<ObjectRef, Fields>, on: ObjectRef, field: &str, value: Option<&str>) {
    if let Some(value) = value {
        emptied.entry(on).or_default().insert(field.to_owned(), json!(value));
    }
}

/// Two objects with one identity, or a MAC that another object owns: nothing may be done.
fn check_identity(machine: &Machine, view: &View, plan: &mut Plan) {
    let identity = title_identity(machine);
    for other in view.by_identity(&identity) {
        if other.object != machine.object {
            plan.refuse(
                RefusalKind::Identity,
                format!(
                    "{} `{}` has the same identity `{identity}`: remove one of the two",
                    other.object,
                    escape_markdown(&other.title(), 64)
                ),
            );
        }
    }
    let mut foreign: Vec<(MacAddr, ObjectRef)> = view
        .macs_of(machine.object)
        .iter()
        .flat_map(|mac| view.by_mac(*mac).into_iter().map(|owner| (*mac, owner)))
        .filter(|(_, owner)| *owner != machine.object)
        .collect();
    foreign.sort();
    foreign.dedup();
    for (mac, owner) in foreign {
        plan.refuse(
            RefusalKind::Identity,
            format!("MAC address {mac} is also documented on {owner}: is it the same machine?"),
        );
    }
}

/// The DNS name to publish.
struct DnsName {
    name: Option<String>,
    /// It was wished and cannot be: the proposal keeps it, so that it is tried again when something changes.
    is_refused: bool,
}

/// The DNS name to publish: valid, and neither the name of an address of something else nor taken on a DNS server.
fn dns_name(machine: &Machine, nics: &[Nic<'_>], context: &Context<'_>, plan: &mut Plan) -> DnsName {
    let none = |is_refused| DnsName { name: None, is_refused };
    let Some(wish) = machine.ours.as_ref().and_then(|ours| ours.dns_name.clone()) else { return none(false) };
    if nics.iter().all(|nic| nic.addresses.is_empty()) {
        return none(false); // There is nothing to publish it for.
    }
    let name: crate::model::HostName = match wish.trim().parse() {
        Ok(name) => name,
        Err(error) => {
            let shown = escape_markdown(&wish, 80);
            plan.refuse(RefusalKind::Name, format!("`{shown}` is no DNS name: {error}"));
            return none(true);
        }
    };
    let owner = context.view.addresses.iter().find(|address| {
        address.dns_name.eq_ignore_ascii_case(name.as_str()) && address.machine != Some(machine.object)
    });
    if let Some(owner) = owner {
        plan.refuse(
            RefusalKind::Name,
            format!("the DNS name {name} belongs to {} already: not published", owner.address.addr()),
        );
        return none(true);
    }
    let desired: Vec<DesiredAddress> = nics
        .iter()
        .flat_map(|nic| &nic.addresses)
        .map(|(address, _)| DesiredAddress { address: *address, dns_name: name.clone(), ttl: 0 })
        .collect();
    let (records, mut refused) = dns::records(&desired);
    refused.extend(dns::conflicts(records, context.foreign).1);
    if let Some(refused) = refused.first() {
        plan.refuse(RefusalKind::Dns, escape_markdown(&format!("not published: {}", refused.reason), 300));
        return none(true);
    }
    DnsName { name: Some(name.to_string()), is_refused: false }
}

/// What the DNS servers should serve: the names of our addresses on active objects, and nothing from memory.
pub fn desired_names(view: &View, ttl: u32) -> Vec<DesiredAddress> {
    view.addresses
        .iter()
        .filter(|address| address.tags.contains(TAG) && address.vrf.is_none())
        .filter_map(|address| {
            let machine = view.machine(address.machine?)?;
            let is_live =
                machine.status == "active" && (machine.has_tag(TAG) || machine.has_tag(TAG_MANAGED));
            let dns_name = address.dns_name.parse().ok().filter(|_| is_live)?;
            Some(DesiredAddress { address: address.address.addr(), dns_name, ttl })
        })
        .collect()
}

/// The addresses as they will be once these plans are done: for a dry run, which has to show the same DNS changes.
pub fn after(plans: &[&Plan], view: &View) -> View {
    let mut next = view.clone();
    for plan in plans {
        for planned in &plan.steps {
            match &planned.step {
                Step::Create { kind: ObjectKind::IpAddress, fields, .. } => {
                    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
                    if let Ok(address) = text("address").parse() {
                        next.addresses.push(super::view::Address {
                            id: 0,
                            address,
                            vrf: None,
                            status: text("status").to_owned(),
                            assigned: None,
                            machine: plan.netbox,
                            assigned_to: None,
                            dns_name: text("dns_name").to_owned(),
                            tags: [TAG.to_owned()].into(),
                        });
                    }
                }
                Step::Change { kind: ObjectKind::IpAddress, target: Target::Id(id), after, .. } => {
                    for address in next.addresses.iter_mut().filter(|address| address.id == *id) {
                        if let Some(name) = after.get("dns_name").and_then(Value::as_str) {
                            name.clone_into(&mut address.dns_name);
                        }
                        if let Some(assigned) = after.get("assigned_object_id") {
                            address.machine = plan.netbox.filter(|_| !assigned.is_null());
                            address.tags.insert(TAG.to_owned());
                        }
                    }
                }
                Step::Delete { object, .. } if object.kind == ObjectKind::IpAddress => {
                    next.addresses.retain(|address| address.id != object.id);
                }
                _ => {}
            }
        }
    }
    next.indexed()
}

/// A network card to put things on, where the object has none: a person removed it, or the device type has no ports.
fn push_missing_interface(
    machine: &Machine,
    name: &str,
    mac: Option<MacAddr>,
    plan: &mut Plan,
    view: &View,
) -> Target {
    let kind = nic::interface_kind(machine);
    let parent = if kind == ObjectKind::VmInterface { "virtual_machine" } else { "device" };
    let key = Key::new(kind, format!("{}/{name}", title_identity(machine)));
    let mut fields = Fields::from([
        (parent.to_owned(), json!(machine.object.id)),
        ("name".to_owned(), json!(name)),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    if kind == ObjectKind::Interface {
        fields.insert("type".to_owned(), json!("other"));
    }
    if let Some(mac) = mac.filter(|_| view.features.inline_mac) {
        fields.insert("mac_address".to_owned(), json!(mac));
    }
    let step = Step::Create { key: key.clone(), kind, fields };
    plan.push(Phase::Interface, Credential::Materializer, step, format!("interface {name}"));
    Target::New(key)
}

/// The first port of the machine that could take a cable and has none.
fn first_free_port<'a>(machine: &Machine, view: &'a View) -> Option<&'a super::view::Interface> {
    view.interfaces_of(machine.object)
        .filter(|interface| {
            interface.cable.is_none()
                && !interface.mark_connected
                && (interface.object.kind == ObjectKind::VmInterface || takes_cable(&interface.kind))
        })
        .min_by_key(|interface| interface.object.id)
}
