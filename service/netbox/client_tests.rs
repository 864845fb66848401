//! The client against real sockets that behave as proxies, restarts and wrong addresses do.

use std::sync::Mutex;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::model::ObjectKind;

/// What one connection gets, then it is closed.
enum Answer {
    /// These bytes.
    Bytes(String),
    /// Nothing at all.
    Silence,
    /// Closed after the request was read.
    Hangup,
}

fn http(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    ))
}

fn json(status: &str, body: &Value) -> Answer {
    http(status, "Content-Type: application/json\r\n", &body.to_string())
}

/// Whether an error is the right one.
type Expected = fn(&Error) -> bool;

/// A server that gives each connection the next answer; and the requests it saw.
async fn server(answers: Vec<Answer>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65536];
            let length = stream.read(&mut request).await.unwrap();
            request.truncate(length);
            log.lock().unwrap().push(String::from_utf8(request).unwrap());
            match answer {
                Answer::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
                Answer::Silence => silent.push(stream),
                Answer::Hangup => {}
            }
        }
        // Whoever asks more often than expected waits for ever, and the test fails by its timeout.
        std::future::pending::<()>().await;
    });
    (url, seen)
}

fn client(url: &str) -> Client {
    Client::new(ClientConfig {
        url: url.to_owned(),
        token: Secret::new("nbt_key.secret"),
        tls: TlsMode::Verify,
        ca_file: None,
        timeout: Duration::from_millis(700),
        page_size: 2,
    })
    .unwrap()
}

const NONE: &[(&str, &str)] = &[];

#[tokio::test]
async fn a_list_follows_the_cursor_and_says_who_asks() {
    let next = "http://elsewhere:1/api/dcim/sites/?limit=2&start=8";
    let (url, seen) = server(vec![
        json("200 OK", &json!({"count": null, "next": next, "results": [{"id": 3}, {"id": 7}]})),
        json("200 OK", &json!({"count": null, "next": null, "results": [{"id": 9}]})),
    ])
    .await;
    let client = client(&format!("{url}/api/"));
    let rows = client.list(ObjectKind::Site, &[("fields", "id"), ("name", "a&b")]).await.unwrap();
    assert_eq!(rows, [json!({"id": 3}), json!({"id": 7}), json!({"id": 9})]);
    assert_eq!(client.counts(), Counts { requests: 2, writes: 0 });
    let seen = seen.lock().unwrap();
    assert!(
        seen[0].starts_with("GET /api/dcim/sites/?fields=id&name=a%26b&limit=2&start=0 HTTP/1.1"),
        "{}",
        seen[0]
    );
    assert!(seen[1].starts_with("GET /api/dcim/sites/?fields=id&name=a%26b&limit=2&start=8 "), "{}", seen[1]);
    let head = seen[0].to_ascii_lowercase();
    assert!(head.contains("authorization: bearer nbt_key.secret\r\n"));
    assert!(head.contains(concat!("user-agent: surveyor/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn a_read_is_tried_again_and_honours_retry_after() {
    let (url, _) = server(vec![
        Answer::Hangup,
        http("503 Service Unavailable", "Retry-After: 0\r\n", "<h1>busy</h1>"),
        json("200 OK", &json!({"netbox-version": "4.7.3"})),
    ])
    .await;
    let client = client(&url);
    assert_eq!(client.status().await.unwrap(), "4.7.3");
    assert_eq!(client.counts().requests, 3);
}

#[tokio::test]
async fn a_write_without_answer_is_sent_once() {
    for answer in [
        Answer::Silence,
        Answer::Hangup,
        http("502 Bad Gateway", "", "x"),
        http("504 Gateway Timeout", "", "x"),
    ] {
        let (url, _) = server(vec![answer]).await;
        let client = client(&url);
        let error =
            client.create_many(ObjectKind::Device, &[json!({"name": "a"})], Some("why")).await.unwrap_err();
        assert!(matches!(error, Error::NoAnswer { .. }), "{error:?}");
        assert!(error.is_transient() && error.outcome_unknown());
        assert_eq!(client.counts(), Counts { requests: 1, writes: 1 });
    }
}

#[tokio::test]
async fn an_answer_cut_short_is_no_answer() {
    let (url, _) =
        server(vec![Answer::Bytes("HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n[{".into())]).await;
    let error = client(&url).create_many(ObjectKind::Device, &[json!({})], None).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error:?}");
}

#[tokio::test]
async fn a_closed_port_was_never_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).create(ObjectKind::Site, &json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.is_transient() && !error.outcome_unknown());
    assert!(error.to_string().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn other_servers_are_told_from_netbox() {
    for (answer, why, hint) in [
        (http("200 OK", "", "<html><form>login</form></html>"), "not JSON", "login page"),
        (
            http("302 Found", "Location: https://netbox/\r\n", ""),
            "redirects to `https://netbox/`",
            "set `netbox.url`",
        ),
        (http("404 Not Found", "", "<h1>nginx</h1>"), "404 without JSON", "check that"),
        (json("200 OK", &json!({"ok": true})), "netbox-version", "check that"),
        (http("403 Forbidden", "", "<h1>no</h1>"), "403 without JSON", "check that"),
    ] {
        let (url, _) = server(vec![answer]).await;
        let error = client(&url).status().await.unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, Error::Malformed { .. }) && text.contains(why) && text.contains(hint),
            "{text}"
        );
    }
    let not_web = Client::new(ClientConfig { url: "netbox.example.org".into(), ..config() });
    assert!(matches!(not_web, Err(Error::Malformed { .. })));
}

fn config() -> ClientConfig {
    ClientConfig {
        url: String::new(),
        token: Secret::new("0123456789abcdef0123456789abcdef01234567"),
        tls: TlsMode::Verify,
        ca_file: None,
        timeout: Duration::from_secs(1),
        page_size: 1000,
    }
}

#[tokio::test]
async fn errors_are_told_apart_by_what_to_do() {
    let detail = |text: &str| json!({ "detail": text });
    let cases: Vec<(Answer, Expected)> = vec![
        (json("403 Forbidden", &detail("Invalid v2 token")), |e| matches!(e, Error::Unauthorized { .. })),
        (json("403 Forbidden", &detail("Token expired")), |e| matches!(e, Error::Unauthorized { .. })),
        (json("401 Unauthorized", &detail("no")), |e| matches!(e, Error::Unauthorized { .. })),
        (json("403 Forbidden", &detail("You do not have permission to perform this action.")), |e| {
            matches!(e, Error::Forbidden { .. })
        }),
        (
            json(
                "403 Forbidden",
                &json!({"detail": "1 of 1", "errors": [{"index": 0, "errors": {"__all__": ["You do not have permission"]}}]}),
            ),
            |e| matches!(e, Error::Rejected { status: 403, rows, .. } if rows.len() == 1),
        ),
        (json("404 Not Found", &detail("Not found.")), |e| matches!(e, Error::NotFound { .. })),
        (json("400 Bad Request", &json!({"name": ["Taken."]})), |e| {
            e.to_string() == "NetBox rejects POST `dcim/devices/` (400): name: Taken."
        }),
        (json("409 Conflict", &detail("Unable to delete object.")), |e| {
            matches!(e, Error::Rejected { status: 409, .. })
        }),
        (
            http("412 Precondition Failed", "ETag: W/\"2\"\r\n", "{}"),
            |e| matches!(e, Error::Changed { etag: Some(etag), .. } if etag == "W/\"2\""),
        ),
        (http("413 Payload Too Large", "", "<h1>too large</h1>"), |e| {
            e.to_string().ends_with("(413): too large")
        }),
        (json("500 Internal Server Error", &json!({"error": "boom", "exception": "IntegrityError"})), |e| {
            matches!(e, Error::Server { status: 500, message, .. } if message == "IntegrityError: boom")
                && e.outcome_unknown()
        }),
        (http("503 Service Unavailable", "", ""), |e| e.is_transient() && !e.outcome_unknown()),
    ];
    for (answer, expected) in cases {
        let (url, _) = server(vec![answer]).await;
        let error = client(&url).create(ObjectKind::Device, &json!({})).await.unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert!(!error.to_string().contains("nbt_"));
    }
}

#[tokio::test]
async fn without_etags_the_last_change_is_compared_before_a_guarded_write() {
    let row = |moment: &str| json!({"id": 5, "last_updated": moment});
    let (url, seen) = server(vec![
        json("200 OK", &row("1")),
        json("200 OK", &row("1")),
        json("200 OK", &row("2")),
        json("200 OK", &row("2")),
    ])
    .await;
    let client = client(&url);
    let (_, etag) = client.get_with_etag(ObjectKind::Device, 5).await.unwrap();
    let etag = etag.unwrap();
    client.update(ObjectKind::Device, 5, &json!({"serial": "x"}), Some(&etag)).await.unwrap();
    let stale = client.update(ObjectKind::Device, 5, &json!({"serial": "x"}), Some(&etag)).await;
    assert!(matches!(stale, Err(Error::Changed { .. })), "{stale:?}");
    assert_eq!(seen.lock().unwrap().iter().filter(|request| request.starts_with("PATCH")).count(), 1);
}

#[tokio::test]
async fn bulk_rows_carry_the_message_and_nothing_is_sent_for_nothing() {
    let (url, seen) = server(vec![http("204 No Content", "", "")]).await;
    let client = client(&url);
    client.delete_many(ObjectKind::Device, &[4, 5], Some("gone")).await.unwrap();
    let request = seen.lock().unwrap()[0].clone();
    assert!(
        request.ends_with(r#"[{"changelog_message":"gone","id":4},{"changelog_message":"gone","id":5}]"#),
        "{request}"
    );
    assert!(client.create_many(ObjectKind::Device, &[], None).await.unwrap().is_empty());
    assert!(client.list_in(ObjectKind::Device, "id", &[], NONE).await.unwrap().is_empty());
    assert_eq!(client.counts().requests, 1);
}

#[tokio::test]
async fn scripts_go_as_a_form() {
    let (url, seen) = server(vec![json("201 Created", &json!({"id": 1}))]).await;
    client(&url)
        .upload("extras/scripts/upload/", false, "a\".py", "print('surveyor-boundary')\n")
        .await
        .unwrap();
    let request = seen.lock().unwrap()[0].clone();
    assert!(
        request.contains("filename=\"a.py\"\r\n") && request.contains("boundary=surveyor-boundary-x\r\n"),
        "{request}"
    );
}
