//! Answers and files that Kea 2.2 (Debian 12) gave, and every form that its manual and its sources have.

use proptest::prelude::*;
use serde_json::json;

use super::lease::{Leases, Page};
use super::*;
use crate::model::observation::{LeaseFact, LeaseState};
use crate::model::{Fact, Timestamp};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/kea/2.2-", $name)).as_slice()
    };
}

const PAGE4: &[u8] = recorded!("lease4-get-page.json");
const PAGE6: &[u8] = recorded!("lease6-get-page.json");
const FILE4: &[u8] = recorded!("leases4.csv");
const FILE6: &[u8] = recorded!("leases6.csv");

const THEN: Timestamp = Timestamp(1_795_266_000_000);

fn shown(leases: &Leases) -> Vec<String> {
    leases.facts.iter().map(shown_lease).collect()
}

fn shown_lease(lease: &LeaseFact) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} {:?}{} {} {} [{}] {} {}",
        lease.mac,
        lease.address.unwrap(),
        lease.state,
        if lease.dynamic { "" } else { " reserved" },
        text(&lease.host_name),
        text(&lease.client_id),
        text(&lease.server),
        text(&lease.comment),
        lease.expires_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
    )
}

fn known(name: &[u8]) -> Settings {
    settings(&answer(name).unwrap())
}

fn of_page(body: &[u8], settings: Option<&Settings>) -> Leases {
    leases(page(&answer(body).unwrap()).rows, settings, THEN)
}

fn of_file(text: &[u8]) -> LeaseFile {
    lease_files(&[("`f`".to_owned(), text.to_vec())]).unwrap()
}

fn of_rows(header: &str, rows: &str) -> Vec<String> {
    let file = of_file(format!("{header}\n{rows}\n").as_bytes());
    shown(&leases(file.into_rows(), None, THEN))
}

#[test]
fn what_kea_answered() {
    let settings = known(recorded!("config-get-dhcp4.json"));
    assert_eq!(
        shown(&of_page(PAGE4, Some(&settings))),
        [
            "BC:24:11:00:00:07 10.77.0.9 Bound reserved reserved - [10.77.0.0/24] rack, 4 2026-11-21T13:31:36Z",
            "02:00:00:00:00:50 10.77.0.50 Bound a,b\\c - [10.77.0.0/24] by hand, twice -",
            "00:11:32:C4:5D:80 10.77.0.100 Bound nas - [10.77.0.0/24] - 2026-11-21T13:31:33Z",
            "52:54:00:12:34:56 10.77.0.101 Bound printer 01:52:54:00:12:34:56 [10.77.0.0/24] - 2026-11-21T13:31:34Z",
            "00:11:22:33:44:55 10.77.0.10 NeverSeen reserved never-came - [10.77.0.0/24] - -",
        ],
        "neither the declined lease nor the expired one"
    );
    assert_eq!(settings.summary(), "2 subnets, 2 reservations");
    let networks: Vec<Fact> = settings.networks().collect();
    assert_eq!(
        networks,
        ["10.77.0.0/24", "10.78.0.0/24"]
            .map(|text| Fact::Network { prefix: text.parse().unwrap(), interface: None })
    );

    let settings = known(recorded!("config-get-dhcp6.json"));
    let six = of_page(PAGE6, Some(&settings));
    assert_eq!(
        shown(&six),
        [
            "00:11:32:C4:5D:80 fd00:77::100 Bound - 00:01:00:01:32:94:57:61:00:11:32:c4:5d:80 [fd00:77::/64] - 2026-11-21T13:31:38Z",
            "52:54:00:12:34:56 fd00:77::101 Bound - 00:01:00:01:32:94:57:63:52:54:00:12:34:56 [fd00:77::/64] - 2026-11-21T13:31:40Z",
            "BC:24:11:00:00:07 fd00:77::102 Bound - 00:01:00:01:32:94:57:65:bc:24:11:00:00:07 [fd00:77::/64] - 2026-11-21T13:31:42Z",
        ],
        "no delegated prefix, and no lease of a card that nobody names"
    );
    assert_eq!(six.cardless, 1);
    let networks: Vec<Fact> = settings.networks().collect();
    let interface = Some("eth0".to_owned());
    assert_eq!(networks, [Fact::Network { prefix: "fd00:77::/64".parse().unwrap(), interface }]);
}

#[test]
fn files_say_what_answers_say() {
    for (file, body) in [(FILE4, PAGE4), (FILE6, PAGE6)] {
        let found = of_file(file);
        assert_eq!(found.fault(), None);
        assert_eq!(leases(found.into_rows(), None, THEN), of_page(body, None));
    }
    assert_eq!(of_file(FILE4).summary(), "6 leases", "the deleted one is not among them");
}

#[test]
fn who_answers() {
    let agent = answer(recorded!("config-get-agent.json")).unwrap();
    assert!(is_agent(&agent));
    assert_eq!(agent_services(&agent), ["dhcp4", "dhcp6"]);
    // Kea 3.0 by its own HTTP socket: in a list too, with the hash of the configuration.
    let direct =
        answer(br#"[{"arguments": {"Dhcp6": {"subnet6": []}, "hash": "5C3C"}, "result": 0}]"#).unwrap();
    assert!(!is_agent(&direct));
    assert_eq!(agent_services(&direct), ["dhcp6", "hash"]);
    let lonely = answer(br#"[{"arguments": {"Control-agent": {}}, "result": 0}]"#).unwrap();
    assert!(is_agent(&lonely) && agent_services(&lonely).is_empty());
}

#[test]
fn answers_of_every_shape() {
    let wrong = |body: &str| answer(body.as_bytes()).unwrap_err();
    assert_eq!(answer(br#"{"result": 401, "text": "Unauthorized"}"#).unwrap().result, 401);
    let refused = answer(b"[{\"result\": 1, \"text\": \"no\tway\"}]").unwrap();
    assert_eq!((refused.result, refused.text.as_str()), (1, "no way"));
    assert!(answer(br#"{"result": 0, "arguments": ["a", "b"]}"#).unwrap().arguments.contains_key("list"));
    assert_eq!(answer(b"{\"result\": 0, \"text\": \"na\xffs\"}").unwrap().text, "na\u{fffd}s");
    assert_eq!(
        answer(&format!(r#"{{"result": 0, "text": "{}"}}"#, "x".repeat(5000)).into_bytes())
            .unwrap()
            .text
            .len(),
        200
    );
    assert!(wrong("<html>").starts_with("the answer is not what Kea sends: expected value"));
    assert_eq!(wrong("[]"), "the answer is 0 answers");
    assert_eq!(wrong("3"), "the answer is not what Kea sends: it is no object");
    assert_eq!(wrong("{}"), "the answer is not what Kea sends: it has no result");
    assert!(answer("[".repeat(10_000).as_bytes()).is_err());
}

#[test]
fn pages() {
    let empty = page(&answer(br#"{"arguments": {"count": 0, "leases": []}, "result": 3}"#).unwrap());
    assert_eq!((empty.count, empty.last, empty.malformed), (0, None, 0));
    assert_eq!(page(&answer(br#"{"result": 3}"#).unwrap()), Page::default());
    let odd = json!({"result": 0, "arguments": {"leases": [
        {"ip-address": "192.0.2.7", "hw-address": "52:54:00:12:34:56", "cltt": 1_795_265_000, "valid-lft": 3600, "subnet-id": 1},
        {"ip-address": "192.0.2.8", "hw-address": "52:54:00:12:34:57", "cltt": "x", "valid-lft": 3600},
        17,
        {"ip-address": "192.0.2.300", "hw-address": "52:54:00:12:34:57", "cltt": 0, "valid-lft": 3600},
    ]}});
    let page = page(&answer(odd.to_string().as_bytes()).unwrap());
    assert_eq!(
        (page.rows.len(), page.count, page.malformed, page.last.as_deref()),
        (1, 4, 3, Some("192.0.2.300"))
    );
    assert_eq!(
        shown(&leases(page.rows, None, THEN)),
        ["52:54:00:12:34:56 192.0.2.7 Bound - - [subnet 1] - 2026-11-21T13:43:20Z"],
        "a lease without a state is held, and without settings its subnet is a number"
    );
}

/// Leases with these members, besides what every lease has.
fn of_members(members: &serde_json::Value) -> Vec<String> {
    let mut lease = json!({"ip-address": "192.0.2.7", "hw-address": "52:54:00:12:34:56", "cltt": 1_795_265_000, "valid-lft": 3600});
    for (name, value) in members.as_object().unwrap() {
        lease[name] = value.clone();
    }
    let body = json!({"result": 0, "arguments": {"leases": [lease]}}).to_string();
    shown(&of_page(body.as_bytes(), None))
}

#[test]
fn states() {
    for (state, expected) in [(0, 1), (1, 0), (2, 0), (3, 0), (4, 1), (99, 0)] {
        assert_eq!(of_members(&json!({"state": state})).len(), expected, "{state}");
    }
}

#[test]
fn ends() {
    assert_eq!(of_members(&json!({"valid-lft": 1000})).len(), 0, "at this second");
    assert_eq!(of_members(&json!({"valid-lft": 1001})).len(), 1);
    assert!(of_members(&json!({"valid-lft": 4_294_967_295_u32}))[0].ends_with(" -"));
    assert_eq!(of_members(&json!({"cltt": i64::MAX})).len(), 1, "nothing overflows");
}

#[test]
fn cards() {
    let card = |members: &serde_json::Value| {
        of_members(members).first().map(|text| text.split(' ').next().unwrap().to_owned())
    };
    let none = json!({"hw-address": ""});
    assert_eq!(card(&none), None);
    assert_eq!(
        card(&json!({"hw-address": "", "client-id": "01:52:54:00:12:34:99"})).as_deref(),
        Some("52:54:00:12:34:99")
    );
    assert_eq!(
        card(&json!({"hw-address": "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:10:39"})),
        None,
        "InfiniBand"
    );
    let duid = "00:03:00:01:52:54:00:12:34:99";
    assert_eq!(
        card(&json!({"hw-address": "", "duid": duid, "iaid": 0x0012_3499})).as_deref(),
        Some("52:54:00:12:34:99")
    );
    assert_eq!(
        card(&json!({"hw-address": "", "duid": duid, "iaid": 1})),
        None,
        "of another card of that machine"
    );
    assert_eq!(
        card(&json!({"duid": duid, "iaid": 1})).as_deref(),
        Some("52:54:00:12:34:56"),
        "the server knows it"
    );
    let context = json!({"user-context": {"comment": "rack 4", "ISC": {"relay-info": []}}});
    assert!(of_members(&context)[0].contains(" rack 4 "));
}

#[test]
fn reservations_are_no_leases() {
    let settings = settings(
        &answer(
            json!({"result": 0, "arguments": {"Dhcp4": {
                "reservations": [{"hw-address": "52:54:00:00:00:01", "hostname": "named"}],
                "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "reservations": [
                    {"hw-address": "52:54:00:00:00:02", "ip-address": "192.0.2.2"},
                    {"client-id": "01:52:54:00:00:00:03", "ip-address": "192.0.2.3"},
                    {"client-id": "00:66:6f:6f", "ip-address": "192.0.2.4"},
                    {"flex-id": "616263", "ip-address": "192.0.2.5"},
                ]}],
            }}})
            .to_string()
            .as_bytes(),
        )
        .unwrap(),
    );
    let lease = |last: u8, mac: &str, client_id: &str| json!({"ip-address": format!("192.0.2.{last}"), "hw-address": mac, "client-id": client_id, "cltt": 1_795_265_000, "valid-lft": 3600});
    let body = json!({"result": 0, "arguments": {"leases": [
        lease(2, "52:54:00:00:00:99", ""), lease(4, "52:54:00:00:00:04", "00:66:6f:6f"), lease(9, "52:54:00:00:00:01", ""),
    ]}});
    let found = of_page(body.to_string().as_bytes(), Some(&settings));
    assert_eq!(
        shown(&found),
        [
            "52:54:00:00:00:99 192.0.2.2 Bound - - [-] - 2026-11-21T13:43:20Z",
            "52:54:00:00:00:04 192.0.2.4 Bound reserved - 00:66:6f:6f [-] - 2026-11-21T13:43:20Z",
            "52:54:00:00:00:01 192.0.2.9 Bound - - [-] - 2026-11-21T13:43:20Z",
        ],
        "somebody else has the first; a reservation of a name reserves no address"
    );
    let idle = leases(Vec::new(), Some(&settings), THEN);
    assert!(idle.facts.iter().all(|lease| lease.state == LeaseState::NeverSeen));
    assert_eq!(idle.facts.len(), 1, "only where a card is named");
}

#[test]
fn files_in_kea_s_own_order() {
    let header = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id";
    let file = |name: &str, rows: &[&str]| {
        (name.to_owned(), format!("{header}\n{}\n", rows.join("\n")).into_bytes())
    };
    let row = |last: u8, name: &str, lifetime: u32| {
        format!("192.0.2.{last},52:54:00:00:00:0{last},,{lifetime},1795269600,1,0,0,{name},0,,0")
    };
    let older = file(".2", &[&row(1, "old", 3600), &row(2, "old", 3600), &row(3, "old", 3600)]);
    let newer = file(".1", &[&row(1, "new", 3600), &row(2, "gone", 0)]);
    let now = file("", &[&row(4, "now", 3600), &row(3, "gone", 0)]);
    let merged = lease_files(&[older, newer, now]).unwrap();
    let names: Vec<String> = shown(&leases(merged.into_rows(), None, THEN))
        .iter()
        .map(|text| text.split(' ').take(4).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(names, ["52:54:00:00:00:01 192.0.2.1 Bound new", "52:54:00:00:00:04 192.0.2.4 Bound now"]);
}

const OLD4: &str = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname";

#[test]
fn rows_of_every_age() {
    let row = "192.0.2.7,52:54:00:12:34:56,,3600,1795269600,1,0,0,nas";
    let expected = "52:54:00:12:34:56 192.0.2.7 Bound nas - [subnet 1] - 2026-11-21T14:00:00Z";
    assert_eq!(of_rows(OLD4, row), [expected], "before there were states");
    assert_eq!(
        of_rows(&format!("{OLD4},state,user_context"), row),
        [expected],
        "not yet tidied up after an update"
    );
    assert_eq!(of_rows(&format!("hostname,{OLD4}"), &format!("nas,{row}")), [expected], "columns have names");
    // Two files one behind the other, as a forced command may print them.
    assert_eq!(of_rows(OLD4, &format!("{row}\n\n{OLD4}\r\n{row}\r")), [expected]);
}

#[test]
fn escapes() {
    let name = |text: &str| {
        let row = format!("192.0.2.7,52:54:00:12:34:56,,3600,1795269600,1,0,0,{text}");
        of_rows(OLD4, &row)[0].split(" Bound ").nth(1).unwrap().split(" - [").next().unwrap().to_owned()
    };
    assert_eq!(name("a&#x2cb&#x2C"), "a,b,");
    assert_eq!(name("&#x26#x2c"), "&#x2c");
    assert_eq!(name("a&#x"), "a&#x");
    assert_eq!(name("a&#xzz"), "a&#xzz");
    assert_eq!(name("caf&#xc3&#xa9"), "café");
    assert_eq!(name("&#xff"), "\u{fffd}");
    assert_eq!(name("&#xé"), "&#xé");
}

#[test]
fn damage_is_named() {
    let whole = "192.0.2.7,52:54:00:12:34:56,,3600,1795269600,1,0,0,nas";
    let bad = format!(
        "{OLD4}\n{whole}\n192.0.2.300,52:54:00:12:34:56,,3600,1795269600,1,0,0,\n{whole},,,,\n192.0.2.9,,,x,1,1,0,0,\n"
    );
    let file = of_file(bad.as_bytes());
    assert_eq!(file.fault().unwrap(), "3 rows cannot be read, the first is line 3 of `f`");
    assert_eq!(file.into_rows().len(), 1);
    let cut =
        of_file(format!("{OLD4}\n{whole}\n192.0.2.8,52:54:00:12:34:57,,3600,1795269600,1,0,0,n").as_bytes());
    assert_eq!((cut.fault(), cut.summary().as_str()), (None, "1 leases, the last row is being written"));
    assert_eq!(of_file(b"").into_rows(), Vec::new());
    for other in [&b"root:x:0:0:root\n"[..], b"a,b,c\n1,2,3\n", &[0; 100]] {
        let fault = lease_files(&[("`f`".to_owned(), other.to_vec())]).unwrap_err().to_string();
        assert!(fault.starts_with("`f` is no lease file of Kea (line 1); hint: "), "{fault}");
    }
}

proptest! {
    #[test]
    fn a_file_that_was_cut_invents_nothing(end in 150..FILE4.len(), end6 in 200..FILE6.len()) {
        let early = Timestamp(1_000_000_000_000);
        for (file, end) in [(FILE4, end), (FILE6, end6)] {
            let ever: Vec<String> = (150..=file.len())
                .filter(|at| file[..*at].ends_with(b"\n"))
                .flat_map(|at| shown(&leases(of_file(&file[..at]).into_rows(), None, early)))
                .collect();
            for lease in shown(&leases(of_file(&file[..end]).into_rows(), None, early)) {
                prop_assert!(ever.contains(&lease), "{lease}");
            }
        }
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(answer) = answer(&bytes) {
            _ = leases(page(&answer).rows, Some(&settings(&answer)), THEN);
        }
        _ = lease_files(&[("f".to_owned(), bytes)]).map(LeaseFile::into_rows);
    }

    #[test]
    fn rows_do_not_panic_either(
        rows in "(([0-9]{1,20}|-[0-9]{1,20}|192\\.0\\.2\\.[0-9]|2001:db8::[0-9]|([0-9a-f]{2}:){0,8}[0-9a-f]{2}|&#x[0-9a-z]{0,3}|\\{\\})?,){0,13}\n"
    ) {
        let header = String::from_utf8_lossy(FILE6).lines().next().unwrap().to_owned();
        let file = of_file(format!("{header}\n{rows}").as_bytes());
        _ = (file.fault(), file.summary(), leases(file.into_rows(), None, Timestamp(0)));
    }

    #[test]
    fn members_do_not_panic_either(
        address in "192\\.0\\.2\\.[0-9]{1,3}|2001:db8::[0-9]|", lifetime in any::<i64>(), since in any::<i64>(), state in any::<i64>(),
        duid in "([0-9a-f]{2}:){0,20}[0-9a-f]{2}", iaid in any::<i64>(), mac in "([0-9a-f]{2}:){0,8}[0-9a-f]{2}",
    ) {
        let lease = json!({"ip-address": address, "cltt": since, "valid-lft": lifetime, "state": state, "duid": duid, "iaid": iaid,
            "hw-address": mac, "client-id": mac});
        let body = json!({"result": 0, "arguments": {"leases": [lease]}}).to_string();
        _ = of_page(body.as_bytes(), None);
    }
}
