//! The network cards of an approved object, with what the proposal (as edited by people) says about each.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{first_free_port, push_missing_interface, title_identity};
use crate::model::name::escape_markdown;
use crate::model::{MacAddr, ObjectKind, ObjectRef};
use crate::plan::ledger::{Ledger, Made};
use crate::plan::view::{Interface, Machine, Ours, TAG};
use crate::plan::{Plan, RefusalKind, Target, View};

/// One network card and its proposal.
#[derive(Debug, Clone)]
pub(super) struct Nic<'a> {
    /// The interface, or the one to be.
    pub target: Target,
    /// As documented; none if it is yet to be.
    pub interface: Option<&'a Interface>,
    /// Its name.
    pub name: String,
    /// The object whose proposal fields are meant.
    pub proposed_on: ObjectRef,
    /// The device at the far end.
    pub switch: Option<i64>,
    /// The port there.
    pub port: Option<String>,
    /// Addresses, with a mask where a person gave one.
    pub addresses: Vec<(IpAddr, Option<u8>)>,
    /// The field as it was.
    pub addresses_text: Option<String>,
    /// Lines of the field that cannot be followed: it stays, so that they are not forgotten.
    pub has_refused_lines: bool,
}

/// The model of the machine's interfaces.
pub(super) const fn interface_kind(machine: &Machine) -> ObjectKind {
    match machine.object.kind {
        ObjectKind::VirtualMachine => ObjectKind::VmInterface,
        _ => ObjectKind::Interface,
    }
}

/// An interface, its name, and the addresses proposed on it.
type Group<'a> = (Option<&'a Interface>, String, Vec<(IpAddr, Option<u8>)>);

/// One line of `surveyor_addresses`.
struct Line {
    address: IpAddr,
    mask: Option<u8>,
    interface: Option<String>,
}

/// All network cards that the proposal says something about.
pub(super) fn nics<'a>(machine: &Machine, view: &'a View, plan: &mut Plan) -> Vec<Nic<'a>> {
    let Some(ours) = &machine.ours else { return Vec::new() };
    let mut nics: Vec<Nic<'a>> = Vec::new();
    for interface in view.interfaces_of(machine.object) {
        if is_empty(&interface.ours) {
            continue;
        }
        let lines = once(parse(interface.ours.addresses.as_deref(), plan));
        nics.push(Nic {
            has_refused_lines: false,
            target: Target::Id(interface.object.id),
            interface: Some(interface),
            name: interface.name.clone(),
            proposed_on: interface.object,
            switch: interface.ours.switch,
            port: filled(interface.ours.port.as_deref()),
            addresses: lines.iter().map(|line| (line.address, line.mask)).collect(),
            addresses_text: interface.ours.addresses.clone(),
        });
    }
    if is_empty(ours) {
        return nics;
    }
    // Fields on the machine itself: each address on the interface its line names, the rest and the cable on the main one.
    let lines = once(parse(ours.addresses.as_deref(), plan));
    let mut has_refused_lines = false;
    let main = main_interface(machine, view);
    let mut groups: Vec<Group<'_>> = Vec::new();
    let main_name = main.map_or_else(|| "eth0".to_owned(), |interface| interface.name.clone());
    if filled(ours.port.as_deref()).is_some() || lines.is_empty() {
        groups.push((main, main_name.clone(), Vec::new()));
    }
    for line in lines {
        let named = line.interface.as_deref().and_then(|name| view.interface_named(machine.object, name));
        let (interface, name) = match (named, line.interface) {
            (Some(interface), _) => (Some(interface), interface.name.clone()),
            (None, Some(name)) if main.is_some() && name != main_name => {
                plan.refuse(
                    RefusalKind::Interface,
                    format!(
                        "{} is proposed on `{}`, which {} does not have",
                        line.address,
                        escape_markdown(&name, 64),
                        escape_markdown(&machine.title(), 64)
                    ),
                );
                has_refused_lines = true;
                continue;
            }
            _ => (main, main_name.clone()),
        };
        match groups.iter_mut().find(|(_, known, _)| *known == name) {
            Some((_, _, addresses)) => addresses.push((line.address, line.mask)),
            None => groups.push((interface, name, vec![(line.address, line.mask)])),
        }
    }
    for (interface, name, addresses) in groups {
        let is_main = name == main_name;
        let target = match interface {
            Some(interface) => Target::Id(interface.object.id),
            None => push_missing_interface(machine, &name, identity_mac(machine), plan, view),
        };
        nics.push(Nic {
            has_refused_lines,
            target,
            interface,
            name,
            proposed_on: machine.object,
            switch: ours.switch.filter(|_| is_main),
            port: filled(ours.port.as_deref()).filter(|_| is_main),
            addresses,
            addresses_text: ours.addresses.clone(),
        });
    }
    nics
}

/// Which interfaces approval makes, or made in a run that was cut short.
pub(super) fn note_made(machine: &Machine, nics: &[Nic<'_>], ledger: &mut Ledger) {
    for nic in nics {
        if matches!(nic.target, Target::New(_)) {
            ledger.making.insert(nic.name.clone());
        }
        let is_ours = nic.interface.is_none_or(|interface| interface.tags.contains(TAG));
        let id = nic.target.value();
        if is_ours && ledger.making.contains(&nic.name) && ledger.made.iter().all(|made| made.id != id) {
            ledger.made.push(Made { kind: interface_kind(machine), id });
        }
    }
}

fn filled(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_empty(ours: &Ours) -> bool {
    ours.switch.is_none()
        && filled(ours.port.as_deref()).is_none()
        && filled(ours.addresses.as_deref()).is_none()
}

/// The MAC that an identity `mac:..` names.
fn identity_mac(machine: &Machine) -> Option<MacAddr> {
    title_identity(machine).strip_prefix("mac:")?.parse().ok()
}

/// The interface with the identity's MAC, else the one with any MAC, else the first free port.
fn main_interface<'a>(machine: &Machine, view: &'a View) -> Option<&'a Interface> {
    let mac = identity_mac(machine);
    view.interfaces_of(machine.object)
        .find(|interface| mac.is_some() && interface.mac == mac)
        .or_else(|| view.interfaces_of(machine.object).find(|interface| interface.mac.is_some()))
        .or_else(|| first_free_port(machine, view))
        .or_else(|| view.interfaces_of(machine.object).next())
}

/// Each address once on each interface.
fn once(lines: Vec<Line>) -> Vec<Line> {
    let mut seen = BTreeSet::new();
    lines.into_iter().filter(|line| seen.insert((line.address, line.interface.clone()))).collect()
}

fn parse(text: Option<&str>, plan: &mut Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in text.unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (address, interface) = match line.split_once(char::is_whitespace) {
            Some((address, interface)) => (address, Some(interface.trim().to_owned())),
            None => (line, None),
        };
        let parsed = address
            .parse::<IpAddr>()
            .map(|address| (address, None))
            .or_else(|_| address.parse::<IpNet>().map(|net| (net.addr(), Some(net.prefix_len()))));
        match parsed {
            Ok((address, mask)) => lines.push(Line { address, mask, interface }),
            Err(_) => plan.refuse(
                RefusalKind::Address,
                format!(
                    "`{}` in the field Addresses is no IP address: one `ADDRESS [interface]` a line",
                    escape_markdown(address, 64)
                ),
            ),
        }
    }
    lines
}
