//! Which addresses belong to one machine. Grouped only on proof: ports of one known device, cards of one guest, one LLDP chassis.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::inventory::{DeviceId, Inventory};
use super::neighbors::Heard;
use crate::model::observation::{DeviceRole, GuestFact, NeighborProtocol};
use crate::model::{Collection, Fact, MacAddr};

/// Index of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MachineId(pub u32);

/// A guest as one or several sources report it.
#[derive(Debug)]
pub(super) struct Guest<'a> {
    /// The sources that report it.
    pub sources: BTreeSet<&'a str>,
    /// The report that counts: of a node that could be asked, where there is one.
    pub fact: &'a GuestFact,
    /// The known device that is its node.
    pub node: Option<DeviceId>,
    /// Its cards' addresses.
    pub macs: BTreeSet<MacAddr>,
}

/// A machine with more than one address, or one that a source knows by more than its address.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// The known device it is.
    pub device: Option<DeviceId>,
    /// Index of the guest it is.
    pub guest: Option<usize>,
    /// Its addresses.
    pub macs: BTreeSet<MacAddr>,
    /// The machine it runs on.
    pub node: Option<MachineId>,
}

/// All machines that are more than a single address.
#[derive(Debug, Default)]
pub(super) struct Machines<'a> {
    /// The machines.
    pub all: Vec<Machine>,
    /// All guests, sorted by cluster and number.
    pub guests: Vec<Guest<'a>>,
    of: HashMap<MacAddr, MachineId>,
    of_device: HashMap<DeviceId, MachineId>,
    /// The guests on each node, by position.
    on_node: BTreeMap<DeviceId, Vec<usize>>,
}

impl<'a> Machines<'a> {
    /// Groups addresses; known devices first, then guests, then what neighbours announce.
    pub(super) fn new(
        inventory: &Inventory<'a>,
        collections: &[&'a Collection],
        heard: &[Heard<'a>],
    ) -> Self {
        let mut machines = Self { guests: guests(inventory, collections), ..Self::default() };
        for (id, device) in inventory.iter() {
            let macs = device.macs.iter().copied().filter(|mac| inventory.owner(*mac) == Some(id)).collect();
            let machine = machines.add(Machine { device: Some(id), macs, ..Machine::default() });
            machines.of_device.insert(id, machine);
        }
        for index in 0..machines.guests.len() {
            machines.add_guest(index, inventory);
            if let Some(node) = machines.guests[index].node {
                machines.on_node.entry(node).or_default().push(index);
            }
        }
        for machine in 0..machines.all.len() {
            let guest = machines.all[machine].guest.and_then(|guest| machines.guests.get(guest));
            let node =
                guest.and_then(|guest| guest.node).and_then(|node| machines.of_device.get(&node).copied());
            machines.all[machine].node = node;
        }
        machines.add_neighbors(heard);
        machines
    }

    /// The machine with this address, if it is more than that address.
    pub(super) fn of(&self, mac: MacAddr) -> Option<MachineId> {
        self.of.get(&mac).copied()
    }

    /// The machine with this index.
    pub(super) fn get(&self, id: MachineId) -> Option<&Machine> {
        self.all.get(id.0 as usize)
    }

    /// Whether two addresses are on one machine, or one on a guest of the other's.
    pub(super) fn together(&self, mac: MacAddr, other: MacAddr) -> bool {
        if mac == other {
            return true;
        }
        match (self.of(mac), self.of(other)) {
            (Some(a), Some(b)) => a == b || self.get(b).and_then(|machine| machine.node) == Some(a),
            _ => false,
        }
    }

    /// Whether this address is the node's own or of a guest on it.
    pub(super) fn is_on_node(&self, mac: MacAddr, node: DeviceId) -> bool {
        let Some(node) = self.of_device.get(&node) else { return false };
        let machine = self.of(mac).and_then(|id| Some((id, self.get(id)?)));
        machine.is_some_and(|(id, machine)| id == *node || machine.node == Some(*node))
    }

    /// The guests on this node.
    pub(super) fn guests_on(&self, node: DeviceId) -> impl Iterator<Item = &Guest<'a>> {
        self.on_node.get(&node).into_iter().flatten().filter_map(|index| self.guests.get(*index))
    }

    fn add(&mut self, machine: Machine) -> MachineId {
        let id = MachineId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        for mac in &machine.macs {
            self.of.entry(*mac).or_insert(id);
        }
        self.all.push(machine);
        id
    }

    /// A guest may be a device that a source reads, such as a virtual router: then it is one machine, and a guest.
    fn add_guest(&mut self, index: usize, inventory: &Inventory<'_>) {
        let macs = self.guests[index].macs.clone();
        let may_be = |id: &MachineId| {
            let machine = &self.all[id.0 as usize];
            let role = machine.device.and_then(|device| inventory.get(device)).and_then(|device| device.role);
            machine.guest.is_none() && role != Some(DeviceRole::Hypervisor)
        };
        let device = macs.iter().filter_map(|mac| self.of(*mac)).find(may_be);
        // A clone with the same addresses stays a machine of its own, without them.
        match device {
            Some(id) => {
                for mac in macs {
                    self.of.entry(mac).or_insert(id);
                    self.all[id.0 as usize].macs.insert(mac);
                }
                self.all[id.0 as usize].guest = Some(index);
            }
            None => {
                self.add(Machine { guest: Some(index), macs, ..Machine::default() });
            }
        }
    }

    /// The chassis and port addresses that one LLDP speaker announces are one machine, unless they are known to be of two.
    fn add_neighbors(&mut self, heard: &[Heard<'a>]) {
        let mut chassis: BTreeMap<String, BTreeSet<MacAddr>> = BTreeMap::new();
        for heard in heard.iter().filter(|heard| heard.fact.protocol == NeighborProtocol::Lldp) {
            let id = heard.fact.chassis_mac.map(MacAddr::lower).or_else(|| heard.fact.chassis_id.clone());
            if let Some(id) = id {
                chassis.entry(id).or_default().extend(heard.macs());
            }
        }
        for macs in chassis.into_values().filter(|macs| macs.len() >= 2) {
            let known: BTreeSet<MachineId> = macs.iter().filter_map(|mac| self.of(*mac)).collect();
            match known.len() {
                0 => {
                    self.add(Machine { macs, ..Machine::default() });
                }
                1 => {
                    let Some(id) = known.first().copied() else { continue };
                    for mac in macs {
                        self.of.entry(mac).or_insert(id);
                        self.all[id.0 as usize].macs.insert(mac);
                    }
                }
                _ => {}
            }
        }
    }
}

fn guests<'a>(inventory: &Inventory<'a>, collections: &[&'a Collection]) -> Vec<Guest<'a>> {
    let mut guests: BTreeMap<(&str, u32), Guest<'a>> = BTreeMap::new();
    for &collection in collections {
        let source = collection.source.as_str();
        for fact in &collection.facts {
            let Fact::Guest(fact) = fact else { continue };
            let node = inventory.referred(source, &fact.node);
            let macs: BTreeSet<MacAddr> =
                fact.nics.iter().filter_map(|nic| nic.mac).filter(|mac| mac.is_host()).collect();
            let sources = BTreeSet::from([source]);
            match guests.entry((&fact.cluster, fact.id)) {
                std::collections::btree_map::Entry::Vacant(slot) => {
                    slot.insert(Guest { sources, fact, node, macs });
                }
                std::collections::btree_map::Entry::Occupied(mut slot) => {
                    let guest = slot.get_mut();
                    guest.sources.insert(source);
                    guest.macs.extend(macs);
                    if told(fact) < told(guest.fact) {
                        guest.fact = fact;
                        guest.node = node;
                    } else if guest.node.is_none() && guest.fact.node == fact.node {
                        guest.node = node;
                    }
                }
            }
        }
    }
    guests.into_values().collect()
}

/// Orders reports of one guest: the node that runs it says most; the text breaks ties, so that order does not matter.
fn told(fact: &GuestFact) -> (u8, String) {
    let state = match fact.running {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    };
    (state, format!("{fact:?}"))
}
