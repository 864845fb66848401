//! Fields as they are written, read into the view's types; and what NetBox derives from them.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

use serde_json::{Map, Value};
use surveyor::model::{MacAddr, ObjectKind, ObjectRef};
use surveyor::plan::view::Ours;
use surveyor::plan::{Fields, View};

pub(super) fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn parsed<T: FromStr>(fields: &Fields, name: &str) -> Result<T, String> {
    text(fields, name).and_then(|text| text.parse().ok()).ok_or_else(|| format!("{name} is not valid"))
}

pub(super) fn mac_of(fields: &Fields) -> Option<MacAddr> {
    parsed(fields, "mac_address").ok()
}

pub(super) fn tags(value: Option<&Value>) -> BTreeSet<String> {
    let tags = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    tags.iter().filter_map(|tag| tag.get("slug")?.as_str().map(str::to_owned)).collect()
}

/// What `assigned_object_type` and `assigned_object_id` name.
pub(super) fn assigned(fields: &Fields) -> Option<ObjectRef> {
    let kind = ObjectKind::from_content_type(fields.get("assigned_object_type")?.as_str()?)?;
    Some(ObjectRef::new(kind, fields.get("assigned_object_id")?.as_i64()?))
}

pub(super) fn ends(fields: &Fields, name: &str) -> Vec<(String, i64)> {
    let ends = fields.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    ends.iter()
        .filter_map(|end| {
            Some((end.get("object_type")?.as_str()?.to_owned(), end.get("object_id")?.as_i64()?))
        })
        .collect()
}

/// Custom fields as they are after a write: those that it does not name stay, empty ones read as nothing.
pub(super) fn merged(ours: &Ours, written: Option<&Value>) -> Result<Ours, String> {
    let mut fields: Map<String, Value> = match serde_json::to_value(ours) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    for (name, value) in written.and_then(Value::as_object).into_iter().flatten() {
        let name = name.strip_prefix("surveyor_").ok_or_else(|| format!("`{name}` is not ours"))?;
        if !fields.contains_key(name) {
            return Err(format!("custom field surveyor_{name} does not exist"));
        }
        let value = if value.as_str() == Some("") { Value::Null } else { value.clone() };
        fields.insert(name.to_owned(), value);
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
}

/// What follows from the rest: whose a MAC or an address is, which cable is in a port, and what is at its far end.
pub(super) fn derive(view: &mut View) {
    let machines: HashMap<ObjectRef, String> =
        view.machines.iter().map(|machine| (machine.object, machine.title())).collect();
    let owners: HashMap<ObjectRef, (ObjectRef, String)> = view
        .interfaces
        .iter()
        .map(|interface| {
            let machine = machines.get(&interface.machine).cloned().unwrap_or_default();
            (interface.object, (interface.machine, format!("{machine} {}", interface.name)))
        })
        .collect();
    for mac in &mut view.macs {
        mac.machine = mac.interface.and_then(|interface| Some(owners.get(&interface)?.0));
    }
    for address in &mut view.addresses {
        let owner = address
            .assigned
            .as_ref()
            .and_then(|(kind, id)| owners.get(&ObjectRef::new(ObjectKind::from_content_type(kind)?, *id)));
        address.machine = owner.map(|(machine, _)| *machine);
        address.assigned_to = owner.map(|(_, words)| words.clone());
    }
    for interface in &mut view.interfaces {
        let own = ("dcim.interface".to_owned(), interface.object.id);
        let is_port = interface.object.kind == ObjectKind::Interface;
        let cable =
            view.cables.iter().find(|cable| is_port && (cable.a.contains(&own) || cable.b.contains(&own)));
        interface.cable = cable.map(|cable| cable.id);
        let far: Vec<&(ObjectRef, String)> = cable
            .into_iter()
            .flat_map(|cable| if cable.a.contains(&own) { &cable.b } else { &cable.a })
            .filter_map(|(_, id)| owners.get(&ObjectRef::new(ObjectKind::Interface, *id)))
            .collect();
        interface.connected_to = far.iter().map(|(_, words)| words.clone()).collect();
        let is_live = cable.is_some_and(|cable| cable.status == "connected");
        interface.peers = far.iter().filter(|_| is_live).map(|(machine, _)| *machine).collect();
    }
}
