//! Materializing: what a person approved is made true. Addresses, primary IP, cable; DNS follows from the addresses.
//!
//! Never takes an address, a MAC or a port that another object owns, and never touches `status`.

mod address;
mod cable;
mod nic;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::dns::{self, DesiredAddress, ForeignRecord};
use super::ledger::Ledger;
use super::stage::{current_value, short_hash};
use super::view::{Machine, TAG, TAG_MANAGED, takes_cable};
use super::{Cause, Credential, Fields, Key, Level, Phase, Plan, RefusalKind, Step, Target, View};
use crate::model::name::escape_markdown;
use crate::model::{MacAddr, ObjectKind, ObjectRef, Timestamp};

use nic::Nic;

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
        if !nic.addresses.is_empty() && !dns_name.is_refused {
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
    present(machine, view, &mut plan);
    if plan.is_blocked() {
        plan.facts.clear();
        plan.steps.clear();
        plan.records.clear();
        emptied.clear();
        ledger = before.clone();
    }
    push_early_ledger(machine, &before, &ledger, &mut plan);
    finish(machine, &before, ledger, &emptied, &mut plan, context);
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

/// What approval changes on objects that were there before is written down before it is changed: a crash in between must not
/// make them look like ours.
fn push_early_ledger(machine: &Machine, before: &Ledger, ledger: &Ledger, plan: &mut Plan) {
    if ledger.changed == before.changed {
        return;
    }
    let mut early = before.clone();
    early.changed.clone_from(&ledger.changed);
    let field = |ledger: &Ledger| {
        Fields::from([(CUSTOM.to_owned(), json!({ "surveyor_ledger": ledger.to_value() }))])
    };
    let step = Step::Change {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        before: field(before),
        after: field(&early),
        guard: false,
    };
    plan.push(Phase::Device, Credential::Materializer, step, "note what was there before");
}

const CUSTOM: &str = "custom_fields";

/// Journal entry and state: last, so that they say what is true.
fn finish(
    machine: &Machine,
    before: &Ledger,
    mut ledger: Ledger,
    emptied: &BTreeMap<ObjectRef, Fields>,
    plan: &mut Plan,
    context: &Context<'_>,
) {
    let Some(ours) = &machine.ours else { return };
    let has_effects = !plan.steps.is_empty();
    let state = if plan.is_blocked() {
        "blocked"
    } else if plan.refused.is_empty() {
        "applied"
    } else {
        "partial"
    };
    let mut reasons: Vec<String> = plan.refused.iter().map(|refusal| refusal.reason.clone()).collect();
    reasons.sort();
    ledger.refused = if reasons.is_empty() { String::new() } else { short_hash(&reasons.join("\n")) };
    let is_same = !has_effects
        && ours.state.as_deref() == Some(state)
        && ledger.refused == before.refused
        && emptied.is_empty()
        && ours.decision.as_deref().is_none_or(str::is_empty);
    if is_same {
        return;
    }
    let mut lines = vec![match state {
        "applied" => "**Approved and applied.**".to_owned(),
        "partial" => "**Approved; applied in part.**".to_owned(),
        _ => "**Approved, but nothing could be done.**".to_owned(),
    }];
    lines.extend(plan.facts.iter().map(|fact| format!("- {fact}")));
    lines.extend(plan.records.iter().map(|record| format!("- DNS {record}")));
    lines.extend(reasons.iter().map(|reason| format!("- refused: {reason}")));
    lines.push(format!("\nAt {}", context.now));
    let identity = title_identity(machine);
    let outcome = short_hash(&format!("{state}\n{}", lines[..lines.len() - 1].join("\n")));
    let level = if state == "applied" { Level::Success } else { Level::Warning };
    let step = Step::Note {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        key: format!("{identity}|materialize|{}|{outcome}", ledger.round),
        level,
        text: lines.join("\n"),
    };
    plan.push(Phase::Journal, Credential::Materializer, step, format!("journal entry: {state}"));

    for (object, fields) in emptied {
        let kept = ledger.emptied.entry(object.to_string()).or_default();
        for (field, value) in fields {
            kept.insert(field.clone(), value.clone());
        }
    }
    let proposal = match state {
        "applied" => Value::Null,
        _ => json!(format!("**{state}**: {}", reasons.join("  \n"))),
    };
    for (object, fields) in emptied {
        if *object != machine.object {
            push_state(
                *object,
                &interface_ours(*object, context.view),
                nulls(fields),
                plan,
                "proposal fields emptied",
            );
        }
    }
    let mut custom = nulls(emptied.get(&machine.object).unwrap_or(&Fields::new()));
    custom.insert("surveyor_state".to_owned(), json!(state));
    custom.insert("surveyor_proposal".to_owned(), proposal);
    if ours.decision.as_deref().is_some_and(|decision| !decision.is_empty()) {
        custom.insert("surveyor_decision".to_owned(), Value::Null);
    }
    custom.insert("surveyor_ledger".to_owned(), ledger.to_value());
    push_state(machine.object, ours, custom, plan, &format!("state {state}"));
}

fn nulls(fields: &Fields) -> serde_json::Map<String, Value> {
    fields.keys().map(|field| (format!("surveyor_{field}"), Value::Null)).collect()
}

fn interface_ours(object: ObjectRef, view: &View) -> super::view::Ours {
    view.interface(object).map(|interface| interface.ours.clone()).unwrap_or_default()
}

/// The last step: custom fields of an object, ours alone, so that it can go with others in one call.
pub(crate) fn push_state(
    object: ObjectRef,
    ours: &super::view::Ours,
    custom: serde_json::Map<String, Value>,
    plan: &mut Plan,
    label: &str,
) {
    let before: serde_json::Map<String, Value> = custom
        .keys()
        .map(|name| (name.clone(), current_value(ours, name.strip_prefix("surveyor_").unwrap_or(name))))
        .collect();
    let step = Step::Change {
        kind: object.kind,
        target: Target::Id(object.id),
        before: Fields::from([(CUSTOM.to_owned(), Value::Object(before))]),
        after: Fields::from([(CUSTOM.to_owned(), Value::Object(custom))]),
        guard: false,
    };
    plan.push(Phase::State, Credential::Materializer, step, label);
}

/// What went wrong while a plan was applied, written down: a danger entry and the state `failed`.
pub fn failure(machine: &Machine, reason: &str, now: Timestamp) -> Plan {
    let mut plan = Plan::new(title_identity(machine), machine.title(), Cause::Materialize);
    plan.netbox = Some(machine.object);
    let Some(ours) = &machine.ours else { return plan };
    let mut ledger = Ledger::read(ours.ledger.as_ref());
    let shown = escape_markdown(reason, 400);
    let refused = short_hash(&shown);
    if ours.state.as_deref() == Some("failed") && ledger.refused == refused {
        return plan;
    }
    ledger.refused.clone_from(&refused);
    let step = Step::Note {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        key: format!("{}|failed|{}|{refused}", title_identity(machine), ledger.round),
        level: Level::Danger,
        text: format!("**Approved, but applying it failed; it is tried again.**\n- {shown}\n\nAt {now}"),
    };
    plan.push(Phase::Journal, Credential::Materializer, step, "journal entry: failed");
    let mut custom = serde_json::Map::new();
    custom.insert("surveyor_state".to_owned(), json!("failed"));
    custom.insert("surveyor_proposal".to_owned(), json!(format!("**failed**: {shown}")));
    custom.insert("surveyor_ledger".to_owned(), ledger.to_value());
    push_state(machine.object, ours, custom, &mut plan, "state failed");
    plan
}

/// What is there of an earlier, interrupted approval: so that the journal entry is the same.
fn present(machine: &Machine, view: &View, plan: &mut Plan) {
    let mine = |end: &(String, i64)| {
        view.interfaces_of(machine.object)
            .find(|interface| interface.object.kind.content_type() == end.0 && interface.object.id == end.1)
    };
    for address in view.addresses.iter().filter(|address| address.machine == Some(machine.object)) {
        let Some(interface) = address.assigned.as_ref().and_then(mine) else { continue };
        if address.tags.contains(TAG) {
            plan.facts.insert(format!("IP address {} on {}", address.address, interface.name));
            if [machine.primary_ip4, machine.primary_ip6].contains(&Some(address.id)) {
                plan.facts.insert(format!("primary address {}", address.address.addr()));
            }
        }
    }
    for cable in view.cables.iter().filter(|cable| cable.tags.contains(TAG) && cable.ours.id.is_none()) {
        let Some(near) = cable.a.iter().find_map(mine) else { continue };
        let far =
            cable.b.iter().find_map(|(_, id)| view.interface(ObjectRef::new(ObjectKind::Interface, *id)));
        if let Some(far) = far {
            plan.facts.insert(cable_fact(&near.name, far, view));
        }
    }
}

/// A cable in words.
fn cable_fact(near: &str, far: &super::view::Interface, view: &View) -> String {
    let switch = view.machine(far.machine).map(Machine::title).unwrap_or_default();
    format!("cable {near} - {} {}", escape_markdown(&switch, 64), escape_markdown(&far.name, 64))
}

/// A network card to put things on, where the object has none: a person removed it, or the device type has no ports.
fn push_missing_interface(
    machine: &Machine,
    name: &str,
    mac: Option<MacAddr>,
    plan: &mut Plan,
    view: &View,
) -> Target {
    let (kind, parent) = match machine.object.kind {
        ObjectKind::VirtualMachine => (ObjectKind::VmInterface, "virtual_machine"),
        _ => (ObjectKind::Interface, "device"),
    };
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
