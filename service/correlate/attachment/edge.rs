//! The edge port of one address, from the ports that learned it and what is known to lie behind them.

use std::collections::{BTreeSet, HashMap};

use super::rows::{MacIndex, Rows};
use super::topology::Topology;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::machines::Machines;
use crate::correlate::neighbors::Heard;
use crate::correlate::ports::{PortId, Ports};
use crate::model::MacAddr;
use crate::model::observation::{Capability, DeviceRole, NeighborProtocol, PortKind};

/// So much longer than elsewhere an address must have been silent on a port to have moved away from it. An address that is used
/// twice sends on both ports; a switch that forwards a frame for it notes the time on one.
const MOVED_SECONDS: u32 = 60;

/// Where an address hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::correlate) enum Placement {
    /// No forwarding table has it and no neighbour announced it.
    Unseen,
    /// Only ports between switches learned it.
    BetweenSwitches(Vec<PortId>),
    /// On or behind this port.
    At(Place),
}

/// An edge port, and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::correlate) struct Place {
    /// The port.
    pub port: PortId,
    /// The VLAN, where only one.
    pub vlan: Option<u16>,
    /// Why no cable follows from it; none if the machine is alone on the port.
    pub shared: Option<Shared>,
    /// Other ports that claim it too. Without a contradiction, if `shared` says that all of them lead to the same place.
    pub competing: Vec<PortId>,
    /// Whether a neighbour announcement says so, not only a table.
    pub announced: bool,
    /// How many tables of other switches have it in this direction.
    pub agreeing: usize,
    /// It is the telephone on a port that a computer behind it shares.
    pub is_telephone: bool,
}

/// Why a place is no cable end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::correlate) enum Shared {
    /// So many addresses are on the port, this one included.
    Addresses(usize),
    /// It is behind this bridge, whose table was not read.
    BehindUnread(String),
    /// It is behind this telephone, access point or other machine, or beside it.
    Behind(String),
    /// It is behind this address, which only the VLAN of telephones has.
    BehindTelephone(MacAddr),
    /// NetBox documents a cable to another network device there.
    DocumentedUplink,
    /// Not a socket.
    Kind(PortKind),
    /// The device names a port that its other tables do not explain.
    Unresolved,
    /// The port has no link: the row is stale.
    Down,
    /// Several ports claim it.
    SeveralPorts,
}

/// What is known to lie behind a port.
#[derive(Debug, Default, Clone)]
pub(in crate::correlate) struct Behind {
    /// Names of bridges whose tables were not read.
    pub unread: BTreeSet<String>,
    /// Names of such bridges whose own address is on other ports too, so that they may be behind those.
    pub perhaps: BTreeSet<String>,
    /// Names of telephones and access points.
    pub leaves: BTreeSet<String>,
    /// NetBox has a connected cable to a network device there.
    pub documented: bool,
    /// The addresses of those bridges, telephones and access points themselves.
    pub themselves: BTreeSet<MacAddr>,
    /// The one machine that announced itself there, if it is one.
    pub adjacent: Adjacent,
    /// What those are called who announced themselves over the cable.
    pub announcers: BTreeSet<String>,
    /// Addresses of machines whose announcements came from somewhere behind the port.
    pub distant: Vec<BTreeSet<MacAddr>>,
}

/// Who announced itself over the cable.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::correlate) enum Adjacent {
    /// Nobody.
    #[default]
    Nobody,
    /// One machine, with its addresses, and whether others can be behind it.
    One(BTreeSet<MacAddr>, bool),
    /// Several: something in between forwards announcements.
    Several,
}

/// Everything that places addresses.
pub(in crate::correlate) struct Edge<'r, 'a> {
    /// The ports.
    pub ports: &'r Ports,
    /// The forwarding rows.
    pub rows: &'r Rows,
    /// Directions between switches.
    pub topology: &'r Topology,
    /// The machines.
    pub machines: &'r Machines<'a>,
    behind: HashMap<PortId, Behind>,
    /// The ports that lead to each bridge whose table was not read.
    sides: HashMap<String, BTreeSet<PortId>>,
    announced: HashMap<MacAddr, BTreeSet<PortId>>,
    heard_on: HashMap<DeviceId, BTreeSet<PortId>>,
}

impl<'r, 'a> Edge<'r, 'a> {
    /// Learns what lies behind the ports: what was heard there, what NetBox documents, and unread devices by their addresses.
    pub(in crate::correlate) fn new(
        inventory: &Inventory<'a>,
        ports: &'r Ports,
        rows: &'r Rows,
        topology: &'r Topology,
        machines: &'r Machines<'a>,
        heard: &[Heard<'a>],
        documented: &BTreeSet<PortId>,
    ) -> Self {
        let mut edge = Self {
            ports,
            rows,
            topology,
            machines,
            behind: HashMap::new(),
            sides: HashMap::new(),
            announced: HashMap::new(),
            heard_on: HashMap::new(),
        };
        for port in documented {
            edge.behind.entry(*port).or_default().documented = true;
        }
        for heard in heard {
            if let Some(port) = heard.port {
                edge.hear(inventory, heard, port);
            }
        }
        let unread = inventory.iter().filter(|(_, device)| {
            !device.has_table && matches!(device.role, Some(DeviceRole::Switch | DeviceRole::AccessPoint))
        });
        let mut found: Vec<(PortId, DeviceId, bool)> = Vec::new();
        for (id, device) in unread {
            for mac in device.macs.iter().filter(|mac| inventory.owner(**mac) == Some(id)) {
                if let Placement::At(place) = edge.place(*mac) {
                    let sure = place.competing.is_empty();
                    let ports = std::iter::once(place.port).chain(place.competing);
                    let edge = ports.filter(|port| !topology.is_inter_switch(*port));
                    found.extend(edge.map(|port| (port, id, sure)));
                }
            }
        }
        for (port, id, sure) in found {
            let behind = edge.behind.entry(port).or_default();
            let names = if sure { &mut behind.unread } else { &mut behind.perhaps };
            names.insert(inventory.name(id).to_owned());
            behind
                .themselves
                .extend(inventory.get(id).into_iter().flat_map(|device| device.macs.iter().copied()));
        }
        for (port, behind) in &edge.behind {
            for name in &behind.unread {
                edge.sides.entry(name.clone()).or_default().insert(*port);
            }
        }
        edge
    }

    fn hear(&mut self, inventory: &Inventory<'_>, heard: &Heard<'_>, port: PortId) {
        let speaker = heard.speaker.and_then(|id| inventory.get(id));
        let name = speaker.map_or_else(|| heard.called(), |device| device.name.to_owned());
        let behind = self.behind.entry(port).or_default();
        let role = speaker.and_then(|device| device.role);
        if heard.fact.protocol == NeighborProtocol::Lacp && speaker.is_none() {
            return; // A server bonds its cards as well as a switch does.
        }
        let leaf = heard.can(Capability::Telephone)
            || heard.can(Capability::WlanAccessPoint)
            || role == Some(DeviceRole::AccessPoint);
        // A hypervisor announces itself as a bridge, which it is for its guests: they are its own.
        let node = role == Some(DeviceRole::Hypervisor);
        let switch = heard.is_switch() || role == Some(DeviceRole::Switch);
        let is_named = speaker.is_some() || heard.is_introduction();
        let name = if is_named { name } else { format!("the bridge {name}") };
        if leaf {
            behind.leaves.insert(name.clone());
        } else if switch && !node && !speaker.is_some_and(|device| device.has_table) {
            behind.unread.insert(name.clone());
        }
        let mut macs: BTreeSet<MacAddr> = heard.macs().collect();
        if let Some(device) = speaker {
            macs.extend(device.macs.iter().copied());
        }
        for mac in heard.macs().collect::<Vec<_>>() {
            if let Some(machine) = self.machines.of(mac).and_then(|id| self.machines.get(id)) {
                macs.extend(machine.macs.iter().copied());
            }
        }
        if leaf || switch {
            behind.themselves.extend(macs.iter().copied());
        }
        if !heard.is_adjacent() {
            if heard.is_introduction() && !macs.is_empty() {
                behind.distant.push(macs);
            }
            return;
        }
        behind.announcers.insert(name);
        if let Some(speaker) = heard.speaker {
            self.heard_on.entry(speaker).or_default().insert(port);
        } else {
            // Its port's address is what hangs on the port; the chassis address where it gives no other.
            let mac = heard.fact.port_mac.filter(|mac| mac.is_host()).or_else(|| heard.macs().next());
            if let Some(mac) = mac {
                self.announced.entry(mac).or_default().insert(port);
            }
        }
        let bridges = leaf || switch || node;
        behind.adjacent = match std::mem::take(&mut behind.adjacent) {
            Adjacent::Nobody => Adjacent::One(macs, bridges),
            Adjacent::One(mut known, bridging) => {
                let same = macs.is_empty() || known.is_empty() || !known.is_disjoint(&macs);
                known.extend(macs);
                if same { Adjacent::One(known, bridging || bridges) } else { Adjacent::Several }
            }
            Adjacent::Several => Adjacent::Several,
        };
    }

    /// The ports that lead to a bridge whose table was not read.
    pub(super) fn sides(&self, unread: &str) -> Option<&BTreeSet<PortId>> {
        self.sides.get(unread)
    }

    /// What lies behind a port.
    pub(in crate::correlate) fn behind(&self, port: PortId) -> Option<&Behind> {
        self.behind.get(&port)
    }

    /// The ports that heard this device over a cable.
    pub(in crate::correlate) fn heard_on(&self, device: DeviceId) -> impl Iterator<Item = PortId> + '_ {
        self.heard_on.get(&device).into_iter().flatten().copied()
    }

    /// Where this address hangs.
    pub(in crate::correlate) fn place(&self, mac: MacAddr) -> Placement {
        let index = self.rows.find(mac);
        let learned = index.map_or(&[][..], |index| self.rows.ports_of(index));
        let mut claims: Vec<PortId> =
            learned.iter().copied().filter(|port| !self.topology.is_inter_switch(*port)).collect();
        // What has a link before what has none, and what is outside of a machine before what is inside.
        let worth = |port: &PortId| (self.is_down(*port), self.is_inside(*port));
        if let Some(best) = claims.iter().map(worth).min() {
            claims.retain(|port| worth(port) == best);
        }
        if let (2.., Some(index)) = (claims.len(), index) {
            self.retain_recent(index, &mut claims);
        }
        self.retain_inner(&mut claims);
        let mut announced = false;
        if let Some(ports) = self.announced_on(mac) {
            if claims.is_empty() {
                claims = ports.iter().copied().filter(|port| !self.topology.is_inter_switch(*port)).collect();
            }
            announced = claims.iter().any(|port| ports.contains(port));
            if !announced {
                claims.extend(ports.iter().copied().filter(|port| self.is_empty_edge(*port)));
            }
        }
        let mut ranked: Vec<(usize, PortId)> =
            claims.into_iter().map(|port| (self.agreeing(learned, port), port)).collect();
        ranked.sort_unstable_by_key(|(agreeing, port)| (std::cmp::Reverse(*agreeing), *port));
        let Some(&(agreeing, port)) = ranked.first() else {
            return if learned.is_empty() {
                Placement::Unseen
            } else {
                Placement::BetweenSwitches(learned.to_vec())
            };
        };
        let claims: Vec<PortId> = ranked.iter().map(|(_, port)| *port).collect();
        let lawful = self.lawful(&claims);
        let right = if lawful.is_some() { claims.as_slice() } else { &claims[..1] };
        let mut competing = self.disagreeing(index, learned, right);
        let (shared, is_telephone) = match lawful {
            Some(shared) if competing.is_empty() => (Some(shared), false),
            None if competing.is_empty() && claims.len() == 1 => {
                self.beside_telephone(index, port, self.shared(mac, index, port))
            }
            _ => (Some(Shared::SeveralPorts), false),
        };
        competing.extend(claims.iter().skip(1));
        competing.sort_unstable();
        let vlan = index.and_then(|index| self.rows.vlan(index, port));
        Placement::At(Place { port, vlan, shared, competing, announced, agreeing, is_telephone })
    }

    /// Drops the ports where the address was clearly earlier than on another one. Ports that tell no age stay.
    fn retain_recent(&self, mac: MacIndex, claims: &mut Vec<PortId>) {
        let ages = claims.iter().filter_map(|port| self.rows.age(mac, *port));
        if let Some(youngest) = ages.min() {
            let limit = youngest.saturating_add(MOVED_SECONDS);
            claims.retain(|port| self.rows.age(mac, *port).is_none_or(|age| age <= limit));
        }
    }

    /// The ports that heard a stranger with this address over a cable.
    pub(in crate::correlate) fn announced_on(&self, mac: MacAddr) -> Option<&BTreeSet<PortId>> {
        self.announced.get(&mac)
    }

    /// Whether the port is known to have no link.
    pub(in crate::correlate) fn is_down(&self, port: PortId) -> bool {
        self.ports.get(port).is_some_and(|port| port.is_down)
    }

    /// Whether frames of other switches' hosts come in here, as far as neighbours and NetBox say.
    pub(super) fn is_uplink(&self, port: PortId) -> bool {
        self.behind.get(&port).is_some_and(|behind| behind.documented || !behind.unread.is_empty())
    }
}
