//! Ports as numbers: every place where a MAC can be learned or a neighbour heard, aggregates standing for their members.

use std::collections::BTreeMap;
use std::fmt;

use super::inventory::{DeviceId, Inventory};
use crate::model::Collection;
use crate::model::collection::FdbPort;
use crate::model::observation::PortKind;

/// Index of a port; ports are numbered in the order of device, then name, so a device's ports are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PortId(pub u32);

/// What a port is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum PortName {
    /// The name of an interface.
    Named(String),
    /// A number that the device's tables do not explain.
    Unresolved(u32),
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Unresolved(number) => write!(f, "unresolved port {number}"),
        }
    }
}

/// One port.
#[derive(Debug)]
pub(super) struct Port {
    /// Whose it is.
    pub device: DeviceId,
    /// Its name; of the aggregate, where it is a member of one.
    pub name: PortName,
    /// What it is.
    pub kind: PortKind,
    /// Its link is known to be down: what it learned is stale.
    pub is_down: bool,
    /// The VLAN that telephones on it are told to use.
    pub voice_vlan: Option<u16>,
}

/// All ports.
#[derive(Debug, Default)]
pub(super) struct Ports {
    all: Vec<Port>,
    by_name: BTreeMap<(DeviceId, PortName), PortId>,
    /// First port of each device, and one past the last.
    first: Vec<u32>,
}

impl Ports {
    /// Numbers every port of a forwarding table, every interface that heard a neighbour and every documented uplink.
    pub(super) fn new(
        inventory: &Inventory<'_>,
        collections: &[&Collection],
        extra: impl Iterator<Item = (DeviceId, PortName)>,
    ) -> Self {
        let mut by_name: BTreeMap<(DeviceId, PortName), PortId> = BTreeMap::new();
        for collection in collections {
            for port in collection.fdb.ports() {
                if let Some(key) = key_of(inventory, collection.source.as_str(), port) {
                    by_name.insert(key, PortId(0));
                }
            }
        }
        for (device, name) in extra {
            by_name.insert((device, aggregate(inventory, device, name)), PortId(0));
        }
        let mut ports = Vec::with_capacity(by_name.len());
        let mut first = vec![0_u32; inventory.len() + 1];
        for ((device, name), id) in &mut by_name {
            *id = PortId(u32::try_from(ports.len()).unwrap_or(u32::MAX));
            let interface = match name {
                PortName::Named(name) => {
                    inventory.get(*device).and_then(|device| device.interfaces.get(name.as_str()))
                }
                PortName::Unresolved(_) => None,
            };
            let kind = interface.map_or(PortKind::Physical, |interface| interface.kind);
            let is_down = interface.is_some_and(|interface| interface.up == Some(false));
            // A port that others are members of is an aggregate whatever else it was taken for.
            let has_members = matches!(name, PortName::Named(name) if inventory.get(*device).is_some_and(|device| {
                device.interfaces.values().any(|interface| interface.lag.as_deref() == Some(name) && interface.name != *name)
            }));
            ports.push(Port {
                device: *device,
                name: name.clone(),
                kind: if has_members { PortKind::Lag } else { kind },
                is_down,
                voice_vlan: interface.and_then(|interface| interface.voice_vlan),
            });
            if let Some(count) = first.get_mut(device.0 as usize + 1) {
                *count += 1;
            }
        }
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        Self { all: ports, by_name, first }
    }

    /// Number of ports.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The port with this number.
    pub(super) fn get(&self, id: PortId) -> Option<&Port> {
        self.all.get(id.0 as usize)
    }

    /// Its device.
    pub(super) fn device(&self, id: PortId) -> DeviceId {
        self.get(id).map_or(DeviceId(u32::MAX), |port| port.device)
    }

    /// Its name in words.
    pub(super) fn name(&self, id: PortId) -> String {
        self.get(id).map(|port| port.name.to_string()).unwrap_or_default()
    }

    /// The numbers of this device's ports.
    pub(super) fn of(&self, device: DeviceId) -> std::ops::Range<u32> {
        let index = device.0 as usize;
        match (self.first.get(index), self.first.get(index + 1)) {
            (Some(first), Some(end)) => *first..*end,
            _ => 0..0,
        }
    }

    /// The port of a device by its name, or by a member's name.
    pub(super) fn find(&self, inventory: &Inventory<'_>, device: DeviceId, name: &str) -> Option<PortId> {
        let name = aggregate(inventory, device, PortName::Named(name.to_owned()));
        self.by_name.get(&(device, name)).copied()
    }

    /// For each port of a collection's forwarding table, its number here.
    pub(super) fn translate(
        &self,
        inventory: &Inventory<'_>,
        collection: &Collection,
    ) -> Vec<Option<PortId>> {
        let source = collection.source.as_str();
        let ports = collection.fdb.ports().iter();
        ports.map(|port| self.by_name.get(&key_of(inventory, source, port)?).copied()).collect()
    }
}

fn key_of(inventory: &Inventory<'_>, source: &str, port: &FdbPort) -> Option<(DeviceId, PortName)> {
    let device = inventory.referred(source, &port.device)?;
    let name = match &port.port {
        Ok(name) => PortName::Named(name.clone()),
        Err(number) => PortName::Unresolved(*number),
    };
    Some((device, aggregate(inventory, device, name)))
}

/// The aggregate (IEEE 802.1AX) that stands for a member port; the port itself otherwise.
fn aggregate(inventory: &Inventory<'_>, device: DeviceId, name: PortName) -> PortName {
    let PortName::Named(member) = &name else { return name };
    let interface = inventory.get(device).and_then(|device| device.interfaces.get(member.as_str()));
    match interface.and_then(|interface| interface.lag.as_deref()) {
        Some(lag) if !lag.is_empty() => PortName::Named(lag.to_owned()),
        _ => name,
    }
}
