//! Bootstrap and the two credentials on a real NetBox: `SURVEYOR_LAB` names the lab's description (`lab.json`), whose instance
//! `e2e` is written to. Without it the tests say so and pass.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bootstrap::{self, Mode, WebhookWish, Wishes};
use super::{Client, ClientConfig, Error, value};
use crate::model::ObjectKind;
use crate::transport::secret::{Secret, read_secret_file};
use crate::transport::tls::TlsMode;

fn lab() -> Option<(String, Secret)> {
    let Some(path) = std::env::var_os("SURVEYOR_LAB") else {
        println!("skipped: SURVEYOR_LAB is not set");
        return None;
    };
    let lab: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let instance = &lab["netbox"]["instances"]["e2e"];
    let token = read_secret_file(Path::new(instance["admin_token_file"].as_str().unwrap())).unwrap();
    Some((instance["url"].as_str().unwrap().to_owned(), token))
}

fn client(url: &str, token: Secret) -> Client {
    Client::new(ClientConfig {
        url: url.to_owned(),
        token,
        tls: TlsMode::Verify,
        ca_file: None,
        timeout: Duration::from_mins(1),
        page_size: 1000,
    })
    .unwrap()
}

fn wishes(folder: &Path) -> Wishes {
    Wishes {
        staged_status: "staged".into(),
        clusters: vec!["lab".into()],
        webhook: Some(WebhookWish {
            public_url: "http://127.0.0.1:1/webhooks/netbox".into(),
            secret: Secret::new("s3cret"),
            body_template: String::new(),
            ssl_verification: true,
        }),
        scripts: vec![(
            "surveyor_test.py".into(),
            "from extras.scripts import Script\n\nclass Probe(Script):\n    def run(self, data, commit):\n        return 'x'\n".into(),
        )],
        stager_token_file: Some(folder.join("stager")),
        materializer_token_file: Some(folder.join("materializer")),
        force: true,
    }
}

/// Makes one object as administrator; taken from an earlier run if it is still there.
async fn made(admin: &Client, kind: ObjectKind, find: &[(&str, &str)], body: Value) -> i64 {
    if let Some(row) = admin.list(kind, find).await.unwrap().first() {
        return value::id_of(row).unwrap();
    }
    value::id_of(&admin.create(kind, &body).await.unwrap()).unwrap()
}

/// The call was refused for want of permission (403, 404, or a bulk 400 that names rows), and nothing else.
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, Error>) {
    match result {
        Err(Error::Forbidden { .. } | Error::NotFound { .. }) => {}
        Err(Error::Rejected { rows, .. })
            if rows.iter().any(|row| {
                row.field_errors
                    .iter()
                    .any(|(_, text)| text.contains("permission") || text.contains("does not exist"))
            }) => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn bootstrap_and_what_each_credential_may_do() {
    let Some((url, token)) = lab() else { return };
    let admin = client(&url, token);
    let folder = tempfile::tempdir().unwrap();
    let wishes = wishes(folder.path());

    let dry = bootstrap::run(&admin, &wishes, Mode::DryRun).await.unwrap();
    assert_eq!(dry.writes, 0);
    let begun = Instant::now();
    let report = bootstrap::run(&admin, &wishes, Mode::Apply).await.unwrap();
    println!("{} writes, {} requests in {:?}", report.writes, report.requests, begun.elapsed());
    for line in report.lines.iter().chain(&report.failed) {
        println!("  {line}");
    }
    for (title, url) in &report.inbox {
        println!("  {title}: {url}");
    }
    assert_eq!(report.failed, Vec::<String>::new());
    let files: Vec<PathBuf> =
        wishes.stager_token_file.iter().chain(&wishes.materializer_token_file).cloned().collect();
    assert_eq!(report.token_files, files);
    // 4 seconds on two idle cores; the limit only tells a batch from one request an object.
    assert!(begun.elapsed() < Duration::from_mins(1));

    let again = bootstrap::run(&admin, &wishes, Mode::Apply).await.unwrap();
    println!("again: {:?}", again.lines);
    assert_eq!((again.writes, again.failed.len()), (0, 0));

    let stager = client(&url, read_secret_file(&files[0]).unwrap());
    assert_eq!(stager.me().await.unwrap().username, bootstrap::STAGER);
    let drift = bootstrap::drift(&stager, &wishes).await.unwrap();
    assert_eq!(drift, Vec::<String>::new());
    assert_eq!(bootstrap::inbox(&stager).await.unwrap(), again.inbox);

    constraint_drift(&admin, &wishes).await;
    std::fs::write(&files[1], "nbt_aaaaaaaaaaaa.bbbbbbbb\n").unwrap();
    let renewed = bootstrap::run(&admin, &wishes, Mode::Apply).await.unwrap();
    assert_eq!((renewed.writes, renewed.token_files), (1, files[1..].to_vec()));
    let materializer = client(&url, read_secret_file(&files[1]).unwrap());
    let ground = Ground::lay(&admin).await;
    staging(&admin, &stager, &ground).await;
    materializing(&admin, &stager, &materializer, &ground).await;
    tombstones(&stager, &materializer).await;
    reviewing(&admin, &stager, &ground).await;
    ground.clear(&admin).await;

    let removed = bootstrap::run(&admin, &wishes, Mode::Remove).await.unwrap();
    assert_eq!(removed.failed, Vec::<String>::new());
    let left = bootstrap::run(&admin, &wishes, Mode::Remove).await.unwrap();
    assert_eq!(left.writes, 0, "{:?}", left.lines);
}

async fn constraint_drift(admin: &Client, wishes: &Wishes) {
    let name = "Surveyor stager: machines";
    let row = admin.list(ObjectKind::Permission, &[("name", name)]).await.unwrap().remove(0);
    let id = value::id_of(&row).unwrap();
    admin.update(ObjectKind::Permission, id, &json!({"constraints": null}), None).await.unwrap();
    let drift = bootstrap::drift(admin, wishes).await.unwrap();
    assert_eq!(
        drift,
        ["change permission `Surveyor stager: machines`: constraints (was {\"constraints\":null})"]
    );
    let report = bootstrap::run(admin, wishes, Mode::Apply).await.unwrap();
    assert_eq!((report.writes, report.failed.len()), (1, 0));
}

/// What the checks stand on: a foreign switch with ports, a site, types.
struct Ground {
    site: i64,
    role: i64,
    device_type: i64,
    cluster: i64,
    switch: i64,
    ports: Vec<i64>,
    foreign_ip: i64,
    free_ip: i64,
}

impl Ground {
    async fn lay(admin: &Client) -> Self {
        let site =
            made(admin, ObjectKind::Site, &[("slug", "perm")], json!({"name": "perm", "slug": "perm"})).await;
        let id = async |kind, field: &str, name: &str| {
            value::id_of(&admin.list(kind, &[(field, name)]).await.unwrap()[0]).unwrap()
        };
        let role = id(ObjectKind::DeviceRole, "slug", "discovered").await;
        let device_type = id(ObjectKind::DeviceType, "slug", "surveyor-discovered").await;
        let cluster = id(ObjectKind::Cluster, "name", "lab").await;
        let body = json!({"name": "perm-sw", "site": site, "role": role, "device_type": device_type, "status": "active"});
        let switch = made(admin, ObjectKind::Device, &[("name", "perm-sw")], body).await;
        let mut ports = Vec::new();
        for port in 1..=6 {
            let name = format!("ether{port}");
            let find = [("device_id", switch.to_string()), ("name", name.clone())];
            let find: Vec<(&str, &str)> = find.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let body = json!({"device": switch, "name": name, "type": "1000base-t"});
            ports.push(made(admin, ObjectKind::Interface, &find, body).await);
        }
        let body = json!({"address": "198.51.100.1/24", "assigned_object_type": "dcim.interface", "assigned_object_id": ports[0]});
        let foreign_ip = made(admin, ObjectKind::IpAddress, &[("address", "198.51.100.1")], body).await;
        let free_ip = made(
            admin,
            ObjectKind::IpAddress,
            &[("address", "198.51.100.9")],
            json!({"address": "198.51.100.9/24"}),
        )
        .await;
        Self { site, role, device_type, cluster, switch, ports, foreign_ip, free_ip }
    }

    fn device(&self, name: &str, status: &str, tags: &Value) -> Value {
        json!({"name": name, "site": self.site, "role": self.role, "device_type": self.device_type, "status": status, "tags": tags,
            "custom_fields": {"surveyor_id": format!("mac:{name}"), "surveyor_state": "candidate"}})
    }

    fn guest(&self, name: &str, status: &str, tags: &Value) -> Value {
        json!({"name": name, "cluster": self.cluster, "status": status, "tags": tags})
    }

    async fn clear(&self, admin: &Client) {
        let site = self.site.to_string();
        for kind in [ObjectKind::Cable, ObjectKind::Device] {
            for row in admin.list(kind, &[("site_id", site.as_str()), ("fields", "id")]).await.unwrap() {
                admin.delete(kind, value::id_of(&row).unwrap(), None).await.unwrap();
            }
        }
        for row in
            admin.list(ObjectKind::VirtualMachine, &[("name__isw", "perm-"), ("fields", "id")]).await.unwrap()
        {
            admin.delete(ObjectKind::VirtualMachine, value::id_of(&row).unwrap(), None).await.unwrap();
        }
        admin.delete(ObjectKind::IpAddress, self.free_ip, None).await.ok();
        admin.delete(ObjectKind::Site, self.site, None).await.unwrap();
    }
}

async fn staging(admin: &Client, stager: &Client, ground: &Ground) {
    let ours = json!([{"slug": "surveyor"}]);
    let device = |name: &str, status, tags: &Value| ground.device(name, status, tags);
    refused("active", stager.create(ObjectKind::Device, &device("perm-x", "active", &ours)).await);
    refused("untagged", stager.create(ObjectKind::Device, &device("perm-x", "staged", &json!([]))).await);
    let bulk = [device("perm-x", "staged", &ours), device("perm-y", "active", &ours)];
    refused("bulk with an active one", stager.create_many(ObjectKind::Device, &bulk, Some("x")).await);
    refused(
        "an active guest",
        stager.create(ObjectKind::VirtualMachine, &ground.guest("perm-v", "active", &ours)).await,
    );

    let rows = [device("perm-a", "staged", &ours), device("perm-b", "staged", &ours)];
    let rows = stager.create_many(ObjectKind::Device, &rows, Some("found")).await.unwrap();
    let id = value::id_of(&rows[0]).unwrap();
    assert_eq!(value::custom_field(&rows[0], "surveyor_state"), Some(json!("candidate")));
    let interface = json!({"device": id, "name": "eth0", "type": "other", "mac_address": "52:54:00:aa:00:01", "tags": ours});
    stager.create_many(ObjectKind::Interface, &[interface], None).await.unwrap();
    refused("activates", stager.update(ObjectKind::Device, id, &json!({"status": "active"}), None).await);
    refused(
        "bulk activates",
        stager.update_many(ObjectKind::Device, &[json!({"id": id, "status": "active"})], None).await,
    );
    refused("strips the tag", stager.update(ObjectKind::Device, id, &json!({"tags": []}), None).await);
    refused(
        "a foreign device",
        stager.update(ObjectKind::Device, ground.switch, &json!({"serial": "x"}), None).await,
    );
    refused("a foreign device goes", stager.delete(ObjectKind::Device, ground.switch, None).await);
    refused(
        "a foreign port",
        stager.update(ObjectKind::Interface, ground.ports[0], &json!({"description": "x"}), None).await,
    );
    let on_switch = json!({"device": ground.switch, "name": "x", "type": "other", "tags": ours});
    refused("a port on a foreign device", stager.create(ObjectKind::Interface, &on_switch).await);
    refused(
        "an address",
        stager.create(ObjectKind::IpAddress, &json!({"address": "198.51.100.77/24", "tags": ours})).await,
    );
    let cable = |a, b, status: &str| {
        json!({"a_terminations": [{"object_type": "dcim.interface", "object_id": a}],
            "b_terminations": [{"object_type": "dcim.interface", "object_id": b}], "status": status, "tags": [{"slug": "surveyor"}]})
    };
    refused(
        "a connected cable",
        stager.create(ObjectKind::Cable, &cable(ground.ports[1], ground.ports[2], "connected")).await,
    );
    let planned =
        stager.create(ObjectKind::Cable, &cable(ground.ports[1], ground.ports[2], "planned")).await.unwrap();
    let planned = value::id_of(&planned).unwrap();
    refused(
        "approves a cable",
        stager.update(ObjectKind::Cable, planned, &json!({"status": "connected"}), None).await,
    );
    stager.delete(ObjectKind::Cable, planned, None).await.unwrap();

    let (row, etag) = stager.get_with_etag(ObjectKind::Device, id).await.unwrap();
    assert_eq!(value::choice_of(&row, "status"), Some("staged"));
    let etag = etag.unwrap();
    stager
        .update(ObjectKind::Device, id, &json!({"custom_fields": {"surveyor_port": "ether1"}}), Some(&etag))
        .await
        .unwrap();
    let stale = stager.update(ObjectKind::Device, id, &json!({"serial": "1"}), Some(&etag)).await;
    assert!(matches!(stale, Err(Error::Changed { .. })), "{stale:?}");

    let taken = stager
        .create_many(
            ObjectKind::Device,
            &[device("perm-c", "staged", &ours), device("PERM-A", "staged", &ours)],
            None,
        )
        .await;
    let Err(Error::Rejected { rows, .. }) = taken else { panic!("{taken:?}") };
    assert_eq!(rows.iter().map(|row| row.index).collect::<Vec<_>>(), [Some(1)]);

    // Approved by a person: out of the stager's reach.
    admin.update(ObjectKind::Device, id, &json!({"status": "active"}), None).await.unwrap();
    refused("an approved device", stager.update(ObjectKind::Device, id, &json!({"serial": "x"}), None).await);
    refused("an approved device goes", stager.delete(ObjectKind::Device, id, None).await);
}

async fn materializing(admin: &Client, stager: &Client, materializer: &Client, ground: &Ground) {
    let ours = json!([{"slug": "surveyor"}]);
    let find = async |name: &str| {
        value::id_of(&admin.list(ObjectKind::Device, &[("name", name)]).await.unwrap()[0]).unwrap()
    };
    let (approved, staged) = (find("perm-a").await, find("perm-b").await);
    let m = materializer;
    refused("approves", m.update(ObjectKind::Device, staged, &json!({"status": "active"}), None).await);
    refused(
        "bulk approves",
        m.update_many(ObjectKind::Device, &[json!({"id": staged, "status": "active"})], None).await,
    );
    refused("sets back", m.update(ObjectKind::Device, approved, &json!({"status": "staged"}), None).await);
    refused("strips the tag", m.update(ObjectKind::Device, approved, &json!({"tags": []}), None).await);
    refused("makes a device", m.create(ObjectKind::Device, &ground.device("perm-z", "active", &ours)).await);
    refused("removes a device", m.delete(ObjectKind::Device, approved, None).await);
    refused(
        "a foreign device",
        m.update(ObjectKind::Device, ground.switch, &json!({"serial": "x"}), None).await,
    );
    refused(
        "a foreign address",
        m.update(ObjectKind::IpAddress, ground.foreign_ip, &json!({"dns_name": "x"}), None).await,
    );
    refused("a foreign address goes", m.delete(ObjectKind::IpAddress, ground.foreign_ip, None).await);
    let on_switch = json!({"device": ground.switch, "name": "x", "type": "other", "tags": ours});
    refused("a port on a foreign device", m.create(ObjectKind::Interface, &on_switch).await);
    let cable = |a, b, status: &str| {
        json!({"a_terminations": [{"object_type": "dcim.interface", "object_id": a}],
            "b_terminations": [{"object_type": "dcim.interface", "object_id": b}], "status": status, "tags": [{"slug": "surveyor"}]})
    };
    refused(
        "cables foreign ports",
        m.create(ObjectKind::Cable, &cable(ground.ports[1], ground.ports[2], "connected")).await,
    );

    let names = ["eth1", "eth2"];
    let bodies: Vec<Value> = names
        .iter()
        .map(|name| json!({"device": approved, "name": name, "type": "other", "tags": ours}))
        .collect();
    let interfaces = m.create_many(ObjectKind::Interface, &bodies, Some("materialize")).await.unwrap();
    let eth1 = value::id_of(&interfaces[0]).unwrap();
    let mac = json!({"mac_address": "52:54:00:aa:00:02", "assigned_object_type": "dcim.interface", "assigned_object_id": eth1, "tags": ours});
    let mac = value::id_of(&m.create_many(ObjectKind::MacAddress, &[mac], None).await.unwrap()[0]).unwrap();
    m.update(ObjectKind::Interface, eth1, &json!({"primary_mac_address": mac}), None).await.unwrap();
    let on_eth1 = |address: &str| json!({"address": address, "assigned_object_type": "dcim.interface", "assigned_object_id": eth1, "tags": [{"slug": "surveyor"}]});
    let mut untagged = on_eth1("198.51.100.11/24");
    untagged["tags"] = json!([]);
    refused("an address without tag", m.create(ObjectKind::IpAddress, &untagged).await);
    let on_foreign = json!({"address": "198.51.100.12/24", "assigned_object_type": "dcim.interface",
        "assigned_object_id": ground.ports[3], "tags": ours});
    refused("an address on a foreign port", m.create(ObjectKind::IpAddress, &on_foreign).await);
    let addresses = m.create_many(ObjectKind::IpAddress, &[on_eth1("198.51.100.10/24")], None).await.unwrap();
    let address = value::id_of(&addresses[0]).unwrap();
    refused(
        "an address moved to a foreign port",
        m.update(ObjectKind::IpAddress, address, &json!({"assigned_object_id": ground.ports[3]}), None).await,
    );
    let adopted = json!({"assigned_object_type": "dcim.interface", "assigned_object_id": eth1, "tags": [{"slug": "surveyor-managed"}]});
    m.update(ObjectKind::IpAddress, ground.free_ip, &adopted, None).await.unwrap();
    m.update(
        ObjectKind::IpAddress,
        ground.free_ip,
        &json!({"assigned_object_type": null, "assigned_object_id": null, "tags": []}),
        None,
    )
    .await
    .unwrap();
    let changes =
        [json!({"id": approved, "primary_ip4": address, "custom_fields": {"surveyor_state": "applied"}})];
    m.update_many(ObjectKind::Device, &changes, None).await.unwrap();
    let laid =
        m.create_many(ObjectKind::Cable, &[cable(eth1, ground.ports[4], "connected")], None).await.unwrap();
    let laid = value::id_of(&laid[0]).unwrap();
    refused("unplans a cable", m.update(ObjectKind::Cable, laid, &json!({"status": "planned"}), None).await);
    let note = |key: &str| {
        json!({"assigned_object_type": "dcim.device", "assigned_object_id": approved, "kind": "success", "comments": "x",
            "custom_fields": {"surveyor_key": key}})
    };
    m.create_many(ObjectKind::JournalEntry, &[note("k1"), note("k2")], None).await.unwrap();
    let twice = m.create_many(ObjectKind::JournalEntry, &[note("k3"), note("k1")], None).await;
    let Err(Error::Rejected { rows, .. }) = twice else { panic!("{twice:?}") };
    assert_eq!(rows.iter().map(|row| row.index).collect::<Vec<_>>(), [Some(1)]);

    // Undo: cable, address, interfaces.
    m.delete(ObjectKind::Cable, laid, None).await.unwrap();
    m.update(ObjectKind::Device, approved, &json!({"primary_ip4": null}), None).await.unwrap();
    m.delete_many(ObjectKind::IpAddress, &[address], Some("rolled back")).await.unwrap();
    m.update(ObjectKind::Interface, eth1, &json!({"primary_mac_address": null}), None).await.unwrap();
    m.delete(ObjectKind::MacAddress, mac, None).await.unwrap();
    let ids: Vec<i64> = interfaces.iter().filter_map(value::id_of).collect();
    m.delete_many(ObjectKind::Interface, &ids, None).await.unwrap();

    // An object of a person under watch, and one that went offline.
    admin
        .update(ObjectKind::Device, ground.switch, &json!({"tags": [{"slug": "surveyor-managed"}]}), None)
        .await
        .unwrap();
    m.update(
        ObjectKind::Device,
        ground.switch,
        &json!({"custom_fields": {"surveyor_state": "drifted"}}),
        None,
    )
    .await
    .unwrap();
    admin.update(ObjectKind::Device, approved, &json!({"status": "offline"}), None).await.unwrap();
    m.update(ObjectKind::Device, approved, &json!({"custom_fields": {"surveyor_state": "stale"}}), None)
        .await
        .unwrap();

    // The same for a guest.
    let guest =
        stager.create(ObjectKind::VirtualMachine, &ground.guest("perm-v", "staged", &ours)).await.unwrap();
    let guest = value::id_of(&guest).unwrap();
    let nic =
        json!({"virtual_machine": guest, "name": "net0", "mac_address": "52:54:00:aa:00:03", "tags": ours});
    stager.create(ObjectKind::VmInterface, &nic).await.unwrap();
    refused(
        "approves a guest",
        stager.update(ObjectKind::VirtualMachine, guest, &json!({"status": "active"}), None).await,
    );
    refused(
        "approves a guest",
        m.update(ObjectKind::VirtualMachine, guest, &json!({"status": "active"}), None).await,
    );
    admin.update(ObjectKind::VirtualMachine, guest, &json!({"status": "active"}), None).await.unwrap();
    let nic = json!({"virtual_machine": guest, "name": "net1", "tags": ours});
    let nic = value::id_of(&m.create(ObjectKind::VmInterface, &nic).await.unwrap()).unwrap();
    let mac = json!({"mac_address": "52:54:00:aa:00:04", "assigned_object_type": "virtualization.vminterface", "assigned_object_id": nic, "tags": ours});
    let mac = value::id_of(&m.create(ObjectKind::MacAddress, &mac).await.unwrap()).unwrap();
    m.update(ObjectKind::VmInterface, nic, &json!({"primary_mac_address": mac}), None).await.unwrap();
    let address = json!({"address": "198.51.100.20/24", "assigned_object_type": "virtualization.vminterface", "assigned_object_id": nic, "tags": ours});
    let address = value::id_of(&m.create(ObjectKind::IpAddress, &address).await.unwrap()).unwrap();
    m.update(ObjectKind::VirtualMachine, guest, &json!({"primary_ip4": address}), None).await.unwrap();
    m.update(ObjectKind::VirtualMachine, guest, &json!({"primary_ip4": null}), None).await.unwrap();
    m.delete(ObjectKind::IpAddress, address, None).await.unwrap();
    refused(
        "sets a guest back",
        m.update(ObjectKind::VirtualMachine, guest, &json!({"status": "staged"}), None).await,
    );
}

async fn tombstones(stager: &Client, materializer: &Client) {
    let stone = |mac: &str, tags: Value| {
        json!({"mac_address": mac, "tags": tags, "custom_fields": {"surveyor_identity": "mac:x", "surveyor_decision": "reject",
            "surveyor_reason": "a person, today", "surveyor_snooze_until": "2027-01-01"}})
    };
    let ignored = json!([{"slug": "surveyor-ignored"}]);
    for who in [stager, materializer] {
        refused(
            "an unassigned MAC without the tag",
            who.create(ObjectKind::MacAddress, &stone("52:54:00:bb:00:01", json!([]))).await,
        );
    }
    let one =
        stager.create(ObjectKind::MacAddress, &stone("52:54:00:bb:00:01", ignored.clone())).await.unwrap();
    let two =
        materializer.create(ObjectKind::MacAddress, &stone("52:54:00:bb:00:02", ignored)).await.unwrap();
    for row in [one, two] {
        stager.delete(ObjectKind::MacAddress, value::id_of(&row).unwrap(), None).await.unwrap();
    }
}

async fn reviewing(admin: &Client, stager: &Client, ground: &Ground) {
    let group =
        value::id_of(&admin.list(ObjectKind::Group, &[("name", "Surveyor reviewers")]).await.unwrap()[0])
            .unwrap();
    let body = json!({"username": "perm-reviewer", "password": "Correct-horse-1", "groups": [group]});
    let user = made(admin, ObjectKind::User, &[("username", "perm-reviewer")], body).await;
    let token = admin.create(ObjectKind::Token, &json!({"user": user, "version": 2})).await.unwrap();
    let token = format!("nbt_{}.{}", token["key"].as_str().unwrap(), token["token"].as_str().unwrap());
    let reviewer = admin.with_token(Secret::new(token));
    let ours = json!([{"slug": "surveyor"}]);
    let names = ["perm-r1", "perm-r2"];
    let bodies: Vec<Value> = names.iter().map(|name| ground.device(name, "staged", &ours)).collect();
    let rows = stager.create_many(ObjectKind::Device, &bodies, None).await.unwrap();
    let ids: Vec<i64> = rows.iter().filter_map(value::id_of).collect();
    let decision =
        json!({"custom_fields": {"surveyor_decision": "reject", "surveyor_snooze_until": "2027-01-01"}});
    reviewer.update(ObjectKind::Device, ids[0], &decision, None).await.unwrap();
    let bulk: Vec<Value> = ids.iter().map(|id| json!({"id": id, "status": "active"})).collect();
    reviewer.update_many(ObjectKind::Device, &bulk, None).await.unwrap();
    refused("removes an approved device", reviewer.delete(ObjectKind::Device, ids[0], None).await);
    refused("strips the tag", reviewer.update(ObjectKind::Device, ids[0], &json!({"tags": []}), None).await);
    reviewer.update(ObjectKind::Device, ids[0], &json!({"status": "staged"}), None).await.unwrap();
    reviewer.delete(ObjectKind::Device, ids[0], None).await.unwrap();
    let foreign = reviewer.update(ObjectKind::Prefix, 1, &json!({"description": "x"}), None).await;
    refused("a prefix", foreign);
    let note = json!({"assigned_object_type": "dcim.device", "assigned_object_id": ids[1], "comments": "x"});
    reviewer.create(ObjectKind::JournalEntry, &note).await.unwrap();
    for kind in [ObjectKind::CustomLink, ObjectKind::SavedFilter, ObjectKind::TableConfig] {
        assert!(!reviewer.list(kind, &[("fields", "id")]).await.unwrap().is_empty(), "{kind}");
    }
    refused("the webhook's secret", reviewer.list(ObjectKind::Webhook, &[("fields", "id")]).await);
    refused("the webhook's secret", stager.list(ObjectKind::Webhook, &[("fields", "id")]).await);
    admin.delete(ObjectKind::User, user, None).await.unwrap();
}
