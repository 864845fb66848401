//! The receiver through its router, with a real store.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::{Receiver, SIGNATURE_HEADER, Secrets, WEBHOOK_PATH, router, serve, sign};
use crate::model::{ObjectKind, ObjectRef, Timestamp};
use crate::store::Store;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A receiver on a store of its own.
struct Ground {
    router: Router,
    store: Store,
    wake: Arc<Notify>,
    _folder: TempDir,
}

async fn ground() -> Ground {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}/surveyor.db", folder.path().display())).await.unwrap();
    let wake = Arc::new(Notify::new());
    let secrets = Secrets::new(["secret", "older"]);
    let mut receiver = Receiver::new(store.clone(), secrets, wake.clone(), Arc::new(|| NOW));
    receiver.path = "/surveyor/{hook}".to_owned();
    Ground { router: router(receiver), store, wake, _folder: folder }
}

/// What NetBox sends about a device.
fn body(id: u32) -> String {
    format!(
        r#"{{"event": "updated", "object_type": "dcim.device", "id": {id}, "request": {{"id": "r{id}", "user": "alice"}}, "timestamp": "2026-11-20T10:52:00+00:00", "branch": false}}"#
    )
}

/// A signed request.
fn signed(path: &str, body: &str, secret: &str) -> Request<Body> {
    Request::post(path)
        .header(SIGNATURE_HEADER, sign(secret.as_bytes(), body.as_bytes()))
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

impl Ground {
    /// The answer's status and text.
    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn metric(&self, line: &str) -> bool {
        self.get("/metrics").await.1.lines().any(|have| have == line)
    }
}

/// Whether the worker has been woken since the last look.
async fn woken(wake: &Notify) -> bool {
    tokio::time::timeout(Duration::ZERO, wake.notified()).await.is_ok()
}

#[tokio::test]
async fn a_signed_webhook_is_committed_and_wakes_the_worker() {
    let ground = ground().await;
    let (status, _) = ground.send(signed(WEBHOOK_PATH, &body(7), "secret")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(woken(&ground.wake).await);
    let hints = ground.store.take("worker", 10, 1000, NOW).await.unwrap();
    assert_eq!(hints.len(), 1);
    assert_eq!(hints[0].object, Some(ObjectRef::new(ObjectKind::Device, 7)));
    assert_eq!((hints[0].event.as_str(), hints[0].received_at), ("updated", NOW));
    assert_eq!((hints[0].user.as_deref(), hints[0].request_id.as_deref()), (Some("alice"), Some("r7")));
}

#[tokio::test]
async fn nothing_unsigned_is_stored() {
    let ground = ground().await;
    let good = body(7);
    let requests = [
        Request::post(WEBHOOK_PATH).body(Body::from(good.clone())).unwrap(),
        signed(WEBHOOK_PATH, &good, "guess"),
        Request::post(WEBHOOK_PATH).header(SIGNATURE_HEADER, "zz").body(Body::from(good.clone())).unwrap(),
        Request::post(WEBHOOK_PATH)
            .header(SIGNATURE_HEADER, sign(b"secret", body(8).as_bytes()))
            .body(Body::from(good.clone()))
            .unwrap(),
        // Not JSON either: what is said is about the signature, so the body was not looked at.
        Request::post(WEBHOOK_PATH).header(SIGNATURE_HEADER, "00".repeat(64)).body(Body::from("[")).unwrap(),
    ];
    for request in requests {
        let (status, text) = ground.send(request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(text.contains("X-Hook-Signature") && !text.contains("secret\""), "{text}");
    }
    assert_eq!(ground.store.backlog().await.unwrap(), 0);
    assert!(!woken(&ground.wake).await);
    assert!(ground.metric(r#"surveyor_webhooks_total{result="refused"} 5"#).await);
}

#[tokio::test]
async fn a_secret_is_replaced_without_a_gap() {
    let ground = ground().await;
    assert_eq!(ground.send(signed(WEBHOOK_PATH, &body(1), "secret")).await.0, StatusCode::ACCEPTED);
    assert_eq!(ground.send(signed(WEBHOOK_PATH, &body(2), "older")).await.0, StatusCode::ACCEPTED);
    assert_eq!(ground.store.backlog().await.unwrap(), 2);
}

#[tokio::test]
async fn a_repeated_delivery_is_one_row() {
    let ground = ground().await;
    for _ in 0..3 {
        assert_eq!(ground.send(signed(WEBHOOK_PATH, &body(1), "secret")).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(ground.store.backlog().await.unwrap(), 1);
    assert!(ground.metric(r#"surveyor_webhooks_total{result="accepted"} 1"#).await);
    assert!(ground.metric(r#"surveyor_webhooks_total{result="duplicate"} 2"#).await);
    assert!(ground.metric("surveyor_inbox_backlog 1").await);
}

#[tokio::test]
async fn the_configured_path_works_whatever_it_holds() {
    let ground = ground().await;
    let (status, _) = ground.send(signed("/surveyor/%7Bhook%7D", &body(1), "secret")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "paths are compared as they are sent");
    let receiver = Receiver {
        path: "/a/*/:b".to_owned(),
        ..Receiver::new(ground.store.clone(), Secrets::new(["secret"]), ground.wake.clone(), Arc::new(|| NOW))
    };
    let other = Ground { router: router(receiver), ..ground };
    assert_eq!(other.send(signed("/a/*/:b", &body(1), "secret")).await.0, StatusCode::ACCEPTED);
    assert_eq!(other.send(signed("/a/*/:b", &body(1), "no")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(other.get("/a/*/:b").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(other.get(WEBHOOK_PATH).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(other.get("/else").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_on_every_path() {
    let ground = ground().await;
    let receiver = Receiver {
        body_limit: 400,
        path: "/hook".to_owned(),
        ..Receiver::new(ground.store.clone(), Secrets::new(["secret"]), ground.wake.clone(), Arc::new(|| NOW))
    };
    let ground = Ground { router: router(receiver), ..ground };
    let large = format!(r#"{{"event": "{}"}}"#, "x".repeat(400));
    for path in [WEBHOOK_PATH, "/hook"] {
        let (status, text) = ground.send(signed(path, &large, "secret")).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(text.contains("400 bytes"), "{text}");
        assert_eq!(ground.send(signed(path, &body(1), "secret")).await.0, StatusCode::ACCEPTED);
    }
    assert!(ground.metric(r#"surveyor_webhooks_total{result="too_large"} 2"#).await);
}

#[tokio::test]
async fn a_default_body_is_understood_and_one_megabyte_is_not_too_much() {
    let ground = ground().await;
    let large = format!(
        r#"{{"event": "updated", "timestamp": "t", "object_type": "virtualization.virtualmachine",
             "data": {{"id": 3, "config_context": "{}"}}, "request": {{"id": "r", "user": "bob"}}}}"#,
        "x".repeat(900_000)
    );
    assert_eq!(ground.send(signed(WEBHOOK_PATH, &large, "secret")).await.0, StatusCode::ACCEPTED);
    let hints = ground.store.take("worker", 10, 1000, NOW).await.unwrap();
    assert_eq!(hints[0].object, Some(ObjectRef::new(ObjectKind::VirtualMachine, 3)));
}

#[tokio::test]
async fn signed_nonsense_is_answered_with_what_to_do() {
    let ground = ground().await;
    for nonsense in ["", "[1]", "event=updated"] {
        let (status, text) = ground.send(signed(WEBHOOK_PATH, nonsense, "secret")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(text.contains("surveyor bootstrap"), "{text}");
    }
    assert_eq!(ground.store.backlog().await.unwrap(), 0);
    assert!(ground.metric(r#"surveyor_webhooks_total{result="malformed"} 3"#).await);
}

#[tokio::test]
async fn a_kind_we_do_not_know_still_wakes_the_worker() {
    let ground = ground().await;
    let rack = body(1).replace("dcim.device", "dcim.rack").replace("alice", &"é".repeat(500));
    assert_eq!(ground.send(signed(WEBHOOK_PATH, &rack, "secret")).await.0, StatusCode::ACCEPTED);
    assert!(woken(&ground.wake).await);
    let hints = ground.store.take("worker", 10, 1000, NOW).await.unwrap();
    assert_eq!(hints[0].object, None);
    assert_eq!(hints[0].user.as_deref().unwrap().chars().count(), 200);
}

#[tokio::test]
async fn what_happens_in_a_branch_is_not_true_yet() {
    let ground = ground().await;
    for branch in [
        r#"{"event": "updated", "object_type": "dcim.device", "data": {"id": 1}, "context": {"active_branch": {"id": 4}}}"#,
        r#"{"event": "updated", "object_type": "dcim.device", "data": {"id": 1, "active_branch": {"id": 4}}}"#,
        &body(1).replace("false", "true"),
    ] {
        assert_eq!(ground.send(signed(WEBHOOK_PATH, branch, "secret")).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(ground.store.backlog().await.unwrap(), 0);
    assert!(!woken(&ground.wake).await);
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_unhealthy() {
    let ground = ground().await;
    let (status, text) = ground.get("/health").await;
    assert_eq!(status, StatusCode::OK);
    let health: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((health["status"].as_str(), health["backlog"].as_u64()), (Some("ok"), Some(0)));

    ground.store.close().await;
    let (status, _) = ground.send(signed(WEBHOOK_PATH, &body(1), "secret")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!woken(&ground.wake).await);
    let (status, text) = ground.get("/health").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("unavailable"), "{text}");
    assert!(ground.metric(r#"surveyor_webhooks_total{result="failed"} 1"#).await);
    assert!(ground.metric("surveyor_store_up 0").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_hundred_at_once_share_few_commits() {
    let ground = ground().await;
    let begun = Instant::now();
    let requests: Vec<_> = (0..500)
        .map(|id| {
            let router = ground.router.clone();
            tokio::spawn(async move {
                router.oneshot(signed(WEBHOOK_PATH, &body(id % 450), "secret")).await.unwrap().status()
            })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), StatusCode::ACCEPTED);
    }
    let elapsed = begun.elapsed();
    assert_eq!(ground.store.backlog().await.unwrap(), 450);
    let text = ground.get("/metrics").await.1;
    let commits = text.lines().find_map(|line| line.strip_prefix("surveyor_webhook_commits_total ")).unwrap();
    println!("500 webhooks in {elapsed:?}, {commits} commits");
    assert!(commits.parse::<u32>().unwrap() < 250, "{commits} commits");
    assert!(text.lines().any(|line| line == r#"surveyor_webhooks_total{result="duplicate"} 50"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_goes_away_takes_nobody_with_it() {
    let ground = ground().await;
    let requests: Vec<_> = (0..200)
        .map(|id| {
            let router = ground.router.clone();
            tokio::spawn(async move {
                let request = router.oneshot(signed(WEBHOOK_PATH, &body(id), "secret"));
                // Every third gives up, some in the middle of a commit that others wait for.
                if id % 3 == 0 {
                    let patience = Duration::from_micros(u64::from(id) * 20);
                    return tokio::time::timeout(patience, request).await.ok().map(|r| r.unwrap().status());
                }
                Some(request.await.unwrap().status())
            })
        })
        .collect();
    let mut accepted = 0;
    for (id, request) in requests.into_iter().enumerate() {
        let status = tokio::time::timeout(Duration::from_secs(30), request).await.unwrap().unwrap();
        assert!(
            status == Some(StatusCode::ACCEPTED) || (status.is_none() && id % 3 == 0),
            "{id}: {status:?}"
        );
        accepted += u64::from(status.is_some());
    }
    assert!(ground.store.backlog().await.unwrap() >= accepted, "what was acknowledged is there");
}

#[tokio::test]
async fn source_names_cannot_break_the_metrics() {
    let ground = ground().await;
    let collection = crate::store::NewCollection {
        source: "a\"b\\c\nd",
        blob: b"",
        observed_at: NOW,
        complete: true,
        gaps: 3,
        error: None,
    };
    ground.store.save_collection(&collection, NOW).await.unwrap();
    assert!(ground.metric(r#"surveyor_source_gaps{source="a\"b\\c\nd"} 3"#).await);
    assert!(
        ground.metric(r#"surveyor_source_complete_timestamp_seconds{source="a\"b\\c\nd"} 1790000000"#).await
    );
}

#[tokio::test]
async fn a_shutdown_finishes_what_has_begun() {
    let ground = ground().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, ground.router.clone(), async {
        stopped.await.unwrap();
    }));
    let text = body(5);
    let head = format!(
        "POST {WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{SIGNATURE_HEADER}: {}\r\n\r\n",
        text.len(),
        sign(b"secret", text.as_bytes())
    );
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(format!("{head}{}", &text[..10]).as_bytes()).await.unwrap();
    // Another connection shows that the server has read what came before.
    let mut probe = TcpStream::connect(address).await.unwrap();
    probe.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    probe.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    stop.send(()).unwrap();
    client.write_all(&text.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    server.await.unwrap().unwrap();
    assert_eq!(ground.store.backlog().await.unwrap(), 1);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
