//! The published shapes: generated from the types, compared with the files in `schemas`, and tried on the examples that the
//! documentation gives.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde_json::Value;
use surveyor::config::{Config, File};
use surveyor::http::WebhookBody;
use surveyor::model::explanation::Explanations;
use surveyor::model::{Discovery, Observation};
use surveyor::plan::Plan;
use surveyor::plan::diff::Diff;

use crate::support::{expect, root};

fn path(name: &str) -> PathBuf {
    root().join(format!("schemas/{name}.schema.json"))
}

fn generated<T: JsonSchema>(title: &str) -> String {
    let mut schema = schemars::schema_for!(T);
    schema.insert("title".to_owned(), title.into());
    let mut text = serde_json::to_string_pretty(&schema).unwrap();
    text.push('\n');
    text
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

/// What is wrong with a document, by the schema.
pub(crate) fn faults(name: &str, document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema(name)).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn schemas_are_those_of_the_types() {
    let differences: Vec<String> = [
        ("config", generated::<File>("Configuration of Surveyor (surveyor.toml)")),
        ("observation", generated::<Observation>("One observation, as in recordings")),
        ("candidate", generated::<Discovery>("What `surveyor discover --json` prints")),
        ("explanation", generated::<Explanations>("What `surveyor explain --json` prints")),
        ("diff", generated::<Diff>("What `surveyor diff --json` prints")),
        ("plan", generated::<Plan>("One plan, as `--json` prints it")),
        ("webhook", generated::<WebhookBody>("The body of the webhook that `surveyor bootstrap` installs")),
    ]
    .into_iter()
    .filter_map(|(name, text)| expect(&path(name), &text))
    .collect();
    assert!(
        differences.is_empty(),
        "{}\nhint: `UPDATE_EXPECT=1 cargo test --test it schemas` rewrites them",
        differences.join("\n")
    );
}

const DISCOVERY: &str = r#"
{"candidates": [{"identity": "mac:52:54:00:12:34:56", "kind": "device", "name": "printer", "name_origin": "dhcp", "class": "iot",
   "interfaces": [{"mac": "52:54:00:12:34:56", "name": null, "addresses": ["192.0.2.10"],
      "attachment": {"switch": "sw1", "port": "ether5", "vlan": 10, "exclusive": true, "competing": []}}],
   "confidence": 95, "reasons": ["..."], "sources": ["router1", "sw1"], "conflicts": []}],
 "links": [{"a": {"switch": "sw1", "port": "ether1"}, "b": {"switch": "core", "port": "ge-0/0/1"}, "evidence": ["lldp", "lldp-reverse"], "confidence": 99}],
 "conflicts": [], "gaps": [{"source": "sw2", "facts": "fdb", "reason": "timed out after 10 s"}]}
"#;

#[test]
fn the_documented_discovery_is_one() {
    let discovery: Discovery = serde_json::from_str(DISCOVERY).unwrap();
    assert_eq!(discovery.candidates[0].name.as_str(), "printer");
    assert_eq!(faults("candidate", &serde_json::from_str(DISCOVERY).unwrap()), Vec::<String>::new());
    // What is printed has every member of the documented form.
    let printed = serde_json::to_value(&discovery).unwrap();
    assert_eq!(faults("candidate", &printed), Vec::<String>::new());
    assert_eq!(missing(&serde_json::from_str(DISCOVERY).unwrap(), &printed), Vec::<String>::new());
    let wrong: Value = serde_json::from_str(&DISCOVERY.replace("\"device\"", "\"toaster\"")).unwrap();
    assert!(!faults("candidate", &wrong).is_empty());
}

/// Members of the first value that the second lacks or has otherwise.
fn missing(wanted: &Value, found: &Value) -> Vec<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .flat_map(|(name, value)| match found.get(name) {
                Some(found) => {
                    missing(value, found).into_iter().map(|inner| format!("{name}.{inner}")).collect()
                }
                None => vec![name.clone()],
            })
            .collect(),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            wanted.iter().zip(found).flat_map(|(wanted, found)| missing(wanted, found)).collect()
        }
        _ if wanted == found => Vec::new(),
        _ => vec![format!("{found} is not {wanted}")],
    }
}

const CONFIGURATION: &str = r#"
[netbox]
url = "https://netbox.example.org"
token_file = "/run/secrets/netbox-token"        # or stager_token_file + materializer_token_file
[store]
url = "sqlite://surveyor.db"                    # or postgres://...
[webhook]
listen = "127.0.0.1:8745"
public_url = "http://surveyor:8745/webhooks/netbox"
secret_file = "/run/secrets/webhook"
[defaults]                                      # slugs; overridable per source; a wrong one lists those that exist
site = "hq"
[[credentials]]                                 # shared by name
name = "snmp-ro"
community_file = "..."
[[source]]
name = "router1"
type = "routeros"
address = "192.0.2.1"
username = "surveyor"
password_file = "..."
tls = "verify"                                  # every peer: "verify" (ca_file optional), "sha256:<fingerprint>" or "insecure"
[[source]]
name = "pve"
type = "proxmox"
url = "https://pve.example.org:8006"
token_id = "surveyor@pve!ro"
token_secret_file = "..."
tls = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
cluster = "lab"                                 # names the identity of its guests
[[source]]
name = "sw1"
type = "snmp"
address = "192.0.2.2:161"
credentials = "snmp-ro"
[[source]]
name = "access"
type = "snmp"
from_netbox = "role=access-switch&status=active" # one source per device found; address = primary or out-of-band IP
credentials = "snmp-ro"
[[source]]
name = "lan"
type = "scan"
subnets = ["192.0.2.0/24"]
[dns]
zone = "lan.example.org"
[[dns.unbound]]
name = "ns1"
ssh = "surveyor@192.0.2.53:22"
identity_file = "..."
known_hosts_file = "..."
include_file = "/etc/unbound/unbound.conf.d/surveyor.conf"
"#;

#[test]
fn the_documented_configuration_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("surveyor.toml");
    std::fs::write(&file, CONFIGURATION).unwrap();
    let config = Config::read(&file).unwrap();
    let names: Vec<&str> = config.sources.iter().map(|source| source.name().as_str()).collect();
    assert_eq!(names, ["router1", "pve", "sw1", "access", "lan"]);
    assert!(config.netbox.unwrap().has_one_token());
    assert_eq!(config.dns.unwrap().unbound.len(), 1);
    assert_eq!(config.webhook.unwrap().public_url, "http://surveyor:8745/webhooks/netbox");
}
