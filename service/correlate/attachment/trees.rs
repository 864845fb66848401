//! Redundant paths. Where spanning tree runs once for every VLAN or group of VLANs (MSTP, IEEE 802.1Q 13; PVST), frames of one VLAN go
//! another way than those of the next, and one port to another switch is as right as the other.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use super::inference::Sight;
use super::rows::MacIndex;
use super::topology::Topology;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::neighbors::Heard;
use crate::correlate::ports::PortId;
use crate::model::observation::{DeviceRole, NeighborProtocol};

/// Hosts that tell which way frames of one VLAN go, and rows looked at to find them: bounds the work of one question.
const HOSTS_PER_VLAN: usize = 16;
const ROWS_LOOKED_AT: usize = 1024;

/// The switch that looks, the one looked for, and the VLAN.
type Question = (DeviceId, DeviceId, Option<u16>);

/// Addresses that are surely on a switch, and where another one learned them.
type Ways = Vec<(MacIndex, PortId)>;

/// Switches as announcements link them: known devices by their number, then strangers.
#[derive(Debug, Default)]
pub(super) struct Trees {
    links: Vec<Vec<usize>>,
    /// Where each port leads directly.
    over: HashMap<PortId, Vec<usize>>,
    reached: RefCell<HashMap<PortId, Vec<bool>>>,
    ways: RefCell<HashMap<Question, Ways>>,
}

impl Trees {
    /// Learns who announced itself to whom.
    pub(super) fn new(inventory: &Inventory<'_>, heard: &[Heard<'_>]) -> Self {
        let mut strangers: BTreeMap<String, usize> = BTreeMap::new();
        let mut trees = Self { links: vec![Vec::new(); inventory.len()], ..Self::default() };
        for heard in heard.iter().filter(|heard| heard.fact.protocol != NeighborProtocol::Mndp) {
            let Some(port) = heard.port else { continue };
            let there = match heard.speaker.and_then(|id| Some((id, inventory.get(id)?))) {
                Some((id, device)) if device.has_table || device.role == Some(DeviceRole::Switch) => {
                    id.0 as usize
                }
                None if heard.is_switch() => {
                    let who = heard.macs().next().map_or_else(|| heard.called(), |mac| mac.to_string());
                    let next = inventory.len() + strangers.len();
                    *strangers.entry(who).or_insert(next)
                }
                _ => continue,
            };
            trees.links.resize(trees.links.len().max(there + 1), Vec::new());
            let here = heard.device.0 as usize;
            trees.links[here].push(there);
            trees.links[there].push(here);
            trees.over.entry(port).or_default().push(there);
        }
        trees
    }

    /// Whether this port of `from` leads to `to` over some cables that announcements show, without coming back to `from`.
    pub(super) fn reaches(&self, from: DeviceId, port: PortId, to: DeviceId) -> bool {
        let Some(over) = self.over.get(&port) else { return false };
        let mut reached = self.reached.borrow_mut();
        let reached = reached.entry(port).or_insert_with(|| {
            let mut reached = vec![false; self.links.len()];
            reached[from.0 as usize] = true;
            let mut open = over.clone();
            while let Some(at) = open.pop() {
                if !std::mem::replace(&mut reached[at], true) {
                    open.extend(&self.links[at]);
                }
            }
            reached
        });
        reached.get(to.0 as usize).copied().unwrap_or(false)
    }
}

impl Topology {
    /// Whether an address that is on `to` cannot be learned on this port of `from`, which usually has `to` in another direction. It
    /// can, if there is another way to `to` over this port and nothing shows that frames of this VLAN go the usual one.
    pub(super) fn contradicts(
        &self,
        sight: &Sight<'_>,
        mac: Option<MacIndex>,
        from: DeviceId,
        port: PortId,
        to: DeviceId,
    ) -> bool {
        if !self.trees.reaches(from, port, to) {
            return true;
        }
        let vlan = mac.and_then(|mac| sight.rows.vlan(mac, port));
        let mut ways = self.trees.ways.borrow_mut();
        let ways = ways.entry((from, to, vlan)).or_insert_with(|| self.ways(sight, from, to, vlan));
        let mut others = ways.iter().filter(|(other, _)| Some(*other) != mac).peekable();
        others.peek().is_some() && others.all(|(_, way)| *way != port)
    }

    /// Where `from` learned addresses that are surely on `to`, in one VLAN: its own ones and those on its edge ports.
    fn ways(&self, sight: &Sight<'_>, from: DeviceId, to: DeviceId, vlan: Option<u16>) -> Ways {
        let edge = sight.ports.of(to).map(PortId).filter(|port| !self.is_inter_switch(*port));
        let hosts = edge.flat_map(|port| sight.rows.behind(port)).copied();
        let known = self.own(to).chain(hosts).take(ROWS_LOOKED_AT).filter_map(|mac| {
            let port = sight.learned(from, mac)?;
            (sight.rows.vlan(mac, port) == vlan).then_some((mac, port))
        });
        known.take(HOSTS_PER_VLAN).collect()
    }
}
