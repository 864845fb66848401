//! Everything that has a pseudonym: first it learns what there is, then it chooses, then it rewrites.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::addresses::{self, Addresses};
use super::draw::digest;
use super::lexer::{Token, tokens};
use super::macs::{self, Macs};
use super::words::{Words, lower};
use super::{Key, TRIES, facts, reason, vocabulary};
use crate::correlate::{FACTORY_NAMES, RESERVED_NAMES, is_usable_name, telling_serial, vendor_class_start};
use crate::model::scope::is_link_local;
use crate::model::{Collection, MacAddr};

/// What a text is, which decides what of it may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// A name: nothing stays but what every device is called before anybody names it.
    Name,
    /// A port's name, alias or description: words as vendors use them stay.
    Port,
    /// Free text: words of products stay.
    Text,
    /// A serial number; vendors' placeholders stay.
    Serial,
    /// A DHCP vendor class: what correlation tells classes by stays.
    VendorClass,
    /// A manufacturer or model: everything stays but what is a name elsewhere.
    Product,
    /// Why something could not be read.
    Reason,
}

/// Numbers up to this length stay: of slots, ports and VLANs.
const SHORT_NUMBER: usize = 3;

/// Shorter serial numbers tell no machines apart.
const TELLING_SERIAL: usize = 5;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Addresses in fields of their own: they tell which digits in texts are addresses.
    Addresses,
    /// Words of names: they are no products' elsewhere.
    Names,
    /// All other texts.
    Texts,
    /// Rewriting.
    Write,
}

/// See the module.
pub(super) struct Lexicon {
    phase: Phase,
    known_macs: BTreeSet<MacAddr>,
    known_addresses: BTreeSet<IpAddr>,
    known_networks: BTreeSet<IpNet>,
    /// Words of names, in lower case.
    names: BTreeSet<String>,
    known_words: BTreeSet<String>,
    /// Words that stay among names, in lower case.
    kept_words: BTreeSet<String>,
    /// Whole texts whose meaning must stay, with what they are.
    telling: BTreeSet<(Mode, String)>,
    key: Key,
    macs: Macs,
    addresses: Addresses,
    words: Words,
}

impl Lexicon {
    /// Learns what there is.
    pub(super) fn learn(collections: &[Collection]) -> Self {
        let mut lexicon = Self {
            phase: Phase::Addresses,
            known_macs: BTreeSet::new(),
            known_addresses: BTreeSet::new(),
            known_networks: BTreeSet::new(),
            names: BTreeSet::new(),
            known_words: BTreeSet::new(),
            kept_words: BTreeSet::new(),
            telling: BTreeSet::new(),
            key: Key([0; 32]),
            macs: Macs::default(),
            addresses: Addresses::default(),
            words: Words::default(),
        };
        for phase in [Phase::Addresses, Phase::Names, Phase::Texts] {
            lexicon.phase = phase;
            for collection in collections {
                facts::visit(collection, &mut lexicon);
            }
        }
        lexicon.phase = Phase::Write;
        lexicon
    }

    /// Chooses pseudonyms that are not in the original and mean as much as what they stand for, as far as there are such.
    pub(super) fn choose(&mut self, key: &Key) {
        self.key = key.clone();
        self.macs = Macs::choose(&self.known_macs, key);
        self.addresses = self.best(|lexicon, attempt| {
            let mut addresses =
                Addresses::choose(&lexicon.known_addresses, &lexicon.known_networks, key, attempt);
            let clashes = lexicon.clashes_of_addresses(&mut addresses);
            (clashes, addresses)
        });
        self.words = self.best(|lexicon, attempt| {
            lexicon.words = Words::choose(&lexicon.known_words, &lexicon.kept_words, key, attempt);
            let clashes = lexicon.words.clashes() + lexicon.changed_meanings();
            (clashes, std::mem::take(&mut lexicon.words))
        });
    }

    /// The first try without a clash, or the one with the fewest.
    fn best<T>(&mut self, mut draw: impl FnMut(&mut Self, u32) -> (usize, T)) -> T {
        let (mut least, mut best) = draw(self, 0);
        for attempt in 1..TRIES {
            if least == 0 {
                break;
            }
            let (clashes, drawn) = draw(self, attempt);
            if clashes < least {
                (least, best) = (clashes, drawn);
            }
        }
        best
    }

    /// Addresses whose pseudonym is in a network of 256 addresses, or of 2^64, in which an original is.
    fn clashes_of_addresses(&self, addresses: &mut Addresses) -> usize {
        let near = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(u32::from(v4) >> 8),
            IpAddr::V6(v6) => u128::from(v6) >> 64 | 1 << 127,
        };
        let movable = |address: &&IpAddr| !addresses::is_kept(**address) && !is_link_local(**address);
        let taken: HashSet<u128> =
            self.known_addresses.iter().filter(movable).map(|one| near(*one)).collect();
        let mut clashes = 0;
        for address in self.known_addresses.iter().filter(movable) {
            clashes += usize::from(taken.contains(&near(addresses.get(*address, None))));
        }
        clashes
    }

    /// Texts whose pseudonym would be read as something else by correlation.
    fn changed_meanings(&mut self) -> usize {
        let telling = std::mem::take(&mut self.telling);
        let changed = telling.iter().filter(|(mode, text)| {
            let new = self.rewrite(*mode, text);
            match mode {
                Mode::Serial => telling_serial(Some(text)).is_some() != telling_serial(Some(&new)).is_some(),
                Mode::VendorClass => vendor_class_start(text) != vendor_class_start(&new),
                _ => {
                    is_usable_name(text) != is_usable_name(&new)
                        || is_factory_name(text) != is_factory_name(&new)
                }
            }
        });
        let changed = changed.count();
        self.telling = telling;
        changed
    }

    /// A MAC address.
    pub(super) fn mac(&mut self, mac: MacAddr) -> MacAddr {
        match self.phase {
            Phase::Addresses => {
                self.known_macs.insert(mac);
                mac
            }
            Phase::Names | Phase::Texts => mac,
            Phase::Write => self.macs.get(mac),
        }
    }

    /// An IP address.
    pub(super) fn address(&mut self, address: IpAddr) -> IpAddr {
        if self.phase == Phase::Write {
            return self.new_address(address);
        }
        self.known_macs.extend(card_of(address));
        self.known_addresses.insert(address);
        address
    }

    /// A network, or an address with the length of its mask.
    pub(super) fn network(&mut self, network: IpNet) -> IpNet {
        if self.phase == Phase::Write {
            let card = self.new_card(network.addr());
            return self.addresses.network(network, card);
        }
        self.known_networks.insert(network.trunc());
        if network.trunc() == network {
            self.known_addresses.insert(network.addr());
            network
        } else {
            IpNet::new(self.address(network.addr()), network.prefix_len()).unwrap_or(network)
        }
    }

    /// A text. While learning, what comes back has no meaning.
    pub(super) fn text(&mut self, mode: Mode, text: &str) -> String {
        let is_name = matches!(mode, Mode::Name | Mode::Serial);
        match self.phase {
            Phase::Addresses => return String::new(),
            Phase::Names if !is_name && mode != Mode::Reason => return String::new(),
            Phase::Texts if is_name || mode == Mode::Reason => return String::new(),
            Phase::Names if mode != Mode::Reason => {
                self.telling.insert((mode, text.to_owned()));
            }
            Phase::Texts if mode == Mode::VendorClass => {
                self.telling.insert((mode, text.to_owned()));
            }
            Phase::Names | Phase::Texts | Phase::Write => {}
        }
        self.rewrite(mode, text)
    }

    fn rewrite(&mut self, mode: Mode, text: &str) -> String {
        match mode {
            Mode::Name => {
                let (stays, rest) = text.split_at(given_by_factory(text));
                let words = stays.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
                words.for_each(|word| self.keep(word));
                format!("{stays}{}", self.parts(mode, rest))
            }
            // Vendors' placeholders are no machine's; what is too short to tell machines apart stays too short.
            Mode::Serial if telling_serial(Some(text)).is_none() && text.trim().len() >= TELLING_SERIAL => {
                text.to_owned()
            }
            Mode::VendorClass => {
                let (stays, rest) = text.split_at(vendor_class_start(text));
                format!("{stays}{}", self.parts(Mode::Text, rest))
            }
            Mode::Reason => {
                let pieces = reason::pieces(text);
                pieces.into_iter().map(|(mode, piece)| self.parts(mode, piece)).collect()
            }
            Mode::Port | Mode::Text | Mode::Serial | Mode::Product => self.parts(mode, text),
        }
    }

    fn parts(&mut self, mode: Mode, text: &str) -> String {
        let found = tokens(text, |mac| self.known_macs.contains(&mac));
        let mut new = String::with_capacity(text.len());
        let mut found = found.into_iter().peekable();
        while let Some(token) = found.next() {
            match token {
                Token::Word(word) => {
                    let says_mac =
                        matches!(found.peek(), Some(Token::Mac(..))) && vocabulary::is_before_mac(word);
                    if says_mac {
                        self.keep(word);
                        new.push_str(word);
                    } else {
                        new.push_str(&self.word(mode, word));
                    }
                }
                Token::Mac(written, mac) => {
                    self.known_macs.extend((self.phase != Phase::Write).then_some(mac));
                    new.push_str(&written_like(written, self.macs.get(mac)));
                }
                Token::Octets(written) => new.push_str(&self.octets(written)),
                Token::Ip(address) => new.push_str(&self.address(address).to_string()),
                Token::Hyphenated(written, address) => {
                    let is_known = self.known_addresses.contains(&IpAddr::V4(address));
                    let pseudonym =
                        is_known.then(|| self.address(IpAddr::V4(address)).to_string().replace('.', "-"));
                    new.push_str(&pseudonym.unwrap_or_else(|| written.to_owned()));
                }
                Token::Reversed(address) => new.push_str(&reversed(self.address(address))),
                Token::Uuid(written) => {
                    let code = hex::encode(digest(&self.key, "uuid", lower(written).as_bytes()));
                    new.push_str(&digits_like(written, &code));
                }
                Token::Mark(mark) => new.push(mark),
            }
        }
        new
    }

    fn keep(&mut self, word: &str) {
        if self.phase != Phase::Write {
            self.kept_words.insert(lower(word));
        }
    }

    fn word(&mut self, mode: Mode, word: &str) -> String {
        let is_number = word.bytes().all(|b| b.is_ascii_digit());
        let lower = lower(word);
        let stays = match mode {
            _ if is_number && word.len() <= SHORT_NUMBER => true,
            Mode::Port => {
                // Two letters are too few to be meant: every vendor's `ge` would go where something is called so.
                let is_name = lower.len() > 2 && self.names.contains(&lower);
                is_number || vocabulary::is_port(word) && !is_name
            }
            Mode::Text | Mode::VendorClass => {
                let says_nothing =
                    vocabulary::is_product(word) || word.len() == 1 || reason::is_common(&lower);
                says_nothing && !self.names.contains(&lower)
            }
            Mode::Product | Mode::Reason => !self.names.contains(&lower) || reason::is_common(&lower),
            Mode::Name | Mode::Serial => false,
        };
        if stays {
            return word.to_owned();
        }
        match self.phase {
            Phase::Write => self.words.get(word),
            phase => {
                if phase == Phase::Names && mode == Mode::Name {
                    self.names.insert(lower.clone());
                }
                self.known_words.insert(lower);
                String::new()
            }
        }
    }

    /// Client identifiers (RFC 2132 section 9.14), DUIDs (RFC 8415 section 11) and the like: what says of which kind they are stays,
    /// MAC addresses inside are theirs, the rest is noise.
    fn octets(&mut self, written: &str) -> String {
        let octets: Vec<u8> =
            written.split([':', '-']).filter_map(|part| u8::from_str_radix(part, 16).ok()).collect();
        let kinds = kinds_of(&octets);
        if self.phase != Phase::Write {
            self.known_macs.extend(kinds.card.and_then(|at| MacAddr::from_slice(octets.get(at..at + 6)?)));
            return String::new();
        }
        let noise = digest(&self.key, "octets", &octets);
        let mut new: Vec<u8> = octets
            .iter()
            .enumerate()
            .map(|(at, octet)| if kinds.stay.contains(&at) { *octet } else { noise[at % noise.len()] })
            .collect();
        for at in 0..octets.len().saturating_sub(5) {
            let mac = octets.get(at..at + 6).and_then(MacAddr::from_slice);
            if let Some(mac) = mac.filter(|mac| self.known_macs.contains(mac) && !mac.is_zero())
                && let Some(place) = new.get_mut(at..at + 6)
            {
                place.copy_from_slice(&self.macs.get(mac).octets());
            }
        }
        digits_like(written, &hex::encode(new))
    }

    fn new_address(&mut self, address: IpAddr) -> IpAddr {
        let card = self.new_card(address);
        self.addresses.get(address, card)
    }

    /// The lower half of an address that is made from a MAC address, with that one's pseudonym.
    fn new_card(&self, address: IpAddr) -> Option<u64> {
        card_of(address).map(|mac| self.macs.get(mac).interface_identifier())
    }
}

/// Where in an identifier its kind and a MAC address stand.
struct Kinds {
    stay: BTreeSet<usize>,
    card: Option<usize>,
}

fn kinds_of(octets: &[u8]) -> Kinds {
    let mut stay = BTreeSet::new();
    if let [1, _, _, _, _, _, _] = octets {
        return Kinds { stay: BTreeSet::from([0]), card: Some(1) };
    }
    // RFC 4361: the type, four octets of the interface, a DUID.
    let start = if octets.first() == Some(&0xff) && octets.len() > 9 { 5 } else { 0 };
    stay.extend((start > 0).then_some(0));
    let card = match octets.get(start..).unwrap_or_default() {
        [0, 1, 0, _, rest @ ..] if rest.len() == 10 => Some((4, start + 8)),
        [0, 3, 0, _, rest @ ..] if rest.len() == 6 => Some((4, start + 4)),
        [0, 2 | 4, ..] => Some((2, usize::MAX)),
        _ => None,
    };
    if let Some((length, _)) = card {
        stay.extend(start..start + length);
    }
    let card = card.map(|(_, at)| at).filter(|at| *at < octets.len());
    Kinds { stay, card }
}

/// The MAC address from which a machine made the lower half of an address (RFC 4291, appendix A).
fn card_of(address: IpAddr) -> Option<MacAddr> {
    let IpAddr::V6(address) = address else { return None };
    let low = u64::try_from(u128::from(address) & u128::from(u64::MAX)).ok()?;
    MacAddr::from_interface_identifier(low).filter(|mac| !macs::is_kept(*mac) && !address.is_multicast())
}

/// How much of the beginning of a name every device of its kind has.
fn given_by_factory(name: &str) -> usize {
    let start = name.len() - name.trim_start().len();
    let rest = name.get(start..).unwrap_or_default();
    let first = rest.split(['.', '(']).next().unwrap_or_default();
    if is_factory_name(first) || RESERVED_NAMES.contains(&lower(first).as_str()) {
        return start + first.len();
    }
    // What has no name is called after its address; what calls itself so wants that name.
    let is_fallback = first.get(..5).is_some_and(|host| host.eq_ignore_ascii_case("host-"))
        && first.get(5..).is_some_and(|rest| rest.len() == 12 && rest.parse::<MacAddr>().is_ok());
    if is_fallback { start + 5 } else { 0 }
}

fn is_factory_name(name: &str) -> bool {
    let first = name.trim().split(['.', '(']).next().unwrap_or_default();
    FACTORY_NAMES.contains(&lower(first).as_str())
}

/// Hexadecimal digits in the places of those of another text, with its capitals.
fn digits_like(written: &str, digits: &str) -> String {
    let capitals = written.bytes().any(|b| b.is_ascii_uppercase());
    let mut digits = digits.chars();
    let mut new = String::with_capacity(written.len());
    // Octets may be written with one digit: then both are, where it needs both.
    for part in written.split_inclusive([':', '-', '.']) {
        let (body, mark) = match part.strip_suffix([':', '-', '.']) {
            Some(body) => (body, &part[body.len()..]),
            None => (part, ""),
        };
        let count = if body.len() == 1 { 2 } else { body.len() };
        let taken: String = digits.by_ref().take(count).collect();
        let shown = if body.len() == 1 { taken.strip_prefix('0').unwrap_or(&taken) } else { &taken };
        new.push_str(&if capitals { shown.to_ascii_uppercase() } else { shown.to_owned() });
        new.push_str(mark);
    }
    new
}

fn written_like(written: &str, mac: MacAddr) -> String {
    digits_like(written, &mac.compact())
}

/// An address as DNS has it, without what follows.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = Ipv4Addr::octets(&address);
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => {
            let digits: Vec<String> =
                hex::encode(Ipv6Addr::octets(&address)).chars().rev().map(String::from).collect();
            digits.join(".")
        }
    }
}
