//! Whole configuration files, as people write them.

use super::*;
use crate::source::Listed;

fn read(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("surveyor.toml");
    std::fs::write(&path, text).unwrap();
    Config::read(&path)
}

const WHOLE: &str = r#"
[netbox]
url = "https://netbox.example.org"
token_file = "/run/secrets/netbox-token"
[store]
url = "sqlite://surveyor.db"
[webhook]
listen = "127.0.0.1:8745"
public_url = "http://surveyor:8745/webhooks/netbox"
secret_file = "/run/secrets/webhook"
[defaults]
site = "hq"
[[credentials]]
name = "snmp-ro"
community_file = "/run/secrets/community"
[[source]]
name = "router1"
type = "routeros"
address = "192.0.2.1"
username = "surveyor"
password_file = "/run/secrets/router1"
tls = "verify"
[[source]]
name = "pve"
type = "proxmox"
url = "https://pve.example.org:8006"
token_id = "surveyor@pve!ro"
token_secret_file = "/run/secrets/pve"
tls = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
cluster = "lab"
[[source]]
name = "sw1"
type = "snmp"
address = "192.0.2.2:161"
credentials = "snmp-ro"
[[source]]
name = "access"
type = "snmp"
from_netbox = "role=access-switch&status=active"
credentials = "snmp-ro"
[[source]]
name = "lan"
type = "scan"
subnets = ["192.0.2.0/24"]
[[source]]
name = "kea1"
type = "kea"
url = "http://127.0.0.1:8000"
username = "surveyor"
password_file = "/run/secrets/kea1"
services = ["dhcp4"]
[[source]]
name = "pihole"
type = "dnsmasq"
ssh = "surveyor@192.0.2.53"
identity_file = "/run/secrets/pihole"
known_hosts_file = "/etc/surveyor/known_hosts"
[[source]]
name = "dhcp1"
type = "dhcpd"
file6 = "/var/lib/dhcp/dhcpd6.leases"
[dns]
zone = "lan.example.org"
[[dns.unbound]]
name = "ns1"
ssh = "surveyor@192.0.2.53:22"
identity_file = "/run/secrets/id"
known_hosts_file = "/run/secrets/known_hosts"
include_file = "/etc/unbound/unbound.conf.d/surveyor.conf"
"#;

#[test]
fn a_file_with_everything_is_accepted() {
    let config = read(WHOLE).unwrap();
    let names: Vec<&str> = config.sources.iter().map(|source| source.name().as_str()).collect();
    assert_eq!(names, ["router1", "pve", "sw1", "access", "lan", "kea1", "pihole", "dhcp1"]);
    let listed: Vec<Option<Listed>> = config.sources.iter().map(|source| source.listed().unwrap()).collect();
    let access = Listed::Devices("role=access-switch&status=active".to_owned());
    assert_eq!(listed, [None, None, None, Some(access), None, None, None, None]);
}

#[test]
fn every_entry_that_does_not_say_what_to_read_is_named() {
    let text = WHOLE
        .replace("address = \"192.0.2.2:161\"", "address = \"192.0.2.2:161\"\nfrom_netbox = \"name=sw1\"")
        .replace("subnets = [\"192.0.2.0/24\"]", "");
    let faults = read(&text).unwrap_err().faults;
    assert_eq!(
        faults,
        [
            "source `sw1`: `address` and `from_netbox` exclude each other",
            "source `lan`: `subnets` or `from_netbox` is missing",
        ]
    );
}

#[tokio::test]
async fn without_netbox_the_other_sources_are_there_and_the_entry_is_a_gap() {
    let config = read(WHOLE).unwrap();
    let entries = config.entries();
    let expanded = entries.expanded(Err("it does not answer")).await;
    let only = ["access".to_owned(), "lan".to_owned()];
    let readable = entries.build(&expanded, &only);
    assert_eq!(readable.faults, Vec::<String>::new());
    let names: Vec<&str> = readable.sources.iter().map(|source| source.name().as_str()).collect();
    assert_eq!(names, ["access", "lan"]);
    let checks = readable.sources[0].check().await;
    assert!(checks[0].outcome.as_ref().unwrap_err().ends_with("it does not answer"), "{checks:?}");

    // A missing secret is a fault, a name that does not exist too; the rest stays readable.
    let readable = entries.build(&expanded, &["sw1".to_owned(), "sw9".to_owned()]);
    assert_eq!(readable.faults.len(), 2, "{:?}", readable.faults);
    assert!(readable.faults[0].contains("there is no source `sw9` (hint: there are router1, pve, sw1"));
    assert_eq!(readable.sources.len(), 1);
}
