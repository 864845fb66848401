//! Who made a network card, by IEEE's public listing of address blocks (2022, as Debian's `ieee-data` has it). The table is in the
//! binary and searched where it lies: nothing is read or built. `vendor/make_table.py` makes it and describes the layout.

use crate::model::MacAddr;

const TABLE: &[u8] = include_bytes!("vendor/table.bin");
/// What evidence calls it.
pub(super) const REGISTRY: &str = "IEEE registry";
/// The beginning of the table, so that another layout is not misread.
const MAGIC: &[u8] = b"SVT1";
/// Every so many vendors the table says where the name begins.
const STRIDE: usize = 64;
/// Octets of a prefix and bits of it that count: longer blocks are cut out of shorter ones.
const BLOCKS: [(usize, u32); 3] = [(3, 24), (4, 28), (5, 36)];

/// The vendor of a card, without its legal form: `Hewlett Packard`. Locally administered addresses have none, and so have blocks
/// that their owner keeps private.
pub(super) fn of(mac: MacAddr) -> Option<&'static str> {
    if mac.is_locally_administered() || mac.is_multicast() {
        return None;
    }
    name(find(mac)?)
}

/// Whether two cards are of one vendor.
pub(super) fn is_same(a: MacAddr, b: MacAddr) -> bool {
    a.oui() == b.oui() || find(a).is_some_and(|vendor| Some(vendor) == find(b))
}

/// Whether several vendors share the first three octets of an address.
pub(crate) fn is_divided(mac: MacAddr) -> bool {
    let oui = mac.oui();
    let mut start = MAGIC.len() + 16;
    BLOCKS.into_iter().enumerate().any(|(position, (octets, bits))| {
        let Some(count) = count(position) else { return false };
        let prefixes = TABLE.get(start..start + count * octets).unwrap_or_default();
        start += count * (octets + 2);
        bits > 24 && prefixes.chunks_exact(octets).any(|prefix| prefix.starts_with(&oui))
    })
}

/// The number of the vendor, by the longest block that the address is in.
fn find(mac: MacAddr) -> Option<usize> {
    let mut start = MAGIC.len() + 16;
    let mut found = None;
    for (position, (octets, bits)) in BLOCKS.into_iter().enumerate() {
        let count = count(position)?;
        let prefixes = TABLE.get(start..start + count * octets)?;
        let vendors = TABLE.get(start + count * octets..start + count * (octets + 2))?;
        start += count * (octets + 2);
        let wanted = prefix(mac, bits);
        let wanted = wanted.get(..octets)?;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = usize::midpoint(low, high);
            match prefixes.get(middle * octets..(middle + 1) * octets)?.cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let number = vendors.get(middle * 2..middle * 2 + 2)?;
                    found = Some(usize::from(u16::from_le_bytes(number.try_into().ok()?)));
                    break;
                }
            }
        }
    }
    found
}

/// The first octets with the bits behind the block cleared.
fn prefix(mac: MacAddr, bits: u32) -> [u8; 6] {
    let mut octets = mac.octets();
    for (index, octet) in (0_u32..).zip(&mut octets) {
        let kept = bits.saturating_sub(index * 8).min(8);
        *octet &= u8::try_from((0xff00_u32 >> kept) & 0xff).unwrap_or(0xff);
    }
    octets
}

/// How many blocks of a length there are; behind them, how many vendors.
fn count(position: usize) -> Option<usize> {
    let start = MAGIC.len() + position * 4;
    let count = TABLE.get(start..start + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(count)).ok()
}

fn name(vendor: usize) -> Option<&'static str> {
    let blocks: usize =
        BLOCKS.iter().enumerate().map(|(at, (octets, _))| count(at).unwrap_or(0) * (octets + 2)).sum();
    let strides = MAGIC.len() + 16 + blocks;
    let vendors = count(BLOCKS.len())?;
    let lengths = strides + vendors.div_ceil(STRIDE) * 4;
    let stride = TABLE.get(strides + vendor / STRIDE * 4..)?.get(..4)?.try_into().ok()?;
    let before = TABLE.get(lengths + vendor / STRIDE * STRIDE..lengths + vendor)?;
    let before: usize = before.iter().map(|length| usize::from(*length)).sum();
    let start = lengths + vendors + usize::try_from(u32::from_le_bytes(stride)).ok()? + before;
    let length = usize::from(*TABLE.get(lengths + vendor)?);
    std::str::from_utf8(TABLE.get(start..start + length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(mac: &str) -> Option<&'static str> {
        of(mac.parse().unwrap())
    }

    #[test]
    fn blocks_of_every_length_are_found() {
        assert!(TABLE.starts_with(MAGIC));
        assert_eq!(vendor("00:00:0C:12:34:56"), Some("Cisco Systems"));
        assert_eq!(vendor("00:0E:58:00:00:01"), Some("Sonos"));
        assert_eq!(vendor("00:11:32:C4:5D:80"), Some("Synology"));
        // 28 bits: 70:B3:D5 and 38:B1:9E are divided.
        assert_eq!(vendor("38:B1:9E:01:00:00"), vendor("38:B1:9E:0F:FF:FF"));
        assert_ne!(vendor("38:B1:9E:01:00:00"), vendor("38:B1:9E:11:00:00"));
        // 36 bits.
        assert_eq!(vendor("70:B3:D5:00:10:01"), Some("Soredi touch systems"));
        assert_ne!(vendor("70:B3:D5:00:10:01"), vendor("70:B3:D5:00:20:01"));
    }

    #[test]
    fn what_nobody_registered_has_no_vendor() {
        for mac in ["52:54:00:12:34:56", "02:00:00:00:00:01", "01:00:5E:00:00:01", "FF:FF:FF:FF:FF:FF"] {
            assert_eq!(vendor(mac), None, "{mac}");
        }
    }

    #[test]
    fn every_block_has_a_name() {
        let mut start = MAGIC.len() + 16;
        let vendors = count(3).unwrap();
        for (position, (octets, _)) in BLOCKS.into_iter().enumerate() {
            let count = count(position).unwrap();
            assert!(count > 4_000);
            let prefixes: Vec<&[u8]> = TABLE[start..start + count * octets].chunks(octets).collect();
            assert!(prefixes.windows(2).all(|pair| pair[0] < pair[1]), "sorted, so that it can be searched");
            let numbers = TABLE[start + count * octets..start + count * (octets + 2)].chunks(2);
            for number in numbers {
                let number = usize::from(u16::from_le_bytes(number.try_into().unwrap()));
                assert!(number < vendors && !name(number).unwrap().is_empty());
            }
            start += count * (octets + 2);
        }
        assert_eq!(name(vendors), None);
    }

    #[test]
    fn vendors_with_many_blocks_are_one() {
        let mac = |text: &str| text.parse::<MacAddr>().unwrap();
        assert!(is_same(mac("00:00:0C:00:00:01"), mac("00:1B:0C:00:00:01")), "Cisco");
        assert!(!is_same(mac("00:00:0C:00:00:01"), mac("00:0E:58:00:00:01")));
    }
}
