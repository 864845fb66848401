//! Records, conflicts and the include file.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn desired(entries: &[(&str, &str, u32)]) -> Vec<DesiredAddress> {
    entries
        .iter()
        .map(|(address, name, ttl)| DesiredAddress {
            address: address.parse().unwrap(),
            dns_name: name.parse().unwrap(),
            ttl: *ttl,
        })
        .collect()
}

fn wanted(entries: &[(&str, &str, u32)]) -> BTreeSet<Record> {
    let (records, refused) = records(&desired(entries));
    assert_eq!(refused, []);
    records
}

fn shown(records: &BTreeSet<Record>) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}

#[test]
fn an_address_gives_a_forward_and_a_reverse_record() {
    let records = wanted(&[
        ("192.0.2.10", "printer.lan.example.org", 300),
        ("192.0.2.10", "printer.lan.example.org", 60),
        ("2001:db8::10", "printer.lan.example.org", 300),
    ]);
    assert_eq!(
        render(&records, "ns1"),
        "# DNS records of ns1, managed by Surveyor. Do not edit: the next change overwrites this file.\n\
         # surveyor-dns-file 1 sha256:1242ec05e4c0e6aab0d9fea76eb2824f5e97abc432f08d505bae2f0528820e8a\n\
         server:\n\
         local-data: \"printer.lan.example.org. 60 IN A 192.0.2.10\"\n\
         local-data: \"printer.lan.example.org. 300 IN AAAA 2001:db8::10\"\n\
         local-data-ptr: \"192.0.2.10 60 printer.lan.example.org.\"\n\
         local-data-ptr: \"2001:db8::10 300 printer.lan.example.org.\"\n"
    );
}

#[test]
fn an_address_has_one_name() {
    let (records, refused) = records(&desired(&[
        ("192.0.2.10", "b.example.org", 300),
        ("192.0.2.10", "a.example.org", 300),
        ("192.0.2.11", "single", 300),
        ("127.0.0.1", "c.example.org", 300),
    ]));
    assert_eq!(shown(&records), ["a.example.org A 192.0.2.10", "192.0.2.10 PTR a.example.org"]);
    let reasons: Vec<_> = refused.iter().map(|r| format!("{}: {}", r.name, r.reason)).collect();
    assert_eq!(
        reasons,
        [
            "c.example.org: not the address of a host",
            "b.example.org: 192.0.2.10 already has the name `a.example.org`",
            "single: the DNS name is not fully qualified",
        ]
    );
}

#[test]
fn one_record_set_has_one_ttl() {
    let records = wanted(&[("192.0.2.1", "a.example.org", 300), ("192.0.2.2", "a.example.org", 60)]);
    assert!(records.iter().all(|record| record.ttl == 60));
}

#[test]
fn what_others_own_is_refused_and_the_rest_goes_on() {
    let foreign = |owner: &str, claim| ForeignRecord { owner: owner.to_owned(), claim };
    let foreign = [
        foreign("taken.example.org", ForeignClaim::Address("198.51.100.1".parse().unwrap())),
        foreign("fine.example.org", ForeignClaim::Address("192.0.2.4".parse().unwrap())),
        foreign("alias.example.org", ForeignClaim::Alias("www.example.org".to_owned())),
        foreign("gw.example.org", ForeignClaim::Address("192.0.2.1".parse().unwrap())),
        foreign(
            "2.2.0.192.in-addr.arpa",
            ForeignClaim::Pointer {
                address: "192.0.2.2".parse().unwrap(),
                target: "old.example.org".to_owned(),
            },
        ),
        foreign("ads.example.org", ForeignClaim::ClosedZone("redirect".to_owned())),
    ];
    let (kept, refused) = conflicts(
        wanted(&[
            ("192.0.2.9", "taken.example.org", 300),
            ("2001:db8::9", "taken.example.org", 300),
            ("192.0.2.8", "alias.example.org", 300),
            ("192.0.2.1", "router.example.org", 300),
            ("192.0.2.2", "new.example.org", 300),
            ("192.0.2.3", "x.ads.example.org", 300),
            ("192.0.2.4", "fine.example.org", 300),
        ]),
        &foreign,
    );
    assert_eq!(shown(&kept), ["fine.example.org A 192.0.2.4", "192.0.2.4 PTR fine.example.org"]);
    let mut reasons: Vec<_> = refused
        .iter()
        .map(|r| r.reason.trim_end_matches(" on this server, by a record that surveyor did not write"))
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "192.0.2.1 already belongs to `gw.example.org`",
            "192.0.2.2 already points to `old.example.org`",
            "`alias.example.org` is already an alias of `www.example.org`",
            "`taken.example.org` already has the address 198.51.100.1",
            "`taken.example.org` already has the address 198.51.100.1",
            "`x.ads.example.org` lies in the local zone `ads.example.org` of type redirect",
        ]
    );
}

#[test]
fn no_change_is_no_plan() {
    let records = wanted(&[("192.0.2.10", "a.example.org", 300)]);
    let first = plan("ns1", &records, None, &[]).unwrap().unwrap();
    assert_eq!(first.from_hash, None);
    assert_eq!(first.to_hash, hash(&first.content));
    assert_eq!(first.changes, ["+ a.example.org A 192.0.2.10", "+ 192.0.2.10 PTR a.example.org"]);
    assert_eq!(plan("ns1", &records, Some(&first.content), &[]), Ok(None));
    assert_eq!(plan("ns1", &BTreeSet::new(), None, &[]), Ok(None), "no file is made for no records");
    assert_eq!(plan("ns1", &BTreeSet::new(), Some("# placeholder\n"), &[]), Ok(None));
}

#[test]
fn a_change_is_readable_and_probed() {
    let old = wanted(&[
        ("192.0.2.1", "a.example.org", 300),
        ("192.0.2.2", "b.example.org", 300),
        ("192.0.2.4", "d.example.org", 300),
    ]);
    let new = wanted(&[("192.0.2.9", "a.example.org", 300), ("192.0.2.4", "d.example.org", 60)]);
    let current = render(&old, "ns1");
    let change = plan("ns1", &new, Some(&current), &[]).unwrap().unwrap();
    assert_eq!(change.from_hash.as_deref(), Some(hash(&current).as_str()));
    assert_eq!(
        change.changes,
        [
            "- a.example.org A 192.0.2.1",
            "+ a.example.org A 192.0.2.9",
            "- 192.0.2.1 PTR a.example.org",
            "+ 192.0.2.9 PTR a.example.org",
            "- b.example.org A 192.0.2.2",
            "- 192.0.2.2 PTR b.example.org",
            "~ d.example.org A 192.0.2.4 (TTL 300 to 60)",
            "~ 192.0.2.4 PTR d.example.org (TTL 300 to 60)",
        ]
    );
    let names = |records: &[Record]| records.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&change.probes.added), ["a.example.org A 192.0.2.9", "d.example.org A 192.0.2.4"]);
    assert_eq!(
        names(&change.probes.removed),
        ["b.example.org A 192.0.2.2"],
        "a.example.org still has an address"
    );
    assert!(
        plan("ns1", &BTreeSet::new(), Some(&current), &[]).unwrap().unwrap().content.ends_with("server:\n")
    );
}

#[test]
fn an_edited_file_is_seen_and_a_foreign_one_is_left_alone() {
    let records = wanted(&[("192.0.2.1", "a.example.org", 300)]);
    let edited = render(&records, "ns1").replace("192.0.2.1 ", "192.0.2.7 ");
    assert!(matches!(parse(&edited), FileText::Damaged { .. }));
    let change = plan("ns1", &records, Some(&edited), &[]).unwrap().unwrap();
    assert!(change.changes[0].starts_with("! the file was changed by somebody else"), "{:?}", change.changes);
    assert!(plan("ns1", &records, Some("server:\n  verbosity: 2\n"), &[]).is_err());
    let cut = render(&records, "ns1");
    assert!(matches!(parse(&cut[..cut.len() - 5]), FileText::Damaged { .. }));
}

#[test]
fn a_file_that_is_not_served_is_written_again() {
    let records = wanted(&[("192.0.2.1", "a.example.org", 300)]);
    let current = render(&records, "ns1");
    let unserved: Vec<Record> = records.iter().cloned().collect();
    let again = plan("ns1", &records, Some(&current), &unserved).unwrap().unwrap();
    assert_eq!(again.changes, ["! 2 records of the file are not served yet"]);
    assert_eq!(again.from_hash.as_ref(), Some(&again.to_hash));
    assert_eq!(again.probes.added.len(), 1);
}

#[test]
fn a_server_name_cannot_leave_its_comment() {
    let text = render(&BTreeSet::new(), "ns1\nserver:\n  verbosity: 9\r");
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(), ["server:"]);
    assert_eq!(parse(&text), FileText::Ours(BTreeSet::new()));
}

fn any_desired() -> impl Strategy<Value = DesiredAddress> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(|bytes| IpAddr::from(std::net::Ipv4Addr::from(bytes))),
        any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(std::net::Ipv6Addr::from(bytes))),
        (0u8..4).prop_map(|last| IpAddr::from([192, 0, 2, last])),
    ];
    (address, "[a-c]{1,3}(\\.[a-z]{2,4}){0,2}", 0u32..100_000)
        .prop_filter_map("a name", |(address, name, ttl)| {
            Some(DesiredAddress { address, dns_name: name.parse().ok()?, ttl })
        })
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_back(wishes in proptest::collection::vec(any_desired(), 0..12)) {
        let (records, _) = records(&wishes);
        prop_assert_eq!(parse(&render(&records, "ns1")), FileText::Ours(records.clone()));
        prop_assert_eq!(plan("ns1", &records, Some(&render(&records, "ns1")), &[]), Ok(None));
    }

    #[test]
    fn order_does_not_matter(wishes in proptest::collection::vec(any_desired(), 0..12)) {
        let mut reversed = wishes.clone();
        reversed.reverse();
        prop_assert_eq!(records(&wishes), records(&reversed));
    }

    #[test]
    fn parsing_is_total(text in "(# surveyor-dns-file 1 sha256:)?[\\PC\n]{0,200}") {
        _ = parse(&text);
    }
}
