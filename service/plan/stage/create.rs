//! A candidate that NetBox does not know becomes a staged object with its interfaces and the evidence.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::claim::claim_hash;
use super::matching::{Found, How, kind_of};
use super::{Context, Devices, Names, dns_name, proposal};
use crate::model::observation::PortKind;
use crate::model::{Candidate, CandidateInterface, CandidateKind, MacAddr, ObjectKind, ObjectRef};
use crate::plan::ledger::Ledger;
use crate::plan::step::REFERENCE;
use crate::plan::view::{Interface, TAG};
use crate::plan::{Cause, Credential, Fields, Key, Level, Phase, Plan, RefusalKind, Step, Target, View};

/// What the proposal fields of a machine and its interfaces should say, without the prefix `surveyor_`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Desired {
    /// On the device or guest.
    pub machine: BTreeMap<String, Value>,
    /// On each interface, in the order of the candidate's.
    pub interfaces: Vec<DesiredInterface>,
}

/// An interface to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DesiredInterface {
    /// The interface it is in NetBox already.
    pub known: Option<ObjectRef>,
    /// Unique on the machine.
    pub name: String,
    /// NetBox interface type.
    pub kind: &'static str,
    /// Its address.
    pub mac: Option<MacAddr>,
    /// Proposal fields.
    pub values: BTreeMap<String, Value>,
}

impl DesiredInterface {
    /// What the ledger calls a field of it: by the address, which does not change when a person renames the interface.
    pub(super) fn ledger_name(&self, field: &str) -> String {
        ledger_name(self.mac, &self.name, field)
    }
}

/// What the ledger calls a field of an interface.
pub(super) fn ledger_name(mac: Option<MacAddr>, name: &str, field: &str) -> String {
    mac.map_or_else(|| format!("{name}/{field}"), |mac| format!("{}/{field}", mac.lower()))
}

/// NetBox limits a serial number to 50 characters (dcim.models.Device.serial).
const MAX_SERIAL: usize = 50;

/// Why the candidate cannot be staged at all with this configuration.
pub(super) fn impossible(candidate: &Candidate, view: &View) -> Option<String> {
    if candidate.kind == CandidateKind::VirtualMachine {
        let cluster = candidate.cluster.as_deref().unwrap_or("?");
        if !view.defaults.clusters.contains_key(cluster) {
            return Some(format!(
                "NetBox has no cluster `{cluster}`: create it, or run `surveyor bootstrap`"
            ));
        }
    }
    None
}

/// Plans the staged object, its interfaces and the journal entry with the evidence.
pub(super) fn plan(
    candidate: &Candidate,
    found: &Found<'_>,
    devices: &mut Devices,
    names: &mut Names,
    context: &Context<'_>,
) -> Plan {
    let view = context.view;
    let kind = kind_of(candidate);
    let cluster = candidate.cluster.as_ref().and_then(|name| view.defaults.clusters.get(name));
    let (name, problem) = names.choose(candidate, None, view);
    let renamed = problem.is_some();
    let key = Key::new(kind, &candidate.identity);
    let mut plan = Plan::new(candidate.identity.as_str(), name.clone(), Cause::Stage);
    if let Some((refusal, reason)) = problem {
        plan.refuse(refusal, reason);
    }
    if let Found::Contradicted(machine, how) = found {
        let by = if *how == How::Name { "name" } else { "primary address" };
        plan.refuse(
            RefusalKind::Name,
            format!(
                "{} has the same {by} but other MAC addresses: proposed as another machine",
                machine.object
            ),
        );
    }
    let desired = desired(candidate, devices, context, renamed, None);
    let is_conflict =
        !candidate.conflicts.is_empty() || matches!(found, Found::Contradicted(_, How::PrimaryAddress));
    let text = proposal::proposal(candidate, &name, &desired, view, &plan.refused);

    let mut custom = prefixed(&desired.machine);
    let now = context.now.to_string();
    for (field, value) in [
        ("id", json!(candidate.identity)),
        ("proposal", json!(text)),
        ("state", json!(if is_conflict { "conflict" } else { "candidate" })),
        ("confidence", json!(candidate.confidence)),
        ("sources", json!(candidate.sources.join(", "))),
        ("first_seen", json!(now)),
        ("last_seen", json!(now)),
        ("ledger", ledger(candidate, &name, &desired).to_value()),
    ] {
        custom.insert(format!("surveyor_{field}"), value);
    }
    let mut fields = Fields::from([
        ("name".to_owned(), json!(name)),
        ("status".to_owned(), json!(view.defaults.staged)),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
        ("custom_fields".to_owned(), Value::Object(custom)),
    ]);
    let class = candidate.class;
    match candidate.kind {
        CandidateKind::Device => {
            fields.insert("site".to_owned(), json!(view.defaults.site));
            fields.insert("role".to_owned(), json!(view.defaults.roles.get(&class)));
            fields.insert("device_type".to_owned(), json!(view.defaults.device_types.get(&class)));
            if let Some(serial) = &candidate.serial {
                let serial = plain(serial).unwrap_or_default();
                fields
                    .insert("serial".to_owned(), json!(serial.chars().take(MAX_SERIAL).collect::<String>()));
            }
        }
        CandidateKind::VirtualMachine => {
            fields.insert("cluster".to_owned(), json!(cluster.map(|cluster| cluster.id)));
            if let Some(resources) = candidate.resources {
                let sizes = [
                    ("vcpus", resources.vcpus.map(|count| json!(count))),
                    ("memory", resources.memory_mib.map(|size| json!(size))),
                    ("disk", resources.disk_mib.map(|size| json!(size))),
                ];
                for (field, value) in sizes {
                    if let Some(value) = value {
                        fields.insert(field.to_owned(), value);
                    }
                }
            }
        }
    }
    // What hosts may hang on comes before them; what hangs on something itself comes after that.
    let refers = std::iter::once(&desired.machine)
        .chain(desired.interfaces.iter().map(|interface| &interface.values))
        .any(|values| values.get("switch").is_some_and(|switch| switch.get(REFERENCE).is_some()));
    let phase = if candidate.device.is_some() && !refers { Phase::NetworkDevice } else { Phase::Device };
    let step = Step::Create { key: key.clone(), kind, fields };
    plan.push(phase, Credential::Stager, step, format!("{kind} `{name}`, {}", view.defaults.staged));

    for interface in &desired.interfaces {
        push_interface(&mut plan, candidate, &key, kind, interface, view, &name);
        if let Some(device) = &candidate.device {
            devices.planned.insert((device.clone(), interface.name.clone()));
        }
    }
    if let Some(device) = &candidate.device {
        devices.targets.insert(device.clone(), Target::New(key.clone()));
    }
    let note = context.note(candidate, &text);
    push_note(&mut plan, candidate, kind, Target::New(key), note);
    plan
}

/// One interface with its MAC address.
pub(super) fn push_interface(
    plan: &mut Plan,
    candidate: &Candidate,
    machine: &Key,
    kind: ObjectKind,
    interface: &DesiredInterface,
    view: &View,
    name: &str,
) {
    push_interface_on(plan, candidate, &Target::New(machine.clone()), kind, interface, view, name);
}

/// One interface with its MAC address, on a machine that exists or will.
pub(super) fn push_interface_on(
    plan: &mut Plan,
    candidate: &Candidate,
    machine: &Target,
    kind: ObjectKind,
    interface: &DesiredInterface,
    view: &View,
    name: &str,
) {
    let (interface_kind, parent) = match kind {
        ObjectKind::VirtualMachine => (ObjectKind::VmInterface, "virtual_machine"),
        _ => (ObjectKind::Interface, "device"),
    };
    let key = interface_key(interface_kind, candidate.identity.as_str(), &interface.name);
    let mut fields = Fields::from([
        (parent.to_owned(), machine.value()),
        ("name".to_owned(), json!(interface.name)),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    if interface_kind == ObjectKind::Interface {
        fields.insert("type".to_owned(), json!(interface.kind));
    }
    if !interface.values.is_empty() {
        fields.insert("custom_fields".to_owned(), Value::Object(prefixed(&interface.values)));
    }
    let mut label = format!("interface {name} {}", interface.name);
    if let Some(mac) = interface.mac {
        label = format!("{label}, MAC {mac}");
        if view.features.inline_mac {
            fields.insert("mac_address".to_owned(), json!(mac));
        }
    }
    let step = Step::Create { key: key.clone(), kind: interface_kind, fields };
    plan.push(Phase::Interface, Credential::Stager, step, label);
    if let Some(mac) = interface.mac.filter(|_| !view.features.inline_mac) {
        let [made, primary] = mac_steps(interface_kind, &key, &Target::New(key.clone()), mac);
        push_mac(plan, made, mac);
        push_primary_mac(plan, primary, &interface.name);
    }
}

/// The MAC address object of an interface, and its choice as the primary one: two writes before NetBox 4.7.
pub(super) fn mac_steps(kind: ObjectKind, interface: &Key, target: &Target, mac: MacAddr) -> [Step; 2] {
    let key = Key::new(ObjectKind::MacAddress, format!("{}/{mac}", interface.0));
    let fields = Fields::from([
        ("mac_address".to_owned(), json!(mac)),
        ("assigned_object_type".to_owned(), json!(kind.content_type())),
        ("assigned_object_id".to_owned(), target.value()),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    let primary = Step::Change {
        kind,
        target: target.clone(),
        before: Fields::from([(PRIMARY_MAC.to_owned(), Value::Null)]),
        after: Fields::from([(PRIMARY_MAC.to_owned(), key.reference())]),
        guard: false,
    };
    [Step::Create { key, kind: ObjectKind::MacAddress, fields }, primary]
}

const PRIMARY_MAC: &str = "primary_mac_address";

pub(super) fn push_mac(plan: &mut Plan, step: Step, mac: MacAddr) {
    plan.push(Phase::Mac, Credential::Stager, step, format!("MAC address {mac}"));
}

pub(super) fn push_primary_mac(plan: &mut Plan, step: Step, interface: &str) {
    plan.push(Phase::Attributes, Credential::Stager, step, format!("primary MAC address of {interface}"));
}

/// What steps of the same run call an interface.
pub(crate) fn interface_key(kind: ObjectKind, identity: &str, name: &str) -> Key {
    Key::new(kind, format!("{identity}/{name}"))
}

/// The journal entry of a claim.
pub(super) fn push_note(
    plan: &mut Plan,
    candidate: &Candidate,
    kind: ObjectKind,
    target: Target,
    text: String,
) {
    let level = if candidate.conflicts.is_empty() { Level::Info } else { Level::Warning };
    let key = format!("{}|claim|{}", candidate.identity, claim_hash(candidate));
    let step = Step::Note { kind, target, key, level, text };
    plan.push(Phase::Journal, Credential::Stager, step, "journal entry with the evidence");
}

/// The ledger as it is after this claim was written.
pub(super) fn ledger(candidate: &Candidate, name: &str, desired: &Desired) -> Ledger {
    let mut values = desired.machine.clone();
    values.insert("name".to_owned(), json!(name));
    for interface in &desired.interfaces {
        for (field, value) in &interface.values {
            values.insert(interface.ledger_name(field), value.clone());
        }
    }
    // A switch of this run is a reference here, which becomes its id when this is written.
    let interfaces = &candidate.interfaces;
    let aliases = candidate.aliases.iter().map(ToString::to_string);
    Ledger {
        claim: claim_hash(candidate),
        values,
        sources: candidate.sources.clone(),
        masks: interfaces.iter().flat_map(|interface| interface.masks.clone()).collect(),
        dhcp: interfaces.iter().flat_map(|interface| interface.dhcp.clone()).collect(),
        aliases: aliases.filter(|alias| alias != candidate.identity.as_str()).collect(),
        ..Ledger::default()
    }
}

/// Custom field names with their prefix; nulls stay, they clear a field.
pub(crate) fn prefixed(values: &BTreeMap<String, Value>) -> serde_json::Map<String, Value> {
    values.iter().map(|(field, value)| (format!("surveyor_{field}"), value.clone())).collect()
}

/// What the proposal fields should say, on the interfaces that the machine has already where they are known.
pub(super) fn desired(
    candidate: &Candidate,
    devices: &Devices,
    context: &Context<'_>,
    renamed: bool,
    machine: Option<ObjectRef>,
) -> Desired {
    let mut desired = Desired::default();
    let known: Vec<Option<&Interface>> = candidate
        .interfaces
        .iter()
        .enumerate()
        .map(|(position, interface)| known(interface, position, machine?, context.view))
        .collect();
    let zone = context.view.defaults.zone.as_deref();
    if let Some(name) = dns_name(candidate, zone).filter(|_| !renamed) {
        desired.machine.insert("dns_name".to_owned(), json!(name));
    }
    desired.machine.insert("class".to_owned(), json!(candidate.class));
    let single = candidate.interfaces.len() == 1;
    let mut taken: BTreeSet<String> = machine
        .into_iter()
        .flat_map(|machine| context.view.interfaces_of(machine))
        .map(|interface| interface.name.clone())
        .collect();
    for (position, (interface, known)) in candidate.interfaces.iter().zip(known).enumerate() {
        let name = match known {
            Some(known) => known.name.clone(),
            None => interface_name(interface, position, &mut taken),
        };
        let mut values = BTreeMap::new();
        if let Some((switch, port)) = cable(candidate, interface, devices, context) {
            values.insert("switch".to_owned(), switch.value());
            values.insert("port".to_owned(), json!(port));
        }
        if !interface.addresses.is_empty() {
            let lines: Vec<String> =
                interface.addresses.iter().map(|address| format!("{address} {name}")).collect();
            values.insert("addresses".to_owned(), json!(lines.join("\n")));
        }
        if single {
            desired.machine.append(&mut values);
        }
        desired.interfaces.push(DesiredInterface {
            known: known.map(|known| known.object),
            name,
            kind: netbox_type(interface.kind.unwrap_or_default()),
            mac: interface.mac,
            values,
        });
    }
    desired
}

/// The far end of the cable to propose, if the evidence is good enough for one.
fn cable(
    candidate: &Candidate,
    interface: &CandidateInterface,
    devices: &Devices,
    context: &Context<'_>,
) -> Option<(Target, String)> {
    let attachment = interface.attachment.as_ref()?;
    let sure = attachment.exclusive
        && attachment.competing.is_empty()
        && candidate.confidence >= context.policy.cable_threshold
        && candidate.kind == CandidateKind::Device
        && interface.kind.is_none_or(|kind| kind == PortKind::Physical);
    // Between network devices the cable is a link, proposed as a cable of its own.
    let is_network = candidate.device.is_some() && candidate.class == crate::model::Class::Network;
    if !sure || is_network {
        return None;
    }
    Some((devices.target(&attachment.switch)?.clone(), plain(&attachment.port)?))
}

/// The interface that a network card is in NetBox: the one with its address, else the one with its name and no address.
fn known<'a>(
    interface: &CandidateInterface,
    position: usize,
    machine: ObjectRef,
    view: &'a View,
) -> Option<&'a Interface> {
    let macs_on = |known: &Interface| {
        let on = view.macs_on(known.object).map(|mac| mac.mac);
        on.chain(known.mac).collect::<BTreeSet<MacAddr>>()
    };
    let by_mac =
        interface.mac.and_then(|mac| view.interfaces_of(machine).find(|known| macs_on(known).contains(&mac)));
    by_mac.or_else(|| {
        let base = base_name(interface, position);
        view.interfaces_of(machine).find(|known| {
            let is_numbered = || known.tags.contains(TAG) && is_numbered(&known.name, &base);
            let is_named = known.name == base || (interface.mac.is_some() && is_numbered());
            is_named && (interface.mac.is_none() || macs_on(known).is_empty())
        })
    })
}

/// The interface's own name, or `eth0`, `eth1` for network cards nobody named.
fn base_name(interface: &CandidateInterface, position: usize) -> String {
    interface.name.as_deref().and_then(plain).unwrap_or_else(|| format!("eth{position}"))
}

/// A name of the network as NetBox takes it: one line, no control characters, at most 64 characters, something to see.
fn plain(name: &str) -> Option<String> {
    let name: String =
        name.chars().filter(|c| !c.is_control()).take(crate::model::name::MAX_NETBOX_NAME).collect();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Whether this is the name with the number that made it unique.
fn is_numbered(name: &str, base: &str) -> bool {
    name.strip_prefix(base)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|count| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()))
}

/// Its name on the machine: unique there, at most 64 characters (NetBox dcim.models.Interface.name).
fn interface_name(interface: &CandidateInterface, position: usize, taken: &mut BTreeSet<String>) -> String {
    let base = base_name(interface, position);
    let mut name = base.clone();
    let mut count = 1;
    while !taken.insert(name.clone()) {
        count += 1;
        name = format!("{}-{count}", base.chars().take(58).collect::<String>());
    }
    name
}

/// NetBox interface type (dcim/choices.py): what takes a cable must have a physical type, and nothing says which plug it is.
const fn netbox_type(kind: PortKind) -> &'static str {
    match kind {
        PortKind::Physical => "other",
        PortKind::Lag => "lag",
        PortKind::Bridge => "bridge",
        PortKind::Wireless => "other-wireless",
        PortKind::Vlan | PortKind::Tunnel | PortKind::Virtual => "virtual",
    }
}
