//! Lease files: one that dnsmasq 2.90 wrote, and every form that others have.

use proptest::prelude::*;

use super::*;

/// Written by dnsmasq 2.90 (Debian 12) for three clients.
const RECORDED: &[u8] = include_bytes!("../../../../tests/fixtures/dnsmasq/2.90.leases");

/// While they were held.
const THEN: Timestamp = Timestamp(1_795_266_000_000);

fn shown(file: &[u8], now: Timestamp) -> Vec<String> {
    lease_file(file).leases(now).map(|lease| shown_lease(&lease)).collect()
}

fn shown_lease(lease: &LeaseFact) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} {} {} {}",
        lease.mac,
        lease.address.unwrap(),
        text(&lease.host_name),
        text(&lease.client_id),
        lease.expires_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
    )
}

#[test]
fn what_dnsmasq_wrote() {
    assert_eq!(
        shown(RECORDED, THEN),
        [
            "BC:24:11:00:00:07 10.77.0.117 - - 2026-11-21T13:31:47Z",
            "52:54:00:12:34:56 10.77.0.111 printer 01:52:54:00:12:34:56 2026-11-21T13:31:46Z",
            "00:11:32:C4:5D:80 10.77.0.113 nas - 2026-11-21T13:31:45Z",
            "52:54:00:12:34:56 fd00:77::132 - 00:01:00:01:32:94:57:6e:52:54:00:12:34:56 2026-11-21T13:31:51Z",
            "00:11:32:C4:5D:80 fd00:77::131 - 00:01:00:01:32:94:57:6b:00:11:32:c4:5d:80 2026-11-21T13:31:49Z",
        ]
    );
    let lease = lease_file(RECORDED).leases(THEN).next().unwrap();
    assert_eq!((lease.state, lease.dynamic), (LeaseState::Bound, true));
    assert_eq!(lease_file(RECORDED).fault("f"), None);
    assert_eq!(lease_file(RECORDED).summary(), "5 leases");
}

#[test]
fn what_has_ended_is_not_held() {
    let last = Timestamp(1_795_267_911_000);
    assert_eq!(shown(RECORDED, last.plus_millis(-1)).len(), 1);
    assert_eq!(shown(RECORDED, last), Vec::<String>::new());
}

#[test]
fn without_an_end() {
    // For ever; then what dnsmasq writes on machines without a clock, where the first column is how long.
    for first in ["0", "600", "4294967295"] {
        let line = format!("{first} 52:54:00:12:34:56 192.0.2.7 * *\n");
        let ends = if first == "4294967295" { "2106-02-07T06:28:15Z" } else { "-" };
        assert_eq!(shown(line.as_bytes(), THEN), [format!("52:54:00:12:34:56 192.0.2.7 - - {ends}")]);
    }
}

#[test]
fn hardware_types() {
    let mac = |who: &str, client_id: &str| {
        let found = shown(format!("0 {who} 192.0.2.7 * {client_id}\n").as_bytes(), THEN);
        found.first().map(|text| text.split(' ').next().unwrap().to_owned())
    };
    assert_eq!(mac("06-52:54:00:12:34:56", "*").as_deref(), Some("52:54:00:12:34:56"), "IEEE 802");
    assert_eq!(
        mac("20-80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:10:39", "*"),
        None,
        "InfiniBand"
    );
    assert_eq!(mac("20-52:54:00:12:34:56", "*"), None, "six octets, but of another kind");
    assert_eq!(
        mac("00-", "01:52:54:00:12:34:56").as_deref(),
        Some("52:54:00:12:34:56"),
        "only an identifier"
    );
    assert_eq!(mac("00-", "*"), None);
    assert_eq!(mac("00:00:00:00:00:00", "*"), None);
    let odd = lease_file(b"0 00- 192.0.2.7 a *\n");
    assert_eq!((odd.cardless, odd.fault("f")), (1, None), "it is a lease, but of no card");
}

#[test]
fn ipv6_leases_name_a_card_or_none() {
    let file = b"duid 00:01:00:01:32:94:51:ce:32:0f:82:ed:67:21\n\
        1795266473 2182937745 2001:db8::5 nas 00:03:00:01:ea:f7:82:1c:fc:91\n\
        1795266473 T2182937745 2001:db8::6 * 00:03:00:01:ea:f7:82:1c:fc:91\n\
        1795266473 -2112029551 2001:db8::7 * 00:03:00:01:ea:f7:82:1c:fc:91\n\
        1795266473 14 2001:db8::8 * 00:03:00:01:ea:f7:82:1c:fc:91\n\
        1795266473 14 2001:db8::9 * *\n";
    let found: Vec<String> =
        shown(file, THEN).iter().map(|text| text.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        found,
        [
            "EA:F7:82:1C:FC:91 2001:db8::5 nas",
            "EA:F7:82:1C:FC:91 2001:db8::6 -",
            "EA:F7:82:1C:FC:91 2001:db8::7 -",
        ],
        "the last two are of another card of that machine, or of one that nobody names"
    );
    assert_eq!(lease_file(file).summary(), "3 leases, 2 more that name no network card");
    assert_eq!(lease_file(file).fault("f"), None);
}

#[test]
fn damage_is_named() {
    let fault = |file: &[u8]| lease_file(file).fault("`f`").unwrap_or_default();
    assert_eq!(fault(b""), "");
    assert_eq!(fault(b"\n"), "");
    let line = "0 52:54:00:12:34:56 192.0.2.7 a *\n";
    let bad = format!(
        "{line}x 52:54:00:12:34:56 192.0.2.8 a *\n{line}0 52:54:00:12:34:56 192.0.2.300 a *\n0 a b\n"
    );
    assert_eq!(fault(bad.as_bytes()), "`f`: 3 lines cannot be read, the first is line 2");
    assert_eq!(shown(bad.as_bytes(), THEN).len(), 2, "the others are");
    assert_eq!(
        fault(format!("{line}0 zz 192.0.2.8 a *\n").as_bytes()),
        "`f`: 1 line cannot be read, the first is line 2"
    );
    let no_file = "`f` is no lease file of dnsmasq (line 1); hint: `dhcp-leasefile` names the right one";
    assert_eq!(fault(b"root:x:0:0:root\n"), no_file);
    assert_eq!(fault(&[0; 1000]), no_file);
    let cut = format!("{line}0 52:54:00:12:34:57 192.0.2.1");
    assert_eq!(fault(cut.as_bytes()), "`f` ends in the middle of line 2; hint: is the disk full?");
    assert_eq!(shown(cut.as_bytes(), THEN).len(), 1, "192.0.2.1 may have become 192.0.2.10");
}

#[test]
fn names_are_kept_as_they_are() {
    let lease = lease_file(b"0 52:54:00:12:34:56 192.0.2.7 na\xffs *\n");
    assert_eq!(lease.leases(THEN).next().unwrap().host_name.as_deref(), Some("na\u{fffd}s"));
}

proptest! {
    #[test]
    fn a_file_that_was_cut_invents_nothing(end in 0..RECORDED.len()) {
        let whole = shown(RECORDED, THEN);
        for lease in shown(&RECORDED[..end], THEN) {
            prop_assert!(whole.contains(&lease), "{lease}");
        }
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        _ = lease_file(&bytes).leases(THEN).count();
    }

    #[test]
    fn words_of_dnsmasq_do_not_panic_either(
        text in "(([0-9]{1,20}|T?-?[0-9]{1,12}|duid|[0-9a-f]{2}-|([0-9a-f]{2}:){0,14}[0-9a-f]{2}|192\\.0\\.2\\.[0-9]{1,3}|2001:db8::[0-9a-f]|\\*|\n) ?){0,30}"
    ) {
        let file = lease_file(text.as_bytes());
        _ = (file.leases(THEN).count(), file.fault("f"), file.summary());
    }
}
