//! Entries, and what NetBox has for them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn entry(json: serde_json::Value) -> SourceConfig {
    serde_json::from_value(json).unwrap()
}

fn access() -> SourceConfig {
    entry(json!({
        "name": "access", "type": "snmp", "from_netbox": "role=access-switch&status=active", "credentials": "ro", "retries": 1,
    }))
}

fn device(id: i64, name: &str, primary: Option<&str>, out_of_band: Option<&str>) -> KnownDevice {
    let address = |text: &str| text.parse().unwrap();
    KnownDevice {
        id,
        name: (!name.is_empty()).then(|| name.to_owned()),
        primary: primary.map(address),
        out_of_band: out_of_band.map(address),
    }
}

fn inventory(devices: Vec<KnownDevice>) -> Inventory {
    Inventory {
        devices: BTreeMap::from([("role=access-switch&status=active".to_owned(), Ok(devices))]),
        prefixes: BTreeMap::from([(
            "tag=scan".to_owned(),
            Ok(["192.0.2.0/24", "2001:db8::/64", "10.0.0.0/22"].map(|text| text.parse().unwrap()).to_vec()),
        )]),
    }
}

fn shown(expanded: &[Expansion]) -> Vec<String> {
    let line = |one: &Expansion| match &one.outcome {
        Outcome::Source(config) => match config.as_ref() {
            SourceConfig::Snmp(config) => {
                format!("{} {} {}", config.name, config.address.as_deref().unwrap(), config.retries)
            }
            SourceConfig::Scan(config) => format!("{} {:?}", config.name, config.subnets),
            SourceConfig::Kea(config) => format!("{} {}", config.name, config.url.as_deref().unwrap()),
            SourceConfig::Dnsmasq(config) => format!("{} {}", config.name, config.ssh.as_ref().unwrap()),
            SourceConfig::Dhcpd(config) => format!("{} {}", config.name, config.ssh.as_ref().unwrap()),
            other => other.name().to_string(),
        },
        Outcome::Unread(unread) => format!("{}: {}", unread.name, unread.reason),
    };
    expanded.iter().map(line).collect()
}

#[test]
fn every_device_is_a_source_with_its_own_address() {
    let found = inventory(vec![
        device(1, "sw1", Some("192.0.2.1"), Some("198.51.100.1")),
        device(2, "sw2", None, Some("198.51.100.2")),
        device(3, "sw3", Some("2001:db8::3"), None),
        device(7, "sw7", None, None),
        device(9, "", Some("192.0.2.9"), None),
    ]);
    assert_eq!(
        shown(&expand(&[access()], &found)),
        [
            "sw1 192.0.2.1:161 1",
            "sw2 198.51.100.2:161 1",
            "sw3 [2001:db8::3]:161 1",
            "sw7: NetBox has no primary or out-of-band address for sw7",
            "device 9 192.0.2.9:161 1",
        ]
    );
}

#[test]
fn names_stay_unique() {
    let router = entry(json!({
        "name": "sw1", "type": "routeros", "address": "192.0.2.1", "username": "u", "password_file": "p",
    }));
    let found = inventory(vec![
        device(1, "sw1", Some("192.0.2.1"), None),
        device(2, "sw2", Some("192.0.2.2"), None),
        device(3, "sw2", Some("192.0.2.3"), None),
        device(4, "sw2", Some("192.0.2.4"), None),
        device(4, "sw2", Some("192.0.2.4"), None),
        device(5, "access", Some("192.0.2.5"), None),
    ]);
    assert_eq!(
        shown(&expand(&[access(), router], &found)),
        [
            "access/sw1 192.0.2.1:161 1",
            "sw2 192.0.2.2:161 1",
            "access/sw2 192.0.2.3:161 1",
            "access/sw2 4 192.0.2.4:161 1",
            "access/access 192.0.2.5:161 1",
            "sw1",
        ]
    );
}

#[test]
fn another_port_and_subnets_from_netbox() {
    let mut other = access();
    if let SourceConfig::Snmp(config) = &mut other {
        config.port = Some(1161);
    }
    let scan = entry(json!({"name": "lan", "type": "scan", "from_netbox": "tag=scan", "rounds": 2}));
    let found = inventory(vec![device(1, "sw1", Some("192.0.2.1"), None)]);
    assert_eq!(
        shown(&expand(&[other, scan], &found)),
        ["sw1 192.0.2.1:1161 1", "lan [10.0.0.0/22, 192.0.2.0/24]"]
    );
}

#[test]
fn without_netbox_there_is_one_gap_an_entry() {
    let scan = entry(json!({"name": "lan", "type": "scan", "from_netbox": "tag=scan"}));
    let expanded = expand(&[access(), scan.clone()], &Inventory::default());
    assert_eq!(
        shown(&expanded)[0],
        "access: `from_netbox = \"role=access-switch&status=active\"`: NetBox was not asked"
    );
    assert_eq!(expanded.len(), 2);
    let mut failed = Inventory {
        devices: BTreeMap::new(),
        prefixes: BTreeMap::from([("tag=scan".to_owned(), Err("no answer".to_owned()))]),
    };
    assert_eq!(
        shown(&expand(std::slice::from_ref(&scan), &failed)),
        ["lan: `from_netbox = \"tag=scan\"`: no answer"]
    );
    failed.or_earlier(&inventory(Vec::new()));
    assert_eq!(shown(&expand(&[scan], &failed)), ["lan [10.0.0.0/22, 192.0.2.0/24]"]);
}

#[test]
fn what_matches_nothing_is_no_source_and_no_gap() {
    assert!(expand(&[access()], &inventory(Vec::new())).is_empty());
}

#[test]
fn an_entry_says_once_where_it_gets_its_devices_from() {
    let refusal = |json| entry(json).listed().unwrap_err().to_string();
    let both = json!({"name": "a", "type": "snmp", "address": "x", "from_netbox": "y=1", "credentials": "c"});
    assert_eq!(refusal(both), "source `a`: `address` and `from_netbox` exclude each other");
    let neither = json!({"name": "a", "type": "snmp", "credentials": "c"});
    assert_eq!(refusal(neither), "source `a`: `address` or `from_netbox` is missing");
    let neither = json!({"name": "lan", "type": "scan"});
    assert_eq!(refusal(neither), "source `lan`: `subnets` or `from_netbox` is missing");
    let port = json!({"name": "a", "type": "snmp", "address": "x", "port": 1161, "credentials": "c"});
    assert!(refusal(port).contains("`port` goes with `from_netbox`"));
    let paging = json!({"name": "lan", "type": "scan", "from_netbox": "tag=scan&limit=0"});
    assert!(refusal(paging).contains("has `limit`, which is no filter"));
    for wrong in ["", "?", "access-switch", "=x", "a=%ff"] {
        refusal(json!({"name": "lan", "type": "scan", "from_netbox": wrong}));
    }
    assert_eq!(
        access().listed().unwrap().unwrap().pairs().unwrap()[1],
        ("status".to_owned(), "active".to_owned())
    );
}

#[test]
fn a_place_stands_for_the_address_of_each_device() {
    let filter = "role=access-switch&status=active";
    let entries = [
        entry(json!({"name": "kea", "type": "kea", "from_netbox": filter, "url": "http://{address}:8000"})),
        entry(json!({"name": "dm", "type": "dnsmasq", "from_netbox": filter, "ssh": "a@{address}:2222"})),
        entry(json!({"name": "isc", "type": "dhcpd", "from_netbox": filter, "ssh": "a@{address}"})),
    ];
    for entry in &entries {
        assert_eq!(entry.listed().unwrap(), Some(Listed::Devices(filter.to_owned())));
    }
    let found = inventory(vec![
        device(1, "r1", Some("192.0.2.1"), None),
        device(2, "r2", None, Some("2001:db8::2")),
        device(3, "r3", None, None),
    ]);
    assert_eq!(
        shown(&expand(&entries, &found)),
        [
            "r1 http://192.0.2.1:8000",
            "r2 http://[2001:db8::2]:8000",
            "r3: NetBox has no primary or out-of-band address for r3",
            "dm/r1 a@192.0.2.1:2222",
            "dm/r2 a@[2001:db8::2]:2222",
            "dm/r3: NetBox has no primary or out-of-band address for r3",
            "isc/r1 a@192.0.2.1:22",
            "isc/r2 a@[2001:db8::2]:22",
            "isc/r3: NetBox has no primary or out-of-band address for r3",
        ]
    );
    let refusal = |json| entry(json).listed().unwrap_err().to_string();
    let nowhere = json!({"name": "dm", "type": "dnsmasq", "from_netbox": "role=router", "ssh": "a@host"});
    assert!(refusal(nowhere).contains("`from_netbox` needs `{address}`"));
    let nobody = json!({"name": "kea", "type": "kea", "url": "http://{address}:8000"});
    assert!(refusal(nobody).contains("`{address}` stands for a device that `from_netbox` finds"));
    let wrong = json!({"name": "dm", "type": "dnsmasq", "from_netbox": "limit=0", "ssh": "a@{address}"});
    assert!(refusal(wrong).contains("has `limit`, which is no filter"));
    assert_eq!(entry(json!({"name": "dm", "type": "dnsmasq"})).listed().unwrap(), None);
}

#[test]
fn filters_are_read_as_a_browser_writes_them() {
    let pairs = Listed::Devices("?q=a%26b+c&tag=x&tag=y&".to_owned()).pairs().unwrap();
    let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(pairs, [text("q", "a&b c"), text("tag", "x"), text("tag", "y")]);
}

proptest! {
    #[test]
    fn filters_are_read_totally(filter in ".{0,60}") {
        let _pairs = Listed::Prefixes(filter).pairs();
    }

    #[test]
    fn names_are_unique_whatever_netbox_has(rows in proptest::collection::vec((0_i64..20, "(sw[12]|access|access/sw1| |)"), 0..30)) {
        let devices = rows.iter().map(|(id, name)| device(*id, name, None, None)).collect();
        let expanded = expand(&[access()], &inventory(devices));
        let names: BTreeSet<String> = expanded.iter().map(|one| one.outcome.name().to_string()).collect();
        prop_assert_eq!(names.len(), expanded.len());
    }
}
