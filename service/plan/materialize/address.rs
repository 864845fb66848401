//! Addresses: with the mask of the prefix, on our interface, never taken from anything else.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Value, json};

use super::present::{address_fact, push_records};
use super::{Context, Nic, nic, title_identity};
use crate::model::name::escape_markdown;
use crate::model::{ObjectKind, ObjectRef};
use crate::plan::ledger::{Changed, Ledger, Made};
use crate::plan::view::{Address, Machine, TAG};
use crate::plan::{Credential, Fields, Key, Phase, Plan, RefusalKind, Step, Target, View};

/// An address that the object has or gets.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    address: IpAddr,
    target: Target,
}

/// Plans the addresses of one network card.
pub(super) fn plan(
    machine: &Machine,
    nic: &Nic<'_>,
    dns_name: Option<&str>,
    ledger: &mut Ledger,
    plan: &mut Plan,
    context: &Context<'_>,
    wanted: &mut Vec<Wanted>,
) {
    for (address, given) in &nic.addresses {
        if wanted.iter().any(|known| known.address == *address) {
            plan.refuse(
                RefusalKind::Interface,
                format!("{address} is proposed more than once: not on {}", escape_markdown(&nic.name, 64)),
            );
            continue;
        }
        // The name is published for the primary address of each family: the first one.
        let is_first = !wanted.iter().any(|known: &Wanted| known.address.is_ipv4() == address.is_ipv4())
            && primary_of(machine, *address)
                .is_none_or(|primary| context.view.addresses_at(*address).any(|known| known.id == primary));
        let name = dns_name.filter(|_| is_first);
        let known: Vec<&Address> =
            context.view.addresses_at(*address).filter(|known| known.vrf.is_none()).collect();
        let target = match known.as_slice() {
            [] => create(machine, nic, *address, *given, name, ledger, plan, context),
            [known] => existing(machine, nic, known, name, ledger, plan),
            several => {
                plan.refuse(
                    RefusalKind::Address,
                    format!("{address} is in NetBox {} times: keep one", several.len()),
                );
                None
            }
        };
        if let Some(target) = target {
            if let Some(name) = name {
                push_records(name, *address, plan);
            }
            wanted.push(Wanted { address: *address, target });
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "all of it decides the one step")]
fn create(
    machine: &Machine,
    card: &Nic<'_>,
    address: IpAddr,
    given: Option<u8>,
    dns_name: Option<&str>,
    ledger: &mut Ledger,
    plan: &mut Plan,
    context: &Context<'_>,
) -> Option<Target> {
    let view = context.view;
    let prefix = view.prefix_of(address);
    let full = if address.is_ipv4() { 32 } else { 128 };
    let mask = given
        .or_else(|| prefix.map(|prefix| prefix.prefix.prefix_len()))
        .or_else(|| ledger.masks.get(&address).copied())
        .unwrap_or(full);
    let net = IpNet::new(address, mask).ok()?;
    if let Some(what) = unusable(net) {
        plan.refuse(RefusalKind::Address, format!("{net} is the {what} address of its network"));
        return None;
    }
    let kind = nic::interface_kind(machine);
    let key = Key::new(ObjectKind::IpAddress, format!("{}/{address}", title_identity(machine)));
    let status = if ledger.dhcp.contains(&address) { "dhcp" } else { "active" };
    let mut fields = Fields::from([
        ("address".to_owned(), json!(net)),
        ("status".to_owned(), json!(status)),
        ("assigned_object_type".to_owned(), json!(kind.content_type())),
        ("assigned_object_id".to_owned(), card.target.value()),
        ("tags".to_owned(), json!([{ "slug": TAG }])),
    ]);
    if let Some(name) = dns_name {
        fields.insert("dns_name".to_owned(), json!(name));
    }
    let mut label = format!("IP address {net} on {}", card.name);
    if mask == full && given.is_none() && prefix.is_none() {
        label = format!("{label} (no prefix in NetBox contains it: mask /{full})");
    }
    plan.facts.insert(address_fact(&net.to_string(), &card.name));
    let step = Step::Create { key: key.clone(), kind: ObjectKind::IpAddress, fields };
    plan.push(Phase::Address, Credential::Materializer, step, label);
    ledger.made.push(Made { kind: ObjectKind::IpAddress, id: key.reference() });
    Some(Target::New(key))
}

/// Network and broadcast addresses, which NetBox refuses (ipam/models/ip.py, IPAddress.clean).
fn unusable(net: IpNet) -> Option<&'static str> {
    match net {
        IpNet::V4(v4) if v4.prefix_len() < 31 => {
            let whole = Ipv4Net::new(v4.network(), v4.prefix_len()).ok()?;
            if v4.addr() == whole.network() {
                Some("network")
            } else if v4.addr() == whole.broadcast() {
                Some("broadcast")
            } else {
                None
            }
        }
        IpNet::V6(v6) if v6.prefix_len() < 127 && v6.addr() == v6.network() => Some("subnet-router anycast"),
        _ => None,
    }
}

/// An address object that is there already: ours, free to adopt, or somebody else's.
fn existing(
    machine: &Machine,
    card: &Nic<'_>,
    known: &Address,
    dns_name: Option<&str>,
    ledger: &mut Ledger,
    plan: &mut Plan,
) -> Option<Target> {
    let is_recorded = ledger.changed.iter().any(|changed| changed.id == known.id)
        || ledger.made.iter().any(|made| made.kind == ObjectKind::IpAddress && made.id == json!(known.id));
    if known.machine == Some(machine.object) {
        // Made by an approval that was cut short before it could write its ledger.
        if known.tags.contains(TAG) && !is_recorded {
            ledger.made.push(Made { kind: ObjectKind::IpAddress, id: json!(known.id) });
        }
        // Its name could not be published when the address was made, and can now.
        if let Some(name) = dns_name.filter(|_| known.tags.contains(TAG) && known.dns_name.is_empty()) {
            let field = |name: &str| Fields::from([("dns_name".to_owned(), json!(name))]);
            let step = Step::Change {
                kind: ObjectKind::IpAddress,
                target: Target::Id(known.id),
                before: field(""),
                after: field(name),
                guard: true,
            };
            plan.push(
                Phase::Address,
                Credential::Materializer,
                step,
                format!("DNS name {name} of {}", known.address.addr()),
            );
        }
        return Some(Target::Id(known.id));
    }
    if let Some((kind, id)) = &known.assigned {
        let owner = known.assigned_to.clone().unwrap_or_else(|| format!("{kind}/{id}"));
        plan.refuse(
            RefusalKind::Address,
            format!(
                "{} belongs to {}: approve again after one of the two has let go",
                known.address.addr(),
                escape_markdown(&owner, 120)
            ),
        );
        return None;
    }
    let kind = nic::interface_kind(machine);
    let mut tags: Vec<Value> = known.tags.iter().map(|slug| json!({ "slug": slug })).collect();
    let before_tags = json!(tags);
    tags.push(json!({ "slug": TAG }));
    let mut before = Fields::from([
        ("assigned_object_type".to_owned(), Value::Null),
        ("assigned_object_id".to_owned(), Value::Null),
        ("tags".to_owned(), before_tags),
    ]);
    let mut after = Fields::from([
        ("assigned_object_type".to_owned(), json!(kind.content_type())),
        ("assigned_object_id".to_owned(), card.target.value()),
        ("tags".to_owned(), json!(tags)),
    ]);
    if let Some(name) = dns_name.filter(|_| known.dns_name.is_empty()) {
        before.insert("dns_name".to_owned(), json!(""));
        after.insert("dns_name".to_owned(), json!(name));
    }
    if !is_recorded {
        ledger.changed.push(Changed {
            kind: ObjectKind::IpAddress,
            id: known.id,
            before: before.clone(),
            after: after.clone(),
        });
    }
    plan.facts.insert(address_fact(&known.address.to_string(), &card.name));
    let step = Step::Change {
        kind: ObjectKind::IpAddress,
        target: Target::Id(known.id),
        before,
        after,
        guard: true,
    };
    plan.push(
        Phase::Address,
        Credential::Materializer,
        step,
        format!("IP address {} (was unassigned) on {}", known.address, card.name),
    );
    Some(Target::Id(known.id))
}

fn primary_of(machine: &Machine, address: IpAddr) -> Option<i64> {
    if address.is_ipv4() { machine.primary_ip4 } else { machine.primary_ip6 }
}

/// Primary addresses, where none is set: one change, whatever the families.
pub(super) fn primary(machine: &Machine, wanted: &[Wanted], plan: &mut Plan, view: &View) {
    let (mut before, mut after, mut named) = (Fields::new(), Fields::new(), Vec::new());
    for (field, is_v4) in [("primary_ip4", true), ("primary_ip6", false)] {
        let present = if is_v4 { machine.primary_ip4 } else { machine.primary_ip6 };
        let Some(first) = wanted.iter().find(|wanted| wanted.address.is_ipv4() == is_v4) else { continue };
        if present.is_some() {
            continue;
        }
        let owner = match &first.target {
            Target::Id(id) => primary_elsewhere(*id, machine.object, view),
            Target::New(_) => None,
        };
        if let Some(owner) = owner {
            plan.refuse(RefusalKind::Address, format!("{} is the primary address of {owner}", first.address));
            continue;
        }
        plan.facts.insert(format!("primary address {}", first.address));
        before.insert(field.to_owned(), Value::Null);
        after.insert(field.to_owned(), first.target.value());
        named.push(first.address.to_string());
    }
    if named.is_empty() {
        return;
    }
    let step = Step::Change {
        kind: machine.object.kind,
        target: Target::Id(machine.object.id),
        before,
        after,
        guard: true,
    };
    let label = if named.len() == 1 { "primary address" } else { "primary addresses" };
    plan.push(Phase::Attributes, Credential::Materializer, step, format!("{label} {}", named.join(", ")));
}

fn primary_elsewhere(address: i64, machine: ObjectRef, view: &View) -> Option<ObjectRef> {
    view.machines
        .iter()
        .find(|other| {
            other.object != machine
                && (other.primary_ip4 == Some(address) || other.primary_ip6 == Some(address))
        })
        .map(|other| other.object)
}
