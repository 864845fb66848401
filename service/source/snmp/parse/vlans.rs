//! From the forwarding database id in dot1qTpFdbTable's index to the VLAN. RFC 4363 leaves the id to the agent: most use
//! the VLAN id, some an ordinal, some one database for several VLANs, Junos something of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::snmp::column::Column;
use crate::source::snmp::walk::Walk;

/// The highest VLAN id (IEEE 802.1Q 9.6).
const MAX_VLAN: u32 = 4094;

/// The VLANs that telephones are told to use, by ifIndex (CISCO-VLAN-MEMBERSHIP-MIB). 4095 and 4096 mean none and untagged.
pub(crate) fn voice(walk: &Walk) -> BTreeMap<u32, u16> {
    let rows = walk.by_number(Column::VoiceVlan).into_iter();
    rows.filter_map(|(index, number)| Some((index, vlan(number.unsigned()?)?))).collect()
}

/// Which VLAN a forwarding database id stands for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Vlans {
    databases: BTreeMap<u32, BTreeSet<u16>>,
    /// The agent publishes a map: ids that are not in it stand for no known VLAN, unless every id is its own VLAN.
    is_mapped: bool,
    /// The map was cut short: what is not in it is not known.
    is_partial: bool,
    /// The agent publishes a map, but indexes rows by VLAN nonetheless (H3C, some D-Link).
    ignores_map: bool,
    /// Junos with Enhanced Layer 2 Software: row number to tag; the id is the row number in the upper 16 bits.
    l2ald_tags: BTreeMap<u32, u16>,
}

impl Vlans {
    /// Reads the maps a device publishes; `fdb_ids` are those of its rows. `ids_are_vlans` where the vendor is known to index
    /// them by VLAN.
    pub(crate) fn read(walk: &Walk, fdb_ids: &BTreeSet<u32>, ids_are_vlans: bool) -> Self {
        let tags = |column| {
            walk.rows(column)
                .iter()
                .filter_map(|row| Some((*row.index.last()?, vlan(row.value.unsigned()?)?)))
                .collect::<BTreeMap<u32, u16>>()
        };
        let mut databases: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        // [timeMark.vid], or [vid] from agents that leave the mark out.
        for row in walk.rows(Column::VlanFdbId) {
            if let (Some(vid), Some(fdb_id)) =
                (row.index.last().copied().and_then(vlan), row.value.unsigned())
            {
                databases.entry(fdb_id).or_default().insert(vid);
                known.insert(u32::from(vid));
            }
        }
        let is_partial = !walk.is_complete(Column::VlanFdbId);
        let ignores_map = ids_are_vlans || contradicts(fdb_ids, &databases, &known, !is_partial);
        let l2ald_tags = tags(Column::L2aldVlanTag);
        for row in walk.rows(Column::L2aldVlanFdbId) {
            let tag = row.index.last().and_then(|number| l2ald_tags.get(number));
            if let (Some(tag), Some(fdb_id)) = (tag, row.value.unsigned()) {
                databases.entry(fdb_id).or_default().insert(*tag);
            }
        }
        // Junos before that: the id is the VLAN's number in jnxExVlanTable.
        for (number, tag) in tags(Column::ExVlanTag) {
            databases.entry(number).or_default().insert(tag);
        }
        Self { is_mapped: !databases.is_empty(), is_partial, databases, ignores_map, l2ald_tags }
    }

    /// The VLAN of a forwarding database, if it is known and only one.
    pub(crate) fn vlan(&self, fdb_id: u32) -> Option<u16> {
        if self.ignores_map {
            return vlan(fdb_id);
        }
        if let Some(vlans) = self.databases.get(&fdb_id) {
            return match vlans.len() {
                1 => vlans.first().copied(),
                _ => None,
            };
        }
        if let Some(tag) =
            (fdb_id.trailing_zeros() >= 16).then(|| self.l2ald_tags.get(&(fdb_id >> 16))).flatten()
        {
            return Some(*tag);
        }
        let ids_are_vlans = || {
            self.databases
                .iter()
                .all(|(fdb_id, vlans)| vlans.len() == 1 && vlans.first().copied() == vlan(*fdb_id))
        };
        if self.is_partial || (self.is_mapped && !ids_are_vlans()) { None } else { vlan(fdb_id) }
    }
}

/// Whether the rows show that the map describes something else, because they are numbered like VLANs: rows in databases that
/// no VLAN has, and either some of them are known VLANs or the map, read to its end, names no database of any row. A row in a
/// database that is no VLAN means that the map holds.
fn contradicts(
    fdb_ids: &BTreeSet<u32>,
    databases: &BTreeMap<u32, BTreeSet<u16>>,
    known: &BTreeSet<u32>,
    is_complete: bool,
) -> bool {
    let (inside, outside): (Vec<u32>, Vec<u32>) =
        fdb_ids.iter().partition(|fdb_id| databases.contains_key(fdb_id));
    let is_known = |fdb_id: &u32| known.contains(fdb_id);
    let names_none = is_complete && inside.is_empty() && !databases.is_empty();
    !outside.is_empty()
        && outside.iter().all(|fdb_id| vlan(*fdb_id).is_some())
        && inside.iter().all(is_known)
        && (names_none || outside.iter().any(is_known))
}

/// The number as a VLAN id, if it is one.
pub(crate) fn vlan(number: u32) -> Option<u16> {
    (1..=MAX_VLAN).contains(&number).then(|| u16::try_from(number).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snmp::walk::{Row, Value};

    fn vlans(rows: &[(Column, &[u32], i64)]) -> Vlans {
        vlans_for(rows, &[])
    }

    fn vlans_for(rows: &[(Column, &[u32], i64)], fdb_ids: &[u32]) -> Vlans {
        let mut walk = Walk::default();
        for (column, index, value) in rows {
            walk.push(*column, index.to_vec(), Value::Number(*value));
        }
        Vlans::read(&walk, &fdb_ids.iter().copied().collect(), false)
    }

    #[test]
    fn without_a_map_the_id_is_the_vlan() {
        let vlans = vlans(&[]);
        assert_eq!(vlans.vlan(10), Some(10));
        assert_eq!(vlans.vlan(0), None);
        assert_eq!(vlans.vlan(4095), None);
        assert_eq!(vlans.vlan(262_144), None);
    }

    #[test]
    fn ordinals_are_mapped() {
        let vlans = vlans(&[(Column::VlanFdbId, &[0, 1], 1), (Column::VlanFdbId, &[0, 252], 3)]);
        assert_eq!(vlans.vlan(3), Some(252));
        assert_eq!(vlans.vlan(2), None, "ids are ordinals here, so 2 is not VLAN 2");
    }

    #[test]
    fn a_shared_database_is_no_vlan() {
        let vlans = vlans(&[(Column::VlanFdbId, &[0, 10], 1), (Column::VlanFdbId, &[0, 20], 1)]);
        assert_eq!(vlans.vlan(1), None);
    }

    #[test]
    fn a_map_that_the_rows_contradict_is_ignored() {
        // H3C puts every VLAN into database 1 and indexes by VLAN; D-Link maps VLAN 602 to 90 and does the same.
        let h3c = [(Column::VlanFdbId, &[0, 1][..], 1), (Column::VlanFdbId, &[0, 20], 1)];
        let vlans = vlans_for(&h3c, &[1, 20]);
        assert_eq!((vlans.vlan(1), vlans.vlan(20)), (Some(1), Some(20)));
        let d_link = [(Column::VlanFdbId, &[0, 1][..], 1), (Column::VlanFdbId, &[0, 602], 90)];
        assert_eq!(vlans_for(&d_link, &[602]).vlan(602), Some(602));
        assert_eq!(vlans_for(&h3c, &[1]).vlan(1), None, "nothing contradicts the map");
    }

    #[test]
    fn a_vlan_that_the_map_does_not_list_takes_no_other_with_it() {
        let shared = [(Column::VlanFdbId, &[0, 1][..], 1), (Column::VlanFdbId, &[0, 500], 1)];
        let vlans = vlans_for(&shared, &[1, 500, 106]);
        assert_eq!((vlans.vlan(1), vlans.vlan(500), vlans.vlan(106)), (Some(1), Some(500), Some(106)));
        let other = vlans_for(&shared, &[106, 107]);
        assert_eq!((other.vlan(106), other.vlan(107)), (Some(106), Some(107)), "no row is in the map");
        let ordinals = [(Column::VlanFdbId, &[0, 1][..], 1), (Column::VlanFdbId, &[0, 252], 3)];
        let stray = vlans_for(&ordinals, &[1, 3, 7]);
        assert_eq!((stray.vlan(1), stray.vlan(3), stray.vlan(7)), (Some(1), Some(252), None));
        let internal = vlans_for(&shared, &[262_144]);
        assert_eq!(internal.vlan(262_144), None);
    }

    #[test]
    fn comware_indexes_by_vlan() {
        let mut walk = Walk::default();
        for vid in [1, 500] {
            walk.push(Column::VlanFdbId, vec![0, vid], Value::Number(1));
        }
        let vlans = Vlans::read(&walk, &BTreeSet::from([1]), true);
        assert_eq!((vlans.vlan(1), vlans.vlan(5000)), (Some(1), None));
    }

    #[test]
    fn half_a_map_says_nothing_of_the_other_half() {
        let mut walk = Walk::default();
        let row = Row { index: vec![0, 1], value: Value::Number(1) };
        walk.extend(Column::VlanFdbId, vec![row], false);
        let vlans = Vlans::read(&walk, &BTreeSet::from([1, 3]), false);
        assert_eq!((vlans.vlan(1), vlans.vlan(3)), (Some(1), None));
    }

    #[test]
    fn a_vlan_missing_from_an_identity_map_is_itself() {
        let vlans = vlans(&[(Column::VlanFdbId, &[0, 10], 10), (Column::VlanFdbId, &[0, 20], 20)]);
        assert_eq!(vlans.vlan(30), Some(30));
    }

    #[test]
    fn junos_ids_are_mapped_by_either_table() {
        let els = vlans(&[(Column::L2aldVlanTag, &[4], 23), (Column::L2aldVlanTag, &[5], 4002)]);
        assert_eq!(els.vlan(262_144), Some(23));
        assert_eq!(els.vlan(327_680), Some(4002));
        assert_eq!(els.vlan(393_216), None);
        let named = vlans(&[(Column::L2aldVlanTag, &[4], 23), (Column::L2aldVlanFdbId, &[4], 70_000)]);
        assert_eq!(named.vlan(70_000), Some(23));
        let ex = vlans(&[(Column::ExVlanTag, &[3], 120)]);
        assert_eq!(ex.vlan(3), Some(120));
    }
}
