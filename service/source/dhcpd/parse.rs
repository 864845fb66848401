//! Declarations of ISC dhcpd's lease file to leases. Pure.
//!
//! The last declaration of an address is the one that holds (dhcpd.leases(5)). An IPv6 declaration (`ia-na`) holds all addresses of
//! one client's association, so a later one of the same association replaces all of them.

mod grammar;
mod moment;
mod tokens;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::grammar::{Declarations, Next, Statement};
use self::moment::{Moment, moment};
use self::tokens::Kind;
use crate::model::observation::{LeaseFact, LeaseState};
use crate::model::{MacAddr, Timestamp};
use crate::source::identifier::{card_of_client_id, card_of_lease, octets, text};

/// The names that dhcpd has for the hardware types whose addresses are MAC addresses: Ethernet and IEEE 802.
const HARDWARE: [&str; 2] = ["ethernet", "token-ring"];

/// What is in a lease file.
#[derive(Debug, Default)]
pub(super) struct LeaseFile {
    leases: BTreeMap<IpAddr, Lease>,
    /// The addresses that each IPv6 association was last declared with.
    associations: BTreeMap<Association, Vec<IpAddr>>,
    reservations: BTreeMap<String, Reservation>,
    order: Option<ByteOrder>,
    declarations: usize,
    /// Lines of declarations that cannot be read, from 1.
    malformed: Vec<usize>,
    is_unfinished: bool,
}

/// An IPv6 association: whether its addresses are temporary ones, and IAID and DUID as they stand there.
type Association = (bool, Vec<u8>);

/// How the server that wrote the file orders the octets of a number: an IAID is written as it is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteOrder {
    Little,
    Big,
}

/// What was declared last of an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lease {
    /// The card it is of, where it says so.
    mac: Option<MacAddr>,
    /// `binding state active`, or none and not abandoned, as before there were states.
    is_active: bool,
    is_reserved: bool,
    ends: Option<Timestamp>,
    host_name: Option<String>,
    client_id: Option<Vec<u8>>,
    vendor_class: Option<String>,
    association: Option<Association>,
}

/// A host that was declared through OMAPI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reservation {
    mac: Option<MacAddr>,
    addresses: Vec<Ipv4Addr>,
}

/// A lease file.
pub(super) fn lease_file(bytes: &[u8]) -> LeaseFile {
    let mut file = LeaseFile::default();
    for next in Declarations::new(bytes) {
        match next {
            Next::Declaration(declaration) => match file.take(&declaration) {
                Some(()) => file.declarations += 1,
                None => file.malformed.push(declaration.line),
            },
            Next::Malformed(line) => file.malformed.push(line),
            Next::Unfinished => file.is_unfinished = true,
        }
    }
    file
}

impl LeaseFile {
    /// Takes one declaration; nothing if it is not what dhcpd writes.
    fn take(&mut self, declaration: &Statement) -> Option<()> {
        match (declaration.texts().as_slice(), declaration.words.get(1)) {
            ([Some("lease"), Some(address)], _) => {
                let address = IpAddr::V4(address.parse().ok()?);
                // A lease that cannot be read is not the one before it either.
                let lease = lease(&declaration.body);
                self.leases.insert(address, lease.clone().unwrap_or_default());
                lease.map(|_| ())
            }
            ([Some(kind @ ("ia-na" | "ia_na" | "ia-ta" | "ia_ta")), _], Some(key)) => {
                let is_temporary = kind.ends_with("ta");
                self.association((is_temporary, bytes_of(key)?), &declaration.body)
            }
            ([Some("host"), _, ..], Some(name)) => {
                let name = String::from_utf8_lossy(&named(name)?).into_owned();
                match reservation(&declaration.body) {
                    Some(reservation) => self.reservations.insert(name, reservation),
                    None => self.reservations.remove(&name),
                };
                Some(())
            }
            ([Some("authoring-byte-order"), Some(order)], _) => {
                self.order = Some(match *order {
                    "little-endian" => ByteOrder::Little,
                    "big-endian" => ByteOrder::Big,
                    _ => return None,
                });
                Some(())
            }
            // Anything else is no word about a client: the server's own identifier, failover, classes; a delegated prefix is
            // no address of a host.
            ([Some("lease" | "ia-na" | "ia_na" | "ia-ta" | "ia_ta"), ..], _) => None,
            _ => Some(()),
        }
    }

    fn association(&mut self, key: Association, body: &[Statement]) -> Option<()> {
        let (iaid, duid) = key.1.split_first_chunk::<4>()?;
        let (little, big) = (u32::from_le_bytes(*iaid), u32::from_be_bytes(*iaid));
        let mac = match self.order {
            Some(ByteOrder::Little) => card_of_lease(duid, little),
            Some(ByteOrder::Big) => card_of_lease(duid, big),
            // Files of before 4.3 do not say: that either agrees by chance is one in two thousand million.
            None => card_of_lease(duid, little).or_else(|| card_of_lease(duid, big)),
        };
        for address in self.associations.remove(&key).unwrap_or_default() {
            // Another association may have the address by now.
            if self.leases.get(&address).is_some_and(|lease| lease.association.as_ref() == Some(&key)) {
                self.leases.remove(&address);
            }
        }
        let mut addresses = Vec::new();
        let mut is_whole = true;
        for statement in body {
            let [Some("iaaddr"), Some(address)] = statement.texts()[..] else { continue };
            let Ok(address) = address.parse::<Ipv6Addr>() else {
                is_whole = false;
                continue;
            };
            let held = lease(&statement.body);
            is_whole &= held.is_some();
            let (association, client_id) = (Some(key.clone()), Some(duid.to_vec()));
            let lease = Lease { mac, client_id, association, ..held.unwrap_or_default() };
            self.leases.insert(IpAddr::V6(address), lease);
            addresses.push(IpAddr::V6(address));
        }
        self.associations.insert(key, addresses);
        is_whole.then_some(())
    }

    /// The leases that are held now, then reservations that nobody holds. dhcpd ends leases itself, but not while it is stopped.
    pub(super) fn leases(&self, now: Timestamp) -> impl Iterator<Item = LeaseFact> + '_ {
        let held = self.leases.iter().filter(move |(_, lease)| lease.is_held(now));
        let leases = held.filter_map(|(address, lease)| {
            Some(LeaseFact {
                mac: lease.mac?,
                address: Some(*address),
                host_name: lease.host_name.clone(),
                state: LeaseState::Bound,
                dynamic: !lease.is_reserved,
                server: None,
                comment: None,
                client_id: lease.client_id.as_deref().map(text),
                vendor_class: lease.vendor_class.clone(),
                expires_at: lease.ends,
            })
        });
        // dhcpd keeps no lease of a fixed address: whether somebody uses it is not known here.
        let reserved = self.reservations.iter().flat_map(|(name, reservation)| {
            reservation.addresses.iter().filter_map(move |address| {
                Some(LeaseFact {
                    mac: reservation.mac?,
                    address: Some(IpAddr::V4(*address)),
                    host_name: None,
                    state: LeaseState::NeverSeen,
                    dynamic: false,
                    server: None,
                    comment: Some(name.clone()),
                    client_id: None,
                    vendor_class: None,
                    expires_at: None,
                })
            })
        });
        leases.chain(reserved)
    }

    /// What is wrong with the file, if something is. `name` is the file's.
    pub(super) fn fault(&self, name: &str) -> Option<String> {
        let first = self.malformed.first()?;
        if self.declarations == 0 {
            return Some(format!(
                "{name} is no lease file of ISC dhcpd (line {first}); hint: `lease-file-name`, or the option -lf, names it"
            ));
        }
        let what = if self.malformed.len() == 1 { "declaration cannot" } else { "declarations cannot" };
        Some(format!("{name}: {} {what} be read, the first in line {first}", self.malformed.len()))
    }

    /// What is in it, in words.
    pub(super) fn summary(&self) -> String {
        let active = self.leases.values().filter(|lease| lease.is_active).count();
        let cardless = self.leases.values().filter(|lease| lease.is_active && lease.mac.is_none()).count();
        let mut text = format!("{active} active leases");
        if cardless > 0 {
            text = format!("{text}, {cardless} of them name no network card");
        }
        if self.is_unfinished {
            text.push_str(", the last declaration is being written");
        }
        text
    }
}

impl Lease {
    fn is_held(&self, now: Timestamp) -> bool {
        self.is_active && self.ends.is_none_or(|end| end > now)
    }
}

/// The statements of a lease, or of one address of an IPv6 association; nothing if one of those that matter cannot be read.
fn lease(statements: &[Statement]) -> Option<Lease> {
    let mut lease = Lease::default();
    let (mut state, mut is_abandoned) = (None, false);
    for statement in statements {
        let texts = statement.texts();
        match texts.as_slice() {
            [Some("binding"), Some("state"), name] => state = Some((*name)?),
            [Some("ends"), date @ ..] => {
                lease.ends = match moment(date)? {
                    Moment::At(moment) => Some(moment),
                    Moment::Never => None,
                }
            }
            [Some("hardware"), Some(kind), address] => {
                let address = address.and_then(octets)?;
                lease.mac =
                    MacAddr::from_slice(&address).filter(|mac| HARDWARE.contains(kind) && !mac.is_zero());
            }
            [Some("uid"), ..] => lease.client_id = Some(bytes_of(statement.words.get(1)?)?),
            [Some("client-hostname"), ..] => lease.host_name = string(statement.words.get(1)?),
            [Some("set"), Some("vendor-class-identifier"), None, _] => {
                lease.vendor_class = string(statement.words.get(3)?);
            }
            [Some("abandoned")] => is_abandoned = true,
            [Some("reserved")] => lease.is_reserved = true,
            _ => {}
        }
    }
    lease.is_active = state.map_or(!is_abandoned, |state| state == "active");
    lease.mac = lease.mac.or_else(|| lease.client_id.as_deref().and_then(card_of_client_id));
    Some(lease)
}

/// The statements of a host; nothing if they say that it was deleted.
fn reservation(statements: &[Statement]) -> Option<Reservation> {
    let mut reservation = Reservation::default();
    for statement in statements {
        match statement.texts().as_slice() {
            [Some("deleted")] => return None,
            [Some("hardware"), Some(kind), Some(address)] if HARDWARE.contains(kind) => {
                reservation.mac = octets(address).and_then(|octets| MacAddr::from_slice(&octets));
            }
            [Some("fixed-address"), addresses @ ..] => {
                reservation.addresses =
                    addresses.iter().flatten().filter_map(|word| word.parse().ok()).collect();
            }
            _ => {}
        }
    }
    Some(reservation)
}

/// An identifier: a quoted string of any bytes, or hexadecimal octets (`lease-id-format hex`).
fn bytes_of(kind: &Kind) -> Option<Vec<u8>> {
    match kind {
        Kind::Text(bytes) => Some(bytes.clone()),
        Kind::Word(word) => octets(word),
        _ => None,
    }
}

/// A name, quoted or not.
fn named(kind: &Kind) -> Option<Vec<u8>> {
    match kind {
        Kind::Text(bytes) => Some(bytes.clone()),
        Kind::Word(word) => Some(word.clone().into_bytes()),
        _ => None,
    }
}

/// A text of the network, as it is.
fn string(kind: &Kind) -> Option<String> {
    named(kind).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
