//! Fact by fact, field by field. Fields are named one by one, so that a new one cannot be forgotten.

use super::lexicon::{Lexicon, Mode};
use crate::model::collection::FdbPort;
use crate::model::observation::{DeviceFact, GuestFact, GuestNic, InterfaceFact, LeaseFact, NeighborFact};
use crate::model::{Collection, Fact, Gap, SourceName};

/// Shows the lexicon everything that is in a collection.
pub(super) fn visit(collection: &Collection, lexicon: &mut Lexicon) {
    let Collection { source, observed_at: _, facts, fdb, gaps } = collection;
    lexicon.text(Mode::Name, source.as_str());
    for fact in facts {
        rewrite(fact, lexicon);
    }
    for port in fdb.ports() {
        fdb_port(port, lexicon);
    }
    for (mac, _, _) in fdb.rows() {
        lexicon.mac(mac);
    }
    for one in gaps {
        gap(one, lexicon);
    }
}

/// A collection under pseudonyms.
pub(super) fn collection(old: &Collection, lexicon: &mut Lexicon) -> Collection {
    let mut new = Collection::new(name_of(&old.source, lexicon), old.observed_at);
    new.facts = old.facts.iter().map(|fact| rewrite(fact, lexicon)).collect();
    let mut ports = Vec::with_capacity(old.fdb.ports().len());
    for port in old.fdb.ports() {
        let port = fdb_port(port, lexicon);
        ports.push(new.fdb.intern(port));
    }
    for (row, (mac, port, vlan)) in old.fdb.rows().enumerate() {
        if let Some(port) = ports.get(usize::try_from(port.0).unwrap_or(usize::MAX)) {
            new.fdb.push_aged(lexicon.mac(mac), *port, vlan, old.fdb.age(row));
        }
    }
    new.gaps = old.gaps.iter().map(|one| gap(one, lexicon)).collect();
    new
}

fn name_of(source: &SourceName, lexicon: &mut Lexicon) -> SourceName {
    SourceName::new(&lexicon.text(Mode::Name, source.as_str()))
}

fn gap(old: &Gap, lexicon: &mut Lexicon) -> Gap {
    let Gap { source, facts, reason } = old;
    Gap { source: name_of(source, lexicon), facts: *facts, reason: lexicon.text(Mode::Reason, reason) }
}

fn fdb_port(old: &FdbPort, lexicon: &mut Lexicon) -> FdbPort {
    let FdbPort { device, port } = old;
    let port = port.as_ref().map(|port| lexicon.text(Mode::Port, port)).map_err(|number| *number);
    FdbPort { device: lexicon.text(Mode::Name, device), port }
}

fn rewrite(fact: &Fact, lexicon: &mut Lexicon) -> Fact {
    match fact {
        Fact::Device(fact) => Fact::Device(device(fact, lexicon)),
        Fact::Interface(fact) => Fact::Interface(interface(fact, lexicon)),
        Fact::Network { prefix, interface } => Fact::Network {
            prefix: lexicon.network(*prefix),
            interface: optional(Mode::Port, interface.as_ref(), lexicon),
        },
        Fact::DhcpLease(fact) => Fact::DhcpLease(lease(fact, lexicon)),
        Fact::Neighbor { mac, address, interface } => Fact::Neighbor {
            mac: lexicon.mac(*mac),
            address: lexicon.address(*address),
            interface: optional(Mode::Port, interface.as_ref(), lexicon),
        },
        Fact::FdbEntry { device, port, unresolved_port, mac, vlan, age } => Fact::FdbEntry {
            device: lexicon.text(Mode::Name, device),
            port: optional(Mode::Port, port.as_ref(), lexicon),
            unresolved_port: *unresolved_port,
            mac: lexicon.mac(*mac),
            vlan: *vlan,
            age: *age,
        },
        Fact::LldpNeighbor(fact) => Fact::LldpNeighbor(neighbor(fact, lexicon)),
        Fact::Guest(fact) => Fact::Guest(guest(fact, lexicon)),
        Fact::ScanReply { address, mac, name } => Fact::ScanReply {
            address: lexicon.address(*address),
            mac: mac.map(|mac| lexicon.mac(mac)),
            name: optional(Mode::Name, name.as_ref(), lexicon),
        },
    }
}

fn optional(mode: Mode, text: Option<&String>, lexicon: &mut Lexicon) -> Option<String> {
    text.map(|text| lexicon.text(mode, text))
}

fn device(old: &DeviceFact, lexicon: &mut Lexicon) -> DeviceFact {
    let DeviceFact {
        device,
        role,
        own_name,
        address,
        description,
        manufacturer,
        model,
        serial,
        chassis_id,
        macs,
        cluster,
    } = old;
    DeviceFact {
        device: lexicon.text(Mode::Name, device),
        role: *role,
        own_name: optional(Mode::Name, own_name.as_ref(), lexicon),
        address: address.map(|address| lexicon.address(address)),
        description: optional(Mode::Text, description.as_ref(), lexicon),
        manufacturer: optional(Mode::Product, manufacturer.as_ref(), lexicon),
        model: optional(Mode::Product, model.as_ref(), lexicon),
        serial: optional(Mode::Serial, serial.as_ref(), lexicon),
        chassis_id: optional(Mode::Name, chassis_id.as_ref(), lexicon),
        macs: macs.iter().map(|mac| lexicon.mac(*mac)).collect(),
        cluster: optional(Mode::Name, cluster.as_ref(), lexicon),
    }
}

fn interface(old: &InterfaceFact, lexicon: &mut Lexicon) -> InterfaceFact {
    let InterfaceFact {
        device,
        name,
        if_index,
        kind,
        mac,
        alias,
        description,
        speed_mbps,
        enabled,
        up,
        lag,
        bridge,
        pvid,
        voice_vlan,
        addresses,
    } = old;
    InterfaceFact {
        device: lexicon.text(Mode::Name, device),
        name: lexicon.text(Mode::Port, name),
        if_index: *if_index,
        kind: *kind,
        mac: mac.map(|mac| lexicon.mac(mac)),
        alias: optional(Mode::Port, alias.as_ref(), lexicon),
        description: optional(Mode::Port, description.as_ref(), lexicon),
        speed_mbps: *speed_mbps,
        enabled: *enabled,
        up: *up,
        lag: optional(Mode::Port, lag.as_ref(), lexicon),
        bridge: optional(Mode::Port, bridge.as_ref(), lexicon),
        pvid: *pvid,
        voice_vlan: *voice_vlan,
        addresses: addresses.iter().map(|address| lexicon.address(*address)).collect(),
    }
}

fn lease(old: &LeaseFact, lexicon: &mut Lexicon) -> LeaseFact {
    let LeaseFact {
        mac,
        address,
        host_name,
        state,
        dynamic,
        server,
        comment,
        client_id,
        vendor_class,
        expires_at,
    } = old;
    LeaseFact {
        mac: lexicon.mac(*mac),
        address: address.map(|address| lexicon.address(address)),
        host_name: optional(Mode::Name, host_name.as_ref(), lexicon),
        state: *state,
        dynamic: *dynamic,
        server: optional(Mode::Port, server.as_ref(), lexicon),
        comment: optional(Mode::Text, comment.as_ref(), lexicon),
        client_id: optional(Mode::Text, client_id.as_ref(), lexicon),
        vendor_class: optional(Mode::VendorClass, vendor_class.as_ref(), lexicon),
        expires_at: *expires_at,
    }
}

fn neighbor(old: &NeighborFact, lexicon: &mut Lexicon) -> NeighborFact {
    let NeighborFact {
        device,
        port,
        protocol,
        chassis_mac,
        chassis_id,
        port_id,
        port_mac,
        port_description,
        system_name,
        system_description,
        addresses,
        capabilities,
    } = old;
    NeighborFact {
        device: lexicon.text(Mode::Name, device),
        port: optional(Mode::Port, port.as_ref(), lexicon),
        protocol: *protocol,
        chassis_mac: chassis_mac.map(|mac| lexicon.mac(mac)),
        chassis_id: optional(Mode::Name, chassis_id.as_ref(), lexicon),
        port_id: optional(Mode::Port, port_id.as_ref(), lexicon),
        port_mac: port_mac.map(|mac| lexicon.mac(mac)),
        port_description: optional(Mode::Port, port_description.as_ref(), lexicon),
        system_name: optional(Mode::Name, system_name.as_ref(), lexicon),
        system_description: optional(Mode::Text, system_description.as_ref(), lexicon),
        addresses: addresses.iter().map(|address| lexicon.address(*address)).collect(),
        capabilities: capabilities.clone(),
    }
}

fn guest(old: &GuestFact, lexicon: &mut Lexicon) -> GuestFact {
    let GuestFact { cluster, id, uuid, kind, name, node, running, vcpus, memory_mib, disk_mib, tags, nics } =
        old;
    GuestFact {
        cluster: lexicon.text(Mode::Name, cluster),
        id: *id,
        uuid: optional(Mode::Name, uuid.as_ref(), lexicon),
        kind: *kind,
        name: optional(Mode::Name, name.as_ref(), lexicon),
        node: lexicon.text(Mode::Name, node),
        running: *running,
        vcpus: *vcpus,
        memory_mib: *memory_mib,
        disk_mib: *disk_mib,
        tags: tags.iter().map(|tag| lexicon.text(Mode::Text, tag)).collect(),
        nics: nics.iter().map(|one| nic(one, lexicon)).collect(),
    }
}

fn nic(old: &GuestNic, lexicon: &mut Lexicon) -> GuestNic {
    let GuestNic { name, mac, bridge, vlan, addresses } = old;
    GuestNic {
        name: lexicon.text(Mode::Port, name),
        mac: mac.map(|mac| lexicon.mac(mac)),
        bridge: optional(Mode::Port, bridge.as_ref(), lexicon),
        vlan: *vlan,
        addresses: addresses.iter().map(|network| lexicon.network(*network)).collect(),
    }
}
