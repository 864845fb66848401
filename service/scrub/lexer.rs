//! Takes a text apart: MAC and IP addresses in all the ways they are written, longer rows of octets, UUIDs, words. Knows no pseudonyms.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::MacAddr;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A MAC address, as written.
    Mac(&'t str, MacAddr),
    /// More octets than a MAC address has, separated: client identifiers, DUIDs, EUI-64.
    Octets(&'t str),
    /// An IP address.
    Ip(IpAddr),
    /// An IPv4 address with hyphens, if it is one: `192-0-2-7` in the names that providers give.
    Hyphenated(&'t str, Ipv4Addr),
    /// The name of an address in DNS, up to `in-addr.arpa` or `ip6.arpa`.
    Reversed(IpAddr),
    /// A UUID.
    Uuid(&'t str),
    /// Letters and digits.
    Word(&'t str),
    /// Anything else, one character.
    Mark(char),
}

/// The parts of a text, in order. `knows`: whether twelve digits are a MAC address, which only who knows them can tell.
pub(super) fn tokens(text: &str, knows: impl Fn(MacAddr) -> bool) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first.is_alphanumeric() || first == ':' {
            address(rest)
                .or_else(|| first.is_alphanumeric().then(|| word(rest, &knows)))
                .unwrap_or((Token::Mark(first), first.len_utf8()))
        } else {
            (Token::Mark(first), first.len_utf8())
        };
        found.push(token);
        rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
    }
    found
}

/// What begins here, if it is more than a word; and its length.
fn address(rest: &str) -> Option<(Token<'_>, usize)> {
    reversed(rest)
        .or_else(|| uuid(rest))
        .or_else(|| octets(rest, ':'))
        .or_else(|| octets(rest, '-'))
        .or_else(|| grouped(rest))
        .or_else(|| ip(rest))
        .or_else(|| hyphenated(rest))
}

/// Whether a token can end at this length: no letter or digit follows, nor one of these with one behind it.
fn ends(rest: &str, length: usize, joints: &[char]) -> bool {
    let mut after = rest.get(length..).unwrap_or_default().chars();
    match after.next() {
        Some(c) if c.is_alphanumeric() => false,
        Some(c) if joints.contains(&c) => !after.next().is_some_and(char::is_alphanumeric),
        _ => true,
    }
}

/// The longest beginning of these characters.
fn run(rest: &str, is_part: impl Fn(char) -> bool) -> &str {
    let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// Octets of two digits, or with colons of one or two, separated alike: six are a MAC address.
fn octets(rest: &str, separator: char) -> Option<(Token<'_>, usize)> {
    let run = run(rest, |c| c.is_ascii_hexdigit() || c == separator);
    let parts: Vec<&str> = run.trim_end_matches(separator).split(separator).collect();
    let length = run.trim_end_matches(separator).len();
    let written = rest.get(..length)?;
    if parts.len() < 6 || !ends(rest, length, &[separator]) {
        return None;
    }
    let two = parts.iter().all(|part| part.len() == 2);
    let short = separator == ':' && parts.iter().all(|part| (1..=2).contains(&part.len()));
    match parts.len() {
        6 if two || short => Some((Token::Mac(written, written.parse().ok()?), length)),
        // Eight short groups are an IPv6 address; eight octets of two digits are not.
        7.. if two
            || short
                && (parts.len() != 8
                    || parts.first().is_some_and(|first| first.len() == 1)
                        && parts.iter().skip(1).all(|part| part.len() == 2)) =>
        {
            Some((Token::Octets(written), length))
        }
        _ => None,
    }
}

/// `5254.0012.3456`, `5254-0012-3456`, `525400-123456`.
fn grouped(rest: &str) -> Option<(Token<'_>, usize)> {
    for (lengths, separator) in [([4, 4, 4], '.'), ([4, 4, 4], '-'), ([6, 6, 0], '-')] {
        let groups: Vec<usize> = lengths.into_iter().filter(|length| *length > 0).collect();
        let total = 12 + groups.len() - 1;
        let Some(written) = rest.get(..total) else { continue };
        let parts: Vec<&str> = written.split(separator).collect();
        let fits = parts.len() == groups.len()
            && parts
                .iter()
                .zip(&groups)
                .all(|(part, length)| part.len() == *length && part.bytes().all(|b| b.is_ascii_hexdigit()));
        // Three groups of digits are a number, not an address.
        let has_letter = written.bytes().any(|b| b.is_ascii_alphabetic());
        if fits
            && (has_letter || separator == '.')
            && ends(rest, total, &[separator])
            && let Ok(mac) = written.parse()
        {
            return Some((Token::Mac(written, mac), total));
        }
    }
    None
}

fn uuid(rest: &str) -> Option<(Token<'_>, usize)> {
    let written = rest.get(..36)?;
    let parts: Vec<&str> = written.split('-').collect();
    let fits = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()));
    (fits && ends(rest, 36, &['-'])).then_some((Token::Uuid(written), 36))
}

fn ip(rest: &str) -> Option<(Token<'_>, usize)> {
    let wide = run(rest, |c| c.is_ascii_hexdigit() || c == ':' || c == '.');
    let mut written = wide;
    // A sentence may go on behind it.
    for _ in 0..3 {
        if written.matches(':').count() >= 2
            && let Ok(address) = written.parse::<Ipv6Addr>()
            && ends(rest, written.len(), &[])
        {
            return Some((Token::Ip(IpAddr::V6(address)), written.len()));
        }
        let Some(shorter) = written.strip_suffix([':', '.']) else { break };
        written = shorter;
    }
    let dotted = run(rest, |c| c.is_ascii_digit() || c == '.').trim_end_matches('.');
    let address = dotted.parse::<Ipv4Addr>().ok().filter(|_| ends(rest, dotted.len(), &['.']))?;
    Some((Token::Ip(IpAddr::V4(address)), dotted.len()))
}

fn hyphenated(rest: &str) -> Option<(Token<'_>, usize)> {
    let written = run(rest, |c| c.is_ascii_digit() || c == '-').trim_end_matches('-');
    let address = written.replace('-', ".").parse().ok()?;
    ends(rest, written.len(), &[]).then_some((Token::Hyphenated(written, address), written.len()))
}

/// Digits of an address in the order of DNS, which is the other way round.
fn reversed(rest: &str) -> Option<(Token<'_>, usize)> {
    const FOUR: &str = ".in-addr.arpa";
    const SIX: &str = ".ip6.arpa";
    let digits = run(rest, |c| c.is_ascii_hexdigit() || c == '.');
    // The run may end inside the suffix, which begins with letters that are digits too.
    let starts = |suffix: &str| {
        (0..=digits.len()).rev().find(|at| {
            let after = rest.get(*at..*at + suffix.len());
            after.is_some_and(|after| after.eq_ignore_ascii_case(suffix))
        })
    };
    if let Some(end) = starts(FOUR) {
        let mut parts: Vec<&str> = rest.get(..end)?.split('.').collect();
        parts.reverse();
        return Some((Token::Reversed(IpAddr::V4(parts.join(".").parse().ok()?)), end));
    }
    let end = starts(SIX)?;
    let parts: Vec<&str> = rest.get(..end)?.split('.').collect();
    if parts.len() != 32 || parts.iter().any(|part| part.len() != 1) {
        return None;
    }
    let bits = u128::from_str_radix(&parts.into_iter().rev().collect::<String>(), 16).ok()?;
    Some((Token::Reversed(IpAddr::V6(Ipv6Addr::from(bits))), end))
}

/// A word, up to the MAC address that it ends with (`SEP001122334455`, `enx525400123456`).
fn word<'t>(rest: &'t str, knows: &impl Fn(MacAddr) -> bool) -> (Token<'t>, usize) {
    let whole = run(rest, char::is_alphanumeric);
    let split = whole.len().saturating_sub(12);
    if let (Some(letters), Some(digits)) = (whole.get(..split), whole.get(split..))
        && digits.len() == 12
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && let Ok(mac) = digits.parse::<MacAddr>()
    {
        let has_letter = digits.bytes().any(|b| b.is_ascii_alphabetic());
        let has_digit = digits.bytes().any(|b| b.is_ascii_digit());
        let is_apart = letters.is_empty() || !letters.ends_with(|c: char| c.is_ascii_hexdigit());
        if knows(mac) || has_letter && has_digit && is_apart {
            return match letters.len() {
                0 => (Token::Mac(digits, mac), digits.len()),
                length => (Token::Word(letters), length),
            };
        }
    }
    (Token::Word(whole), whole.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Vec<String> {
        let known = "525400123456".parse::<MacAddr>().unwrap();
        let show = |token| match token {
            Token::Mac(written, _) => Some(format!("mac {written}")),
            Token::Octets(written) => Some(format!("octets {written}")),
            Token::Ip(address) => Some(format!("ip {address}")),
            Token::Hyphenated(written, _) => Some(format!("hyphenated {written}")),
            Token::Reversed(address) => Some(format!("reversed {address}")),
            Token::Uuid(written) => Some(format!("uuid {written}")),
            Token::Word(written) => Some(written.to_owned()),
            Token::Mark(_) => None,
        };
        tokens(text, |mac| mac == known).into_iter().filter_map(show).collect()
    }

    #[test]
    fn addresses_are_found_however_they_are_written() {
        for (text, expected) in [
            ("52:54:00:12:34:56", &["mac 52:54:00:12:34:56"][..]),
            ("on 52-54-00-AB-CD-EF.", &["on", "mac 52-54-00-AB-CD-EF"]),
            ("0:1e:67:3:4:5", &["mac 0:1e:67:3:4:5"]),
            ("5254.0012.3456", &["mac 5254.0012.3456"]),
            ("5254-00ab-3456, 5254ab-123456", &["mac 5254-00ab-3456", "mac 5254ab-123456"]),
            ("host-5254ab123456.lan", &["host", "mac 5254ab123456", "lan"]),
            ("SEP001122AA4455", &["SEP", "mac 001122AA4455"]),
            ("enx525400123456", &["enx", "mac 525400123456"]),
            ("525400123456", &["mac 525400123456"]),
            ("525400123457", &["525400123457"]),
            ("deadbeefcafe", &["deadbeefcafe"]),
            ("1:52:54:00:12:34:56", &["octets 1:52:54:00:12:34:56"]),
            ("00:01:00:01:2a:bb:52:54:00:12:34:56", &["octets 00:01:00:01:2a:bb:52:54:00:12:34:56"]),
            ("52:54:00:12:34", &["52", "54", "00", "12", "34"]),
            (
                "2001:db8::5, ::1 and fe80::1%eth0/64",
                &["ip 2001:db8::5", "ip ::1", "and", "ip fe80::1", "eth0", "64"],
            ),
            ("1:2:3:4:5:6:7:8", &["ip 1:2:3:4:5:6:7:8"]),
            ("[2001:db8::5]:22", &["ip 2001:db8::5", "22"]),
            ("reached 2001:db8::5: refused", &["reached", "ip 2001:db8::5", "refused"]),
            (
                "192.0.2.7/24 192.0.2.8. 1.2.3.4.5 7.20.5",
                &["ip 192.0.2.7", "24", "ip 192.0.2.8", "1", "ip 2.3.4.5", "7", "20", "5"],
            ),
            ("ip-192-0-2-7.example.org", &["ip", "hyphenated 192-0-2-7", "example", "org"]),
            ("7.2.0.192.in-addr.arpa", &["reversed 192.0.2.7", "in", "addr", "arpa"]),
            ("4c4c4544-0043-3010-8052-b4c04f564231", &["uuid 4c4c4544-0043-3010-8052-b4c04f564231"]),
            ("::ffff:192.0.2.1", &["ip ::ffff:192.0.2.1"]),
            ("a:b", &["a", "b"]),
            ("caf\u{e9} \u{43f}\u{440}i", &["caf\u{e9}", "\u{43f}\u{440}i"]),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        let nibbles = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(shown(nibbles), ["reversed 2001:db8::567:89ab", "ip6", "arpa"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([0-9a-f:.\\- ]|[A-Z]|\\PC|ip6.arpa|in-addr.arpa){0,60}") {
            let again: String = tokens(&text, |_| false).into_iter().map(|token| match token {
                Token::Mac(written, _) | Token::Octets(written) | Token::Hyphenated(written, _)
                | Token::Uuid(written) | Token::Word(written) => written.to_owned(),
                Token::Ip(_) | Token::Reversed(_) => "?".to_owned(),
                Token::Mark(mark) => mark.to_string(),
            }).collect();
            let mut pieces = again.split('?');
            prop_assert!(text.starts_with(pieces.next().unwrap_or_default()));
        }
    }
}
