//! Whether an address is alone on its port, so that it is a cable end, or why it is not.

use super::edge::{Adjacent, Edge, Shared};
use super::rows::{MacIndex, Membership};
use crate::correlate::ports::{PortId, PortName};
use crate::model::MacAddr;
use crate::model::observation::PortKind;
use std::collections::BTreeSet;

impl Edge<'_, '_> {
    /// Why this address is no cable end on this port, if it is not.
    pub(super) fn shared(&self, mac: MacAddr, index: Option<MacIndex>, port: PortId) -> Option<Shared> {
        let found = self.ports.get(port)?;
        if matches!(found.name, PortName::Unresolved(_)) {
            return Some(Shared::Unresolved);
        }
        if found.kind != PortKind::Physical {
            return Some(Shared::Kind(found.kind));
        }
        if found.is_down {
            return Some(Shared::Down);
        }
        let behind = self.behind(port);
        let adjacent = behind.map_or(&Adjacent::Nobody, |behind| &behind.adjacent);
        if let Adjacent::One(macs, bridges) = adjacent
            && macs.contains(&mac)
            && (*bridges || self.alone(mac, index, port))
        {
            return None;
        }
        if let Some(behind) = behind {
            let itself = behind.themselves.contains(&mac);
            if let Some(name) = behind.unread.first().or(behind.perhaps.first()).filter(|_| !itself) {
                return Some(Shared::BehindUnread(name.clone()));
            }
            if let Some(name) = behind.leaves.first().filter(|_| !itself) {
                return Some(Shared::Behind(name.clone()));
            }
            if behind.documented {
                return Some(Shared::DocumentedUplink);
            }
        }
        let count = self.rows.behind(port).len();
        match adjacent {
            // LLDP frames go no further than the next machine: this address is not on the cable, or not alone.
            Adjacent::One(macs, _) if !macs.is_empty() && !self.has_one_of(mac, macs) => {
                let name = behind.and_then(|behind| behind.announcers.first());
                return Some(
                    name.map_or(Shared::Addresses(count.max(2)), |name| Shared::Behind(name.clone())),
                );
            }
            Adjacent::Several => return Some(Shared::Addresses(count.max(2))),
            _ => {}
        }
        let company =
            behind.is_some_and(|behind| behind.distant.iter().any(|macs| self.is_company(mac, macs)));
        if self.alone(mac, index, port) && !company {
            None
        } else {
            Some(Shared::Addresses(count.max(if company { 2 } else { 0 })))
        }
    }

    /// Whether every address that the port learned is of this one's machine, or of a guest on it or behind its bridge.
    fn alone(&self, mac: MacAddr, index: Option<MacIndex>, port: PortId) -> bool {
        self.rows.behind(port).iter().all(|other| Some(*other) == index || self.is_with(mac, *other))
    }

    /// Whether one of these addresses is this machine's, or of a guest on it.
    fn has_one_of(&self, mac: MacAddr, macs: &BTreeSet<MacAddr>) -> bool {
        macs.iter().any(|other| self.machines.together(mac, *other))
    }

    /// Whether another machine that was heard from behind the same port is there still: no table has it, so it is nowhere else.
    fn is_company(&self, mac: MacAddr, macs: &BTreeSet<MacAddr>) -> bool {
        !self.has_one_of(mac, macs) && macs.iter().all(|other| self.rows.find(*other).is_none())
    }

    /// A telephone and the computer behind it, told by the VLAN alone: of two addresses on a port that has a VLAN for telephones,
    /// exactly one is in it.
    pub(super) fn beside_telephone(
        &self,
        index: Option<MacIndex>,
        port: PortId,
        shared: Option<Shared>,
    ) -> (Option<Shared>, bool) {
        let is_open = matches!(shared, Some(Shared::Addresses(_)));
        let voice = self.ports.get(port).and_then(|port| port.voice_vlan);
        let (true, Some(voice), Some(index), [one, other]) = (is_open, voice, index, self.rows.behind(port))
        else {
            return (shared, false);
        };
        let is_phone = |mac| matches!(self.rows.is_in(mac, port, voice), Membership::Yes | Membership::Maybe);
        let is_computer = |mac| self.rows.is_in(mac, port, voice) == Membership::No;
        let phone = if is_phone(*one) && is_computer(*other) {
            *one
        } else if is_phone(*other) && is_computer(*one) {
            *other
        } else {
            return (shared, false);
        };
        if phone == index {
            return (None, true);
        }
        (Some(Shared::BehindTelephone(self.rows.mac(phone))), false)
    }
}
