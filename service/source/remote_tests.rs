//! Reading files here and there: a real sshd on a loopback port, in a folder that goes away with it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Debian has it outside the PATH of ordinary users.
const SSHD: &str = "/usr/sbin/sshd";

const LIMIT: Duration = Duration::from_secs(20);

/// A running sshd with one key, and a folder for files.
pub(in crate::source) struct Sshd {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Sshd {
    /// `None`, and a line that says so, where it is not installed. `forced` is the key's forced command; `{}` is the folder.
    pub(in crate::source) fn start(forced: Option<&str>) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            println!("skipped: needs {SSHD} (Debian: openssh-server)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host_key", "user_key", "other_key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &path(key)])
                .status();
            assert!(made.unwrap().success());
        }
        let options = forced.map(|command| {
            format!("restrict,command=\"{}\" ", command.replace("{}", &folder.path().display().to_string()))
        });
        let public = fs::read_to_string(path("user_key.pub")).unwrap();
        fs::write(path("authorized_keys"), options.unwrap_or_default() + &public).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = fs::read_to_string(path("host_key.pub")).unwrap();
        fs::write(path("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        fs::write(
            path("sshd_config"),
            format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
                 StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
                 SetEnv SHLVL=1\n",
                path("host_key"),
                path("authorized_keys"),
            ),
        )
        .unwrap();
        let child = Command::new(SSHD)
            .args(["-D", "-e", "-f", &path("sshd_config")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let sshd = Self { child, folder, port };
        let deadline = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(sshd)
    }

    /// The path of a file in its folder.
    pub(in crate::source) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `user@127.0.0.1:port`.
    pub(in crate::source) fn target(&self) -> SshTarget {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        format!("{}@127.0.0.1:{}", user.trim(), self.port).parse().unwrap()
    }

    fn place(&self, key: &str) -> Place {
        let (identity, known) = (self.path(key).into(), self.path("known_hosts").into());
        let login = Login {
            ssh: Some(&self.target()),
            identity_file: Some(&identity),
            known_hosts_file: Some(&known),
            host_key: None,
        };
        place(&SourceName::new("s"), login, LIMIT).unwrap()
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

#[tokio::test]
async fn a_file_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases").display().to_string();
    assert!(Place::Here.find(&path, LIMIT).await.unwrap().is_none());
    let missing = Place::Here.read(&path, LIMIT).await.unwrap_err().to_string();
    assert!(missing.starts_with(&format!("`{path}` does not exist; hint: ")), "{missing}");

    fs::write(&path, b"a\xffb").unwrap();
    assert_eq!(Place::Here.read(&path, LIMIT).await.unwrap(), b"a\xffb");
    let dir = folder.path().display().to_string();
    assert!(matches!(Place::Here.read(&dir, LIMIT).await, Err(RemoteError::Io(..))));

    if !is_root() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        assert!(matches!(Place::Here.read(&path, LIMIT).await, Err(RemoteError::Denied(..))));
    }
    let long = fs::File::create(folder.path().join("long")).unwrap();
    long.set_len(u64::try_from(MAX_FILE_BYTES).unwrap() + 1).unwrap();
    let long = folder.path().join("long").display().to_string();
    let error = Place::Here.read(&long, LIMIT).await.unwrap_err().to_string();
    assert!(error.ends_with("is over 64 MiB; hint: is it the right file?"), "{error}");
}

#[tokio::test]
async fn a_file_over_ssh() {
    let Some(sshd) = Sshd::start(None) else { return };
    let (place, leases) = (sshd.place("user_key"), sshd.path("leases"));
    fs::write(&leases, b"a\xffb\n").unwrap();
    assert_eq!(place.read(&leases, LIMIT).await.unwrap(), b"a\xffb\n");

    let missing = sshd.path("missing");
    assert!(place.find(&missing, LIMIT).await.unwrap().is_none());
    let error = place.read(&missing, LIMIT).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("`{missing}` on `{}` does not exist", sshd.target())), "{error}");
    let error = place.read(&sshd.path("."), LIMIT).await.unwrap_err();
    assert!(
        matches!(&error, RemoteError::Failed { status: 1, said, .. } if said.contains("directory")),
        "{error}"
    );

    let Err(refused) = sshd.place("other_key").read(&leases, LIMIT).await else { panic!("it let us in") };
    assert!(refused.is_fatal() && refused.to_string().contains("refused the key"), "{refused}");
}

#[tokio::test]
async fn a_command_is_quoted_capped_and_timed() {
    let Some(sshd) = Sshd::start(None) else { return };
    let Place::There(config) = sshd.place("user_key") else { panic!("not over SSH") };
    let odd = "a 'b' \"c\" $HOME `id` \\ ; # *";
    let printed = run(&config, &["printf", "%s", odd], 1024, LIMIT).await.unwrap();
    assert_eq!(String::from_utf8(printed).unwrap(), odd);

    let much = run(&config, &["head", "-c", "100000", "/dev/zero"], 50_000, LIMIT).await.unwrap_err();
    assert!(much.to_string().contains("printed more than 50000 bytes"), "{much}");
    let slow = run(&config, &["sleep", "30"], 10, Duration::from_millis(200)).await.unwrap_err();
    assert!(slow.to_string().contains("timed out while running the command"), "{slow}");
    let failed = run(&config, &["sh", "-c", "echo 'no\tway' >&2; exit 3"], 10, LIMIT).await.unwrap_err();
    let text = failed.to_string();
    assert!(text.ends_with("failed with exit status 3: no way"), "{text}");
    let unknown = run(&config, &["surveyor-has-no-such-command"], 10, LIMIT).await.unwrap_err();
    assert!(matches!(unknown, RemoteError::Failed { status: NOT_FOUND, .. }), "{unknown}");
}

#[tokio::test]
async fn a_forced_command_prints_its_file_whatever_is_asked() {
    let Some(sshd) = Sshd::start(Some("cat -- {}/leases")) else { return };
    fs::write(sshd.path("leases"), "the one file").unwrap();
    let found = sshd.place("user_key").read("/etc/hostname", LIMIT).await.unwrap();
    assert_eq!(found, b"the one file");
}

#[test]
fn what_does_not_lead_to_a_machine_is_refused() {
    let target: SshTarget = "a@host".parse().unwrap();
    let (key, known) = (PathBuf::from("key"), PathBuf::from("known"));
    let refusal = |login: Login<'_>| place(&SourceName::new("s"), login, LIMIT).unwrap_err().to_string();
    let whole = Login {
        ssh: Some(&target),
        identity_file: Some(&key),
        known_hosts_file: Some(&known),
        host_key: None,
    };
    assert!(matches!(place(&SourceName::new("s"), whole, LIMIT), Ok(Place::There(_))));
    assert!(matches!(place(&SourceName::new("s"), Login::default(), LIMIT), Ok(Place::Here)));
    assert!(refusal(Login { ssh: None, ..whole }).contains("`identity_file` goes with `ssh`"));
    assert!(refusal(Login { identity_file: None, ..whole }).contains("`identity_file` is missing"));
    assert!(refusal(Login { known_hosts_file: None, ..whole }).contains("no host key can be checked"));
    let pin = "SHA256:short".to_owned();
    assert!(refusal(Login { host_key: Some(&pin), ..whole }).contains("is no host key"));

    let there = place(&SourceName::new("s"), whole, LIMIT).unwrap();
    for path in ["leases", "/a b", "/a;reboot", "/a$(id)", "/a\n", "/var/lib/", ""] {
        assert!(there.fault("file", path).is_some(), "{path}");
    }
    assert_eq!(there.fault("file", "/var/lib/dhcp/dhcpd.leases~"), None);
    assert_eq!(Place::Here.fault("file", "leases of today"), None);
}

proptest! {
    #[test]
    fn a_quoted_word_is_one_word(word in "[a-z '\"$`\\\\;|&<>*?!#~\n]{0,20}") {
        // What a POSIX shell makes of it: quotes end and begin, a backslash outside of them takes the next one.
        let (mut read, mut quote, mut escaped) = (String::new(), false, false);
        for c in quoted(&word).chars() {
            match c {
                c if escaped => { read.push(c); escaped = false; }
                '\'' => quote = !quote,
                '\\' if !quote => escaped = true,
                c => {
                    prop_assert!(quote || c.is_ascii_alphanumeric() || "._/+@=:,%-".contains(c));
                    read.push(c);
                }
            }
        }
        prop_assert_eq!((read, quote, escaped), (word, false, false));
    }
}
