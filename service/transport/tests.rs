//! The HTTP client against real sockets: what a person reads when it fails.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use sha2::{Digest, Sha256};

use super::http::{client, explain};
use super::tls::{TlsError, TlsMode};

const TIMEOUT: Duration = Duration::from_secs(5);

/// A self-signed certificate for `localhost`, as appliances make them (`CA:TRUE`).
struct Peer {
    folder: tempfile::TempDir,
    address: SocketAddr,
    fingerprint: [u8; 32],
}

impl Peer {
    /// `None`, and a line that says so, without the program that makes certificates.
    fn start() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: needs openssl");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(' '))
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
            .arg(path("key.pem"))
            .arg("-out")
            .arg(path("cert.pem"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let certificate = CertificateDer::from_pem_file(path("cert.pem")).unwrap();
        let fingerprint = Sha256::digest(&certificate).into();
        let key = PrivateKeyDer::from_pem_file(path("key.pem")).unwrap();
        let settings =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
                .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Arc::new(settings);
        std::thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                let mut connection = ServerConnection::new(Arc::clone(&settings)).unwrap();
                let mut stream = rustls::Stream::new(&mut connection, &mut socket);
                // A client that refuses the certificate ends here.
                if stream.read(&mut [0; 4096]).is_ok() {
                    let answer = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                    _ = stream.write_all(answer.as_bytes());
                    connection.send_close_notify();
                    _ = connection.complete_io(&mut socket);
                }
            }
        });
        Some(Self { folder, address, fingerprint })
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn hex(&self) -> String {
        hex::encode(self.fingerprint)
    }
}

/// The status, or the sentence.
async fn get(url: &str, mode: TlsMode, ca_file: Option<PathBuf>) -> Result<u16, String> {
    let client = client(&mode, ca_file.as_deref(), TIMEOUT, "surveyor-test").unwrap();
    client.get(url).send().await.map(|response| response.status().as_u16()).map_err(|error| explain(&error))
}

#[test]
fn modes_have_one_text() {
    let pin = "sha256:".to_owned() + &"ab".repeat(32);
    for text in ["verify", "insecure", &pin] {
        assert_eq!(text.parse::<TlsMode>().unwrap().to_string(), text);
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(serde_json::to_string(&serde_json::from_str::<TlsMode>(&json).unwrap()).unwrap(), json);
    }
    let colons = "SHA256:".to_owned() + &["AB"; 32].join(":");
    assert_eq!(colons.parse(), pin.parse::<TlsMode>());
    for text in ["", "none", "sha256:", "sha256:abcd", "sha1:ab", "true", "Verify"] {
        assert!(text.parse::<TlsMode>().is_err(), "{text}");
    }
}

#[test]
fn ca_files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let made = |mode| super::tls::client_config(&mode, Some(&path)).map(drop);
    assert!(matches!(made(TlsMode::Verify), Err(TlsError::CaFile { .. })));
    fs::write(&path, "no certificate\n").unwrap();
    assert!(matches!(made(TlsMode::Verify), Err(TlsError::NoCertificates(_) | TlsError::CaFile { .. })));
    assert!(matches!(made(TlsMode::Insecure), Err(TlsError::UnusedCaFile(TlsMode::Insecure))));
}

#[tokio::test]
async fn trust() {
    let (Some(peer), Some(other)) = (Peer::start(), Peer::start()) else { return };
    let url = format!("https://localhost:{}/api/?token=secret", peer.address.port());
    // 302: a redirect is an answer, it is not followed.
    assert_eq!(get(&url, TlsMode::Fingerprint(peer.fingerprint), None).await, Ok(302));
    assert_eq!(get(&url, TlsMode::Insecure, None).await, Ok(302));
    assert_eq!(get(&url, TlsMode::Verify, Some(peer.ca_file())).await, Ok(302), "listed itself");

    let told = get(&url, TlsMode::Fingerprint([7; 32]), None).await.unwrap_err();
    assert!(told.contains(&format!("sha256:{}", peer.hex())) && told.contains("not the pinned"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    let told = get(&url, TlsMode::Verify, Some(other.ca_file())).await.unwrap_err();
    assert!(
        told.contains("not trusted") && told.contains(&format!("tls = \"sha256:{}\"", peer.hex())),
        "{told}"
    );
    let by_address = format!("https://{}/", peer.address);
    let told = get(&by_address, TlsMode::Verify, Some(peer.ca_file())).await.unwrap_err();
    assert!(told.contains("not valid for the name `127.0.0.1`"), "{told}");
    assert_eq!(get(&by_address, TlsMode::Fingerprint(peer.fingerprint), None).await, Ok(302));
}

#[tokio::test]
async fn failures_in_one_sentence() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = get(&format!("http://{closed}/x"), TlsMode::Insecure, None).await.unwrap_err();
    assert!(told.starts_with(&format!("`http://{closed}/x`: connection refused; hint:")), "{told}");
    let told = get("http://no-such-name.invalid/", TlsMode::Insecure, None).await.unwrap_err();
    assert!(told.contains("the name cannot be resolved"), "{told}");

    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut socket in plain.incoming().map_while(Result::ok) {
            _ = socket.read(&mut [0; 1024]);
            _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let told = get(&format!("https://{address}/"), TlsMode::Insecure, None).await.unwrap_err();
    assert!(told.contains("does not speak TLS"), "{told}");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let short = client(&TlsMode::Insecure, None, Duration::from_millis(100), "x").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let told = explain(&short.get(url).send().await.unwrap_err());
    assert!(told.ends_with("timed out while waiting for the answer"), "{told}");

    let hasty = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", hasty.local_addr().unwrap());
    std::thread::spawn(move || {
        hasty.incoming().map_while(Result::ok).for_each(|mut socket| _ = socket.read(&mut [0; 1024]));
    });
    let told = get(&url, TlsMode::Insecure, None).await.unwrap_err();
    assert!(told.contains("closed the connection before"), "{told}");
}
