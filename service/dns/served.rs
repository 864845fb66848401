//! What `unbound-control list_local_data` prints, against our own records. Pure and total.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use crate::plan::dns::{ForeignClaim, ForeignRecord, Record, RecordValue};

/// What is served and not ours, and what is ours and not served.
pub(super) fn compare(data: &str, zones: &str, ours: &BTreeSet<Record>) -> (Vec<ForeignRecord>, Vec<Record>) {
    let key = |record: &Record| (record.name.as_str().to_owned(), record.value);
    let known: HashSet<(String, RecordValue)> = ours.iter().map(key).collect();
    let mut seen = HashSet::new();
    let mut foreign = BTreeSet::new();
    for line in data.lines() {
        let Some((owner, claim)) = record(line) else { continue };
        let own = match &claim {
            ForeignClaim::Address(IpAddr::V4(address)) => Some((owner.clone(), RecordValue::A(*address))),
            ForeignClaim::Address(IpAddr::V6(address)) => Some((owner.clone(), RecordValue::Aaaa(*address))),
            ForeignClaim::Pointer { address, target } => {
                Some((target.clone(), RecordValue::Ptr { address: *address }))
            }
            _ => None,
        };
        match own.filter(|own| known.contains(own)) {
            Some(own) => _ = seen.insert(own),
            None => _ = foreign.insert(ForeignRecord { owner, claim }),
        }
    }
    for line in zones.lines() {
        if let Some((zone, kind)) = line.split_once(' ') {
            let claim = ForeignClaim::ClosedZone(kind.to_owned());
            foreign.insert(ForeignRecord { owner: plain(zone), claim });
        }
    }
    let unserved = ours.iter().filter(|record| !seen.contains(&key(record))).cloned().collect();
    (foreign.into_iter().collect(), unserved)
}

/// `NAME TTL IN TYPE VALUE`; types that claim neither a name for an address nor an address are nobody's business.
fn record(line: &str) -> Option<(String, ForeignClaim)> {
    let mut words = line.split_whitespace();
    let (owner, kind, value) = (words.next()?, words.nth(2)?, words.next()?);
    let claim = match kind {
        "A" | "AAAA" => ForeignClaim::Address(value.parse().ok()?),
        "CNAME" | "DNAME" => ForeignClaim::Alias(plain(value)),
        "PTR" => ForeignClaim::Pointer { address: reverse(&plain(owner))?, target: plain(value) },
        _ => return None,
    };
    Some((plain(owner), claim))
}

fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The address of a reverse name (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reverse(name: &str) -> Option<IpAddr> {
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let mut parts: Vec<&str> = labels.split('.').collect();
        parts.reverse();
        return parts.join(".").parse::<std::net::Ipv4Addr>().ok().map(IpAddr::from);
    }
    let labels: Vec<&str> = name.strip_suffix(".ip6.arpa")?.split('.').collect();
    if labels.len() != 32 || labels.iter().any(|label| label.len() != 1) {
        return None;
    }
    let digits: String = labels.into_iter().rev().collect();
    u128::from_str_radix(&digits, 16).ok().map(|bits| std::net::Ipv6Addr::from(bits).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_and_theirs() {
        // As Unbound 1.17.1 prints it.
        let data = "localhost.\t10800\tIN\tA\t127.0.0.1\n\
            1.0.0.127.in-addr.arpa.\t10800\tIN\tPTR\tlocalhost.\n\
            a.example.org.\t300\tIN\tA\t192.0.2.1\n\
            1.2.0.192.in-addr.arpa.\t300\tIN\tPTR\ta.example.org.\n\
            www.example.org.\t300\tIN\tCNAME\tA.example.org.\n\
            1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.\t300\tIN\tPTR\tv6.example.org.\n\
            example.org.\t300\tIN\tTXT\t\"x y\"\nnonsense\n";
        let record = |name: &str, value| Record { name: name.parse().unwrap(), value, ttl: 300 };
        let ours = BTreeSet::from([
            record("a.example.org", RecordValue::A([192, 0, 2, 1].into())),
            record("a.example.org", RecordValue::Ptr { address: [192, 0, 2, 1].into() }),
            record("b.example.org", RecordValue::A([192, 0, 2, 2].into())),
        ]);
        let (foreign, unserved) = compare(data, "ads.example. always_nxdomain\n", &ours);
        let owners: Vec<_> = foreign.iter().map(|record| record.owner.as_str()).collect();
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(owners, [v6, "1.0.0.127.in-addr.arpa", "ads.example", "localhost", "www.example.org"]);
        let address = "2001:db8::1".parse().unwrap();
        assert_eq!(foreign[0].claim, ForeignClaim::Pointer { address, target: "v6.example.org".to_owned() });
        assert_eq!(unserved.len(), 1);
        assert_eq!(unserved[0].to_string(), "b.example.org A 192.0.2.2");
    }
}
