//! The network's own devices: what sources say of the switches, routers and nodes they read, merged per machine, with their ports.
//! Knows nothing of hosts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::{addresses, text};
use crate::model::observation::{DeviceFact, DeviceRole, InterfaceFact, LeaseFact, LeaseState, PortKind};
use crate::model::{Collection, Fact, MacAddr};

/// Index of a device; devices are numbered in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DeviceId(pub u32);

/// One of the network's own devices.
#[derive(Debug, Default)]
pub(super) struct Device<'a> {
    /// The name that attachments and links use.
    pub name: &'a str,
    /// All names that sources use for it.
    pub names: BTreeSet<&'a str>,
    /// What it does: the most telling role that any source gives.
    pub role: Option<DeviceRole>,
    /// What sources say it is, in a stable order.
    pub facts: Vec<(&'a str, &'a DeviceFact)>,
    /// Sources that speak of it.
    pub sources: BTreeSet<&'a str>,
    /// Its interfaces by name.
    pub interfaces: BTreeMap<&'a str, InterfaceFact>,
    /// Its own addresses, its interfaces' included.
    pub macs: BTreeSet<MacAddr>,
    /// Whether a forwarding table of it was read, and it forwards for others.
    pub has_table: bool,
    /// The sources that read one.
    pub table_sources: BTreeSet<&'a str>,
    /// Ports that learned addresses, and who read that; no name for a number that nothing explains.
    learned_on: BTreeSet<(Option<&'a str>, &'a str)>,
    /// Hypervisor cluster.
    pub cluster: Option<&'a str>,
}

/// All devices, with the ways others refer to them.
#[derive(Debug, Default)]
pub(super) struct Inventory<'a> {
    devices: Vec<Device<'a>>,
    by_reference: HashMap<(&'a str, &'a str), DeviceId>,
    by_mac: HashMap<MacAddr, DeviceId>,
    by_address: HashMap<IpAddr, Option<DeviceId>>,
    by_name: HashMap<String, Option<DeviceId>>,
    by_chassis: HashMap<String, Option<DeviceId>>,
    by_serial: HashMap<String, Option<DeviceId>>,
}

/// How one source refers to a device: nodes of two clusters may both be called `pve`.
type Key<'a> = (&'a str, &'a str);

impl<'a> Inventory<'a> {
    /// Merges what all sources say.
    pub(super) fn new(collections: &[&'a Collection]) -> Self {
        let clusters = clusters_of(collections);
        let key = |source: &'a str, name: &'a str| -> Key<'a> {
            (name, clusters.get(&(source, name)).copied().unwrap_or_default())
        };
        let mut raw: BTreeMap<Key<'a>, Device<'a>> = BTreeMap::new();
        let mut references: BTreeSet<((&'a str, &'a str), Key<'a>)> = BTreeSet::new();
        for &collection in collections {
            let source = collection.source.as_str();
            let mut entry = |name: &'a str| -> Key<'a> {
                let key = key(source, name);
                let device = raw.entry(key).or_default();
                device.sources.insert(source);
                device.names.insert(name);
                references.insert(((source, name), key));
                key
            };
            for fact in &collection.facts {
                match fact {
                    Fact::Device(fact) => entry(&fact.device),
                    Fact::Interface(fact) => entry(&fact.device),
                    Fact::LldpNeighbor(fact) => entry(&fact.device),
                    _ => continue,
                };
            }
            for port in collection.fdb.ports() {
                entry(&port.device);
            }
            for fact in &collection.facts {
                match fact {
                    Fact::Device(fact) => {
                        if let Some(device) = raw.get_mut(&key(source, &fact.device)) {
                            device.facts.push((source, fact));
                            device.macs.extend(fact.macs.iter().copied().filter(|mac| mac.is_host()));
                        }
                    }
                    Fact::Interface(fact) => {
                        if let Some(device) = raw.get_mut(&key(source, &fact.device)) {
                            device.macs.extend(fact.mac.filter(|mac| mac.is_host()));
                            let known = device.interfaces.entry(&fact.name).or_insert_with(|| fact.clone());
                            merge_interface(known, fact);
                        }
                    }
                    _ => {}
                }
            }
            let mut used = vec![false; collection.fdb.ports().len()];
            for (_, port, _) in collection.fdb.rows() {
                if let Some(used) = used.get_mut(port.0 as usize) {
                    *used = true;
                }
            }
            for (port, used) in collection.fdb.ports().iter().zip(used) {
                if used && let Some(device) = raw.get_mut(&key(source, &port.device)) {
                    device.learned_on.insert((port.port.as_deref().ok(), source));
                }
            }
        }
        Self::assemble(raw, references, collections)
    }

    fn assemble(
        raw: BTreeMap<Key<'a>, Device<'a>>,
        references: BTreeSet<((&'a str, &'a str), Key<'a>)>,
        collections: &[&'a Collection],
    ) -> Self {
        let keys: Vec<Key<'a>> = raw.keys().copied().collect();
        let roots = same_machine(&raw.values().collect::<Vec<_>>());
        let mut merged: BTreeMap<usize, Device<'a>> = BTreeMap::new();
        for (index, device) in raw.into_values().enumerate() {
            merge_device(merged.entry(roots[index]).or_default(), device);
        }
        let mut inventory = Self::default();
        let mut id_of_root = HashMap::new();
        let mut ordered: Vec<(usize, Device<'a>)> = merged.into_iter().collect();
        for (_, device) in &mut ordered {
            device.name = device.names.first().copied().unwrap_or_default();
            device.facts.sort_by_key(|(source, fact)| (*source, format!("{fact:?}")));
            device.role = device.facts.iter().map(|(_, fact)| fact.role).min_by_key(|role| telling(*role));
            device.cluster = device.facts.iter().find_map(|(_, fact)| fact.cluster.as_deref());
            device.table_sources = tables_of(device);
            device.has_table = !device.table_sources.is_empty();
        }
        ordered.sort_by(|(a_root, a), (b_root, b)| (a.name, a_root).cmp(&(b.name, b_root)));
        for (index, (root, device)) in ordered.into_iter().enumerate() {
            id_of_root.insert(root, DeviceId(u32::try_from(index).unwrap_or(u32::MAX)));
            inventory.devices.push(device);
        }
        let id_of_key: HashMap<Key<'a>, DeviceId> =
            keys.iter().enumerate().map(|(index, key)| (*key, id_of_root[&roots[index]])).collect();
        inventory.by_reference =
            references.into_iter().map(|(reference, key)| (reference, id_of_key[&key])).collect();
        inventory.index();
        inventory.adopt(collections);
        inventory
    }

    /// A device that does not tell its addresses (a Proxmox node's API does not) has the one that ARP, a lease or a scan shows
    /// at the address it is read at.
    fn adopt(&mut self, collections: &[&'a Collection]) {
        let mute: HashMap<IpAddr, DeviceId> = self
            .by_address
            .iter()
            .filter_map(|(address, id)| Some((*address, (*id)?)))
            .filter(|(_, id)| self.get(*id).is_some_and(|device| device.macs.is_empty()))
            .collect();
        if mute.is_empty() {
            return;
        }
        let mut seen: BTreeMap<IpAddr, BTreeSet<MacAddr>> = BTreeMap::new();
        for fact in collections.iter().flat_map(|collection| &collection.facts) {
            let (mac, address) = match fact {
                Fact::Neighbor { mac, address, .. } | Fact::ScanReply { mac: Some(mac), address, .. } => {
                    (*mac, *address)
                }
                Fact::DhcpLease(LeaseFact {
                    mac, address: Some(address), state: LeaseState::Bound, ..
                }) => (*mac, *address),
                _ => continue,
            };
            if mac.is_host() && mute.contains_key(&address) && !self.is_own(mac) {
                seen.entry(address).or_default().insert(mac);
            }
        }
        for (address, macs) in seen {
            if let (Some(mac), Some(id)) = (text::only(macs.into_iter()), mute.get(&address))
                && let Some(device) = self.devices.get_mut(id.0 as usize)
            {
                device.macs.insert(mac);
                self.by_mac.entry(mac).and_modify(|owner| *owner = SHARED).or_insert(*id);
            }
        }
    }

    fn index(&mut self) {
        fn unique<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Option<DeviceId>>, key: K, id: DeviceId) {
            map.entry(key)
                .and_modify(|known| {
                    if *known != Some(id) {
                        *known = None;
                    }
                })
                .or_insert(Some(id));
        }
        let mut by_mac: HashMap<MacAddr, Option<DeviceId>> = HashMap::new();
        for (index, device) in self.devices.iter().enumerate() {
            let id = DeviceId(u32::try_from(index).unwrap_or(u32::MAX));
            for mac in &device.macs {
                unique(&mut by_mac, *mac, id);
            }
            let own = device.facts.iter().filter_map(|(_, fact)| fact.own_name.as_deref());
            for name in device.names.iter().copied().chain(own) {
                for form in text::name_forms(name) {
                    unique(&mut self.by_name, form, id);
                }
            }
            let on_interfaces = device.interfaces.values().flat_map(|fact| &fact.addresses);
            for address in on_interfaces.filter(|address| addresses::is_host_address(**address)) {
                unique(&mut self.by_address, *address, id);
            }
            for (_, fact) in &device.facts {
                if let Some(address) = fact.address {
                    unique(&mut self.by_address, address, id);
                }
                if let Some(serial) = text::serial(fact.serial.as_deref()) {
                    unique(&mut self.by_serial, serial.to_ascii_lowercase(), id);
                }
                if let Some(chassis) = &fact.chassis_id {
                    unique(&mut self.by_chassis, chassis.to_ascii_lowercase(), id);
                }
            }
        }
        // An address that two devices claim says nothing about where either is, but it is no host either.
        self.by_mac = by_mac.into_iter().map(|(mac, id)| (mac, id.unwrap_or(SHARED))).collect();
    }

    /// All devices with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (DeviceId, &Device<'a>)> {
        self.devices
            .iter()
            .enumerate()
            .map(|(index, device)| (DeviceId(u32::try_from(index).unwrap_or(u32::MAX)), device))
    }

    /// Number of devices.
    pub(super) fn len(&self) -> usize {
        self.devices.len()
    }

    /// The device with this number.
    pub(super) fn get(&self, id: DeviceId) -> Option<&Device<'a>> {
        self.devices.get(id.0 as usize)
    }

    /// Its name; empty for a number that does not exist.
    pub(super) fn name(&self, id: DeviceId) -> &'a str {
        self.get(id).map_or("", |device| device.name)
    }

    /// The device that this source calls so.
    pub(super) fn referred(&self, source: &str, name: &str) -> Option<DeviceId> {
        self.by_reference.get(&(source, name)).copied()
    }

    /// The only device that has this address.
    pub(super) fn owner(&self, mac: MacAddr) -> Option<DeviceId> {
        self.by_mac.get(&mac).copied().filter(|id| *id != SHARED)
    }

    /// Whether any device has this address: then it is no host.
    pub(super) fn is_own(&self, mac: MacAddr) -> bool {
        self.by_mac.contains_key(&mac)
    }

    /// The device with this name, in full or up to the first dot, if only one has it.
    pub(super) fn named(&self, name: &str) -> Option<DeviceId> {
        text::name_forms(name).into_iter().find_map(|form| self.by_name.get(&form).copied().flatten())
    }

    /// The device that a source or NetBox calls exactly so (case aside), if only one is.
    pub(super) fn called(&self, name: &str) -> Option<DeviceId> {
        let called =
            self.iter().filter(|(_, device)| device.names.iter().any(|own| own.eq_ignore_ascii_case(name)));
        text::only(called.map(|(id, _)| id)).or_else(|| self.named(name))
    }

    /// The device that announces this chassis id.
    pub(super) fn chassis(&self, chassis: &str) -> Option<DeviceId> {
        self.by_chassis.get(&chassis.to_ascii_lowercase()).copied().flatten()
    }

    /// The device with this serial number; also where it is in brackets behind a name, as NX-OS sends it by CDP.
    pub(super) fn with_serial(&self, text: &str) -> Option<DeviceId> {
        let bracketed = text.split_once('(').and_then(|(_, rest)| rest.trim_end().strip_suffix(')'));
        let mut texts = std::iter::once(text).chain(bracketed);
        texts.find_map(|text| {
            let serial = text::serial(Some(text))?.to_ascii_lowercase();
            self.by_serial.get(&serial).copied().flatten()
        })
    }

    /// The device that is read at this address, or has it.
    pub(super) fn at(&self, address: IpAddr) -> Option<DeviceId> {
        self.by_address.get(&address).copied().flatten()
    }
}

/// Stands for "more than one device" in the index of addresses.
const SHARED: DeviceId = DeviceId(u32::MAX);

/// Clusters by (source, device), where a device fact names one.
fn clusters_of<'a>(collections: &[&'a Collection]) -> BTreeMap<(&'a str, &'a str), &'a str> {
    let mut clusters = BTreeMap::new();
    for &collection in collections {
        for fact in &collection.facts {
            if let Fact::Device(DeviceFact { device, cluster: Some(cluster), .. }) = fact {
                let known = clusters.entry((collection.source.as_str(), device.as_str()));
                let known = known.or_insert(cluster.as_str());
                *known = (*known).min(cluster);
            }
        }
    }
    clusters
}

/// Which raw devices are one machine, as the index of the first: proven by one serial number, or by one chassis id or
/// base address while serial numbers do not contradict (restored backups clone addresses, not serial numbers).
fn same_machine(devices: &[&Device<'_>]) -> Vec<usize> {
    let mut roots: Vec<usize> = (0..devices.len()).collect();
    let mut serials: Vec<BTreeSet<&str>> = devices
        .iter()
        .map(|device| {
            device.facts.iter().filter_map(|(_, fact)| text::serial(fact.serial.as_deref())).collect()
        })
        .collect();
    let mut proofs: BTreeMap<(u8, String), Vec<usize>> = BTreeMap::new();
    for (index, device) in devices.iter().enumerate() {
        for (_, fact) in &device.facts {
            if let Some(serial) = text::serial(fact.serial.as_deref()) {
                proofs.entry((0, serial.to_owned())).or_default().push(index);
            }
            if let Some(chassis) = &fact.chassis_id {
                proofs.entry((1, chassis.to_ascii_lowercase())).or_default().push(index);
            }
            for mac in fact.macs.iter().filter(|mac| mac.is_host() && !mac.is_locally_administered()) {
                proofs.entry((2, mac.lower())).or_default().push(index);
            }
        }
    }
    for members in proofs.values() {
        for pair in members.windows(2) {
            let (a, b) = (root(&roots, pair[0]), root(&roots, pair[1]));
            let contradict =
                !serials[a].is_empty() && !serials[b].is_empty() && serials[a].is_disjoint(&serials[b]);
            if a == b || contradict {
                continue;
            }
            let (low, high) = (a.min(b), a.max(b));
            roots[high] = low;
            let moved = std::mem::take(&mut serials[high]);
            serials[low].extend(moved);
        }
    }
    (0..devices.len()).map(|index| root(&roots, index)).collect()
}

/// The sources that read a forwarding table by which the device forwards for others.
fn tables_of<'a>(device: &Device<'a>) -> BTreeSet<&'a str> {
    let outer: BTreeSet<_> =
        device.learned_on.iter().copied().filter(|(port, _)| leads_out(device, *port)).collect();
    if is_leaf(device, &outer) {
        return BTreeSet::new();
    }
    outer.into_iter().map(|(_, source)| source).collect()
}

/// Whether frames of a port leave the device. A server with containers has a bridge too; but where there are sockets, virtual ports
/// lead to what is inside, and such a table does not make it a switch: it hangs on a port itself.
fn leads_out(device: &Device<'_>, port: Option<&str>) -> bool {
    let is_virtual =
        |name| device.interfaces.get(name).is_some_and(|fact: &InterfaceFact| fact.kind == PortKind::Virtual);
    let has_sockets = || device.interfaces.values().any(|fact| fact.kind == PortKind::Physical);
    !(port.is_some_and(is_virtual) && has_sockets())
}

/// Whether a server's bridges lead out by one socket or aggregate each: then they forward for what runs on it and for nobody else,
/// and what they learned out there is behind the port that it hangs on.
fn is_leaf(device: &Device<'_>, outer: &BTreeSet<(Option<&str>, &str)>) -> bool {
    if !matches!(device.role, Some(DeviceRole::Hypervisor | DeviceRole::Other)) {
        return false;
    }
    let mut ways: BTreeMap<&str, &str> = BTreeMap::new();
    outer.iter().all(|(port, _)| {
        let fact = port.and_then(|port| device.interfaces.get(text::socket_of(device, port)));
        let lag = fact.and_then(|fact| device.interfaces.get(fact.lag.as_deref()?));
        let Some(way) = lag.or(fact) else { return false };
        let is_way = matches!(way.kind, PortKind::Physical | PortKind::Lag);
        is_way && *ways.entry(way.bridge.as_deref().unwrap_or_default()).or_insert(&way.name) == way.name
    })
}

fn root(roots: &[usize], mut index: usize) -> usize {
    while roots[index] != index {
        index = roots[index];
    }
    index
}

fn merge_device<'a>(into: &mut Device<'a>, from: Device<'a>) {
    into.names.extend(from.names);
    into.facts.extend(from.facts);
    into.sources.extend(from.sources);
    into.macs.extend(from.macs);
    into.learned_on.extend(from.learned_on);
    for (name, fact) in from.interfaces {
        merge_interface(into.interfaces.entry(name).or_insert_with(|| fact.clone()), &fact);
    }
}

/// Fills what is missing; where two sources differ the smaller value stays, so that their order does not matter.
fn merge_interface(into: &mut InterfaceFact, from: &InterfaceFact) {
    fn fill<T: Ord + Clone>(into: &mut Option<T>, from: Option<&T>) {
        if let Some(from) = from
            && into.as_ref().is_none_or(|known| from < known)
        {
            *into = Some(from.clone());
        }
    }
    fill(&mut into.if_index, from.if_index.as_ref());
    fill(&mut into.mac, from.mac.as_ref());
    fill(&mut into.alias, from.alias.as_ref());
    fill(&mut into.speed_mbps, from.speed_mbps.as_ref());
    fill(&mut into.enabled, from.enabled.as_ref());
    fill(&mut into.up, from.up.as_ref());
    fill(&mut into.lag, from.lag.as_ref());
    fill(&mut into.bridge, from.bridge.as_ref());
    fill(&mut into.pvid, from.pvid.as_ref());
    fill(&mut into.description, from.description.as_ref());
    fill(&mut into.voice_vlan, from.voice_vlan.as_ref());
    for address in &from.addresses {
        if !into.addresses.contains(address) {
            into.addresses.push(*address);
        }
    }
    into.addresses.sort_unstable();
    // The default is Physical: anything else is something a source found out.
    if from.kind != PortKind::Physical && (into.kind == PortKind::Physical || from.kind < into.kind) {
        into.kind = from.kind;
    }
}

/// Rank of a role: what a machine is first of all, where sources differ.
const fn telling(role: DeviceRole) -> u8 {
    match role {
        DeviceRole::Hypervisor => 0,
        DeviceRole::Router => 1,
        DeviceRole::AccessPoint => 2,
        DeviceRole::Switch => 3,
        DeviceRole::Other => 4,
    }
}
