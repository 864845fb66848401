//! Rows to facts: pure and total, the same for a live device and for a recorded walk. It comes in three parts, so that
//! what was read is reported before the next, longer part is read.

pub(crate) mod addresses;
pub(crate) mod bridges;
mod cdp;
pub(crate) mod forwarding;
mod interfaces;
mod kind;
mod lldp;
mod local_port;
mod own_table;
mod ports;
mod system;
mod text;
pub(crate) mod vendor;
mod vlans;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{Collection, Fact, FactKind, MacAddr};

use super::column::Column;
use super::walk::Walk;
use interfaces::Interfaces;
use local_port::LocalPorts;
use vendor::Vendor;

pub(crate) use system::vendor;
pub(crate) use text::text;

/// A device whose interfaces have been read: what the other tables refer to.
#[derive(Debug)]
pub(crate) struct Device {
    name: String,
    /// The vendor of its agent.
    pub(crate) vendor: Vendor,
    interfaces: Interfaces,
    base_ports: BTreeMap<u32, u32>,
}

impl Device {
    /// First part: the device, its interfaces and networks.
    pub(crate) fn push(walk: &Walk, name: &str, address: Option<IpAddr>, sink: &mut Collection) -> Self {
        let vendor = system::vendor(walk);
        let interfaces = Interfaces::read(walk, vendor);
        let base_ports = forwarding::base_ports(walk);
        sink.facts.push(Fact::Device(system::device(walk, name, address, vendor, &interfaces)));
        let pvids = forwarding::pvids(walk, &base_ports);
        let voice = vlans::voice(walk);
        let mut own = addresses::own(walk);
        sink.facts.extend(interfaces.facts(name, &pvids).into_iter().map(|mut fact| {
            let index = fact.if_index.unwrap_or_default();
            fact.voice_vlan = voice.get(&index).copied();
            fact.addresses = own.remove(&index).unwrap_or_default().into_iter().collect();
            Fact::Interface(fact)
        }));
        sink.facts.extend(addresses::networks(walk, &interfaces));
        Self { name: name.to_owned(), vendor, interfaces, base_ports }
    }

    /// Second part: who is announced on which port, and which address is whose.
    pub(crate) fn push_neighbors(&self, walk: &Walk, sink: &mut Collection) {
        let local_ports = LocalPorts::read(walk, &self.interfaces, &self.base_ports, self.vendor);
        let lldp = lldp::neighbors(walk, &self.name, &self.interfaces, &local_ports);
        let cdp = cdp::neighbors(walk, &self.name, &self.interfaces);
        let own: BTreeSet<MacAddr> = self.own(sink);
        let stp = bridges::designated(walk, &self.name, &self.interfaces, &self.base_ports, &own);
        let lacp = bridges::partners(walk, &self.name, &self.interfaces, &own);
        sink.facts.extend(lldp.into_iter().chain(cdp).chain(stp).chain(lacp).map(Fact::LldpNeighbor));
        let (neighbors, nameless) = addresses::neighbors(walk, &self.interfaces);
        sink.facts.extend(neighbors);
        if nameless > 0 {
            sink.gap(
                FactKind::Neighbors,
                format!("{nameless} ARP or IPv6 neighbour entries name no address that can be read"),
            );
        }
    }

    /// The device's own addresses.
    fn own(&self, sink: &Collection) -> BTreeSet<MacAddr> {
        let own = sink.facts.iter().filter_map(|fact| match fact {
            Fact::Device(fact) if fact.device == self.name => Some(fact.macs.iter().copied()),
            _ => None,
        });
        own.flatten().collect()
    }

    /// Third part: forwarding tables. With half of a table that ports are resolved by, rows would land on plausible wrong
    /// ports: then there are none, and a gap.
    pub(crate) fn push_forwarding(&self, walk: &Walk, sink: &mut Collection) {
        let needed = [Column::BasePortIfIndex, Column::IfName, Column::IfDescr, Column::IfType];
        if let Some(missing) = needed.into_iter().find(|column| !walk.is_complete(*column)) {
            sink.gap(
                FactKind::Fdb,
                format!("{} was not read to its end, so ports cannot be told apart", missing.name()),
            );
            return;
        }
        let own = forwarding::push(walk, &self.name, self.vendor, &self.interfaces, sink);
        for fact in &mut sink.facts {
            if let Fact::Device(device) = fact
                && device.device == self.name
            {
                device.macs.extend(own.iter().copied());
                device.macs.sort_unstable();
                device.macs.dedup();
            }
        }
    }
}
