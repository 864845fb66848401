//! NetBox's rules, as far as a planner can break them (NetBox 4.7: dcim/models, ipam/models/ip.py, virtualization/models).

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::{Map, Value, json};
use surveyor::model::{ObjectKind, ObjectRef};
use surveyor::plan::Fields;
use surveyor::plan::view::{
    Address, Cable, Interface, Mac, Machine, Ours, Prefix, TAG_IGNORED, Tombstone, takes_cable,
};

use super::fields::{assigned, ends, mac_of, merged, parsed, tags, text};
use super::world::World;

impl World {
    pub(super) fn create(&mut self, kind: ObjectKind, fields: &Fields) -> Result<i64, String> {
        let next = self.next.entry(kind).or_insert(0);
        let id = fields.get("id").and_then(Value::as_i64).unwrap_or(*next + 1);
        *next = id.max(*next);
        let object = ObjectRef::new(kind, id);
        let number = |name: &str| fields.get(name).and_then(Value::as_i64);
        let tags = tags(fields.get("tags"));
        match kind {
            ObjectKind::Device | ObjectKind::VirtualMachine => {
                let name = text(fields, "name");
                let (site, cluster) = (number("site"), number("cluster"));
                for required in ["role", "device_type"] {
                    if kind == ObjectKind::Device && fields.get(required) == Some(&Value::Null) {
                        return Err(format!("{required} is required"));
                    }
                }
                if kind == ObjectKind::VirtualMachine && cluster.is_none() {
                    return Err("a cluster or site is required".to_owned());
                }
                self.name_is_free(object, name.as_deref(), site, cluster)?;
                let ours = merged(&Ours::default(), fields.get("custom_fields"))?;
                if let Some(identity) = &ours.id {
                    let taken = self.view.machines.iter().any(|known| {
                        known.object.kind == kind
                            && known.ours.as_ref().is_some_and(|ours| ours.id.as_ref() == Some(identity))
                    });
                    if taken {
                        return Err(format!("surveyor_id `{identity}` is taken"));
                    }
                }
                self.view.machines.push(Machine {
                    object,
                    name,
                    status: text(fields, "status").unwrap_or_else(|| "active".to_owned()),
                    site,
                    cluster,
                    serial: text(fields, "serial").unwrap_or_default(),
                    tags,
                    primary_ip4: None,
                    primary_ip6: None,
                    ours: Some(ours),
                });
            }
            ObjectKind::Interface | ObjectKind::VmInterface => {
                let machine = match kind {
                    ObjectKind::Interface => {
                        ObjectRef::new(ObjectKind::Device, number("device").ok_or("no device")?)
                    }
                    _ => ObjectRef::new(
                        ObjectKind::VirtualMachine,
                        number("virtual_machine").ok_or("no virtual machine")?,
                    ),
                };
                if !self.exists(machine) {
                    return Err(format!("{machine} does not exist"));
                }
                let name = text(fields, "name").ok_or("a name is required")?;
                if name.chars().count() > 64 {
                    return Err("the name is too long".to_owned());
                }
                if self.view.interfaces.iter().any(|known| known.machine == machine && known.name == name) {
                    return Err(format!("{machine} has an interface `{name}` already"));
                }
                self.view.interfaces.push(Interface {
                    object,
                    machine,
                    name,
                    kind: text(fields, "type").unwrap_or_default(),
                    cable: None,
                    mark_connected: fields.get("mark_connected") == Some(&json!(true)),
                    mac: None,
                    tags,
                    connected_to: Vec::new(),
                    peers: BTreeSet::new(),
                    ours: merged(&Ours::default(), fields.get("custom_fields"))?,
                });
                if let Some(mac) = mac_of(fields) {
                    let fields = json!({ "mac_address": mac, "assigned_object_type": kind.content_type(), "assigned_object_id": id });
                    self.document(ObjectKind::MacAddress, fields);
                    self.interface_mut(object)?.mac = Some(mac);
                }
            }
            ObjectKind::MacAddress => {
                let mac = mac_of(fields).ok_or("a MAC address is required")?;
                match assigned(fields) {
                    Some(interface) if self.exists(interface) => {
                        self.view.macs.push(Mac { id, mac, interface: Some(interface), machine: None });
                    }
                    Some(interface) => return Err(format!("{interface} does not exist")),
                    None if tags.contains(TAG_IGNORED) => {
                        let custom = fields.get("custom_fields").cloned().unwrap_or_default();
                        let field = |name: &str| custom.get(name).and_then(Value::as_str).map(str::to_owned);
                        self.view.tombstones.push(Tombstone {
                            id,
                            mac,
                            identity: field("surveyor_identity"),
                            decision: field("surveyor_decision").unwrap_or_default(),
                            until: field("surveyor_snooze_until"),
                        });
                    }
                    None => {}
                }
            }
            ObjectKind::IpAddress => {
                let address: IpNet = parsed(fields, "address")?;
                if self
                    .view
                    .addresses
                    .iter()
                    .any(|known| known.address.addr() == address.addr() && known.vrf.is_none())
                {
                    return Err(format!("{} is a duplicate in the global table", address.addr()));
                }
                if let IpNet::V4(v4) = address
                    && v4.prefix_len() < 31
                    && (v4.addr() == v4.network() || v4.addr() == v4.broadcast())
                {
                    return Err(format!("{address} is the network or broadcast address"));
                }
                let end = assigned(fields);
                if let Some(end) = end.filter(|end| !self.exists(*end)) {
                    return Err(format!("{end} does not exist"));
                }
                self.view.addresses.push(Address {
                    id,
                    address,
                    vrf: number("vrf"),
                    status: text(fields, "status").unwrap_or_else(|| "active".to_owned()),
                    assigned: end.map(|end| (end.kind.content_type().to_owned(), end.id)),
                    machine: None,
                    assigned_to: None,
                    dns_name: text(fields, "dns_name").unwrap_or_default(),
                    tags,
                });
            }
            ObjectKind::Prefix => self.view.prefixes.push(Prefix {
                id,
                prefix: parsed(fields, "prefix")?,
                vrf: None,
                status: text(fields, "status").unwrap_or_else(|| "active".to_owned()),
                site: None,
            }),
            ObjectKind::Cable => {
                let (a, b) = (ends(fields, "a_terminations"), ends(fields, "b_terminations"));
                let taken: BTreeSet<_> =
                    self.view.cables.iter().flat_map(|cable| cable.a.iter().chain(&cable.b)).collect();
                for end in a.iter().chain(&b) {
                    let object = ObjectRef::new(ObjectKind::Interface, end.1);
                    let interface = self
                        .view
                        .interfaces
                        .iter()
                        .find(|known| known.object == object)
                        .ok_or_else(|| format!("{object} does not exist"))?;
                    if taken.contains(end) || interface.mark_connected {
                        return Err(format!("duplicate termination: {}", interface.name));
                    }
                    if !takes_cable(&interface.kind) {
                        return Err(format!("cables cannot end at {} interfaces", interface.kind));
                    }
                }
                if a.is_empty() || b.is_empty() || a == b {
                    return Err("a cable has two ends".to_owned());
                }
                self.view.cables.push(Cable {
                    id,
                    status: text(fields, "status").unwrap_or_else(|| "connected".to_owned()),
                    tags,
                    label: text(fields, "label").unwrap_or_default(),
                    a,
                    b,
                    ours: merged(&Ours::default(), fields.get("custom_fields"))?,
                });
            }
            other => return Err(format!("{other} is not for planners to make")),
        }
        Ok(id)
    }

    pub(super) fn change(&mut self, object: ObjectRef, after: &Fields) -> Result<(), String> {
        for (name, value) in after {
            match (object.kind, name.as_str()) {
                (ObjectKind::Device | ObjectKind::VirtualMachine, "name") => {
                    let machine = self.machine_mut(object)?.clone();
                    let wanted = value.as_str().map(str::to_owned);
                    self.name_is_free(object, wanted.as_deref(), machine.site, machine.cluster)?;
                    self.machine_mut(object)?.name = wanted;
                }
                (ObjectKind::Device | ObjectKind::VirtualMachine, "primary_ip4" | "primary_ip6") => {
                    if let Some(id) = value.as_i64() {
                        let view = self.view();
                        let address = view.addresses.iter().find(|known| known.id == id);
                        let address = address.ok_or_else(|| format!("no address {id}"))?;
                        if address.machine != Some(object)
                            || address.address.addr().is_ipv4() != (name == "primary_ip4")
                        {
                            return Err(format!("{} is not assigned to {object}", address.address));
                        }
                    }
                    let machine = self.machine_mut(object)?;
                    *(if name == "primary_ip4" {
                        &mut machine.primary_ip4
                    } else {
                        &mut machine.primary_ip6
                    }) = value.as_i64();
                }
                (ObjectKind::Device | ObjectKind::VirtualMachine, "custom_fields") => {
                    let machine = self.machine_mut(object)?;
                    machine.ours = Some(merged(&machine.ours.clone().unwrap_or_default(), Some(value))?);
                }
                (ObjectKind::Interface | ObjectKind::VmInterface, "custom_fields") => {
                    let interface = self.interface_mut(object)?;
                    interface.ours = merged(&interface.ours, Some(value))?;
                }
                (ObjectKind::Interface | ObjectKind::VmInterface, "primary_mac_address") => {
                    let mac = self.view.macs.iter().find(|known| Some(known.id) == value.as_i64());
                    let mac = mac.filter(|known| known.interface == Some(object)).map(|known| known.mac);
                    self.interface_mut(object)?.mac =
                        Some(mac.ok_or("the MAC address is not on the interface")?);
                }
                (ObjectKind::Cable, "custom_fields") => {
                    let cable =
                        self.view.cables.iter_mut().find(|cable| cable.id == object.id).ok_or("no cable")?;
                    cable.ours = merged(&cable.ours, Some(value))?;
                }
                (
                    ObjectKind::IpAddress,
                    "tags" | "dns_name" | "assigned_object_type" | "assigned_object_id",
                ) => {
                    let is_primary =
                        self.view.machines.iter().any(|machine| {
                            [machine.primary_ip4, machine.primary_ip6].contains(&Some(object.id))
                        });
                    let address = self.view.addresses.iter_mut().find(|known| known.id == object.id);
                    let address = address.ok_or("no address")?;
                    match name.as_str() {
                        "tags" => address.tags = tags(Some(value)),
                        "dns_name" => value.as_str().unwrap_or_default().clone_into(&mut address.dns_name),
                        "assigned_object_id" => {
                            let end = assigned(after).map(|end| (end.kind.content_type().to_owned(), end.id));
                            if is_primary && end != address.assigned {
                                return Err("a primary address cannot be reassigned".to_owned());
                            }
                            address.assigned = end;
                        }
                        _ => {}
                    }
                }
                (kind, name) => return Err(format!("planners do not write `{name}` of {kind}")),
            }
        }
        Ok(())
    }

    /// Removes an object as NetBox does: a device takes its interfaces, MACs, IPs and journal with it, a cable keeps its other end.
    pub(crate) fn delete(&mut self, object: ObjectRef) {
        let view = &mut self.view;
        let end = (object.kind.content_type().to_owned(), object.id);
        match object.kind {
            ObjectKind::Device | ObjectKind::VirtualMachine => {
                let children: Vec<ObjectRef> = view
                    .interfaces
                    .iter()
                    .filter(|interface| interface.machine == object)
                    .map(|interface| interface.object)
                    .collect();
                view.machines.retain(|machine| machine.object != object);
                for child in children {
                    self.delete(child);
                }
            }
            ObjectKind::Interface | ObjectKind::VmInterface => {
                let addresses: Vec<i64> = view
                    .addresses
                    .iter()
                    .filter(|address| address.assigned.as_ref() == Some(&end))
                    .map(|address| address.id)
                    .collect();
                view.interfaces.retain(|interface| interface.object != object);
                view.macs.retain(|mac| mac.interface != Some(object));
                for cable in &mut view.cables {
                    cable.a.retain(|known| *known != end);
                    cable.b.retain(|known| *known != end);
                }
                for id in addresses {
                    self.delete(ObjectRef::new(ObjectKind::IpAddress, id));
                }
            }
            ObjectKind::IpAddress => {
                view.addresses.retain(|address| address.id != object.id);
                for machine in &mut view.machines {
                    machine.primary_ip4 = machine.primary_ip4.filter(|id| *id != object.id);
                    machine.primary_ip6 = machine.primary_ip6.filter(|id| *id != object.id);
                }
            }
            ObjectKind::Cable => view.cables.retain(|cable| cable.id != object.id),
            ObjectKind::MacAddress => {
                view.macs.retain(|mac| mac.id != object.id);
                view.tombstones.retain(|tombstone| tombstone.id != object.id);
            }
            _ => {}
        }
        self.journal.retain(|_, (about, ..)| *about != object);
    }

    pub(super) fn exists(&self, object: ObjectRef) -> bool {
        let view = &self.view;
        match object.kind {
            ObjectKind::Device | ObjectKind::VirtualMachine => {
                view.machines.iter().any(|known| known.object == object)
            }
            ObjectKind::Interface | ObjectKind::VmInterface => {
                view.interfaces.iter().any(|known| known.object == object)
            }
            ObjectKind::IpAddress => view.addresses.iter().any(|known| known.id == object.id),
            ObjectKind::Cable => view.cables.iter().any(|known| known.id == object.id),
            ObjectKind::MacAddress => {
                view.macs.iter().any(|known| known.id == object.id)
                    || view.tombstones.iter().any(|known| known.id == object.id)
            }
            _ => false,
        }
    }

    /// Whether the object still says what was planned upon.
    pub(super) fn holds(&self, object: ObjectRef, before: &Fields) -> Result<(), String> {
        let present = self.fields_of(object);
        for (name, expected) in before {
            let found = present.get(name).cloned().unwrap_or(Value::Null);
            let is_same = match name.as_str() {
                "tags" => tags(Some(expected)).is_subset(&tags(Some(&found))),
                _ => found == *expected,
            };
            if !is_same {
                return Err(format!(
                    "`{name}` was changed by someone else meanwhile: {found}, not {expected}"
                ));
            }
        }
        Ok(())
    }

    fn fields_of(&self, object: ObjectRef) -> Map<String, Value> {
        let slugs =
            |tags: &BTreeSet<String>| tags.iter().map(|slug| json!({ "slug": slug })).collect::<Vec<_>>();
        let view = &self.view;
        let fields = match object.kind {
            ObjectKind::Device | ObjectKind::VirtualMachine => view.machines.iter().find(|known| known.object == object).map(
                |machine| json!({ "name": machine.name, "status": machine.status, "tags": slugs(&machine.tags),
                    "primary_ip4": machine.primary_ip4, "primary_ip6": machine.primary_ip6 }),
            ),
            ObjectKind::Interface | ObjectKind::VmInterface => view
                .interfaces
                .iter()
                .find(|known| known.object == object)
                .map(|interface| json!({ "name": interface.name, "tags": slugs(&interface.tags) })),
            ObjectKind::IpAddress => view.addresses.iter().find(|known| known.id == object.id).map(|address| {
                let assigned = address.assigned.clone();
                json!({ "dns_name": address.dns_name, "tags": slugs(&address.tags),
                    "assigned_object_type": assigned.as_ref().map(|end| &end.0), "assigned_object_id": assigned.as_ref().map(|end| end.1) })
            }),
            ObjectKind::Cable => view
                .cables
                .iter()
                .find(|known| known.id == object.id)
                .map(|cable| json!({ "status": cable.status, "tags": slugs(&cable.tags) })),
            _ => None,
        };
        match fields {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }

    fn name_is_free(
        &self,
        object: ObjectRef,
        name: Option<&str>,
        site: Option<i64>,
        cluster: Option<i64>,
    ) -> Result<(), String> {
        let Some(name) = name else { return Ok(()) };
        if name.chars().count() > 64 {
            return Err("the name is too long".to_owned());
        }
        let taken = self.view.machines.iter().any(|known| {
            known.object.kind == object.kind
                && known.object != object
                && (known.site, known.cluster) == (site, cluster)
                && known.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name))
        });
        if taken { Err(format!("the name `{name}` is taken")) } else { Ok(()) }
    }

    fn machine_mut(&mut self, object: ObjectRef) -> Result<&mut Machine, String> {
        let found = self.view.machines.iter_mut().find(|known| known.object == object);
        found.ok_or_else(|| format!("{object} does not exist"))
    }

    fn interface_mut(&mut self, object: ObjectRef) -> Result<&mut Interface, String> {
        let found = self.view.interfaces.iter_mut().find(|known| known.object == object);
        found.ok_or_else(|| format!("{object} does not exist"))
    }
}
