//! A run against NetBox: NetBox is what was, the run is what is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::side::{Side, Subject};
use super::{Diff, Host, Port, Run, compare};
use crate::model::{Candidate, Identity, MacAddr, ObjectKind, ObjectRef};
use crate::plan::View;
use crate::plan::ledger::Ledger;
use crate::plan::stage::{Found, find};
use crate::plan::view::{Machine, TAG, TAG_MANAGED};

/// What a run shows otherwise than NetBox has it. Objects are recognised as staging recognises them.
pub fn against(view: &View, run: Run<'_>) -> Diff {
    let after = Side::of_run(run);
    let cables = Cables::new(view, run);
    let before = Side::of_netbox(view.machines.iter().map(|machine| cables.subject(machine)).collect());
    let position: HashMap<ObjectRef, usize> =
        view.machines.iter().enumerate().map(|(index, machine)| (machine.object, index)).collect();
    let mut pairs: Vec<Option<usize>> = vec![None; before.hosts.len()];
    let mut asked: BTreeSet<ObjectRef> = BTreeSet::new();
    let mut ambiguous: BTreeSet<&Identity> = BTreeSet::new();
    for (index, candidate) in run.discovery.candidates.iter().enumerate() {
        match find(candidate, view) {
            Found::Proposed(machine) | Found::Documented(machine, _) => {
                if let Some(pair) = position.get(&machine.object).and_then(|at| pairs.get_mut(*at)) {
                    pair.get_or_insert(index);
                }
            }
            // Which of them it is cannot be told, but none of them is gone, and it is not new.
            Found::Ambiguous(machines) => {
                asked.extend(machines);
                ambiguous.insert(&candidate.identity);
            }
            Found::Nothing | Found::Contradicted(..) => {}
        }
    }
    let mut diff = compare::compare(&before, &after, &pairs);
    diff.new.retain(|host| !ambiguous.contains(&host.identity));
    settle_absence(view, &after, &asked, &mut diff);
    diff.gaps.clone_from(&run.discovery.gaps);
    diff
}

/// Only what a run has reported once, and what people put under watch, can be gone. Of that, only what nothing can have missed.
fn settle_absence(view: &View, after: &Side, asked: &BTreeSet<ObjectRef>, diff: &mut Diff) {
    let absent = std::mem::take(&mut diff.gone);
    for host in absent {
        let Some(machine) = host.object.and_then(|object| view.machine(object)) else { continue };
        if asked.contains(&machine.object) {
            continue;
        }
        let is_watched = machine.has_tag(TAG) || machine.has_tag(TAG_MANAGED);
        if !is_watched {
            diff.never_seen += 1;
            continue;
        }
        let has_sources = !sources(machine).is_empty();
        match after.missed_anything().filter(|_| !has_sources) {
            Some(why) => {
                diff.unknown.push(super::Unknown { host, why: format!("whether it is gone: {why}") });
            }
            None => diff.gone.push(host),
        }
    }
    diff.unknown.sort();
}

fn sources(machine: &Machine) -> BTreeSet<String> {
    let ledger = Ledger::read(machine.ours.as_ref().and_then(|ours| ours.ledger.as_ref()));
    ledger.sources.into_iter().collect()
}

/// Where NetBox has cables, by the card at the far end, in the names that the run uses for its devices.
struct Cables<'v> {
    view: &'v View,
    macs: HashMap<ObjectRef, Vec<MacAddr>>,
    ports: BTreeMap<MacAddr, Port>,
    names: HashMap<i64, String>,
}

impl<'v> Cables<'v> {
    fn new(view: &'v View, run: Run<'_>) -> Self {
        let mut macs: HashMap<ObjectRef, Vec<MacAddr>> = HashMap::new();
        for mac in &view.macs {
            if let Some(machine) = mac.machine {
                macs.entry(machine).or_default().push(mac.mac);
            }
        }
        let device = |candidate: &Candidate| {
            let name = candidate.device.clone()?;
            match find(candidate, view) {
                Found::Proposed(machine) | Found::Documented(machine, _) => Some((machine.object.id, name)),
                _ => None,
            }
        };
        let names: HashMap<i64, String> = run.discovery.candidates.iter().filter_map(device).collect();
        let mut on_interface: HashMap<i64, Vec<MacAddr>> = HashMap::new();
        for mac in &view.macs {
            if let Some(interface) = mac.interface.filter(|interface| interface.kind == ObjectKind::Interface)
            {
                on_interface.entry(interface.id).or_default().push(mac.mac);
            }
        }
        let mut ports = BTreeMap::new();
        for cable in view.cables.iter().filter(|cable| cable.status == "connected") {
            for (near, far) in [(&cable.a, &cable.b), (&cable.b, &cable.a)] {
                let [(kind, id)] = near.as_slice() else { continue };
                let known = (kind == ObjectKind::Interface.content_type())
                    .then(|| view.interface(ObjectRef::new(ObjectKind::Interface, *id)))
                    .flatten();
                let Some(interface) = known else { continue };
                let Some(switch) = names.get(&interface.machine.id) else { continue };
                let port = Port { switch: switch.clone(), port: interface.name.clone() };
                let far = far.iter().filter(|(kind, _)| kind == ObjectKind::Interface.content_type());
                for mac in far.filter_map(|(_, id)| on_interface.get(id)).flatten() {
                    ports.insert(*mac, port.clone());
                }
            }
        }
        Self { view, macs, ports, names }
    }

    fn subject(&self, machine: &Machine) -> Subject {
        let ours = machine.ours.as_ref();
        let identity = ours.and_then(|ours| ours.id.clone());
        let identity = Identity(identity.unwrap_or_else(|| machine.object.to_string()));
        let macs = self.macs.get(&machine.object).map_or(&[][..], Vec::as_slice);
        let mut keys = vec![identity.clone()];
        keys.extend(macs.iter().map(|mac| Identity::of_mac(*mac)));
        let mut ports: BTreeMap<MacAddr, Port> =
            macs.iter().filter_map(|mac| Some((*mac, self.ports.get(mac)?.clone()))).collect();
        // What is only proposed says where it was last seen.
        if let ([mac], Some(ours)) = (macs, ours)
            && let (Some(switch), Some(port)) = (ours.switch.and_then(|id| self.names.get(&id)), &ours.port)
        {
            ports.entry(*mac).or_insert_with(|| Port { switch: switch.clone(), port: port.clone() });
        }
        let addresses = self.addresses(machine);
        Subject {
            host: Host { identity, name: machine.title(), object: Some(machine.object) },
            keys,
            name: machine.name.clone().filter(|name| !name.starts_with("host-")),
            addresses,
            ports,
            sources: sources(machine),
        }
    }

    fn addresses(&self, machine: &Machine) -> BTreeSet<std::net::IpAddr> {
        let proposed = machine.ours.as_ref().and_then(|ours| ours.addresses.as_deref()).unwrap_or_default();
        let proposed = proposed.lines().filter_map(|line| {
            line.split_whitespace().next()?.split('/').next()?.parse::<std::net::IpAddr>().ok()
        });
        self.view.addresses_of(machine.object).map(|address| address.address.addr()).chain(proposed).collect()
    }
}
