//! What is read from a device and in which order: columns by stage, one after the other, because switches have small
//! processors. Each stage is reported before the next begins; what cannot be read is a gap.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{Collection, FactKind, FdbTable};

use super::column::Column;
use super::credentials::Access;
use super::error::Error;
use super::parse::{Device, addresses, bridges, forwarding};
use super::talk::{Limits, Session, resolve};
use super::walk::{Value, Walk};

/// Read with one request, before anything else.
const SCALARS: &[Column] = &[
    Column::SysDescr,
    Column::SysObjectId,
    Column::SysUpTime,
    Column::SysName,
    Column::SysServices,
    Column::BridgeAddress,
    Column::LldpLocChassisSubtype,
    Column::LldpLocChassisId,
    Column::MikrotikSerial,
    Column::MikrotikBoard,
    Column::JuniperSerial,
    Column::FortinetSerial,
    Column::HpSerial,
];

/// sysUpTime wraps after 497 days; a fall from this close to the end (ten minutes of ticks) is that, and no restart.
const WRAP_MARGIN: u32 = 60_000;

/// One device being read.
pub(crate) struct Reading<'a> {
    /// The device's name, and what it is called in messages.
    pub(crate) name: &'a str,
    /// `host:port`.
    pub(crate) target: &'a str,
    /// Credentials.
    pub(crate) access: &'a Access,
    /// Patience.
    pub(crate) limits: Limits,
}

/// The device stopped answering; what is missing is in the sink.
struct Lost;

impl Reading<'_> {
    /// Opens a session with the first of the target's addresses that answers, and reads the scalars.
    pub(crate) async fn open(&self) -> Result<(Session, Walk, IpAddr), Error> {
        let mut last = Error::Unresolved(self.target.to_owned());
        for address in resolve(self.target).await? {
            let session = Session::open(address, self.access, self.limits).await?;
            match session.scalars(SCALARS).await {
                Ok(scalars) => {
                    let mut walk = Walk::default();
                    for (column, value) in scalars {
                        walk.push(column, vec![0], value);
                    }
                    return Ok((session, walk, address.ip()));
                }
                Err(error) if error.is_lost() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Reads everything into the sink.
    pub(crate) async fn run(&self, sink: &mut Collection) {
        match self.open().await {
            Err(error) => sink.gap(FactKind::All, self.unreadable(&error)),
            Ok((mut session, mut walk, address)) => {
                let before = uptime(&walk);
                let mut conversation =
                    Conversation { reading: self, session: &mut session, sink, reported: BTreeSet::new() };
                let address = super::talk::split_host_port(self.target)
                    .and_then(|(host, _)| host.parse().ok())
                    .map(|_: IpAddr| address);
                let _lost_is_reported = conversation.everything(&mut walk, address).await.is_err();
                self.discard_if_restarted(&session, before, sink).await;
            }
        }
    }

    /// What a person can do about a device that cannot be read at all.
    pub(crate) fn unreadable(&self, error: &Error) -> String {
        let hint = match error {
            Error::Silent { .. } => {
                "hint: check the address, the community or user, and the agent's access list; an agent that does not know the community is silent"
            }
            Error::Unreachable(_) => "hint: is SNMP enabled, and the port right?",
            Error::Unresolved(_) => "hint: check the name and the resolver",
            Error::Unauthorized(_) | Error::UnknownContext => "hint: check the credentials on both sides",
            _ => "hint: is this an SNMP agent?",
        };
        format!("{} ({}) cannot be read: {error}; {hint}", self.target, self.access.describe())
    }

    /// Numbers that were read before and after a restart belong to different tables.
    async fn discard_if_restarted(&self, session: &Session, before: Option<u32>, sink: &mut Collection) {
        let Some(before) = before else { return };
        let Ok(scalars) = session.scalars(&[Column::SysUpTime]).await else { return };
        let after = scalars.first().and_then(|(_, value)| value.unsigned());
        if after.is_some_and(|after| restarted(before, after)) {
            sink.facts.clear();
            sink.fdb = FdbTable::default();
            sink.gap(FactKind::All, format!("{} restarted while it was read", self.target));
        }
    }
}

fn uptime(walk: &Walk) -> Option<u32> {
    walk.scalar(Column::SysUpTime).and_then(Value::unsigned)
}

/// Whether the uptime went back, other than by wrapping.
fn restarted(before: u32, after: u32) -> bool {
    after < before && before < u32::MAX - WRAP_MARGIN
}

pub(super) struct Conversation<'a> {
    pub(super) reading: &'a Reading<'a>,
    pub(super) session: &'a mut Session,
    sink: &'a mut Collection,
    reported: BTreeSet<FactKind>,
}

impl Conversation<'_> {
    async fn everything(&mut self, walk: &mut Walk, address: Option<IpAddr>) -> Result<(), Lost> {
        let lost = self.interfaces(walk).await.err();
        let device = Device::push(walk, self.reading.name, address, self.sink);
        if let Some(lost) = lost {
            self.missing(&[FactKind::Lldp, FactKind::Neighbors, FactKind::Fdb]);
            return Err(lost);
        }
        let lost = self.neighbors(walk, &device).await.err();
        device.push_neighbors(walk, self.sink);
        walk.forget_neighbors();
        if let Some(lost) = lost {
            self.missing(&[FactKind::Neighbors, FactKind::Fdb]);
            return Err(lost);
        }
        let lost = self.forwarding(walk, &device).await.err();
        device.push_forwarding(walk, self.sink);
        lost.map_or(Ok(()), Err)
    }

    async fn interfaces(&mut self, walk: &mut Walk) -> Result<(), Lost> {
        let result = self.interface_columns(walk).await;
        if result.is_err() {
            self.missing(&[FactKind::Interfaces, FactKind::Networks, FactKind::Device]);
        }
        result
    }

    async fn interface_columns(&mut self, walk: &mut Walk) -> Result<(), Lost> {
        self.columns(walk, &[Column::BasePortIfIndex, Column::IfDescr]).await?;
        let columns = [
            Column::IfName,
            Column::IfType,
            Column::IfPhysAddress,
            Column::IfAdminStatus,
            Column::IfOperStatus,
            Column::IfAlias,
            Column::IfHighSpeed,
        ];
        let ports = walk.rows(Column::IfDescr).len();
        self.columns_of(walk, &columns, (ports > 0).then_some(ports)).await?;
        if walk.rows(Column::IfHighSpeed).is_empty() {
            self.columns(walk, &[Column::IfSpeed]).await?;
        }
        self.columns(walk, &[Column::LagAttached, Column::IfStackStatus]).await?;
        if super::parse::vendor(walk).is_cisco() {
            self.columns(walk, &[Column::PagpGroup, Column::AccessVlan, Column::VoiceVlan]).await?;
        }
        if !walk.rows(Column::BasePortIfIndex).is_empty() {
            self.columns(walk, &[Column::Pvid]).await?;
        }
        self.led_by(walk, &[Column::AddrNetMask, Column::AddrIfIndex]).await?;
        self.led_by(walk, &[Column::AddressPrefix, Column::AddressIfIndex]).await?;
        self.led_by(
            walk,
            &[Column::EntityClass, Column::EntitySerial, Column::EntityMaker, Column::EntityModel],
        )
        .await
    }

    async fn neighbors(&mut self, walk: &mut Walk, device: &Device) -> Result<(), Lost> {
        let lldp = [
            Column::LldpChassisId,
            Column::LldpChassisSubtype,
            Column::LldpPortId,
            Column::LldpPortSubtype,
            Column::LldpPortDesc,
            Column::LldpSysName,
            Column::LldpSysDesc,
            Column::LldpCapSupported,
            Column::LldpCapEnabled,
            Column::LldpManAddr,
            Column::MedDeviceClass,
            Column::LldpLocPortId,
            Column::LldpLocPortSubtype,
            Column::LldpLocPortDesc,
        ];
        let lldp_2009 = [
            Column::Lldp2ChassisId,
            Column::Lldp2ChassisSubtype,
            Column::Lldp2PortId,
            Column::Lldp2PortSubtype,
            Column::Lldp2PortDesc,
            Column::Lldp2SysName,
            Column::Lldp2SysDesc,
            Column::Lldp2CapSupported,
            Column::Lldp2CapEnabled,
            Column::Lldp2ManAddr,
        ];
        let tp_link = [
            Column::TpLinkChassisId,
            Column::TpLinkPortId,
            Column::TpLinkPortDesc,
            Column::TpLinkSysName,
            Column::TpLinkSysDesc,
            Column::TpLinkCapEnabled,
            Column::TpLinkManAddr,
        ];
        let timetra = [
            Column::TimetraChassisId,
            Column::TimetraChassisSubtype,
            Column::TimetraPortId,
            Column::TimetraPortSubtype,
            Column::TimetraPortDesc,
            Column::TimetraSysName,
            Column::TimetraSysDesc,
            Column::TimetraCapSupported,
            Column::TimetraCapEnabled,
            Column::TimetraManAddr,
        ];
        self.led_by(walk, &lldp).await?;
        if walk.rows(Column::LldpChassisId).is_empty() {
            self.led_by(walk, &lldp_2009).await?;
            if device.vendor.is_tp_link() {
                self.led_by(walk, &tp_link).await?;
            }
            if device.vendor.is_timetra() {
                self.led_by(walk, &timetra).await?;
            }
        }
        self.led_by(
            walk,
            &[
                Column::CdpDeviceId,
                Column::CdpDevicePort,
                Column::CdpAddress,
                Column::CdpPlatform,
                Column::CdpVersion,
                Column::CdpCapabilities,
                Column::CdpSysName,
            ],
        )
        .await?;
        self.led_by(walk, &[Column::StpDesignatedBridge, Column::StpState, Column::StpDesignatedPort])
            .await?;
        if bridges::has_aggregates(walk) {
            self.columns(walk, &[Column::LagPartner]).await?;
        }
        self.led_by(walk, &[Column::ArpPhysAddress, Column::ArpType]).await?;
        if addresses::needs_columns(walk.rows(Column::ArpPhysAddress)) {
            self.columns(walk, &[Column::ArpIfIndex, Column::ArpNetAddress]).await?;
        }
        self.led_by(walk, &[Column::NeighborPhysAddress, Column::NeighborType]).await?;
        if walk.rows(Column::NeighborPhysAddress).is_empty() {
            self.columns(walk, &[Column::Ipv6PhysAddress]).await?;
        }
        Ok(())
    }

    async fn forwarding(&mut self, walk: &mut Walk, device: &Device) -> Result<(), Lost> {
        self.led_by(walk, &[Column::VlanFdbPort, Column::VlanFdbStatus, Column::VlanFdbId]).await?;
        if forwarding::needs_addresses(walk.rows(Column::VlanFdbPort)) {
            self.columns(walk, &[Column::VlanFdbAddress]).await?;
        }
        if device.vendor.is_juniper() && !walk.rows(Column::VlanFdbPort).is_empty() {
            self.led_by(walk, &[Column::L2aldVlanTag, Column::L2aldVlanFdbId]).await?;
            self.columns(walk, &[Column::ExVlanTag]).await?;
        }
        if let Some(column) = device.vendor.own_fdb() {
            self.columns(walk, &[column]).await?;
        }
        self.led_by(walk, &[Column::FdbPort, Column::FdbStatus]).await?;
        if forwarding::needs_addresses(walk.rows(Column::FdbPort)) {
            self.columns(walk, &[Column::FdbAddress]).await?;
        }
        if device.vendor.bridges_per_vlan() && walk.rows(Column::VlanFdbPort).is_empty() {
            self.columns(walk, &[Column::VtpVlanState]).await?;
            self.vlans(walk).await;
        }
        Ok(())
    }

    /// Reads the first column and, if it has rows, the others.
    async fn led_by(&mut self, walk: &mut Walk, columns: &[Column]) -> Result<(), Lost> {
        let Some((leader, followers)) = columns.split_first() else { return Ok(()) };
        self.columns(walk, &[*leader]).await?;
        match walk.rows(*leader).len() {
            0 => Ok(()),
            rows => self.columns_of(walk, followers, Some(rows)).await,
        }
    }

    async fn columns(&mut self, walk: &mut Walk, columns: &[Column]) -> Result<(), Lost> {
        self.columns_of(walk, columns, None).await
    }

    /// Reads columns of a table that has so many rows.
    async fn columns_of(
        &mut self,
        walk: &mut Walk,
        columns: &[Column],
        expected: Option<usize>,
    ) -> Result<(), Lost> {
        let mut lost = None;
        for column in columns {
            if lost.is_some() {
                walk.extend(*column, Vec::new(), false);
                continue;
            }
            let mut rows = Vec::new();
            let result = self.session.column(*column, expected, &mut rows).await;
            let read = rows.len();
            walk.extend(*column, rows, result.is_ok());
            if let Err(error) = result {
                self.gap(
                    column.facts(),
                    format!(
                        "{} of {} was cut short after {read} rows: {error}",
                        column.name(),
                        self.reading.target
                    ),
                );
                lost = error.is_lost().then_some(Lost);
            }
        }
        lost.map_or(Ok(()), Err)
    }

    /// One gap for each kind of facts: the first reason is the one to act on.
    pub(super) fn gap(&mut self, facts: FactKind, reason: String) {
        if self.reported.insert(facts) {
            self.sink.gap(facts, reason);
        }
    }

    fn missing(&mut self, kinds: &[FactKind]) {
        for kind in kinds {
            self.gap(*kind, format!("{} stopped answering before this was read", self.reading.target));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_told_from_a_wrap() {
        assert!(!restarted(100, 100));
        assert!(!restarted(100, 200));
        assert!(restarted(9_000_000, 1_000));
        assert!(!restarted(u32::MAX - 500, 100), "497 days are over");
    }
}
