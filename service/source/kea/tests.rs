//! Asking Kea as the program does. Real servers are asked in `tests/e2e/test_dhcp.py`; here is what those of Debian do not do: Kea 3.0
//! by its own HTTP socket, refusals, nonsense.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

use super::*;
use crate::model::observation::LeaseState;
use crate::model::{Collection, Fact, FactKind, Timestamp};
use crate::source::remote::tests::Sshd;
use crate::source::{Limits, collect_all};

const NOW: Timestamp = Timestamp(1_795_266_000_000);

/// What a peer answers to a command.
type Answers = Arc<dyn Fn(&Value) -> (u16, String) + Send + Sync>;

/// A peer that answers HTTP; its address.
async fn http_peer(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(move |body: String| {
        let answers = Arc::clone(&answers);
        async move {
            let (status, text) = answers(&serde_json::from_str(&body).unwrap_or_default());
            (StatusCode::from_u16(status).unwrap(), text).into_response()
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// A peer that answers on a socket, one command a connection.
fn socket_peer(path: &Path, answers: Answers) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let (_, text) = answers(&serde_json::from_slice(&request[..length]).unwrap());
            drop(stream.write_all(text.as_bytes()).await);
        }
    });
}

fn lease(last: u8) -> Value {
    json!({"ip-address": format!("192.0.2.{last}"), "hw-address": format!("52:54:00:00:00:{last:02x}"), "cltt": 1_795_265_000,
        "valid-lft": 3600, "state": 0, "subnet-id": 1, "hostname": ""})
}

/// A kea-dhcp4 with five leases that are in no order.
fn server(request: &Value) -> Value {
    const ORDER: [u8; 5] = [4, 1, 5, 2, 3];
    let service = request["service"][0].as_str().unwrap_or("dhcp4");
    if service != "dhcp4" {
        return json!({"result": 1, "text": format!("unsupported service '{service}', expected 'dhcp4'")});
    }
    match request["command"].as_str().unwrap_or_default() {
        "config-get" => json!({"result": 0, "arguments": {"hash": "5C3C", "Dhcp4": {
            "lease-database": {"type": "mysql", "password": "database secret"},
            "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "reservations": [{"hw-address": "52:54:00:00:00:09", "ip-address": "192.0.2.9"}]}],
        }}}),
        "version-get" => json!({"result": 0, "text": "3.0.1"}),
        "lease4-get-page" => {
            let from = request["arguments"]["from"].as_str().unwrap();
            let limit = usize::try_from(request["arguments"]["limit"].as_u64().unwrap()).unwrap();
            let after =
                ORDER.iter().position(|last| from == format!("192.0.2.{last}")).map_or(0, |at| at + 1);
            let page: Vec<Value> = ORDER[after..].iter().take(limit).map(|last| lease(*last)).collect();
            json!({"result": if page.is_empty() { 3 } else { 0 }, "arguments": {"count": page.len(), "leases": page}})
        }
        other => json!({"result": 2, "text": format!("'{other}' command not supported.")}),
    }
}

fn config(value: Value) -> Config {
    serde_json::from_value(value).unwrap()
}

async fn collect(config: &Config) -> Collection {
    let limits = Limits { concurrency: 1, timeout: Duration::from_secs(30) };
    collect_all(&[config.build(&[]).unwrap()], NOW, limits).await.remove(0)
}

/// Addresses that are held, sorted.
fn held(collection: &Collection) -> Vec<String> {
    let mut held: Vec<String> = collection
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::DhcpLease(lease) if lease.state == LeaseState::Bound => Some(lease.address?.to_string()),
            _ => None,
        })
        .collect();
    held.sort();
    held
}

fn gaps(collection: &Collection) -> Vec<(FactKind, &str)> {
    collection.gaps.iter().map(|gap| (gap.facts, gap.reason.as_str())).collect()
}

const FIVE: [&str; 5] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];

#[tokio::test]
async fn kea_3_by_its_own_http_socket() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let url = http_peer(Arc::new(move |request| {
        log.lock().unwrap().push(request["command"].as_str().unwrap_or_default().to_owned());
        (200, json!([server(request)]).to_string())
    }))
    .await;
    for page_size in [1, 2, 5, 6, 1000] {
        let found = collect(&config(json!({"name": "kea1", "url": url, "page_size": page_size}))).await;
        assert_eq!(gaps(&found), []);
        assert_eq!(held(&found), FIVE, "{page_size}");
        assert!(
            found.facts.contains(&Fact::Network { prefix: "192.0.2.0/24".parse().unwrap(), interface: None })
        );
        let never =
            |fact: &&Fact| matches!(fact, Fact::DhcpLease(lease) if lease.state == LeaseState::NeverSeen);
        assert_eq!(found.facts.iter().filter(never).count(), 1);
    }
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|command| command.ends_with("-get") || command.ends_with("-get-page"))
    );
    let checks = config(json!({"name": "kea1", "url": url})).build(&[]).unwrap().check().await;
    let lines: Vec<String> =
        checks.iter().map(|check| format!("{}: {}", check.what, check.outcome.as_ref().unwrap())).collect();
    assert_eq!(
        lines,
        [
            "kea1: log in: leads to dhcp4",
            "kea1: dhcp4 answers: Kea 3.0.1",
            "kea1: dhcp4 subnets: 1 subnets, 1 reservations",
            "kea1: dhcp4 leases: the hook library lease_cmds is loaded",
        ]
    );
    let other = collect(&config(json!({"name": "kea1", "url": url, "services": ["dhcp6"]}))).await;
    assert_eq!(gaps(&other).len(), 2);
    assert!(gaps(&other)[0].1.contains("unsupported service 'dhcp6', expected 'dhcp4'"), "{:?}", other.gaps);
}

#[tokio::test]
async fn without_the_hook_library_one_gap_says_how_to_load_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("kea4.sock");
    socket_peer(
        &socket,
        Arc::new(|request| {
            assert_eq!(request.get("service"), None, "a server needs none");
            let is_page = request["command"] == "lease4-get-page";
            let unsupported = json!({"result": 2, "text": "'lease4-get-page' command not supported."});
            (200, if is_page { unsupported } else { server(request) }.to_string())
        }),
    );
    let bare = json!({"name": "kea1", "socket4": socket});
    let found = collect(&config(bare.clone())).await;
    let [(FactKind::Leases, why)] = gaps(&found)[..] else { panic!("{:?}", found.gaps) };
    assert!(
        why.starts_with("dhcp4: the hook library lease_cmds is not loaded; hint: add {\"library\": "),
        "{why}"
    );
    assert!(why.contains("libdhcp_lease_cmds.so") && why.ends_with("or set `lease_file4`"), "{why}");
    let checks = config(bare.clone()).build(&[]).unwrap().check().await;
    assert_eq!(checks.iter().filter(|check| check.outcome.is_err()).count(), 1);

    let mut with_file = bare;
    let file = folder.path().join("leases.csv");
    with_file["lease_file4"] = json!(file);
    let found = collect(&config(with_file.clone())).await;
    let [(FactKind::Leases, why)] = gaps(&found)[..] else { panic!("{:?}", found.gaps) };
    assert!(why.contains("lease_cmds is not loaded") && why.contains("does not exist"), "{why}");

    fs::write(&file, "address,hwaddr,valid_lifetime,expire\n192.0.2.7,52:54:00:12:34:56,600,1795266600\n")
        .unwrap();
    let found = collect(&config(with_file.clone())).await;
    assert_eq!((gaps(&found), held(&found)), (vec![], vec!["192.0.2.7".to_owned()]));
    let checks = config(with_file).build(&[]).unwrap().check().await;
    assert!(checks.iter().all(|check| check.outcome.is_ok()), "{checks:?}");
}

#[tokio::test]
async fn an_agent_with_a_server_that_is_down() {
    let url = http_peer(Arc::new(|request| {
        let agent = json!({"result": 0, "arguments": {"Control-agent": {"control-sockets": {"dhcp4": {}, "dhcp6": {}, "d2": {}}}}});
        let down = json!({"result": 1, "text": "unable to forward command to the dhcp6 service: No such file or directory. The server is likely to be offline"});
        let answer = match request["service"][0].as_str() {
            None => agent,
            Some("dhcp4") => server(request),
            Some(_) => down,
        };
        (200, json!([answer]).to_string())
    }))
    .await;
    let found = collect(&config(json!({"name": "kea1", "url": url}))).await;
    assert_eq!(held(&found), FIVE, "one that is down does not hide the other");
    let kinds: Vec<FactKind> = found.gaps.iter().map(|gap| gap.facts).collect();
    assert_eq!(kinds, [FactKind::Networks, FactKind::Leases]);
    assert!(found.gaps.iter().all(|gap| gap.reason.starts_with("dhcp6: ") && gap.reason.contains("offline")));
}

#[tokio::test]
async fn refusals_and_nonsense_are_told_apart_and_print_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "hunter2\n").unwrap();
    let reason = |status: u16, body: &'static str| {
        let password = password.clone();
        async move {
            let url = http_peer(Arc::new(move |_| (status, body.to_owned()))).await;
            let entry =
                config(json!({"name": "k", "url": url, "username": "surveyor", "password_file": password}));
            let found = collect(&entry).await;
            let kinds: Vec<FactKind> = found.gaps.iter().map(|gap| gap.facts).collect();
            assert_eq!(
                kinds,
                [FactKind::Networks, FactKind::Leases],
                "never everything: it is no hypervisor"
            );
            let checks = entry.build(&[]).unwrap().check().await;
            let said = format!("{:?} {checks:?}", found.gaps);
            assert!(!said.contains("hunter2") && !said.contains("secret"), "{said}");
            assert!(checks.len() == 1 && checks[0].outcome.is_err());
            found.gaps[1].reason.clone()
        }
    };
    let unauthorized = r#"{"result": 401, "text": "Unauthorized"}"#;
    assert!(
        reason(401, unauthorized).await.contains("the user name or password is refused; hint: `clients`")
    );
    assert!(reason(200, unauthorized).await.contains("the user name or password is refused"));
    assert!(reason(403, "").await.contains("the user may not run `config-get`; hint: the hook library rbac"));
    assert!(reason(200, "<html>").await.contains("`config-get`: the answer is not what Kea sends"));
    assert!(reason(404, "Not Found").await.contains("answers 404 Not Found; hint: is it Kea's?"));
    assert!(
        reason(200, r#"[{"result": 0, "arguments": {"Control-agent": {"secret": 1}}}]"#)
            .await
            .contains("the agent leads to no DHCP server")
    );
    assert!(
        reason(200, r#"[{"result": 0, "arguments": {"DhcpDdns": {"secret": 1}}}]"#)
            .await
            .contains("neither an agent nor a DHCP server")
    );
}

#[tokio::test]
async fn a_silent_agent_leaves_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leases.csv");
    fs::write(&file, "address,hwaddr,valid_lifetime,expire\n192.0.2.7,52:54:00:12:34:56,600,1795266600\n")
        .unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let entry = json!({"name": "kea1", "url": format!("http://{nobody}"), "lease_file4": file});
    let found = collect(&config(entry.clone())).await;
    assert_eq!(held(&found), ["192.0.2.7"]);
    let reasons = gaps(&found);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].0 == FactKind::Networks && reasons[0].1.contains("connection refused"));
    assert!(
        reasons[1].0 == FactKind::Leases && reasons[1].1.starts_with("dhcp6: "),
        "nobody said that there is none"
    );
    let mut only4 = entry;
    only4["services"] = json!(["dhcp4"]);
    let kinds: Vec<FactKind> = collect(&config(only4)).await.gaps.iter().map(|gap| gap.facts).collect();
    assert_eq!(kinds, [FactKind::Networks]);
}

#[tokio::test]
async fn pages_that_never_end_are_a_gap() {
    let url = http_peer(Arc::new(|request| {
        let page = json!({"result": 0, "arguments": {"count": 1, "leases": [lease(7)]}});
        let is_page = request["command"] == "lease4-get-page";
        (200, json!([if is_page { page } else { server(request) }]).to_string())
    }))
    .await;
    let found = collect(&config(json!({"name": "kea1", "url": url, "page_size": 1}))).await;
    assert_eq!(
        gaps(&found),
        [(FactKind::Leases, "dhcp4: `lease4-get-page`: the pages go round in a circle at 192.0.2.7")]
    );
}

#[tokio::test]
async fn sockets_that_do_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("kea4.sock");
    let entry = config(json!({"name": "kea1", "socket4": socket, "timeout_seconds": 1}));
    let reason = |found: &Collection| {
        assert_eq!(found.gaps.len(), 2, "{:?}", found.gaps);
        found.gaps[1].reason.clone()
    };
    assert!(reason(&collect(&entry).await).contains("there is no socket `"));

    drop(UnixListener::bind(&socket).unwrap());
    assert!(reason(&collect(&entry).await).contains("nobody listens on the socket"));

    fs::remove_file(&socket).unwrap();
    let silent = UnixListener::bind(&socket).unwrap();
    let said = reason(&collect(&entry).await);
    assert!(said.contains("`lease4-get-page` timed out after 1 s"), "{said}");
    drop(silent);

    fs::remove_file(&socket).unwrap();
    socket_peer(&socket, Arc::new(|_| (200, "{\"result\": 0, \"argum".to_owned())));
    assert!(reason(&collect(&entry).await).contains("the answer is not what Kea sends: EOF"));
}

/// What Kea's clean-up leaves at each of its steps, and what it holds: the same at all of them.
#[tokio::test]
async fn files_while_kea_tidies_up() {
    const HEADER: &str =
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state";
    let rows = |rows: &[(u8, u32)]| {
        let one = |(last, lifetime): &(u8, u32)| {
            format!("192.0.2.{last},52:54:00:00:00:0{last},,{lifetime},1795269600,1,0,0,,0\n")
        };
        format!("{HEADER}\n{}", rows.iter().map(one).collect::<Vec<_>>().concat())
    };
    let merged_before = rows(&[(1, 600), (2, 600)]);
    let renamed = rows(&[(2, 0), (3, 600)]);
    let merged_now = rows(&[(1, 600), (3, 600)]);
    let now = rows(&[(4, 600)]);
    let half = merged_now[..merged_now.len() / 2].to_owned();
    let steps: [&[(&str, &String)]; 6] = [
        &[(".2", &merged_before), (".1", &renamed)],
        &[(".2", &merged_before), (".1", &renamed), (".output", &half)],
        &[(".2", &merged_before), (".1", &renamed), (".completed", &merged_now)],
        &[(".1", &renamed), (".completed", &merged_now)],
        &[(".completed", &merged_now)],
        &[(".2", &merged_now)],
    ];
    for step in steps {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leases.csv").display().to_string();
        fs::write(&path, &now).unwrap();
        for (suffix, content) in step {
            fs::write(format!("{path}{suffix}"), content).unwrap();
        }
        let found = collect(&config(json!({"name": "kea1", "lease_file4": path}))).await;
        assert_eq!(
            (held(&found), gaps(&found)),
            (["192.0.2.1", "192.0.2.3", "192.0.2.4"].map(str::to_owned).to_vec(), vec![])
        );
    }
}

/// The forced command of the guide prints all files as one, whatever is asked for.
#[tokio::test]
async fn files_by_a_forced_command() {
    let command = "cd {}; f=kea-leases4.csv; if [ -e $f.completed ]; then cat $f.completed; else cat $f.2 $f.1; fi 2>/dev/null; cat $f";
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/GUIDE.md")).unwrap();
    assert!(guide.contains(&command.replace("{}", "/var/lib/kea")), "the guide says it otherwise");
    let Some(sshd) = Sshd::start(Some(command)) else { return };
    let write = |suffix: &str, rows: &str| {
        let header = "address,hwaddr,valid_lifetime,expire";
        fs::write(sshd.path(&format!("kea-leases4.csv{suffix}")), format!("{header}\n{rows}")).unwrap();
    };
    let row =
        |last: u8, lifetime: u32| format!("192.0.2.{last},52:54:00:00:00:0{last},{lifetime},1795269600\n");
    write(".2", &format!("{}{}", row(1, 600), row(2, 600)));
    write(".1", &row(2, 0));
    write("", &row(3, 600));
    let far = config(json!({
        "name": "kea1", "lease_file4": "/var/lib/kea/kea-leases4.csv", "ssh": sshd.target().to_string(),
        "identity_file": sshd.path("user_key"), "known_hosts_file": sshd.path("known_hosts"),
    }));
    let found = collect(&far).await;
    assert_eq!(
        (held(&found), gaps(&found)),
        (["192.0.2.1", "192.0.2.3"].map(str::to_owned).to_vec(), vec![])
    );
    write(".completed", &row(1, 600));
    assert_eq!(held(&collect(&far).await), ["192.0.2.1", "192.0.2.3"]);
}

#[test]
fn a_wrong_configuration_is_refused() {
    let refusal = |mut value: Value| {
        value["name"] = json!("k");
        match config(value).build(&[]) {
            Ok(_) => panic!("it was made"),
            Err(error) => error.to_string(),
        }
    };
    assert!(refusal(json!({})).contains("nothing says where the leases are; hint: `url`, `socket4`"));
    assert!(refusal(json!({"url": "http://k:8000", "socket4": "/s"})).contains("exclude each other"));
    assert!(refusal(json!({"url": "k:8000"})).contains("must begin with http:// or https://"));
    assert!(refusal(json!({"url": "http://a:b@k:8000"})).contains("must hold no password"));
    assert!(refusal(json!({"url": "http://k:8000", "username": "a"})).contains("go together"));
    assert!(
        refusal(json!({"url": "http://k:8000", "ca_file": "/ca.pem"}))
            .contains("`ca_file` goes with https://")
    );
    let pin = json!({"url": "http://k:8000", "tls": format!("sha256:{}", "ab".repeat(32))});
    assert!(refusal(pin).contains("a fingerprint in `tls` goes with https://"));
    assert!(refusal(json!({"socket4": "/s", "username": "a"})).contains("go with `url`"));
    assert!(refusal(json!({"socket4": "/s", "page_size": 0})).contains("`page_size` must be 1 to 10000"));
    assert!(refusal(json!({"socket4": "/s", "timeout_seconds": 0})).contains("`timeout_seconds`"));
    assert!(
        refusal(json!({"socket4": "/s", "ssh": "a@b", "identity_file": "k", "known_hosts_file": "h"}))
            .contains("`ssh` goes with `lease_file4`")
    );
    let far = json!({"lease_file4": "/a b", "ssh": "a@b", "identity_file": "k", "known_hosts_file": "h"});
    assert!(refusal(far).contains("`lease_file4` is `/a b`, which is not a plain absolute path"));
    assert!(serde_json::from_value::<Config>(json!({"name": "k", "services": ["d2"]})).is_err());
}

#[test]
fn a_password_in_clear_text_is_remarked() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "x").unwrap();
    let remark = |url: &str| {
        let entry = config(
            json!({"name": "k", "url": url, "username": "a", "password_file": password, "tls": "insecure"}),
        );
        Channel::Http(entry.http(url, Duration::from_secs(1)).unwrap()).remark()
    };
    assert!(remark("http://192.0.2.1:8000").contains("clear text"));
    for url in
        ["https://192.0.2.1:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000"]
    {
        assert_eq!(remark(url), "", "{url}");
    }
}
