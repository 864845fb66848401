//! NetBox's state as plain data: what planners read. Filled by `netbox::view`, or by hand in tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Class, MacAddr, ObjectKind, ObjectRef};

/// Slug of the tag on everything Surveyor makes.
pub const TAG: &str = "surveyor";
/// Slug of the tag that puts an existing object under Surveyor's watch.
pub const TAG_MANAGED: &str = "surveyor-managed";
/// Slug of the tag on remembered rejects.
pub const TAG_IGNORED: &str = "surveyor-ignored";

/// What this NetBox can do (by version).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// `mac_address` can be written with an interface (4.7).
    pub inline_mac: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { inline_mac: true }
    }
}

/// Ids that new objects need, resolved from the slugs in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// Site of new devices.
    pub site: i64,
    /// Its name, for messages.
    pub site_name: String,
    /// Device role, by class.
    pub roles: BTreeMap<Class, i64>,
    /// Device type, by class.
    pub device_types: BTreeMap<Class, i64>,
    /// Cluster of guests, by the cluster name that sources report.
    pub clusters: BTreeMap<String, Cluster>,
    /// Status of what waits for approval.
    pub staged: String,
    /// Zone appended to a host name to make its DNS name; none without `[dns]`.
    pub zone: Option<String>,
}

/// A cluster and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Primary key.
    pub id: i64,
    /// Its site, if it is scoped to one: a guest must not have another (NetBox VirtualMachine.clean).
    pub site: Option<i64>,
}

/// A device or virtual machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Model and primary key.
    pub object: ObjectRef,
    /// Its name; devices may have none.
    pub name: Option<String>,
    /// Status value.
    pub status: String,
    /// Site.
    pub site: Option<i64>,
    /// Cluster, for virtual machines.
    pub cluster: Option<i64>,
    /// Serial number, empty if none.
    pub serial: String,
    /// Tag slugs; empty for machines that were only read thinly.
    pub tags: BTreeSet<String>,
    /// Primary IPv4 address object.
    pub primary_ip4: Option<i64>,
    /// Primary IPv6 address object.
    pub primary_ip6: Option<i64>,
    /// Surveyor's custom fields; `None` if it was only read thinly.
    pub ours: Option<Ours>,
}

impl Machine {
    /// Whether it carries the tag.
    pub fn has_tag(&self, slug: &str) -> bool {
        self.tags.contains(slug)
    }

    /// Its name, or `#id`.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("#{}", self.object.id))
    }
}

/// Surveyor's custom fields of a device, guest, interface or cable. Selections are bare values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ours {
    /// `surveyor_id`.
    pub id: Option<String>,
    /// `surveyor_proposal`.
    pub proposal: Option<String>,
    /// `surveyor_state`.
    pub state: Option<String>,
    /// `surveyor_decision`.
    pub decision: Option<String>,
    /// `surveyor_switch`: primary key of a device.
    pub switch: Option<i64>,
    /// `surveyor_port`.
    pub port: Option<String>,
    /// `surveyor_addresses`: one `ADDRESS [interface]` a line.
    pub addresses: Option<String>,
    /// `surveyor_dns_name`.
    pub dns_name: Option<String>,
    /// `surveyor_class`.
    pub class: Option<String>,
    /// `surveyor_confidence`.
    pub confidence: Option<i64>,
    /// `surveyor_sources`.
    pub sources: Option<String>,
    /// `surveyor_first_seen`, RFC 3339.
    pub first_seen: Option<String>,
    /// `surveyor_last_seen`, RFC 3339.
    pub last_seen: Option<String>,
    /// `surveyor_snooze_until`, a day.
    pub snooze_until: Option<String>,
    /// `surveyor_same_as`: primary key of a device.
    pub same_as: Option<i64>,
    /// `surveyor_ledger`.
    pub ledger: Option<Value>,
}

/// An interface of a device or virtual machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// Model and primary key.
    pub object: ObjectRef,
    /// The machine it belongs to.
    pub machine: ObjectRef,
    /// Its name, unique on the machine.
    pub name: String,
    /// Type value (`other`, `virtual`, `lag`, `1000base-t`); empty for guests.
    pub kind: String,
    /// The cable in it.
    pub cable: Option<i64>,
    /// Marked as connected without a cable object.
    pub mark_connected: bool,
    /// Its primary MAC address.
    pub mac: Option<MacAddr>,
    /// Tag slugs.
    pub tags: BTreeSet<String>,
    /// What is at the far end of the path, in words (`printer-old eth0`), patch panels traversed.
    pub connected_to: Vec<String>,
    /// Devices at the far end of a connected path.
    pub peers: BTreeSet<ObjectRef>,
    /// Surveyor's custom fields (`switch`, `port`, `addresses`, `dns_name`).
    pub ours: Ours,
}

/// Interface types that take no cable (NetBox `NONCONNECTABLE_IFACE_TYPES`, dcim/constants.py), wireless ones included.
pub fn takes_cable(interface_type: &str) -> bool {
    !(matches!(interface_type, "virtual" | "bridge" | "lag")
        || interface_type.starts_with("ieee802.11")
        || interface_type.starts_with("ieee802.15")
        || matches!(interface_type, "other-wireless" | "gsm" | "cdma" | "lte" | "4g" | "5g"))
}

/// A MAC address object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mac {
    /// Primary key.
    pub id: i64,
    /// The address.
    pub mac: MacAddr,
    /// The interface it is on.
    pub interface: Option<ObjectRef>,
    /// The machine of that interface.
    pub machine: Option<ObjectRef>,
}

/// A remembered reject: an unassigned MAC address object with the tag `surveyor-ignored`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Primary key of the MAC address object.
    pub id: i64,
    /// The address.
    pub mac: MacAddr,
    /// Identity it was rejected as.
    pub identity: Option<String>,
    /// `reject` or `ignore`.
    pub decision: String,
    /// Until when, a day (`2026-11-27`); for ever if none.
    pub until: Option<String>,
}

/// An IP address object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Address {
    /// Primary key.
    pub id: i64,
    /// Host address with the mask length.
    pub address: IpNet,
    /// VRF; none is the global table.
    pub vrf: Option<i64>,
    /// Status value.
    pub status: String,
    /// The object it is assigned to, whatever its model.
    pub assigned: Option<(String, i64)>,
    /// The machine of that interface.
    pub machine: Option<ObjectRef>,
    /// In words: `printer-old eth0`.
    pub assigned_to: Option<String>,
    /// DNS name, empty if none.
    pub dns_name: String,
    /// Tag slugs.
    pub tags: BTreeSet<String>,
}

/// A prefix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prefix {
    /// Primary key.
    pub id: i64,
    /// The prefix.
    pub prefix: IpNet,
    /// VRF; none is the global table.
    pub vrf: Option<i64>,
    /// Status value (`container`, `active`, `reserved`, `deprecated`).
    pub status: String,
    /// Site, if scoped to one.
    pub site: Option<i64>,
}

/// A cable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cable {
    /// Primary key.
    pub id: i64,
    /// Status value (`connected`, `planned`, `decommissioning`).
    pub status: String,
    /// Tag slugs.
    pub tags: BTreeSet<String>,
    /// Label, empty if none.
    pub label: String,
    /// What is at the A end: content type and id.
    pub a: Vec<(String, i64)>,
    /// What is at the B end.
    pub b: Vec<(String, i64)>,
    /// Surveyor's custom fields.
    pub ours: Ours,
}

/// NetBox as read at the beginning of a run, indexed.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What this NetBox can do.
    pub features: Features,
    /// Ids that new objects need.
    pub defaults: Defaults,
    /// All devices and virtual machines; those with a tag of ours in full.
    pub machines: Vec<Machine>,
    /// Interfaces of machines with a tag of ours and of devices that evidence points to.
    pub interfaces: Vec<Interface>,
    /// All MAC addresses that are on an interface.
    pub macs: Vec<Mac>,
    /// Remembered rejects.
    pub tombstones: Vec<Tombstone>,
    /// All IP addresses.
    pub addresses: Vec<Address>,
    /// All prefixes.
    pub prefixes: Vec<Prefix>,
    /// Cables of interest: with a tag of ours, or on an interface above.
    pub cables: Vec<Cable>,
    index: Index,
}

#[derive(Debug, Clone, Default)]
struct Index {
    machine: HashMap<ObjectRef, usize>,
    by_identity: HashMap<String, Vec<usize>>,
    by_name: HashMap<(ObjectKind, String), Vec<usize>>,
    by_serial: HashMap<String, Vec<usize>>,
    interfaces: HashMap<ObjectRef, Vec<usize>>,
    interface: HashMap<ObjectRef, usize>,
    by_mac: HashMap<MacAddr, Vec<usize>>,
    macs_of: HashMap<ObjectRef, Vec<MacAddr>>,
    macs_on: HashMap<ObjectRef, Vec<usize>>,
    by_address: HashMap<IpAddr, Vec<usize>>,
    addresses_of: HashMap<ObjectRef, Vec<usize>>,
    cable: HashMap<i64, usize>,
}

impl View {
    /// Builds the indexes; call it once after filling the lists.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        let mut index = Index::default();
        for (position, machine) in self.machines.iter().enumerate() {
            index.machine.insert(machine.object, position);
            if let Some(identity) = machine.ours.as_ref().and_then(|ours| ours.id.clone()) {
                index.by_identity.entry(identity).or_default().push(position);
            }
            if let Some(name) = &machine.name {
                index.by_name.entry((machine.object.kind, name.to_lowercase())).or_default().push(position);
            }
            if !machine.serial.is_empty() {
                index.by_serial.entry(machine.serial.to_lowercase()).or_default().push(position);
            }
        }
        for (position, interface) in self.interfaces.iter().enumerate() {
            index.interfaces.entry(interface.machine).or_default().push(position);
            index.interface.insert(interface.object, position);
        }
        for (position, mac) in self.macs.iter().enumerate() {
            index.by_mac.entry(mac.mac).or_default().push(position);
            if let Some(machine) = mac.machine {
                index.macs_of.entry(machine).or_default().push(mac.mac);
            }
            if let Some(interface) = mac.interface {
                index.macs_on.entry(interface).or_default().push(position);
            }
        }
        for (position, address) in self.addresses.iter().enumerate() {
            index.by_address.entry(address.address.addr()).or_default().push(position);
            if let Some(machine) = address.machine {
                index.addresses_of.entry(machine).or_default().push(position);
            }
        }
        for (position, cable) in self.cables.iter().enumerate() {
            index.cable.insert(cable.id, position);
        }
        self.index = index;
        self
    }

    /// The machine with this key.
    pub fn machine(&self, object: ObjectRef) -> Option<&Machine> {
        self.index.machine.get(&object).and_then(|position| self.machines.get(*position))
    }

    /// Machines that carry this identity.
    pub fn by_identity(&self, identity: &str) -> Vec<&Machine> {
        self.pick(self.index.by_identity.get(identity))
    }

    /// Machines of a model with this name, whatever its case.
    pub fn by_name(&self, kind: ObjectKind, name: &str) -> Vec<&Machine> {
        self.pick(self.index.by_name.get(&(kind, name.to_lowercase())))
    }

    /// Machines with this serial number, whatever its case.
    pub fn by_serial(&self, serial: &str) -> Vec<&Machine> {
        self.pick(self.index.by_serial.get(&serial.to_lowercase()))
    }

    fn pick(&self, positions: Option<&Vec<usize>>) -> Vec<&Machine> {
        positions.into_iter().flatten().filter_map(|position| self.machines.get(*position)).collect()
    }

    /// Machines that have this MAC on an interface.
    pub fn by_mac(&self, mac: MacAddr) -> BTreeSet<ObjectRef> {
        self.index
            .by_mac
            .get(&mac)
            .into_iter()
            .flatten()
            .filter_map(|position| self.macs.get(*position)?.machine)
            .collect()
    }

    /// MAC addresses documented on a machine.
    pub fn macs_of(&self, machine: ObjectRef) -> &[MacAddr] {
        self.index.macs_of.get(&machine).map_or(&[], Vec::as_slice)
    }

    /// MAC address objects on an interface.
    pub fn macs_on(&self, interface: ObjectRef) -> impl Iterator<Item = &Mac> {
        self.index
            .macs_on
            .get(&interface)
            .into_iter()
            .flatten()
            .filter_map(|position| self.macs.get(*position))
    }

    /// Interfaces of a machine, as far as they were read.
    pub fn interfaces_of(&self, machine: ObjectRef) -> impl Iterator<Item = &Interface> {
        self.index
            .interfaces
            .get(&machine)
            .into_iter()
            .flatten()
            .filter_map(|position| self.interfaces.get(*position))
    }

    /// The interface with this key.
    pub fn interface(&self, object: ObjectRef) -> Option<&Interface> {
        self.index.interface.get(&object).and_then(|position| self.interfaces.get(*position))
    }

    /// The interface of a device with this name: exact, else the only one that differs in case alone.
    pub fn interface_named(&self, machine: ObjectRef, name: &str) -> Option<&Interface> {
        self.interfaces_of(machine).find(|interface| interface.name == name).or_else(|| {
            let mut alike =
                self.interfaces_of(machine).filter(|interface| interface.name.eq_ignore_ascii_case(name));
            alike.next().filter(|_| alike.next().is_none())
        })
    }

    /// Address objects with this host address, whatever their mask.
    pub fn addresses_at(&self, address: IpAddr) -> impl Iterator<Item = &Address> {
        self.index
            .by_address
            .get(&address)
            .into_iter()
            .flatten()
            .filter_map(|position| self.addresses.get(*position))
    }

    /// Address objects on interfaces of a machine.
    pub fn addresses_of(&self, machine: ObjectRef) -> impl Iterator<Item = &Address> {
        self.index
            .addresses_of
            .get(&machine)
            .into_iter()
            .flatten()
            .filter_map(|position| self.addresses.get(*position))
    }

    /// The cable with this key.
    pub fn cable(&self, id: i64) -> Option<&Cable> {
        self.index.cable.get(&id).and_then(|position| self.cables.get(*position))
    }

    /// The longest prefix of the global table that contains the address and is no container.
    pub fn prefix_of(&self, address: IpAddr) -> Option<&Prefix> {
        self.prefixes
            .iter()
            .filter(|prefix| {
                prefix.vrf.is_none() && prefix.status != "container" && prefix.prefix.contains(&address)
            })
            .max_by_key(|prefix| prefix.prefix.prefix_len())
    }
}
