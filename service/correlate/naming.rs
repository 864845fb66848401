//! Names: the best valid one, and what happens when several candidates want the same.
//!
//! A name that two candidates want goes to neither, unless exactly one of them has it from an administrator (the name a device is
//! read under, the hypervisor's name of a guest): a client can call itself anything, and must not take another's name. The
//! others fall back to `host-<mac>` and keep the wish.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::name::MAX_NETBOX_NAME;
use crate::model::{Candidate, Conflict, HostName, Identity, MacAddr, NameOrigin};

/// A name that something wants for a machine.
pub(super) type Wish = (NameOrigin, String);

/// Names that every machine has for itself: as a host's name they would mislead, in DNS they would do harm.
pub(crate) const RESERVED: &[&str] = &["localhost", "localdomain", "broadcasthost", "wpad", "isatap"];

/// What came of the wishes.
#[derive(Debug)]
pub(super) struct Named {
    /// The name, valid and short enough.
    pub name: HostName,
    /// Where it comes from.
    pub origin: NameOrigin,
    /// The others.
    pub others: Vec<String>,
}

/// Chooses the name of the highest origin; among equals the first in the alphabet, so that order does not matter.
pub(super) fn choose(wishes: impl IntoIterator<Item = Wish>, fallback: impl FnOnce() -> HostName) -> Named {
    let wishes: BTreeSet<Wish> = wishes.into_iter().filter(|(_, text)| !text.trim().is_empty()).collect();
    let best = wishes
        .iter()
        .filter_map(|(origin, text)| Some((*origin, usable(text)?)))
        .max_by(|(a_origin, a), (b_origin, b)| a_origin.cmp(b_origin).then_with(|| b.cmp(a)));
    let (origin, name) = best.unwrap_or_else(|| (NameOrigin::Fallback, fallback()));
    let others: BTreeSet<String> =
        wishes.into_iter().map(|(_, text)| text).filter(|text| !same(text, &name)).collect();
    Named { name, origin, others: others.into_iter().collect() }
}

/// The host name that a text is, if NetBox and DNS can take it.
pub(super) fn usable(text: &str) -> Option<HostName> {
    checked(text).ok()
}

/// The host name that a text is, or why it can be none.
pub(super) fn checked(text: &str) -> Result<HostName, String> {
    let name = text.trim_matches(|c: char| c.is_whitespace() || c == '\0').parse::<HostName>();
    let name = name.map_err(|error| format!("no host name: {error}"))?;
    if name.as_str().len() > MAX_NETBOX_NAME {
        return Err(format!("longer than the {MAX_NETBOX_NAME} characters that NetBox takes"));
    }
    if RESERVED.contains(&name.short()) {
        return Err("a name that every machine has for itself".to_owned());
    }
    Ok(name)
}

/// Whether NetBox and DNS can take it.
pub(crate) fn is_usable(text: &str) -> bool {
    usable(text).is_some()
}

fn same(text: &str, name: &HostName) -> bool {
    text.trim().trim_end_matches('.').eq_ignore_ascii_case(name.as_str())
}

/// `host-525400123456`.
#[expect(clippy::expect_used, reason = "`host-` and twelve hexadecimal digits are a host name")]
pub(super) fn fallback(mac: MacAddr) -> HostName {
    format!("host-{}", mac.compact()).parse().expect("a valid host name")
}

/// A name for a device that has neither a valid name nor an address: its name with what is not allowed replaced.
#[expect(clippy::expect_used, reason = "letters, digits and inner hyphens behind a letter are a host name")]
pub(super) fn spelled(name: &str) -> HostName {
    let plain: String =
        name.chars().take(50).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    let plain = if plain.is_empty() { "unnamed" } else { plain };
    format!("device-{plain}").parse().expect("a valid host name")
}

/// A name that several candidates want.
#[derive(Debug)]
pub(super) struct Contest {
    /// All that want it, sorted.
    identities: Vec<Identity>,
    /// The one that has it from an administrator.
    keeper: Option<Identity>,
}

/// The names that several candidates want.
pub(super) type Contests = BTreeMap<HostName, Contest>;

/// Finds them among the names of all candidates.
pub(super) fn contests<'a>(
    names: impl IntoIterator<Item = (&'a HostName, &'a Identity)>,
    administered: &BTreeMap<Identity, BTreeSet<HostName>>,
) -> Contests {
    let mut wanted: BTreeMap<&HostName, Vec<&Identity>> = BTreeMap::new();
    for (name, identity) in names {
        wanted.entry(name).or_default().push(identity);
    }
    let several = wanted.into_iter().filter(|(_, several)| several.len() > 1);
    let contest = |(name, mut several): (&HostName, Vec<&Identity>)| {
        several.sort();
        let has_right =
            |identity: &&&Identity| administered.get(**identity).is_some_and(|names| names.contains(name));
        let entitled: Vec<&&Identity> = several.iter().filter(has_right).collect();
        let keeper = if let [one] = entitled.as_slice() { Some((**one).clone()) } else { None };
        (name.clone(), Contest { identities: several.into_iter().cloned().collect(), keeper })
    };
    several.map(contest).collect()
}

/// Takes a contested name from a candidate, unless it is the one that has it from an administrator, and says so.
pub(super) fn settle(candidate: &mut Candidate, contests: &Contests) {
    let Some((name, contest)) = contests.get_key_value(&candidate.name) else { return };
    let conflict = Conflict::DuplicateName { name: name.clone(), identities: contest.identities.clone() };
    candidate.conflicts.push(conflict);
    if contest.keeper.as_ref() != Some(&candidate.identity) {
        candidate.other_names.push(name.to_string());
        candidate.other_names.sort();
        candidate.other_names.dedup();
        let mac = candidate.interfaces.iter().find_map(|interface| interface.mac);
        candidate.name = mac.map_or_else(|| spelled(candidate.identity.as_str()), fallback);
        candidate.name_origin = NameOrigin::Fallback;
    }
}
