//! Lease files: two that dhcpd 4.4.3 wrote, and every form that its manual and its sources have.

use proptest::prelude::*;

use super::*;

/// Written by dhcpd 4.4.3-P1 (Debian 12): three leases, and one that was given back.
const RECORDED4: &[u8] = include_bytes!("../../../../tests/fixtures/dhcpd/4.4.3-v4.leases");
/// The same for IPv6: two leases, a delegated prefix, and a lease that was given back.
const RECORDED6: &[u8] = include_bytes!("../../../../tests/fixtures/dhcpd/4.4.3-v6.leases");

const THEN: Timestamp = Timestamp(1_795_266_000_000);

fn shown(file: &[u8], now: Timestamp) -> Vec<String> {
    lease_file(file).leases(now).map(|lease| shown_lease(&lease)).collect()
}

fn shown_lease(lease: &LeaseFact) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} {:?} {} {} {} {}",
        lease.mac,
        lease.address.unwrap(),
        lease.state,
        text(&lease.host_name),
        text(&lease.client_id),
        text(&lease.vendor_class),
        lease.expires_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
    )
}

/// The addresses that are held, of an IPv4 file with these declarations.
fn held(declarations: &str) -> Vec<String> {
    let file = format!("authoring-byte-order little-endian;\n{declarations}");
    lease_file(file.as_bytes()).leases(THEN).map(|lease| lease.address.unwrap().to_string()).collect()
}

fn fault(file: &[u8]) -> String {
    lease_file(file).fault("`f`").unwrap_or_default()
}

/// One lease of 192.0.2.7 with these statements, besides its hardware.
fn lease_with(statements: &str) -> String {
    format!("lease 192.0.2.7 {{\n  hardware ethernet 52:54:00:12:34:56;\n  {statements}\n}}\n")
}

#[test]
fn what_dhcpd_wrote() {
    assert_eq!(
        shown(RECORDED4, THEN),
        [
            "00:11:32:C4:5D:80 10.77.0.100 Bound nas - surveyor-test 2026-11-21T13:31:53Z",
            "52:54:00:12:34:56 10.77.0.101 Bound printer 01:52:54:00:12:34:56 surveyor-test 2026-11-21T13:31:54Z",
            "BC:24:11:00:00:07 10.77.0.102 Bound - - surveyor-test 2026-11-21T13:31:55Z",
        ]
    );
    assert_eq!(
        shown(RECORDED6, THEN),
        [
            "52:54:00:12:34:56 fd00:77::24e Bound - 00:01:00:01:32:94:57:78:52:54:00:12:34:56 - 2026-11-21T13:32:01Z",
            "00:11:32:C4:5D:80 fd00:77::250 Bound - 00:01:00:01:32:94:57:75:00:11:32:c4:5d:80 - 2026-11-21T13:31:59Z",
        ]
    );
    assert_eq!((fault(RECORDED4), fault(RECORDED6)), (String::new(), String::new()));
}

#[test]
fn the_last_declaration_holds() {
    let active = lease_with("binding state active;");
    let free = lease_with("binding state free;");
    assert_eq!(held(&format!("{active}{free}")), Vec::<String>::new());
    assert_eq!(held(&format!("{free}{active}")), ["192.0.2.7"]);
    assert_eq!(held(&format!("{active}{active}")), ["192.0.2.7"]);
}

#[test]
fn only_active_leases_are_held() {
    for state in ["free", "backup", "expired", "released", "abandoned", "reset", "bootp", "unknown"] {
        let declaration =
            format!("binding state {state};\n  next binding state active;\n  rewind binding state active;");
        assert_eq!(held(&lease_with(&declaration)), Vec::<String>::new(), "{state}");
    }
    let active = "binding state active;\n  next binding state free;\n  rewind binding state free;";
    assert_eq!(held(&lease_with(active)), ["192.0.2.7"]);
    // Before there were states.
    assert_eq!(held(&lease_with("ends 5 2036/01/01 00:00:00;")), ["192.0.2.7"]);
    assert_eq!(held(&lease_with("ends 5 2036/01/01 00:00:00;\n  abandoned;")), Vec::<String>::new());
    assert_eq!(held(&lease_with("ends 5 2016/01/01 00:00:00;")), Vec::<String>::new());
}

#[test]
fn a_lease_ends_when_it_says() {
    let ends = |date: &str| held(&lease_with(&format!("binding state active;\n  ends {date};"))).len();
    assert_eq!(ends("6 2026/11/21 13:00:01"), 1);
    assert_eq!(ends("6 2026/11/21 13:00:00"), 0);
    assert_eq!(ends("epoch 1795266001; # Sat Nov 21 13:00:01 2026"), 1);
    assert_eq!(ends("epoch 1795266000"), 0);
    assert_eq!(ends("never"), 1);
    let odd = format!(
        "{}{}",
        lease_with("binding state active;"),
        lease_with("binding state active;\n  ends soon;")
    );
    assert_eq!(held(&odd), Vec::<String>::new(), "nobody knows what it is now");
    assert_eq!(fault(odd.as_bytes()), "`f`: 1 declaration cannot be read, the first in line 5");
}

#[test]
fn what_a_lease_says_of_its_client() {
    let lease = |statements: &str| {
        let file = format!(
            "authoring-byte-order little-endian;\nlease 192.0.2.7 {{\n  binding state active;\n  {statements}\n}}\n"
        );
        shown(file.as_bytes(), THEN).first().cloned().unwrap_or_default()
    };
    let hardware = "hardware ethernet 52:54:0:12:34:56;";
    assert_eq!(
        lease(&format!(
            "{hardware} uid \"\\001RT\\000\\0224V\"; client-hostname \"nas \\\"1\\\"\\303\\274\\\\\";"
        )),
        "52:54:00:12:34:56 192.0.2.7 Bound nas \"1\"ü\\ 01:52:54:00:12:34:56 - -"
    );
    assert_eq!(
        lease("uid 01:52:54:00:12:34:57; client-hostname \"\";"),
        "52:54:00:12:34:57 192.0.2.7 Bound - 01:52:54:00:12:34:57 - -",
        "octets as `lease-id-format hex` writes them; they name the card where nothing else does"
    );
    assert_eq!(
        lease(&format!(
            "{hardware} client-hostname \"b\\377r\"; set vendor-class-identifier = \"MSFT 5.0\";"
        )),
        "52:54:00:12:34:56 192.0.2.7 Bound b\u{fffd}r - MSFT 5.0 -"
    );
    assert_eq!(
        lease(&format!(
            "{hardware} set ddns-txt = \"31b\"; option agent.circuit-id \"}}{{;\"; on expiry or release {{ set x = \"}}\"; if (a) {{ b; }} }}"
        )),
        "52:54:00:12:34:56 192.0.2.7 Bound - - - -",
        "signs in strings are no signs"
    );
    assert_eq!(lease("hardware infiniband 52:54:00:12:34:56;"), "");
    assert_eq!(lease("hardware ethernet 00:00:00:00:00:00;"), "");
    let reserved = lease_with("binding state active;\n  reserved;");
    assert!(!lease_file(reserved.as_bytes()).leases(THEN).next().unwrap().dynamic);
}

#[test]
fn ipv6_associations() {
    let association = |iaid: &str, addresses: &[(&str, &str)]| {
        let one = |(address, state): &(&str, &str)| {
            format!("  iaaddr {address} {{\n    binding state {state};\n    ends never;\n  }}\n")
        };
        let inner = addresses.iter().map(one).collect::<Vec<_>>().concat();
        format!(
            "ia-na \"{iaid}\\000\\003\\000\\001RT\\000\\0224V\" {{\n  cltt 6 2026/11/21 12:58:48;\n{inner}}}\n\n"
        )
    };
    let (own, other) = ("V4\\022\\000", "\\001\\000\\000\\000");
    let both = association(own, &[("2001:db8::1", "active"), ("2001:db8::2", "active")]);
    assert_eq!(held(&both), ["2001:db8::1", "2001:db8::2"]);
    assert_eq!(held(&format!("{both}{}", association(own, &[("2001:db8::2", "active")]))), ["2001:db8::2"]);
    assert_eq!(
        held(&association(own, &[("2001:db8::1", "expired"), ("2001:db8::2", "released")])),
        Vec::<String>::new()
    );
    assert_eq!(
        held(&association(other, &[("2001:db8::1", "active")])),
        Vec::<String>::new(),
        "of another card"
    );
    assert_eq!(
        lease_file(association(other, &[("2001:db8::1", "active")]).as_bytes()).summary(),
        "1 active leases, 1 of them name no network card"
    );

    // An address goes from one association to another, whose end is not the end of the address.
    let moved = format!(
        "{}{}{}",
        association(other, &[("2001:db8::1", "active")]),
        association(own, &[("2001:db8::1", "active")]),
        association(other, &[])
    );
    assert_eq!(held(&moved), ["2001:db8::1"]);

    let shown_as = |file: &str| shown(file.as_bytes(), THEN);
    let hex = "ia_na 56:34:12:00:00:03:00:01:52:54:00:12:34:56 {\n  iaaddr 2001:db8::1 {\n    binding state active;\n  }\n}\n";
    let expected = "52:54:00:12:34:56 2001:db8::1 Bound - 00:03:00:01:52:54:00:12:34:56 - -";
    assert_eq!(shown_as(&format!("authoring-byte-order little-endian;\n{hex}")), [expected]);
    assert_eq!(shown_as(&format!("authoring-byte-order big-endian;\n{hex}")), Vec::<String>::new());
    assert_eq!(shown_as(hex), [expected], "files of before 4.3 do not say");
}

#[test]
fn hosts_that_were_declared_are_reservations() {
    let host = "host printer {\n  dynamic;\n  hardware ethernet 52:54:00:12:34:56;\n  fixed-address 192.0.2.9, 192.0.2.10;\n}\n";
    let found: Vec<LeaseFact> = lease_file(host.as_bytes()).leases(THEN).collect();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| one.state == LeaseState::NeverSeen && !one.dynamic));
    assert_eq!(found[0].comment.as_deref(), Some("printer"));
    let gone = format!("{host}host printer {{\n  dynamic;\n  deleted;\n}}\n");
    assert_eq!(lease_file(gone.as_bytes()).leases(THEN).count(), 0);
}

#[test]
fn what_is_no_lease_is_passed_over() {
    let others = "failover peer \"dhcp\" state {\n  my state normal at 4 2026/11/19 10:00:00;\n  partner state normal at 4 2026/11/19 10:00:00;\n  mclt 3600;\n}\n\
        server-duid \"\\000\\001\";\nclass \"a\" {\n  lease limit 3;\n}\nsubclass \"a\" 1:2;\ngroup g {\n  dynamic;\n}\n\
        ia-pd \"V4\\022\\000\\000\\003\\000\\001RT\\000\\0224V\" {\n  iaprefix 2001:db8:1::/64 {\n    binding state active;\n  }\n}\n";
    assert_eq!(held(&format!("{others}{}", lease_with("binding state active;"))), ["192.0.2.7"]);
    assert_eq!(fault(others.as_bytes()), "");
}

#[test]
fn a_declaration_that_is_being_written_is_noted() {
    let whole = lease_with("binding state active;");
    let next = "lease 192.0.2.8 {\n  binding state active;\n  hardware ethernet 52:54:00:12:34:57;\n}\n";
    for end in 1..next.len() - 1 {
        let file = lease_file(format!("{whole}{}", &next[..end]).as_bytes());
        assert_eq!((file.leases(THEN).count(), file.fault("f")), (1, None), "{end}");
        assert!(file.summary().ends_with("the last declaration is being written"), "{end}");
    }
}

#[test]
fn a_declaration_that_was_cut_spoils_no_other() {
    let whole = lease_with("binding state active;");
    let next = "lease 192.0.2.8 {\n  binding state active;\n  client-hostname \"a\";\n  hardware ethernet 52:54:00:12:34:57;\n}\n";
    for end in "lease 192.0.2.8".len()..next.len() - 2 {
        let file = format!("{whole}{}\n{whole}", &next[..end]);
        assert_eq!(held(&file), ["192.0.2.7"], "{file}");
        assert!(
            fault(file.as_bytes()).contains("1 declaration cannot be read, the first in line 5"),
            "{file}"
        );
    }
}

#[test]
fn other_files_are_told() {
    let no_file =
        "`f` is no lease file of ISC dhcpd (line 1); hint: `lease-file-name`, or the option -lf, names it";
    assert_eq!(fault(b""), "");
    assert_eq!(fault(b"# only a comment\n"), "");
    assert_eq!(fault(b"root:x:0:0:root\n"), no_file);
    assert_eq!(fault(&[0; 1000]), no_file);
    assert_eq!(
        fault(b"lease {\n  interface \"eth0\";\n  fixed-address 192.0.2.7;\n}\n"),
        no_file,
        "of dhclient"
    );
    assert_eq!(fault(&b"{".repeat(100_000)), no_file);
    let deep = format!("lease 192.0.2.7 {}", "{".repeat(100_000));
    assert_eq!(fault(deep.as_bytes()), no_file);
    let long = format!("lease 192.0.2.7 {};", "a ".repeat(100_000));
    assert_eq!(fault(long.as_bytes()), no_file);
}

proptest! {
    #[test]
    fn a_file_that_was_cut_invents_nothing(end in 0..RECORDED4.len(), end6 in 0..RECORDED6.len()) {
        // Every lease that was ever declared, for a moment before any of them ended.
        let early = Timestamp(1_000_000_000_000);
        for (file, end) in [(RECORDED4, end), (RECORDED6, end6)] {
            let ever: Vec<String> = (0..=file.len())
                .filter(|at| file[..*at].ends_with(b"}\n"))
                .flat_map(|at| shown(&file[..at], early))
                .collect();
            for lease in shown(&file[..end], early) {
                prop_assert!(ever.contains(&lease), "{lease}");
            }
        }
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let file = lease_file(&bytes);
        _ = (file.leases(THEN).count(), file.fault("f"), file.summary());
    }

    #[test]
    fn words_of_dhcpd_do_not_panic_either(
        text in "((lease|ia-na|host|iaaddr|binding state|active|ends|epoch|never|uid|hardware ethernet|client-hostname|abandoned|192\\.0\\.2\\.[0-9]|[0-9a-f]{2}:[0-9a-f]{2}|[0-9]{1,20}/1/1|1:1:1|\"[a\\\\0-9]{0,6}\"|[\"{};=,#\n]) ?){0,60}"
    ) {
        let file = lease_file(text.as_bytes());
        _ = (file.leases(THEN).count(), file.fault("f"), file.summary());
    }
}
