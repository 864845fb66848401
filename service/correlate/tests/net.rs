//! A network as text, one observation a line, so that a test reads like a drawing. Words stand for MAC addresses: `h1` is always
//! the same universally administered one, `~h1` a randomised one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::correlate::{correlate, correlate_each};
use crate::model::candidate::Known;
use crate::model::observation::{
    Capability, DeviceFact, DeviceRole, GuestFact, GuestKind, GuestNic, InterfaceFact, LeaseFact, LeaseState,
    NeighborFact, NeighborProtocol, PortKind,
};
use crate::model::{
    Attachment, Candidate, Collection, Discovery, Fact, FactKind, MacAddr, SourceName, Timestamp,
};

/// The address a word stands for.
pub(super) fn mac(word: &str) -> MacAddr {
    if let Ok(mac) = word.parse() {
        return mac;
    }
    let (first, word) = match word.strip_prefix('~') {
        Some(word) => (0x02, word),
        None => (0x00, word),
    };
    let mut octets = [first, 0x1b, 0, 0, 0, 0];
    assert!(word.len() <= 4, "words for addresses have at most four letters: {word}");
    octets[2..2 + word.len()].copy_from_slice(word.as_bytes());
    MacAddr::new(octets)
}

/// Reads a network:
///
/// - `switch|router|ap|node|other NAME [MAC..] [serial=S] [address=A] [chassis=C] [cluster=C] [by=SOURCE]`
/// - `port DEVICE NAME [KIND] [mac=M] [lag=L] [bridge=B] [index=N] [alias=A] [desc=D] [ip=A] [voice=V] [up=no]`
/// - `fdb DEVICE PORT MAC[@VLAN][!AGE]..` (`#976` is an unresolved port)
/// - `lldp|cdp|mndp|stp|lacp DEVICE PORT NAME [mac=M] [id=I] [port=P] [desc=D] [portmac=M] [caps=C,C] [ip=A]`
/// - `lease|waiting|reserved SOURCE MAC ADDRESS [NAME] [class=V]`
/// - `arp SOURCE MAC ADDRESS`, `scan SOURCE MAC|- ADDRESS [NAME]`, `net SOURCE PREFIX [INTERFACE]`
/// - `guest SOURCE CLUSTER/ID NAME NODE MAC,MAC [uuid=U] [state=unknown] [ip=PREFIX]`
/// - `gap SOURCE FACTS`
pub(super) fn collections(text: &str) -> Vec<Collection> {
    let mut all: BTreeMap<String, Collection> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")) {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let mut options: BTreeMap<&str, &str> = BTreeMap::new();
        words.retain(|word| match word.split_once('=') {
            Some((key, value)) => {
                options.insert(key, value);
                false
            }
            None => true,
        });
        let option = |key: &str| options.get(key).map(|value| (*value).to_owned());
        let source = options.get("by").copied().unwrap_or(words[1]);
        let collection = all
            .entry(source.to_owned())
            .or_insert_with(|| Collection::new(SourceName::new(source), Timestamp(0)));
        match words.as_slice() {
            [role @ ("switch" | "router" | "ap" | "node" | "other"), name, macs @ ..] => {
                collection.facts.push(Fact::Device(DeviceFact {
                    device: (*name).to_owned(),
                    role: match *role {
                        "switch" => DeviceRole::Switch,
                        "router" => DeviceRole::Router,
                        "ap" => DeviceRole::AccessPoint,
                        "node" => DeviceRole::Hypervisor,
                        _ => DeviceRole::Other,
                    },
                    serial: option("serial"),
                    address: option("address").map(|text| text.parse().unwrap()),
                    chassis_id: option("chassis"),
                    cluster: option("cluster"),
                    own_name: option("own"),
                    macs: macs.iter().map(|word| mac(word)).collect(),
                    ..DeviceFact::default()
                }));
            }
            ["port", device, name, kind @ ..] => collection.facts.push(Fact::Interface(InterfaceFact {
                device: (*device).to_owned(),
                name: (*name).to_owned(),
                kind: match kind.first() {
                    None | Some(&"physical") => PortKind::Physical,
                    Some(&"lag") => PortKind::Lag,
                    Some(&"vlan") => PortKind::Vlan,
                    Some(&"bridge") => PortKind::Bridge,
                    Some(&"wireless") => PortKind::Wireless,
                    Some(&"tunnel") => PortKind::Tunnel,
                    Some(&"virtual") => PortKind::Virtual,
                    Some(other) => panic!("no such kind: {other}"),
                },
                mac: option("mac").map(|word| mac(&word)),
                lag: option("lag"),
                bridge: option("bridge"),
                up: option("up").map(|text| text == "yes"),
                alias: option("alias"),
                if_index: option("index").map(|text| text.parse().unwrap()),
                description: option("desc"),
                voice_vlan: option("voice").map(|text| text.parse().unwrap()),
                addresses: option("ip").iter().map(|text| text.parse().unwrap()).collect(),
                ..InterfaceFact::default()
            })),
            ["fdb", device, port, macs @ ..] => {
                let port = port.strip_prefix('#').map_or(Ok(*port), |number| Err(number.parse().unwrap()));
                for word in macs {
                    let (word, age) = word.split_once('!').unwrap_or((word, ""));
                    let (word, vlan) = word.split_once('@').unwrap_or((word, "0"));
                    let vlan = vlan.parse().ok().filter(|vlan| *vlan != 0);
                    collection.push_fdb_aged(device, port, mac(word), vlan, age.parse().ok());
                }
            }
            [protocol @ ("lldp" | "cdp" | "mndp" | "stp" | "lacp"), device, port, name] => {
                collection.facts.push(Fact::LldpNeighbor(NeighborFact {
                    device: (*device).to_owned(),
                    port: (*port != "-").then(|| (*port).to_owned()),
                    protocol: match *protocol {
                        "lldp" => NeighborProtocol::Lldp,
                        "cdp" => NeighborProtocol::Cdp,
                        "stp" => NeighborProtocol::Stp,
                        "lacp" => NeighborProtocol::Lacp,
                        _ => NeighborProtocol::Mndp,
                    },
                    chassis_mac: option("mac").map(|word| mac(&word)),
                    chassis_id: option("id"),
                    port_id: option("port"),
                    port_description: option("desc"),
                    port_mac: option("portmac").map(|word| mac(&word)),
                    system_name: (*name != "-").then(|| (*name).to_owned()),
                    addresses: option("ip").iter().map(|text| text.parse().unwrap()).collect(),
                    capabilities: option("caps")
                        .iter()
                        .flat_map(|caps| caps.split(',').map(capability).collect::<Vec<_>>())
                        .collect(),
                    ..NeighborFact::default()
                }));
            }
            [state @ ("lease" | "waiting" | "reserved"), _, word, address, name @ ..] => {
                collection.facts.push(Fact::DhcpLease(LeaseFact {
                    mac: mac(word),
                    address: Some(address.parse().unwrap()),
                    host_name: name.first().map(|name| (*name).to_owned()),
                    state: match *state {
                        "lease" => LeaseState::Bound,
                        "waiting" => LeaseState::Waiting,
                        _ => LeaseState::NeverSeen,
                    },
                    dynamic: true,
                    server: None,
                    comment: None,
                    client_id: None,
                    vendor_class: option("class"),
                    expires_at: None,
                }));
            }
            ["arp", _, word, address] => collection.facts.push(Fact::Neighbor {
                mac: mac(word),
                address: address.parse().unwrap(),
                interface: None,
            }),
            ["scan", _, word, address, name @ ..] => collection.facts.push(Fact::ScanReply {
                address: address.parse().unwrap(),
                mac: (*word != "-").then(|| mac(word)),
                name: name.first().map(|name| (*name).to_owned()),
            }),
            ["net", _, prefix, interface @ ..] => collection.facts.push(Fact::Network {
                prefix: prefix.parse().unwrap(),
                interface: interface.first().map(|name| (*name).to_owned()),
            }),
            ["guest", _, id, name, node, macs] => {
                let (cluster, id) = id.split_once('/').unwrap();
                collection.facts.push(Fact::Guest(GuestFact {
                    cluster: cluster.to_owned(),
                    id: id.parse().unwrap(),
                    uuid: option("uuid"),
                    kind: GuestKind::Qemu,
                    name: (*name != "-").then(|| (*name).to_owned()),
                    node: (*node).to_owned(),
                    running: (option("state").as_deref() != Some("unknown")).then_some(true),
                    vcpus: Some(2),
                    memory_mib: None,
                    disk_mib: None,
                    tags: Vec::new(),
                    nics: macs
                        .split(',')
                        .enumerate()
                        .map(|(index, word)| GuestNic {
                            name: format!("net{index}"),
                            mac: Some(mac(word)),
                            bridge: Some("vmbr0".to_owned()),
                            vlan: None,
                            addresses: option("ip")
                                .iter()
                                .filter(|_| index == 0)
                                .map(|text| text.parse().unwrap())
                                .collect(),
                        })
                        .collect(),
                }));
            }
            ["gap", _, facts] => {
                let kind = [FactKind::All, FactKind::Fdb, FactKind::Guests, FactKind::Leases, FactKind::Lldp];
                let kind = kind.into_iter().find(|kind| kind.as_str() == *facts).unwrap();
                collection.gap(kind, "timed out after 10 s");
            }
            other => panic!("cannot read {other:?}"),
        }
    }
    all.into_values().collect()
}

fn capability(word: &str) -> Capability {
    match word {
        "bridge" => Capability::Bridge,
        "router" => Capability::Router,
        "ap" => Capability::WlanAccessPoint,
        "phone" => Capability::Telephone,
        "station" => Capability::Station,
        _ => Capability::Other,
    }
}

/// Correlates a network without knowledge from NetBox.
pub(super) fn discover(text: &str) -> Discovery {
    let collections = collections(text);
    let found = correlate(&collections, &Known::default());
    assert_eq!(found, one_by_one(&collections, &Known::default()), "handed on or kept");
    found
}

/// The same from [`correlate_each`].
pub(super) fn one_by_one(collections: &[Collection], known: &Known) -> Discovery {
    let mut candidates = Vec::new();
    let take = |candidate| {
        candidates.push(candidate);
        Ok::<(), std::convert::Infallible>(())
    };
    let Ok(found) = correlate_each(collections, known, take);
    Discovery { candidates, ..found }
}

/// The candidate that has this address on a card.
pub(super) fn candidate<'d>(discovery: &'d Discovery, word: &str) -> &'d Candidate {
    find(discovery, word).unwrap_or_else(|| panic!("no candidate has {word}: {discovery:#?}"))
}

/// The candidate that has this address on a card, if there is one.
pub(super) fn find<'d>(discovery: &'d Discovery, word: &str) -> Option<&'d Candidate> {
    let wanted = mac(word);
    discovery
        .candidates
        .iter()
        .find(|candidate| candidate.interfaces.iter().any(|card| card.mac == Some(wanted)))
}

/// Where the card with this address hangs: `sw1:ether5`, with `*` if alone there, `?` and the other ports if disputed.
pub(super) fn hangs(discovery: &Discovery, word: &str) -> String {
    let wanted = mac(word);
    let cards = discovery.candidates.iter().flat_map(|candidate| &candidate.interfaces);
    match cards.filter(|card| card.mac == Some(wanted)).find_map(|card| card.attachment.as_ref()) {
        None => "-".to_owned(),
        Some(Attachment { switch, port, exclusive, competing, .. }) => {
            let mut text = format!("{switch}:{port}");
            if *exclusive {
                text.push('*');
            }
            for other in competing {
                text = format!("{text} ? {}:{}", other.switch, other.port);
            }
            text
        }
    }
}

/// The links in words: `sw1:ether1 - core:ge1 [lldp lldp-reverse]`.
pub(super) fn links(discovery: &Discovery) -> Vec<String> {
    discovery
        .links
        .iter()
        .map(|link| {
            let (a, b) = (&link.a, &link.b);
            format!("{}:{} - {}:{} [{}]", a.switch, a.port, b.switch, b.port, link.evidence.join(" "))
        })
        .collect()
}

/// The addresses on the card with this address.
pub(super) fn addresses(discovery: &Discovery, word: &str) -> Vec<IpAddr> {
    let wanted = mac(word);
    let cards = candidate(discovery, word).interfaces.iter();
    cards.filter(|card| card.mac == Some(wanted)).flat_map(|card| card.addresses.clone()).collect()
}
