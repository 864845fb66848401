//! Which port of a switch leads to which other switch: from neighbours, from switches' own addresses in forwarding tables, and
//! where those are silent from the hosts behind the ports. Frames follow a tree (IEEE 802.1D), so a switch lies behind
//! exactly one port of another.

use super::inference::Sight;
use super::rows::{MacIndex, Rows};
use super::trees::Trees;
use crate::correlate::inventory::{DeviceId, Inventory};
use crate::correlate::neighbors::Heard;
use crate::correlate::ports::{PortId, Ports};
use crate::correlate::text;

/// Where other switches lie, as seen from each switch.
#[derive(Debug, Default)]
pub(in crate::correlate) struct Topology {
    /// Sorted (from, to, port).
    facing: Vec<(DeviceId, DeviceId, PortId)>,
    first: Vec<u32>,
    /// Those of them that forwarding tables show by the other device's own address, devices without a table included.
    sighted: Vec<(DeviceId, DeviceId, PortId)>,
    /// Those that announcements show.
    heard: Vec<(DeviceId, DeviceId, PortId)>,
    inter_switch: Vec<bool>,
    switches: Vec<DeviceId>,
    /// Own addresses of devices that some table has, sorted.
    own: Vec<(DeviceId, MacIndex)>,
    /// Which ways there are, beside the ones that frames go.
    pub(super) trees: Trees,
}

/// The port that leads from one switch to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::correlate) enum Facing {
    /// Nothing says.
    Unknown,
    /// This one.
    One(PortId),
    /// Several signs disagree, or there are parallel paths.
    Several,
}

impl Topology {
    /// Infers the directions between all switches whose tables were read.
    pub(in crate::correlate) fn new(
        inventory: &Inventory<'_>,
        ports: &Ports,
        rows: &Rows,
        heard: &[Heard<'_>],
    ) -> Self {
        let switches: Vec<DeviceId> =
            inventory.iter().filter(|(_, device)| device.has_table).map(|(id, _)| id).collect();
        let mut sighted = Vec::new();
        let mut own = Vec::new();
        for (id, device) in inventory.iter() {
            for mac in device.macs.iter().filter(|mac| inventory.owner(**mac) == Some(id)) {
                let Some(mac) = rows.find(*mac) else { continue };
                own.push((id, mac));
                sighted.extend(rows.ports_of(mac).iter().map(|port| (ports.device(*port), id, *port)));
            }
        }
        sighted.sort_unstable();
        sighted.dedup();
        own.sort_unstable();
        let trees = Trees::new(inventory, heard);
        let with_table = |id: DeviceId| inventory.get(id).is_some_and(|device| device.has_table);
        let mut facing: Vec<_> = sighted.iter().copied().filter(|(_, to, _)| with_table(*to)).collect();
        let mut heard: Vec<_> = heard
            .iter()
            .filter_map(|heard| Some((heard.device, heard.speaker?, heard.port?)))
            .filter(|(_, speaker, _)| with_table(*speaker))
            .collect();
        heard.sort_unstable();
        heard.dedup();
        // A port that spanning tree blocks hears its neighbour and forwards nothing: frames go the way that tables show. So
        // a port without a single row says nothing about directions, and an empty one that is not blocked has none to give.
        facing.extend(heard.iter().copied().filter(|(_, _, port)| !rows.behind(*port).is_empty()));
        let inter_switch = vec![false; ports.len()];
        let first = Vec::new();
        let mut topology = Self { facing, first, sighted, heard, inter_switch, switches, own, trees };
        topology.settle(inventory.len());
        for index in 0..topology.facing.len() {
            topology.mark(topology.facing[index].2);
        }
        for index in 0..topology.heard.len() {
            topology.mark(topology.heard[index].2);
        }
        topology.infer(&Sight { ports, rows }, inventory.len());
        topology
    }

    /// Switches whose tables were read.
    pub(in crate::correlate) fn switches(&self) -> &[DeviceId] {
        &self.switches
    }

    /// Whether a switch whose table was read lies behind this port: then its hosts are that switch's to place.
    pub(in crate::correlate) fn is_inter_switch(&self, port: PortId) -> bool {
        self.inter_switch.get(port.0 as usize).copied().unwrap_or(false)
    }

    /// The port of `from` that leads to `to`.
    pub(in crate::correlate) fn facing(&self, from: DeviceId, to: DeviceId) -> Facing {
        let slice = self.seen_from(from);
        let start = slice.partition_point(|(_, known, _)| *known < to);
        match slice.get(start) {
            Some((_, known, port)) if *known == to => match slice.get(start + 1) {
                Some((_, next, _)) if *next == to => Facing::Several,
                _ => Facing::One(*port),
            },
            _ => Facing::Unknown,
        }
    }

    /// Whether a forwarding table shows an own address of `to` on this port.
    pub(in crate::correlate) fn is_sighted(&self, to: DeviceId, port: PortId, ports: &Ports) -> bool {
        self.sighted.binary_search(&(ports.device(port), to, port)).is_ok()
    }

    /// The only port of `from` where an own address of `to` was learned.
    pub(in crate::correlate) fn sighted_on(&self, from: DeviceId, to: DeviceId) -> Option<PortId> {
        let start = self.sighted.partition_point(|known| *known < (from, to, PortId(0)));
        let found = self.sighted.get(start..)?.iter().take_while(|(a, b, _)| (*a, *b) == (from, to));
        text::only(found.map(|(_, _, port)| *port))
    }

    /// Whether this port heard `to` announce itself.
    pub(in crate::correlate) fn is_heard(&self, to: DeviceId, port: PortId, ports: &Ports) -> bool {
        self.heard.binary_search(&(ports.device(port), to, port)).is_ok()
    }

    /// Every (from, to, port) of one switch, sorted by `to`.
    pub(in crate::correlate) fn seen_from(&self, from: DeviceId) -> &[(DeviceId, DeviceId, PortId)] {
        match (self.first.get(from.0 as usize), self.first.get(from.0 as usize + 1)) {
            (Some(first), Some(end)) => &self.facing[*first as usize..*end as usize],
            _ => &[],
        }
    }

    /// Whether two switches are neighbours: one heard the other, or each lies behind one port of the other and no third switch has
    /// them on different ports.
    pub(in crate::correlate) fn are_linked(&self, a: DeviceId, b: DeviceId) -> bool {
        let heard = |from: DeviceId, to: DeviceId| {
            let start = self.heard.partition_point(|known| *known < (from, to, PortId(0)));
            self.heard.get(start).is_some_and(|(near, far, _)| (*near, *far) == (from, to))
        };
        if heard(a, b) || heard(b, a) {
            return true;
        }
        let Facing::One(port) = self.facing(a, b) else { return false };
        matches!(self.facing(b, a), Facing::One(_))
            && !self.seen_from(a).iter().any(|(_, c, towards)| {
                *towards == port
                    && *c != b
                    && matches!((self.facing(*c, a), self.facing(*c, b)), (Facing::One(to_a), Facing::One(to_b)) if to_a != to_b)
            })
    }

    /// Own addresses of a device that some table has.
    pub(super) fn own(&self, device: DeviceId) -> impl Iterator<Item = MacIndex> + '_ {
        let start = self.own.partition_point(|(known, _)| *known < device);
        self.own.iter().skip(start).take_while(move |(known, _)| *known == device).map(|(_, mac)| *mac)
    }

    fn mark(&mut self, port: PortId) {
        if let Some(mark) = self.inter_switch.get_mut(port.0 as usize) {
            *mark = true;
        }
    }

    fn settle(&mut self, devices: usize) {
        self.facing.sort_unstable();
        self.facing.dedup();
        self.facing.retain(|(from, to, _)| from != to);
        let mut first = vec![0_u32; devices + 1];
        for (from, _, _) in &self.facing {
            first[from.0 as usize + 1] += 1;
        }
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        self.first = first;
    }

    /// Adds directions that were worked out.
    pub(super) fn learn(&mut self, found: Vec<(DeviceId, DeviceId, PortId)>, devices: usize) {
        for (_, _, port) in &found {
            self.mark(*port);
        }
        self.facing.extend(found);
        self.settle(devices);
    }
}
