//! Two sides against each other, in time that grows with the number of hosts.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::side::{Side, Subject};
use super::{Diff, Host, Moved, Readdressed, Renamed, Unknown};
use crate::model::{Discovery, Identity, Link, LinkEnd};

/// For each host of the first side, which of the second it is.
pub(super) fn pair(before: &Side, after: &Side) -> Vec<Option<usize>> {
    let mut by_identity: HashMap<&Identity, usize> = HashMap::with_capacity(after.hosts.len());
    let mut by_key: HashMap<&Identity, usize> = HashMap::with_capacity(after.hosts.len());
    for (index, subject) in after.hosts.iter().enumerate() {
        by_identity.entry(&subject.host.identity).or_insert(index);
        for key in &subject.keys {
            by_key.entry(key).or_insert(index);
        }
    }
    let find = |subject: &Subject| {
        let exact = by_identity.get(&subject.host.identity);
        exact.or_else(|| subject.keys.iter().find_map(|key| by_key.get(key))).copied()
    };
    before.hosts.iter().map(find).collect()
}

/// Everything that differs between hosts.
pub(super) fn compare(before: &Side, after: &Side, pairs: &[Option<usize>]) -> Diff {
    let mut diff = Diff::default();
    let mut met: HashSet<usize> = HashSet::new();
    for (old, pair) in before.hosts.iter().zip(pairs) {
        match pair.and_then(|index| Some((index, after.hosts.get(index)?))) {
            Some((index, new)) => {
                met.insert(index);
                Pair { before, after, old, new }.compare(&mut diff);
            }
            None => absent(old, after, &mut diff),
        }
    }
    let known: HashSet<&Identity> = before.hosts.iter().flat_map(|subject| &subject.keys).collect();
    for (index, new) in after.hosts.iter().enumerate().filter(|(index, _)| !met.contains(index)) {
        // A machine that turned out to be two has no new part.
        if new.keys.iter().any(|key| known.contains(key)) {
            diff.unchanged += 1;
            continue;
        }
        match before.missed(&new.sources) {
            Some(why) => diff.unknown.push(unknown(&new.host, format!("whether it is new: before, {why}"))),
            None => diff.new.push(after.hosts[index].host.clone()),
        }
    }
    diff.new.sort();
    diff.gone.sort();
    diff.unknown.sort();
    diff.moved.sort_by(|a, b| (&a.host, a.mac).cmp(&(&b.host, b.mac)));
    diff.renamed.sort_by(|a, b| a.host.cmp(&b.host));
    diff.readdressed.sort_by(|a, b| a.host.cmp(&b.host));
    diff
}

fn absent(old: &Subject, after: &Side, diff: &mut Diff) {
    match after.missed(&old.sources) {
        Some(why) => diff.unknown.push(unknown(&old.host, format!("whether it is gone: now, {why}"))),
        None => diff.gone.push(old.host.clone()),
    }
}

fn unknown(host: &Host, why: String) -> Unknown {
    Unknown { host: host.clone(), why }
}

/// One host on both sides.
struct Pair<'s> {
    before: &'s Side,
    after: &'s Side,
    old: &'s Subject,
    new: &'s Subject,
}

impl Pair<'_> {
    fn compare(&self, diff: &mut Diff) {
        let host = Host { object: self.old.host.object, ..self.new.host.clone() };
        let found = [self.ports(&host, diff), self.name(&host, diff), self.addresses(&host, diff)];
        diff.unchanged += usize::from(!found.contains(&true));
    }

    /// Cards on another port. A port that is known on one side only may be a table that forgot a silent host.
    fn ports(&self, host: &Host, diff: &mut Diff) -> bool {
        let mut differs = false;
        let macs: BTreeSet<_> = self.old.ports.keys().chain(self.new.ports.keys()).collect();
        for mac in macs {
            let (from, to) = (self.old.ports.get(mac), self.new.ports.get(mac));
            let why = match (from, to) {
                (Some(from), Some(to)) if from == to => continue,
                (Some(from), Some(to)) => {
                    let blind =
                        self.after.missed_at(&from.switch, self.before).map(|why| format!("now, {why}"));
                    let blind = blind.or_else(|| {
                        self.before.missed_at(&to.switch, self.after).map(|why| format!("before, {why}"))
                    });
                    match blind {
                        None => {
                            let (from, to) = (from.clone(), to.clone());
                            diff.moved.push(Moved { host: host.clone(), mac: *mac, from, to });
                            differs = true;
                            continue;
                        }
                        Some(why) => format!(
                            "whether {mac} moved from {} {} to {} {}: {why}",
                            from.switch, from.port, to.switch, to.port
                        ),
                    }
                }
                _ if self.before.is_netbox() => continue,
                (Some(from), None) => {
                    format!(
                        "where {mac} hangs: it was on {} {}, and no port is known now",
                        from.switch, from.port
                    )
                }
                (None, Some(to)) => {
                    format!("where {mac} hung: it is on {} {}, and no port was known", to.switch, to.port)
                }
                (None, None) => continue,
            };
            diff.unknown.push(unknown(host, why));
            differs = true;
        }
        differs
    }

    fn name(&self, host: &Host, diff: &mut Diff) -> bool {
        let (from, to) = (self.old.name.as_deref(), self.new.name.as_deref());
        let is_same = match (from, to) {
            (Some(from), Some(to)) => from.eq_ignore_ascii_case(to),
            (None, None) => true,
            _ => self.before.is_netbox(),
        };
        if is_same {
            return false;
        }
        match self.blind(from.is_some(), to.is_some()) {
            Some(why) => diff.unknown.push(unknown(host, format!("whether it has another name: {why}"))),
            None => diff.renamed.push(Renamed {
                host: host.clone(),
                from: from.map(str::to_owned),
                to: to.map(str::to_owned),
            }),
        }
        true
    }

    fn addresses(&self, host: &Host, diff: &mut Diff) -> bool {
        let added: BTreeSet<_> = self.new.addresses.difference(&self.old.addresses).copied().collect();
        let removed: BTreeSet<_> = self.old.addresses.difference(&self.new.addresses).copied().collect();
        if added.is_empty() && (removed.is_empty() || self.before.is_netbox()) {
            return false;
        }
        let why = if self.new.addresses.is_empty() && self.new.sources != self.old.sources {
            Some("nothing says which it has now".to_owned())
        } else {
            self.blind(!removed.is_empty(), !added.is_empty())
        };
        match why {
            Some(why) => diff.unknown.push(unknown(host, format!("whether it has other addresses: {why}"))),
            None => diff.readdressed.push(Readdressed { host: host.clone(), added, removed }),
        }
        true
    }

    /// Why what one side lacks may only have been missed there.
    fn blind(&self, lost: bool, gained: bool) -> Option<String> {
        let now = || self.after.missed(&self.old.sources).map(|why| format!("now, {why}"));
        let then = || self.before.missed(&self.new.sources).map(|why| format!("before, {why}"));
        lost.then(now).flatten().or_else(|| gained.then(then).flatten())
    }
}

/// Cables that only one side has.
pub(super) fn links(before: &Side, old: &Discovery, after: &Side, new: &Discovery, diff: &mut Diff) {
    let ends = |link: &Link| -> [LinkEnd; 2] { [link.a.clone(), link.b.clone()] };
    let (was, is): (BTreeSet<_>, BTreeSet<_>) =
        (old.links.iter().map(ends).collect(), new.links.iter().map(ends).collect());
    let blind = |side: &Side, other: &Side, link: &Link| {
        side.missed_at(&link.a.switch, other).or_else(|| side.missed_at(&link.b.switch, other)).is_some()
    };
    let is_new = |link: &&Link| !was.contains(&ends(link)) && !blind(before, after, link);
    let is_gone = |link: &&Link| !is.contains(&ends(link)) && !blind(after, before, link);
    diff.new_links = new.links.iter().filter(is_new).cloned().collect();
    diff.gone_links = old.links.iter().filter(is_gone).cloned().collect();
}
