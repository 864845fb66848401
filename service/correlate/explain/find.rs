//! What a person means: a MAC address in any notation, a network address, a name, an identity; and what is called almost so.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::correlate::world::World;
use crate::model::explanation::Near;
use crate::model::{Candidate, Discovery, Fact, MacAddr};

/// Candidates that are named when nothing is called as asked.
const MAX_NEAR: usize = 5;

/// What answers to it.
#[derive(Debug)]
pub(super) enum Found<'d> {
    /// A candidate.
    Candidate(&'d Candidate),
    /// An address that something was said of, and that makes no candidate.
    Address(MacAddr),
}

/// Everything that answers to it, or else what is nearest.
pub(super) fn find<'d>(
    world: &World<'_, '_>,
    discovery: &'d Discovery,
    asked: &str,
) -> Result<Vec<Found<'d>>, Vec<Near>> {
    let asked = asked.trim();
    let candidates = |is_it: &dyn Fn(&Candidate) -> bool| -> Vec<Found<'d>> {
        discovery.candidates.iter().filter(|candidate| is_it(candidate)).map(Found::Candidate).collect()
    };
    let by_identity = |candidate: &Candidate| {
        candidate.identity.as_str().eq_ignore_ascii_case(asked)
            || candidate.aliases.iter().any(|alias| alias.as_str().eq_ignore_ascii_case(asked))
    };
    let mut found = candidates(&by_identity);
    if found.is_empty() {
        found = candidates(&|candidate| is_called(candidate, asked));
    }
    if found.is_empty()
        && let Ok(mac) = asked.parse::<MacAddr>()
    {
        found = candidates(&|candidate| has_mac(candidate, mac));
        if found.is_empty() && (!mac.is_host() || is_mentioned(world, mac)) {
            found.push(Found::Address(mac));
        }
    }
    if found.is_empty()
        && let Ok(address) = asked.parse::<IpAddr>()
    {
        found = at(world, discovery, address);
    }
    if found.is_empty() {
        found = candidates(&|candidate| is_also_called(candidate, asked));
    }
    if found.is_empty() { Err(near(discovery, asked)) } else { Ok(found) }
}

fn is_called(candidate: &Candidate, asked: &str) -> bool {
    let name = &candidate.name;
    name.as_str().eq_ignore_ascii_case(asked)
        || name.short().eq_ignore_ascii_case(asked)
        || candidate.device.as_deref().is_some_and(|device| device.eq_ignore_ascii_case(asked))
}

/// A name that it wanted and did not get.
fn is_also_called(candidate: &Candidate, asked: &str) -> bool {
    candidate.other_names.iter().any(|name| {
        let name = name.trim().trim_end_matches('.');
        name.eq_ignore_ascii_case(asked)
            || name.split('.').next().is_some_and(|short| short.eq_ignore_ascii_case(asked))
    })
}

fn has_mac(candidate: &Candidate, mac: MacAddr) -> bool {
    let is_alias = |text: &str| text.strip_prefix("mac:").is_some_and(|text| text == mac.lower());
    candidate.interfaces.iter().any(|card| card.mac == Some(mac))
        || std::iter::once(&candidate.identity)
            .chain(&candidate.aliases)
            .any(|identity| is_alias(identity.as_str()))
}

/// Whether anything was said of an address.
fn is_mentioned(world: &World<'_, '_>, mac: MacAddr) -> bool {
    let in_facts = world.collections.iter().flat_map(|collection| &collection.facts).any(|fact| match fact {
        Fact::DhcpLease(lease) => lease.mac == mac,
        Fact::Neighbor { mac: known, .. } | Fact::ScanReply { mac: Some(known), .. } => *known == mac,
        _ => false,
    });
    in_facts || world.edge.rows.find(mac).is_some()
}

/// Whoever holds or claims a network address, or is read at it.
fn at<'d>(world: &World<'_, '_>, discovery: &'d Discovery, address: IpAddr) -> Vec<Found<'d>> {
    let mut macs: BTreeSet<MacAddr> =
        world.claimed.iter().filter(|(_, claimed)| claimed.contains(&address)).map(|(mac, _)| *mac).collect();
    if macs.is_empty() {
        let mentioned = world.collections.iter().flat_map(|collection| &collection.facts);
        macs.extend(mentioned.filter_map(|fact| match fact {
            Fact::DhcpLease(lease) => (lease.address == Some(address)).then_some(lease.mac),
            Fact::Neighbor { mac, address: known, .. }
            | Fact::ScanReply { mac: Some(mac), address: known, .. } => (*known == address).then_some(*mac),
            _ => None,
        }));
    }
    let read = world.inventory.at(address).map(|id| world.inventory.name(id));
    let is_it = |candidate: &&Candidate| {
        candidate.interfaces.iter().any(|card| card.addresses.contains(&address))
            || macs.iter().any(|mac| has_mac(candidate, *mac))
            || read.is_some() && candidate.device.as_deref() == read
    };
    let candidates: Vec<&Candidate> = discovery.candidates.iter().filter(is_it).collect();
    macs.retain(|mac| !candidates.iter().any(|candidate| has_mac(candidate, *mac)));
    candidates.into_iter().map(Found::Candidate).chain(macs.into_iter().map(Found::Address)).collect()
}

/// The candidates whose name, MAC address or network address differs least.
fn near(discovery: &Discovery, asked: &str) -> Vec<Near> {
    let mac = asked.parse::<MacAddr>().ok();
    let address = asked.parse::<IpAddr>().ok();
    let mut nearest: Vec<(usize, Near)> = Vec::new();
    for candidate in &discovery.candidates {
        let best = if let Some(mac) = mac {
            let macs = candidate.interfaces.iter().filter_map(|card| card.mac);
            macs.map(|known| (digits_apart(known, mac), known.to_string())).min()
        } else if let Some(address) = address {
            let addresses = candidate.interfaces.iter().flat_map(|card| &card.addresses);
            addresses.filter_map(|known| Some((apart(*known, address)?, known.to_string()))).min()
        } else {
            let name = candidate.name.as_str();
            let names = std::iter::once(name).chain(candidate.device.as_deref());
            let names = names.chain(candidate.other_names.iter().map(String::as_str));
            names.filter_map(|name| Some((letters_apart(name, asked)?, name.to_owned()))).min()
        };
        let Some((distance, called)) = best else { continue };
        nearest.push((distance, Near { identity: candidate.identity.clone(), called }));
    }
    nearest.sort_by(|(a, near), (b, other)| (a, &near.identity).cmp(&(b, &other.identity)));
    nearest.into_iter().take(MAX_NEAR).map(|(_, near)| near).collect()
}

/// How many of twelve digits differ; whoever mistypes one or two wants to see it, and so does who knows only the vendor.
fn digits_apart(a: MacAddr, b: MacAddr) -> usize {
    a.compact().bytes().zip(b.compact().bytes()).filter(|(a, b)| a != b).count()
}

/// How far apart two addresses of one family are, if they share the first half.
fn apart(a: IpAddr, b: IpAddr) -> Option<usize> {
    let distance = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            Some(u128::from(u32::from(a).abs_diff(u32::from(b)))).filter(|distance| *distance < 1 << 16)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            Some(u128::from(a).abs_diff(u128::from(b))).filter(|distance| *distance < 1 << 64)
        }
        _ => None,
    };
    distance.map(|distance| usize::try_from(distance).unwrap_or(usize::MAX))
}

/// How many letters have to change or to swap places (Damerau and Levenshtein), if few enough that it may be meant; a name that has
/// the other in it is near.
fn letters_apart(name: &str, asked: &str) -> Option<usize> {
    let (name, asked): (Vec<char>, Vec<char>) =
        (name.to_lowercase().chars().take(64).collect(), asked.to_lowercase().chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=asked.len()).collect();
    for (i, from) in name.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in asked.iter().enumerate() {
            let mut best = (row[j] + usize::from(from != to)).min(next[j] + 1).min(row[j + 1] + 1);
            if i > 0 && j > 0 && *from == asked[j - 1] && name[i - 1] == *to {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    let distance = row.last().copied().unwrap_or(usize::MAX);
    let has = |a: &[char], b: &[char]| b.len() >= 3 && a.windows(b.len()).any(|window| window == b);
    if has(&name, &asked) || has(&asked, &name) {
        return Some(distance.min(2));
    }
    (distance * 3 <= asked.len().max(3)).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::letters_apart;

    #[test]
    fn what_may_be_meant() {
        for (name, asked, distance) in [
            ("printer", "printre", Some(1)),
            ("printer", "pintr", None),
            ("printer", "PRINTER", Some(0)),
            ("printer.example.org", "printer", Some(2)),
            ("nas1", "nas2", Some(1)),
            ("nas1", "tv", None),
            ("", "x", Some(1)),
        ] {
            assert_eq!(letters_apart(name, asked), distance, "{name} {asked}");
        }
    }
}
