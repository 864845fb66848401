//! Worlds and discoveries as text without ids, so that two worlds can be compared and a person can read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use surveyor::model::{Attachment, Discovery, ObjectKind, ObjectRef};
use surveyor::plan::View;
use surveyor::plan::ledger::Ledger;
use surveyor::plan::view::Ours;

use super::world::World;

/// How much of a world is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything but times.
    All,
    /// Without what says how far an approval is: state, summary, decision, journal, ledger.
    Substance,
}

/// The world, a line an object, sorted.
pub(crate) fn world(world: &World, depth: Depth) -> String {
    let view = world.view();
    let mut lines = Vec::new();
    for machine in &view.machines {
        let primary = |id: Option<i64>| address_of(id, &view);
        let tags: Vec<&str> = machine.tags.iter().map(String::as_str).collect();
        let mut text = format!(
            "{} {}: {}, tags {}, primary {} {}\n",
            machine.object.kind,
            machine.title(),
            machine.status,
            tags.join("+"),
            primary(machine.primary_ip4),
            primary(machine.primary_ip6)
        );
        text += &machine.ours.as_ref().map(|ours| fields(ours, &view, depth)).unwrap_or_default();
        let mut interfaces: Vec<_> = view.interfaces_of(machine.object).collect();
        interfaces.sort_by_key(|interface| &interface.name);
        for interface in interfaces {
            let macs: Vec<String> = view
                .macs
                .iter()
                .filter(|mac| mac.interface == Some(interface.object))
                .map(|mac| {
                    if interface.mac == Some(mac.mac) {
                        format!("{}", mac.mac)
                    } else {
                        format!("({})", mac.mac)
                    }
                })
                .collect();
            let _ = writeln!(
                text,
                "  {} {} {} {:?}",
                interface.name,
                interface.kind,
                macs.join(" "),
                interface.tags
            );
            text += &fields(&interface.ours, &view, depth).replace("  ", "    ");
        }
        lines.push(text);
    }
    for address in &view.addresses {
        let on = address.assigned_to.clone().unwrap_or_else(|| "nothing".to_owned());
        lines.push(format!(
            "ipam.ipaddress {} {} on {on}, name {:?}, tags {:?}\n",
            address.address, address.status, address.dns_name, address.tags
        ));
    }
    for cable in &view.cables {
        let end = |ends: &[(String, i64)]| {
            let ends: Vec<String> = ends.iter().map(|(_, id)| port(*id, &view)).collect();
            if ends.is_empty() { "nothing".to_owned() } else { ends.join("+") }
        };
        let mut text = format!(
            "dcim.cable {} - {}: {}, tags {:?}\n",
            end(&cable.a),
            end(&cable.b),
            cable.status,
            cable.tags
        );
        text += &fields(&cable.ours, &view, depth);
        lines.push(text);
    }
    for tombstone in &view.tombstones {
        let until = tombstone.until.as_deref().unwrap_or("ever");
        lines.push(format!(
            "tombstone {}: {} until {until}, {:?}\n",
            tombstone.mac, tombstone.decision, tombstone.identity
        ));
    }
    if depth == Depth::All {
        for (key, (object, level, text)) in &world.journal {
            let text: Vec<String> =
                text.lines().filter(|line| !is_time(line)).map(|line| format!("    {line}\n")).collect();
            lines.push(format!("journal {level} {key} about {}\n{}", title(*object, &view), text.concat()));
        }
    }
    lines.sort();
    lines.concat()
}

fn is_time(line: &str) -> bool {
    line.starts_with("At ") || line.starts_with("Observed at ")
}

fn fields(ours: &Ours, view: &View, depth: Depth) -> String {
    let Ok(Value::Object(all)) = serde_json::to_value(ours) else { return String::new() };
    let mut text = String::new();
    for (name, value) in all {
        let is_progress = matches!(name.as_str(), "state" | "proposal" | "decision" | "ledger");
        if value.is_null()
            || matches!(name.as_str(), "first_seen" | "last_seen")
            || (is_progress && depth == Depth::Substance)
        {
            continue;
        }
        let shown = match name.as_str() {
            "switch" => {
                json!(title(ObjectRef::new(ObjectKind::Device, value.as_i64().unwrap_or_default()), view))
            }
            "ledger" => ledger(&value, view),
            _ => value,
        };
        let shown = shown.as_str().map_or_else(|| shown.to_string(), |text| text.replace('\n', "\n    "));
        let _ = writeln!(text, "  {name} = {shown}");
    }
    text
}

/// The ledger with names instead of ids.
fn ledger(value: &Value, view: &View) -> Value {
    let mut ledger = Ledger::read(Some(value));
    for (name, value) in &mut ledger.values {
        if let (true, Some(id)) = (name.ends_with("switch"), value.as_i64()) {
            *value = json!(title(ObjectRef::new(ObjectKind::Device, id), view));
        }
    }
    let mut made: Vec<String> = ledger
        .made
        .iter()
        .map(|made| title(ObjectRef::new(made.kind, made.id.as_i64().unwrap_or_default()), view))
        .collect();
    made.sort();
    let changed: Vec<String> = ledger
        .changed
        .iter()
        .map(|changed| {
            format!("{} {:?}", title(ObjectRef::new(changed.kind, changed.id), view), changed.before)
        })
        .collect();
    let emptied: BTreeMap<String, Value> = ledger
        .emptied
        .iter()
        .map(|(object, fields)| {
            let mut fields = fields.clone();
            if let Some(id) = fields.get("switch").and_then(Value::as_i64) {
                fields
                    .insert("switch".to_owned(), json!(title(ObjectRef::new(ObjectKind::Device, id), view)));
            }
            (named(object, view), json!(fields))
        })
        .collect();
    let mut shown = ledger.to_value();
    for (name, value) in [("made", json!(made)), ("changed", json!(changed)), ("emptied", json!(emptied))] {
        if shown.get(name).is_some() {
            shown[name] = value;
        }
    }
    // The claim hashes what is shown otherwise.
    shown["claim"] = json!(if ledger.claim.is_empty() { "" } else { "…" });
    shown
}

fn named(reference: &str, view: &View) -> String {
    let object = reference
        .split_once('/')
        .and_then(|(kind, id)| Some(ObjectRef::new(ObjectKind::from_content_type(kind)?, id.parse().ok()?)));
    object.map_or_else(|| reference.to_owned(), |object| title(object, view))
}

/// What an object is called.
pub(crate) fn title(object: ObjectRef, view: &View) -> String {
    let found = match object.kind {
        ObjectKind::IpAddress => Some(address_of(Some(object.id), view)),
        ObjectKind::Cable => view.cable(object.id).map(|cable| {
            let ends: Vec<String> = cable.a.iter().chain(&cable.b).map(|(_, id)| port(*id, view)).collect();
            format!("cable {}", ends.join(" - "))
        }),
        ObjectKind::Interface | ObjectKind::VmInterface => view
            .interface(object)
            .map(|interface| format!("{} {}", title(interface.machine, view), interface.name)),
        _ => view.machine(object).map(surveyor::plan::view::Machine::title),
    };
    found.unwrap_or_else(|| format!("gone {}", object.kind))
}

fn address_of(id: Option<i64>, view: &View) -> String {
    let Some(id) = id else { return "-".to_owned() };
    let found = view.addresses.iter().find(|address| address.id == id);
    found.map_or_else(|| "gone".to_owned(), |address| address.address.to_string())
}

fn port(id: i64, view: &View) -> String {
    title(ObjectRef::new(ObjectKind::Interface, id), view)
}

/// What correlation concluded.
pub(crate) fn discovery(discovery: &Discovery) -> String {
    let mut text = String::new();
    for candidate in &discovery.candidates {
        let _ = writeln!(
            text,
            "{} {} `{}` ({}), class {}, confidence {}, by {}",
            candidate.identity,
            json!(candidate.kind).as_str().unwrap_or_default(),
            candidate.name,
            candidate.name_origin.as_str(),
            candidate.class.as_str(),
            candidate.confidence,
            candidate.sources.join("+")
        );
        for card in &candidate.interfaces {
            let addresses: Vec<String> = card.addresses.iter().map(ToString::to_string).collect();
            let place = card.attachment.as_ref().map_or_else(|| "nowhere".to_owned(), place);
            let mac = card.mac.map(|mac| mac.to_string()).unwrap_or_default();
            let _ = writeln!(
                text,
                "  {} {mac} [{}] {place}",
                card.name.as_deref().unwrap_or("?"),
                addresses.join(" ")
            );
        }
        for name in &candidate.other_names {
            let _ = writeln!(text, "  also called {name:?}");
        }
        for conflict in &candidate.conflicts {
            let _ = writeln!(text, "  conflict {}", json!(conflict));
        }
        if let Some(reason) = &candidate.evidence_only {
            let _ = writeln!(text, "  evidence only: {reason}");
        }
    }
    for link in &discovery.links {
        let (a, b) = (&link.a, &link.b);
        let evidence = link.evidence.join("+");
        let _ = writeln!(text, "link {} {} - {} {} by {evidence}", a.switch, a.port, b.switch, b.port);
    }
    for gap in &discovery.gaps {
        let _ = writeln!(text, "gap {} {}: {}", gap.source, gap.facts.as_str(), gap.reason);
    }
    text
}

fn place(attachment: &Attachment) -> String {
    let vlan = attachment.vlan.map(|vlan| format!(" VLAN {vlan}")).unwrap_or_default();
    let alone = if attachment.exclusive { "" } else { "behind " };
    let competing: Vec<String> =
        attachment.competing.iter().map(|port| format!(" or {} {}", port.switch, port.port)).collect();
    format!("{alone}{} {}{vlan}{}", attachment.switch, attachment.port, competing.concat())
}

/// Lines of one text that the other does not have.
pub(crate) fn difference(was: &str, is: &str) -> String {
    let gone =
        was.lines().filter(|line| !is.lines().any(|other| other == *line)).map(|line| format!("- {line}\n"));
    let new =
        is.lines().filter(|line| !was.lines().any(|other| other == *line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}
