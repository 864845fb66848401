//! Pseudonyms of MAC addresses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Key;
use super::draw::Draws;
use crate::correlate::is_divided;
use crate::model::MacAddr;

/// IPv6 multicast of one address (RFC 4291 section 2.7.1): its last octets are that address's.
const SOLICITED_NODE: [u8; 3] = [0x33, 0x33, 0xff];

/// Addresses with a meaning, of virtual routers, fill whole pages of so many numbers.
const PAGE: u32 = 0x100;

/// The pseudonyms.
#[derive(Debug, Default)]
pub(super) struct Macs {
    of: HashMap<MacAddr, MacAddr>,
}

/// Whether an address stays as it is: it is no machine's.
pub(super) fn is_kept(mac: MacAddr) -> bool {
    mac.is_zero() || mac.is_virtual_router() || (mac.is_multicast() && mac.oui() != SOLICITED_NODE)
}

/// Addresses that get pseudonyms among each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    /// The vendor part.
    oui: u32,
    /// The numbers that cards in it may have.
    from: u32,
    to: u32,
}

/// What is known of a vendor part.
#[derive(Debug)]
struct Part {
    is_divided: bool,
    /// The first numbers of the pages of addresses that stay as they are, ascending.
    kept: Vec<u32>,
}

impl Part {
    fn of(mac: MacAddr) -> Self {
        let (oui, _) = halves(mac);
        let numbers = if MacAddr::VIRTUAL_ROUTER_OUIS.contains(&mac.oui()) { 1 << 24 } else { 0 };
        let pages = (0..numbers).step_by(PAGE as usize);
        // Not the first of each: the zero address is no page.
        let kept = pages.filter(|page| is_kept(address(oui, page + 1))).collect();
        Self { is_divided: is_divided(mac), kept }
    }
}

impl Block {
    /// The vendor part stays, because the class of a machine depends on it; of a part that several vendors share, 36 bits. So
    /// does the order among what stays as it is: the first of several addresses may name a machine.
    fn of(mac: MacAddr, parts: &mut HashMap<u32, Part>) -> Self {
        let (oui, card) = halves(mac);
        let part = parts.entry(oui).or_insert_with(|| Part::of(mac));
        let (mut from, mut to) = (u32::from(oui == 0), 1 << 24);
        if part.is_divided {
            from = from.max(card & !0xfff);
            to = (card & !0xfff) + 0x1000;
        }
        let above = part.kept.partition_point(|page| *page <= card);
        if let Some(below) = above.checked_sub(1).and_then(|at| part.kept.get(at)) {
            from = from.max(below + PAGE);
        }
        if let Some(page) = part.kept.get(above) {
            to = to.min(*page);
        }
        Self { oui, from, to }
    }
}

impl Macs {
    /// Chooses pseudonyms in the order of the addresses, of the same vendor.
    pub(super) fn choose(known: &BTreeSet<MacAddr>, key: &Key) -> Self {
        let mut draws = Draws::new(key, "mac", 0);
        let mut parts = HashMap::new();
        let mut blocks: BTreeMap<Block, BTreeSet<u32>> = BTreeMap::new();
        for mac in known.iter().copied().filter(|mac| !is_kept(*mac)) {
            blocks.entry(Block::of(mac, &mut parts)).or_default().insert(halves(mac).1);
        }
        let mut of = HashMap::new();
        for (block, cards) in blocks {
            let pseudonyms = draws.ascending(cards.len(), block.from, block.to, &cards);
            for (card, pseudonym) in cards.into_iter().zip(pseudonyms) {
                of.insert(address(block.oui, card), address(block.oui, pseudonym));
            }
        }
        Self { of }
    }

    /// The pseudonym of an address.
    pub(super) fn get(&self, mac: MacAddr) -> MacAddr {
        self.of.get(&mac).copied().unwrap_or(mac)
    }
}

/// The vendor part and the card's number.
fn halves(mac: MacAddr) -> (u32, u32) {
    let [o0, o1, o2, o3, o4, o5] = mac.octets();
    (u32::from_be_bytes([0, o0, o1, o2]), u32::from_be_bytes([0, o3, o4, o5]))
}

fn address(oui: u32, card: u32) -> MacAddr {
    let ([_, o0, o1, o2], [_, o3, o4, o5]) = (oui.to_be_bytes(), card.to_be_bytes());
    MacAddr::new([o0, o1, o2, o3, o4, o5])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::PROXMOX_OUI;
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

    #[test]
    fn order_among_virtual_routers_stays() {
        let texts = [
            "00:00:00:00:00:01",
            "00:00:5e:00:00:00",
            "00:00:5e:00:01:00",
            "00:00:5e:00:02:ff",
            "00:00:5e:00:03:00",
        ];
        let known: BTreeSet<MacAddr> = texts.iter().map(|text| mac(text)).collect();
        for key in 0..20 {
            let macs = Macs::choose(&known, &Key([key; 32]));
            let new: Vec<MacAddr> = known.iter().map(|mac| macs.get(*mac)).collect();
            assert!(new.windows(2).all(|pair| pair[0] < pair[1]), "{new:?}");
            assert_eq!(
                new.iter().map(|mac| mac.is_host()).collect::<Vec<_>>(),
                [true, true, false, false, true]
            );
        }
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
