//! Leases of Kea, as commands and files give them. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::settings::{Reservation, Settings};
use super::{Answer, comment, text};
use crate::model::observation::{LeaseFact, LeaseState};
use crate::model::{MacAddr, Timestamp};
use crate::source::identifier::{card_of_client_id, card_of_lease, octets};

/// A lifetime that never ends (`Lease::INFINITY_LFT`).
pub(super) const INFINITE: i64 = 0xffff_ffff;

/// A client has the address.
const STATE_DEFAULT: i64 = 0;

/// A client made the address itself and told the server (RFC 9686, Kea 3.0).
const STATE_REGISTERED: i64 = 4;

/// One lease, wherever it was read. What is in other states (declined, expired, released) is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Row {
    /// The address, or the prefix that was delegated.
    pub(in super::super) address: IpAddr,
    /// Whether it is a delegated prefix: no address of a host.
    pub(super) is_prefix: bool,
    /// The address of the card, as the server knows it.
    pub(super) mac: Option<MacAddr>,
    pub(super) duid: Option<String>,
    pub(super) iaid: Option<u32>,
    pub(super) client_id: Option<String>,
    pub(super) host_name: Option<String>,
    pub(super) state: i64,
    /// Unix seconds; `None` is never.
    pub(super) expires: Option<i64>,
    pub(super) subnet: Option<i64>,
    pub(super) comment: Option<String>,
}

/// What a page of leases gives: the rows, how many of them could not be read, and where the next page begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Page {
    pub(in super::super) rows: Vec<Row>,
    pub(in super::super) malformed: usize,
    /// The last address, as it was sent; `None` on an empty page.
    pub(in super::super) last: Option<String>,
    /// Leases on it, read or not.
    pub(in super::super) count: usize,
}

/// The answer to `lease4-get-page` or `lease6-get-page`.
pub(in super::super) fn page(answer: &Answer) -> Page {
    let listed =
        answer.arguments.get("leases").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut page = Page { count: listed.len(), ..Page::default() };
    for lease in listed {
        let lease = lease.as_object();
        if let Some(address) = lease.and_then(|lease| text(lease, "ip-address")) {
            page.last = Some(address.to_owned());
        }
        match lease.and_then(row) {
            Some(row) => page.rows.push(row),
            None => page.malformed += 1,
        }
    }
    page
}

fn row(lease: &Map<String, Value>) -> Option<Row> {
    let number = |name: &str| lease.get(name).and_then(Value::as_i64);
    let owned = |name: &str| text(lease, name).map(str::to_owned);
    let (lifetime, since) = (number("valid-lft")?, number("cltt")?);
    Some(Row {
        address: text(lease, "ip-address")?.parse().ok()?,
        is_prefix: text(lease, "type") == Some("IA_PD"),
        mac: text(lease, "hw-address").and_then(hardware),
        duid: owned("duid"),
        iaid: number("iaid").and_then(|iaid| u32::try_from(iaid).ok()),
        client_id: owned("client-id"),
        host_name: owned("hostname"),
        state: number("state").unwrap_or(STATE_DEFAULT),
        expires: (lifetime != INFINITE).then(|| since.saturating_add(lifetime)),
        subnet: number("subnet-id"),
        comment: comment(lease),
    })
}

/// A hardware address of 48 bits; Kea does not say of what kind it is.
pub(super) fn hardware(text: &str) -> Option<MacAddr> {
    MacAddr::from_slice(&octets(text)?).filter(|mac| !mac.is_zero())
}

/// Leases as facts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Leases {
    /// Those that are held, then reservations that nobody holds.
    pub(in super::super) facts: Vec<LeaseFact>,
    /// How many are held and name no card.
    pub(in super::super) cardless: usize,
}

/// Makes facts of leases: the last row of an address is the one that holds. `settings` are those of the server, where it gave them.
pub(in super::super) fn leases(rows: Vec<Row>, settings: Option<&Settings>, now: Timestamp) -> Leases {
    let by_address: BTreeMap<IpAddr, Row> =
        rows.into_iter().filter(|row| !row.is_prefix).map(|row| (row.address, row)).collect();
    let mut leases = Leases::default();
    let mut held = Vec::new();
    for row in by_address.into_values().filter(|row| row.is_held(now)) {
        match row.card() {
            Some(mac) => held.push((mac, row)),
            None => leases.cardless += 1,
        }
    }
    let reserved = settings.map(Settings::reservations).unwrap_or_default();
    let mut by_reserved: BTreeMap<IpAddr, Vec<&Reservation>> = BTreeMap::new();
    for reservation in reserved {
        for address in &reservation.addresses {
            by_reserved.entry(*address).or_default().push(reservation);
        }
    }
    for (mac, row) in &held {
        // What is left in the end is held by nobody.
        let reservations = by_reserved.remove(&row.address).unwrap_or_default();
        let reservation =
            reservations.into_iter().find(|one| one.mac == Some(*mac) || one.is_of(row.identifiers()));
        leases.facts.push(LeaseFact {
            mac: *mac,
            address: Some(row.address),
            host_name: row.host_name.clone(),
            state: LeaseState::Bound,
            dynamic: reservation.is_none(),
            server: row.subnet.map(|id| {
                let subnet = settings.and_then(|settings| settings.subnet(id));
                subnet.map_or_else(|| format!("subnet {id}"), |prefix| prefix.to_string())
            }),
            comment: row.comment.clone().or_else(|| reservation.and_then(|one| one.comment.clone())),
            client_id: row.client_id.clone().or_else(|| row.duid.clone()),
            vendor_class: None,
            expires_at: row.expires.map(|seconds| Timestamp(seconds.saturating_mul(1000))),
        });
    }
    for (address, reservations) in by_reserved {
        for reservation in reservations {
            let Some(mac) = reservation.mac else { continue };
            leases.facts.push(LeaseFact {
                mac,
                address: Some(address),
                host_name: reservation.host_name.clone(),
                state: LeaseState::NeverSeen,
                dynamic: false,
                server: reservation.subnet.map(|prefix| prefix.to_string()),
                comment: reservation.comment.clone(),
                client_id: None,
                vendor_class: None,
                expires_at: None,
            });
        }
    }
    leases
}

impl Row {
    /// Whether a client has it now. Kea ends leases itself, but some time later, and not while it is stopped.
    fn is_held(&self, now: Timestamp) -> bool {
        matches!(self.state, STATE_DEFAULT | STATE_REGISTERED)
            && self.expires.is_none_or(|seconds| Timestamp(seconds.saturating_mul(1000)) > now)
    }

    /// The card it is of: what the server says, or what the client's identifiers prove.
    fn card(&self) -> Option<MacAddr> {
        let id = |text: &Option<String>| text.as_deref().and_then(octets);
        self.mac
            .or_else(|| id(&self.client_id).as_deref().and_then(card_of_client_id))
            .or_else(|| card_of_lease(&id(&self.duid)?, self.iaid?))
    }

    fn identifiers(&self) -> [Option<&str>; 2] {
        [self.client_id.as_deref(), self.duid.as_deref()]
    }
}
