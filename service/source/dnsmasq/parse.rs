//! Lines of dnsmasq's lease file to leases. Pure.
//!
//! `EXPIRY MAC ADDRESS NAME CLIENT-ID` for IPv4; then, if it serves IPv6 too, `duid SERVER-DUID`, and
//! `EXPIRY IAID ADDRESS NAME CLIENT-DUID` for each lease. `*` is nothing (dnsmasq 2.90, `lease_update_file` in `src/lease.c`). Every
//! line says by itself what it is, so a line that cannot be read spoils no other.

use std::net::IpAddr;

use crate::model::observation::{LeaseFact, LeaseState};
use crate::model::{MacAddr, Timestamp};
use crate::source::identifier::{card_of_client_id, card_of_lease, octets};

/// A smaller number is no moment but a duration: what dnsmasq built for machines without a clock writes (`HAVE_BROKEN_RTC`), or
/// a router whose clock was never set. As a moment it would be in 2001.
const FIRST_MOMENT: u64 = 1_000_000_000;

/// Hardware types (IANA, arp-parameters) whose addresses are MAC addresses: none given (Ethernet), Ethernet, IEEE 802.
const HARDWARE: [&str; 2] = ["01", "06"];

/// What is in a lease file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeaseFile {
    rows: Vec<Row>,
    /// Leases that name no card: IPv6 leases of clients whose identifiers prove none, hardware that is not Ethernet.
    cardless: usize,
    /// Lines that are none of dnsmasq's, by number from 1.
    malformed: Vec<usize>,
    /// The last line, if it is not complete.
    cut: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    mac: MacAddr,
    address: IpAddr,
    host_name: Option<String>,
    client_id: Option<String>,
    /// Unix seconds; `None` is never, or not known.
    expires: Option<u64>,
}

/// A lease file. A last line without its line break is left out: half an address is another address.
pub(super) fn lease_file(bytes: &[u8]) -> LeaseFile {
    let mut file = LeaseFile::default();
    let text = String::from_utf8_lossy(bytes);
    let mut rest: &str = &text;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let Some((line, after)) = rest.split_once('\n') else {
            file.cut = Some(number);
            break;
        };
        rest = after;
        match row(line) {
            Line::Lease(row) => file.rows.push(row),
            Line::Cardless => file.cardless += 1,
            Line::Nothing => {}
            Line::Malformed => file.malformed.push(number),
        }
    }
    file
}

enum Line {
    Lease(Row),
    Cardless,
    Nothing,
    Malformed,
}

fn row(line: &str) -> Line {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (expiry, who, address, name, client_id) = match words[..] {
        [] | ["duid", _] => return Line::Nothing,
        [expiry, who, address, name, client_id] => (expiry, who, address, name, client_id),
        _ => return Line::Malformed,
    };
    let (Ok(expiry), Ok(address)) = (expiry.parse::<u64>(), address.parse::<IpAddr>()) else {
        return Line::Malformed;
    };
    let given = |text: &str| (text != "*").then(|| text.to_owned());
    let id = given(client_id).and_then(|text| octets(&text));
    let mac = match address {
        IpAddr::V4(_) => match hardware(who) {
            Ok(mac) => mac.or_else(|| id.as_deref().and_then(card_of_client_id)),
            Err(()) => return Line::Malformed,
        },
        IpAddr::V6(_) => match iaid(who) {
            Some(iaid) => id.as_deref().and_then(|duid| card_of_lease(duid, iaid)),
            None => return Line::Malformed,
        },
    };
    let Some(mac) = mac else { return Line::Cardless };
    Line::Lease(Row {
        mac,
        address,
        host_name: given(name),
        client_id: given(client_id),
        expires: (expiry >= FIRST_MOMENT).then_some(expiry),
    })
}

/// `52:54:00:12:34:56`, or with the hardware type before it: `06-52:54:00:12:34:56`. `Ok(None)` is an address of another kind.
fn hardware(text: &str) -> Result<Option<MacAddr>, ()> {
    let (kind, address) = match text.split_once('-') {
        Some((kind, address)) => (Some(kind), address),
        None => (None, text),
    };
    let is_kind = |kind: &str| kind.len() >= 2 && kind.bytes().all(|b| b.is_ascii_hexdigit());
    if !kind.is_none_or(is_kind) {
        return Err(());
    }
    if address.is_empty() && kind.is_some() {
        return Ok(None);
    }
    let address = octets(address).ok_or(())?;
    let is_mac = kind.is_none_or(|kind| HARDWARE.contains(&kind));
    let mac = MacAddr::from_slice(&address).filter(|mac| is_mac && !mac.is_zero());
    Ok(mac)
}

/// `2182937745`, or `T2182937745` for a temporary address.
fn iaid(text: &str) -> Option<u32> {
    // Old versions print it as a signed number.
    let number: i64 = text.strip_prefix('T').unwrap_or(text).parse().ok()?;
    u32::try_from(number).ok().or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
}

impl LeaseFile {
    /// The leases that are held now. dnsmasq takes out those that ended, but not while it is stopped.
    pub(super) fn leases(&self, now: Timestamp) -> impl Iterator<Item = LeaseFact> + '_ {
        self.rows.iter().filter_map(move |row| {
            let expires_at = match row.expires {
                Some(seconds) => Some(Timestamp(i64::try_from(seconds).ok()?.saturating_mul(1000))),
                None => None,
            };
            if expires_at.is_some_and(|end| end <= now) {
                return None;
            }
            Some(LeaseFact {
                mac: row.mac,
                address: Some(row.address),
                host_name: row.host_name.clone(),
                state: LeaseState::Bound,
                // The file does not say which leases the configuration reserves.
                dynamic: true,
                server: None,
                comment: None,
                client_id: row.client_id.clone(),
                vendor_class: None,
                expires_at,
            })
        })
    }

    /// What is wrong with the file, if something is. `name` is the file's.
    pub(super) fn fault(&self, name: &str) -> Option<String> {
        let is_empty = self.rows.is_empty() && self.cardless == 0;
        let first = match (self.malformed.first(), self.cut) {
            (Some(first), _) => *first,
            (None, Some(cut)) => cut,
            (None, None) => return None,
        };
        if is_empty {
            return Some(format!(
                "{name} is no lease file of dnsmasq (line {first}); hint: `dhcp-leasefile` names the right one"
            ));
        }
        if self.malformed.is_empty() {
            return Some(format!("{name} ends in the middle of line {first}; hint: is the disk full?"));
        }
        let lines = if self.malformed.len() == 1 { "line cannot" } else { "lines cannot" };
        Some(format!("{name}: {} {lines} be read, the first is line {first}", self.malformed.len()))
    }

    /// What is in it, in words.
    pub(super) fn summary(&self) -> String {
        match self.cardless {
            0 => format!("{} leases", self.rows.len()),
            more => format!("{} leases, {more} more that name no network card", self.rows.len()),
        }
    }
}

#[cfg(test)]
mod tests;
