//! Cisco IOS shows one VLAN's bridge per context: `community@VLAN`, or the context `vlan-N`. Which VLANs are asked for, in
//! which order, and when asking ends: a context that is not there answers nothing at all.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::FactKind;

use super::column::Column;
use super::credentials::Access;
use super::error::Error;
use super::read::{Conversation, Reading};
use super::talk::{Limits, Session};
use super::walk::Walk;

/// What the default context shows. Its own context is often not there.
const DEFAULT_VLAN: u16 = 1;

/// VLANs that Cisco IOS reserves for FDDI and Token Ring; they exist everywhere and bridge nothing.
const CISCO_RESERVED: std::ops::RangeInclusive<u16> = 1002..=1005;

/// vtpVlanState: operational.
const VLAN_OPERATIONAL: i64 = 1;

/// ifOperStatus: up.
const UP: i64 = 1;

/// How long is waited in all for VLANs that are silent, while none has answered.
const SILENCE: Duration = Duration::from_secs(3);

/// How long is waited in all for those that were silent when others answered.
const SECOND_SILENCE: Duration = Duration::from_secs(4);

/// So many VLANs are asked however long each takes, before none is believed to answer.
const LEAST_ASKED: usize = 3;

/// After so many silent VLANs in a row the device itself is asked whether it is still there.
const SILENT_IN_A_ROW: usize = 4;

/// Shortest wait for a first answer from a context; on a network nearby ten are tried before none is believed to answer.
const LEAST_WAIT: Duration = Duration::from_millis(300);

/// Shortest wait for a context when it is asked again.
const LEAST_SECOND_WAIT: Duration = Duration::from_secs(1);

/// The operational VLANs with a context of their own, those in use first: with a port that is up, or with telephones.
pub(super) fn vlans(walk: &Walk) -> Vec<u16> {
    let number = |number: Option<u32>| u16::try_from(number?).ok();
    let operational: BTreeSet<u16> = walk
        .rows(Column::VtpVlanState)
        .iter()
        .filter(|row| row.value.number() == Some(VLAN_OPERATIONAL))
        .filter_map(|row| number(row.index.last().copied()))
        .filter(|vlan| (DEFAULT_VLAN + 1..=4094).contains(vlan) && !CISCO_RESERVED.contains(vlan))
        .collect();
    let states = walk.by_number(Column::IfOperStatus);
    let is_up = |port: u32| states.get(&port).is_some_and(|state| state.number() == Some(UP));
    let used: BTreeSet<u16> = [Column::AccessVlan, Column::VoiceVlan]
        .into_iter()
        .flat_map(|column| walk.by_number(column))
        .filter(|(port, _)| is_up(*port))
        .filter_map(|(_, vlan)| number(vlan.unsigned()))
        .collect();
    let (first, then): (Vec<u16>, Vec<u16>) = operational.into_iter().partition(|vlan| used.contains(vlan));
    first.into_iter().chain(then).collect()
}

/// What a person can do where contexts do not answer.
pub(super) fn hint(access: &Access, vlan: u16) -> String {
    match access {
        Access::Community(_) => {
            format!("hint: the agent must answer to the community with `@{vlan}` appended")
        }
        Access::User { .. } => {
            "hint: give the group the contexts (`snmp-server group .. context vlan- match prefix`)".to_owned()
        }
    }
}

impl Reading<'_> {
    /// A session in the context of a VLAN, and whether it has forwarding rows. The simplest request comes first: a context
    /// that is not there is silent, and one try tells that as well as three.
    pub(super) async fn open_vlan(
        &self,
        device: &Session,
        vlan: u16,
        again: bool,
    ) -> Result<(Session, bool), Error> {
        let least = if again { LEAST_SECOND_WAIT } else { LEAST_WAIT };
        let limits = Limits { timeout: device.patience(least), retries: u32::from(again), ..self.limits };
        let session = Session::open(device.target(), &self.access.for_vlan(vlan), limits).await?;
        let has_rows = session.has_rows(Column::FdbPort).await?;
        Ok((session, has_rows))
    }
}

/// VLANs that could not be read.
#[derive(Default)]
struct Unread {
    silent: Vec<(u16, Error)>,
    refused: Vec<(u16, Error)>,
    not_asked: usize,
}

impl Conversation<'_> {
    /// Reads the bridge tables of each VLAN in its own context.
    pub(super) async fn vlans(&mut self, walk: &mut Walk) {
        let asked = vlans(walk);
        let mut unread = Unread::default();
        let mut waited = Duration::ZERO;
        let mut in_a_row = 0;
        for (number, vlan) in asked.iter().enumerate() {
            let is_hopeless =
                walk.vlans.is_empty() && unread.silent.len() >= LEAST_ASKED && waited >= SILENCE;
            if is_hopeless || (in_a_row == SILENT_IN_A_ROW && !self.is_alive().await) {
                unread.not_asked = asked.len() - number;
                break;
            }
            in_a_row %= SILENT_IN_A_ROW;
            let began = Instant::now();
            match self.vlan(*vlan, false).await {
                Ok(context) => {
                    in_a_row = 0;
                    walk.vlans.insert(*vlan, context);
                }
                Err(error) if error.is_lost() => {
                    in_a_row += 1;
                    waited += began.elapsed();
                    unread.silent.push((*vlan, error));
                }
                Err(error) => unread.refused.push((*vlan, error)),
            }
        }
        if !walk.vlans.is_empty() && unread.not_asked == 0 {
            self.ask_again(walk, &mut unread).await;
        }
        self.note_unread(&unread, asked.len());
    }

    /// Where contexts answer, silence may be a lost packet or a busy moment.
    async fn ask_again(&self, walk: &mut Walk, unread: &mut Unread) {
        let mut waited = Duration::ZERO;
        for (vlan, error) in std::mem::take(&mut unread.silent) {
            if waited >= SECOND_SILENCE {
                unread.silent.push((vlan, error));
                continue;
            }
            let began = Instant::now();
            match self.vlan(vlan, true).await {
                Ok(context) => {
                    walk.vlans.insert(vlan, context);
                }
                Err(error) if error.is_lost() => {
                    waited += began.elapsed();
                    unread.silent.push((vlan, error));
                }
                Err(error) => unread.refused.push((vlan, error)),
            }
        }
    }

    fn note_unread(&mut self, unread: &Unread, all: usize) {
        let Unread { silent, refused, not_asked } = unread;
        let Some((vlan, error)) = silent.iter().chain(refused).min_by_key(|(vlan, _)| *vlan) else { return };
        let count = silent.len() + refused.len() + not_asked;
        let parts = [(silent.len(), "silent"), (refused.len(), "refused"), (*not_asked, "not asked")];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(n, what)| format!("{n} {what}"))
            .collect();
        let hint = hint(self.reading.access, *vlan);
        self.gap(
            FactKind::Fdb,
            format!(
                "{count} of {all} VLANs were not read ({}), the first is {vlan}: {error}; {hint}",
                parts.join(", ")
            ),
        );
    }

    async fn is_alive(&self) -> bool {
        self.session.scalars(&[Column::SysUpTime]).await.is_ok()
    }

    async fn vlan(&self, vlan: u16, again: bool) -> Result<Walk, Error> {
        let (mut session, has_rows) = self.reading.open_vlan(self.session, vlan, again).await?;
        let mut walk = Walk::default();
        // The base-port table differs per VLAN too.
        let columns = [Column::FdbPort, Column::FdbStatus, Column::BasePortIfIndex];
        for column in columns.into_iter().filter(|_| has_rows) {
            let mut rows = Vec::new();
            let expected = match column {
                Column::FdbStatus => Some(walk.rows(Column::FdbPort).len()),
                _ => None,
            };
            session.column(column, expected, &mut rows).await?;
            walk.extend(column, rows, true);
        }
        Ok(walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::walk::Value;

    #[test]
    fn vlans_in_use_are_asked_for_first() {
        let mut walk = Walk::default();
        for (vlan, state) in [(1, 1), (2, 1), (20, 1), (30, 1), (40, 2), (50, 1), (1002, 1), (4095, 1)] {
            walk.push(Column::VtpVlanState, vec![1, vlan], Value::Number(state));
        }
        for (port, vlan, up) in [(10101, 50, 1), (10102, 30, 2), (10103, 40, 1), (10104, 1, 1)] {
            walk.push(Column::AccessVlan, vec![port], Value::Number(vlan));
            walk.push(Column::IfOperStatus, vec![port], Value::Number(up));
        }
        walk.push(Column::VoiceVlan, vec![10101], Value::Number(20));
        assert_eq!(vlans(&walk), [20, 50, 2, 30], "neither VLAN 1, which the default context shows");
    }
}
