//! Pseudonyms of IP addresses that share prefixes as the originals do: each bit is turned or not by what stands before it (the
//! scheme of Crypto-PAn, Xu et al. 2002). Bits that tell what kind of address it is stay.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::Key;
use super::draw::{Draws, digest};

/// A block of addresses with a meaning: its first bits, and how many.
type Block = (u128, u8);

const fn four(a: u8, b: u8, c: u8, length: u8) -> Block {
    (u32::from_be_bytes([a, b, c, 0]) as u128, length)
}

const fn six(first: u16, length: u8) -> Block {
    ((first as u128) << 112, length)
}

/// Nobody's own, so that there is nothing to hide: this network, loopback, link-local, multicast and above.
const KEPT4: [Block; 4] = [four(0, 0, 0, 8), four(127, 0, 0, 8), four(169, 254, 0, 16), four(224, 0, 0, 3)];

/// Private (RFC 1918) and shared (RFC 6598) space: addresses stay within.
const OURS4: [Block; 4] =
    [four(10, 0, 0, 8), four(172, 16, 0, 12), four(192, 168, 0, 16), four(100, 64, 0, 10)];

/// Documentation (RFC 5737).
const EXAMPLES4: [Block; 3] = [four(192, 0, 2, 24), four(198, 51, 100, 24), four(203, 0, 113, 24)];

/// Unspecified, loopback and addresses with IPv4 ones inside (`::/8`, `64:ff9b::/96` in `0::/3`); multicast.
const KEPT6: [Block; 2] = [six(0, 3), six(0xff00, 8)];

/// Unique local (RFC 4193), link-local, and the former site-local addresses: they stay within.
const OURS6: [Block; 3] = [six(0xfc00, 7), six(0xfe80, 10), six(0xfec0, 10)];

/// Prefixes that translate IPv4 (RFC 4291 section 2.5.5, RFC 6052): the last 32 bits are an IPv4 address.
const CARRIERS: [u128; 3] = [0, 0xffff << 32, 0x64_ff9b << 96];

/// Places that are tried for a documentation network: where private space is used up, it stays one.
const PLACES: usize = 1000;

/// The pseudonyms.
#[derive(Default)]
pub(super) struct Addresses {
    key: Option<Key>,
    label: String,
    /// Where documentation networks went.
    moved: HashMap<u32, u32>,
    turned: HashMap<(u8, u8, u128), bool>,
}

impl Addresses {
    /// Chooses pseudonyms. `networks` are those that are recorded: what is in none of them must not come into one.
    pub(super) fn choose(
        known: &BTreeSet<IpAddr>,
        networks: &BTreeSet<IpNet>,
        key: &Key,
        attempt: u32,
    ) -> Self {
        let label = format!("address {attempt}");
        let mut chosen = Self { key: Some(key.clone()), label, ..Self::default() };
        let mut draws = Draws::new(key, "example", attempt);
        let all: BTreeSet<Ipv4Net> = networks.iter().filter_map(four_of).collect();
        let mut taken: BTreeSet<Ipv4Net> = all.iter().map(|net| chosen.network4(*net)).collect();
        let hosts = known.iter().filter_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        for address in hosts {
            taken.extend([address, chosen.four(address)].map(around));
        }
        for (bits, length) in EXAMPLES4 {
            let block = u32::try_from(bits).unwrap_or_default();
            let home = Ipv4Net::new_assert(Ipv4Addr::from(block), length);
            // A recorded network around it says where it belongs.
            if all.iter().any(|net| net.prefix_len() > 0 && net.prefix_len() < length && net.contains(&home))
            {
                continue;
            }
            let overlaps = |net: &Ipv4Net, place: &Ipv4Net| {
                net.prefix_len() > 0 && (net.contains(place) || place.contains(net))
            };
            let mut places = (0..PLACES).map(|_| Ipv4Net::new_assert(private(&mut draws), length).trunc());
            let is_free = |place: &Ipv4Net| !taken.iter().chain(&all).any(|net| overlaps(net, place));
            if let Some(place) = places.find(is_free) {
                taken.insert(place);
                chosen.moved.insert(block, u32::from(place.network()));
            }
        }
        chosen
    }

    /// The pseudonym of an address. `card` is that of the link address which is the lower half, where it is one.
    pub(super) fn get(&mut self, address: IpAddr, card: Option<u64>) -> IpAddr {
        match address {
            IpAddr::V4(address) => IpAddr::V4(self.four(address)),
            IpAddr::V6(address) => IpAddr::V6(self.six(address, card)),
        }
    }

    /// The pseudonym of a network, with host bits if it has some.
    pub(super) fn network(&mut self, network: IpNet, card: Option<u64>) -> IpNet {
        let is_whole = network == network.trunc();
        let address = self.get(network.addr(), card.filter(|_| !is_whole));
        let new = IpNet::new(address, network.prefix_len()).unwrap_or(network);
        if is_whole { new.trunc() } else { new }
    }

    fn network4(&mut self, network: Ipv4Net) -> Ipv4Net {
        Ipv4Net::new(self.four(network.network()), network.prefix_len()).unwrap_or(network).trunc()
    }

    fn four(&mut self, address: Ipv4Addr) -> Ipv4Addr {
        let bits = u32::from(address);
        let new = self.turn(4, u128::from(bits), 32, &KEPT4, &[&OURS4[..], &EXAMPLES4[..]]);
        let new = u32::try_from(new).unwrap_or(bits);
        let moved = self.moved.get(&(bits & 0xffff_ff00)).map(|home| home | (new & 0xff));
        Ipv4Addr::from(moved.unwrap_or(new))
    }

    fn six(&mut self, address: Ipv6Addr, card: Option<u64>) -> Ipv6Addr {
        let bits = u128::from(address);
        let (high, low) = (bits >> 32 << 32, u32::try_from(bits & 0xffff_ffff).unwrap_or_default());
        if CARRIERS.contains(&high) && low > 1 {
            return Ipv6Addr::from(high | u128::from(u32::from(self.four(Ipv4Addr::from(low)))));
        }
        let new = self.turn(6, bits, 128, &KEPT6, &[&OURS6[..]]);
        let half = u128::from(u64::MAX);
        let (mut upper, mut lower) = (new & !half, new & half);
        if address.is_unicast_link_local() {
            upper = bits & !half;
            // `fe80::1` and the like are typed in by people everywhere.
            lower = if bits & half < 1 << 16 { bits & half } else { lower };
        }
        if let Some(card) = card {
            lower = u128::from(card);
        }
        Ipv6Addr::from(upper | lower)
    }

    /// Turns bits from the front, each by what was before it in the original.
    fn turn(&mut self, family: u8, bits: u128, width: u8, kept: &[Block], blocks: &[&[Block]]) -> u128 {
        let is_in = |(prefix, length): &Block, bits: u128| {
            let shift = width - length;
            prefix >> shift == bits >> shift
        };
        if kept.iter().any(|block| is_in(block, bits)) {
            return bits;
        }
        let mut new = bits;
        for length in 0..width {
            let shift = u32::from(width - length);
            let before = bits.checked_shr(shift).unwrap_or(0);
            // Where the two halves are not of one kind, they are not exchanged.
            let divides =
                |(prefix, deep): &Block| *deep > length && prefix.checked_shr(shift).unwrap_or(0) == before;
            if kept.iter().chain(blocks.iter().copied().flatten()).any(divides) {
                continue;
            }
            if self.is_turned(family, length, before) {
                new ^= 1 << (width - 1 - length);
            }
        }
        new
    }

    fn is_turned(&mut self, family: u8, length: u8, before: u128) -> bool {
        let Some(key) = &self.key else { return false };
        let label = &self.label;
        *self.turned.entry((family, length, before)).or_insert_with(|| {
            let mut bytes = vec![family, length];
            bytes.extend(before.to_be_bytes());
            digest(key, label, &bytes)[0] & 1 == 1
        })
    }
}

/// Whether an address stays as it is.
pub(super) fn is_kept(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let bits = u128::from(u32::from(v4));
            KEPT4.iter().any(|(prefix, length)| prefix >> (32 - length) == bits >> (32 - length))
        }
        IpAddr::V6(v6) => {
            let low = u128::from(v6) & u128::from(u64::MAX);
            v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_multicast()
                || v6.is_unicast_link_local() && low < 1 << 16
                || u128::from(v6) >> 125 == 0 && v6.to_ipv4_mapped().is_none()
        }
    }
}

/// The network of 256 addresses around one.
fn around(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::new_assert(address, 24).trunc()
}

fn four_of(network: &IpNet) -> Option<Ipv4Net> {
    match network {
        IpNet::V4(network) => Some(network.trunc()),
        IpNet::V6(_) => None,
    }
}

/// Anywhere in private space.
fn private(draws: &mut Draws) -> Ipv4Addr {
    let bits = match draws.below(3) {
        0 => 0x0a00_0000 | draws.below(1 << 24),
        1 => 0xac10_0000 | draws.below(1 << 20),
        _ => 0xc0a8_0000 | draws.below(1 << 16),
    };
    Ipv4Addr::from(bits)
}
