//! Pseudonyms of MAC addresses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Key;
use super::draw::Draws;
use crate::correlate::PROXMOX_OUI;
use crate::model::MacAddr;

/// Vendor parts in which virtual routers have their addresses: nothing else must become one.
const VIRTUAL_ROUTERS: [[u8; 3]; 4] =
    [[0x00, 0x00, 0x5e], [0x00, 0x00, 0x0c], [0x00, 0x05, 0x73], [0x00, 0x07, 0xb4]];

/// IPv6 multicast of one address (RFC 4291 section 2.7.1): its last octets are that address's.
const SOLICITED_NODE: [u8; 3] = [0x33, 0x33, 0xff];

/// The pseudonyms.
#[derive(Debug, Default)]
pub(super) struct Macs {
    of: HashMap<MacAddr, MacAddr>,
}

/// Whether an address stays as it is: it is no machine's.
pub(super) fn is_kept(mac: MacAddr) -> bool {
    mac.is_zero() || mac.is_virtual_router() || (mac.is_multicast() && mac.oui() != SOLICITED_NODE)
}

impl Macs {
    /// Chooses pseudonyms in the order of the addresses: vendor parts among those that begin with the same octet, then the rest.
    pub(super) fn choose(known: &BTreeSet<MacAddr>, key: &Key) -> Self {
        let mut draws = Draws::new(key, "mac", 0);
        let mut vendors: BTreeMap<u8, BTreeMap<u32, BTreeSet<u32>>> = BTreeMap::new();
        for mac in known.iter().copied().filter(|mac| !is_kept(*mac)) {
            let [first, vendor @ .., _, _, _] = mac.octets();
            let [_, _, _, card @ ..] = mac.octets();
            vendors.entry(first).or_default().entry(number(&vendor)).or_default().insert(number(&card));
        }
        let mut of = HashMap::new();
        for (first, vendors) in vendors {
            let chosen = vendor_parts(first, &vendors.keys().copied().collect(), &mut draws);
            for (vendor, cards) in vendors {
                let new = chosen.get(&vendor).copied().unwrap_or(vendor);
                // Where the vendor part stays, no card may become another one.
                let avoid = if new == vendor { cards.clone() } else { BTreeSet::new() };
                let pseudonyms = draws.ascending(cards.len(), 0, 1 << 24, &avoid);
                for (card, pseudonym) in cards.into_iter().zip(pseudonyms) {
                    of.insert(address(first, vendor, card), address(first, new, pseudonym));
                }
            }
        }
        Self { of }
    }

    /// The pseudonym of an address.
    pub(super) fn get(&self, mac: MacAddr) -> MacAddr {
        self.of.get(&mac).copied().unwrap_or(mac)
    }
}

/// New second and third octets for the old ones, in the same order, around those that stay.
fn vendor_parts(first: u8, known: &BTreeSet<u32>, draws: &mut Draws) -> BTreeMap<u32, u32> {
    let special = |ouis: &[[u8; 3]]| -> BTreeSet<u32> {
        ouis.iter().filter(|oui| oui[0] == first).map(|oui| number(&oui[1..])).collect()
    };
    let fixed: BTreeSet<u32> =
        if first == SOLICITED_NODE[0] { special(&[SOLICITED_NODE]) } else { special(&[PROXMOX_OUI]) };
    let mut avoid: BTreeSet<u32> = known.clone();
    avoid.extend(special(&VIRTUAL_ROUTERS));
    let mut chosen: BTreeMap<u32, u32> = BTreeMap::new();
    let mut from = 0;
    for end in fixed.iter().copied().chain([1 << 16]) {
        let between: Vec<u32> = known.range(from..end).copied().collect();
        let new = draws.ascending(between.len(), from, end, &avoid);
        chosen.extend(between.into_iter().zip(new));
        chosen.insert(end, end);
        from = end + 1;
    }
    chosen
}

fn number(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet))
}

fn address(first: u8, vendor: u32, card: u32) -> MacAddr {
    let ([_, _, o1, o2], [_, o3, o4, o5]) = (vendor.to_be_bytes(), card.to_be_bytes());
    MacAddr::new([first, o1, o2, o3, o4, o5])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mac(text: &str) -> MacAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_has_a_meaning_keeps_it() {
        let texts = [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "00:00:5e:00:01:0a",
            "01:80:c2:00:00:0e",
            "bc:24:11:00:00:07",
            "33:33:ff:12:34:56",
        ];
        let known: BTreeSet<MacAddr> = texts.iter().map(|text| mac(text)).collect();
        let macs = Macs::choose(&known, &Key([7; 32]));
        for text in &texts[..4] {
            assert_eq!(macs.get(mac(text)), mac(text), "{text}");
        }
        let guest = macs.get(mac("bc:24:11:00:00:07"));
        assert!(guest.oui() == PROXMOX_OUI && guest != mac("bc:24:11:00:00:07"));
        let group = macs.get(mac("33:33:ff:12:34:56"));
        assert!(group.oui() == SOLICITED_NODE && group != mac("33:33:ff:12:34:56"));
    }

    proptest! {
        #[test]
        fn order_vendors_and_bits_stay_and_nothing_is_itself(
            known in proptest::collection::btree_set((0..4_usize, 0..3_u8, any::<[u8; 3]>()), 0..60), key: [u8; 32]
        ) {
            let first = [0x00, 0x02, 0xbc, 0x3c];
            let known: BTreeSet<MacAddr> = known
                .into_iter()
                .map(|(at, vendor, [d, e, f])| MacAddr::new([first[at], 0x24, 0x10 + vendor, d, e, f]))
                .collect();
            let macs = Macs::choose(&known, &Key(key));
            let new: Vec<MacAddr> = known.iter().map(|mac| macs.get(*mac)).collect();
            prop_assert!(new.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", new);
            for (old, pseudonym) in known.iter().zip(&new) {
                prop_assert!(!known.contains(pseudonym) && pseudonym.is_host());
                prop_assert_eq!(old.octets()[0], pseudonym.octets()[0]);
                prop_assert_eq!(old.oui() == PROXMOX_OUI, pseudonym.oui() == PROXMOX_OUI);
            }
            for (a, new_a) in known.iter().zip(&new) {
                for (b, new_b) in known.iter().zip(&new) {
                    prop_assert_eq!(a.oui() == b.oui(), new_a.oui() == new_b.oui());
                }
            }
        }
    }
}
