//! A real sshd and a real Unbound on loopback ports, in a folder that goes away with them.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::dns::{Mode, Unbound, UnboundConfig};

/// Debian has them outside the PATH of ordinary users.
const SSHD: &str = "/usr/sbin/sshd";
const UNBOUND: &str = "/usr/sbin/unbound";

/// How the main configuration is made.
pub(super) struct Setup {
    /// The include line; `{}` is the folder `conf.d`.
    pub(super) include: &'static str,
    /// More lines for the `server:` clause.
    pub(super) server: &'static str,
    /// The key's forced command; `{}` is the folder.
    pub(super) forced: Option<&'static str>,
    /// Whether `surveyor-unbound-apply` is in the PATH of the SSH session.
    pub(super) installed: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { include: "include: \"{}/*.conf\"", server: "", forced: None, installed: false }
    }
}

pub(super) struct Lab {
    folder: TempDir,
    sshd: Child,
    ssh_port: u16,
    pub(super) dns_port: u16,
}

/// A port that nothing listens on, by UDP or TCP: below those that the system gives out by itself, which another test may get between
/// this look and the daemon's start.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 1000).unwrap() * 10;
    loop {
        let port = 20_000 + (own + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Lab {
    /// `None`, and a line that says so, where the programs are not installed.
    pub(super) fn start(setup: &Setup) -> Option<Self> {
        if !Path::new(SSHD).exists() || !Path::new(UNBOUND).exists() {
            println!("skipped: needs {SSHD} and {UNBOUND} (Debian: openssh-server, unbound)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let path = |name: &str| dir.join(name).display().to_string();
        for name in ["conf.d", "bin", "tmp"] {
            fs::create_dir(dir.join(name)).unwrap();
        }
        fs::write(dir.join("bin/helper"), crate::dns::unbound::HELPER).unwrap();
        fs::set_permissions(dir.join("bin/helper"), fs::Permissions::from_mode(0o755)).unwrap();
        if setup.installed {
            fs::rename(dir.join("bin/helper"), dir.join("bin/surveyor-unbound-apply")).unwrap();
        }
        for key in ["host_key", "user_key", "other_key"] {
            run(Command::new("ssh-keygen").args([
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                "",
                "-f",
                &path(key),
            ]));
        }
        let public = fs::read_to_string(dir.join("user_key.pub")).unwrap();
        let options = setup.forced.map(|command| {
            format!("restrict,command=\"{}\" ", command.replace("{}", &dir.display().to_string()))
        });
        fs::write(dir.join("authorized_keys"), options.unwrap_or_default() + &public).unwrap();

        let (ssh_port, dns_port) = (free_port(), free_port());
        fs::write(
            dir.join("sshd_config"),
            format!(
                "ListenAddress 127.0.0.1:{ssh_port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
                 StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
                 SetEnv PATH={}:/usr/bin:/bin TMPDIR={} SHLVL=1\n",
                path("host_key"),
                path("authorized_keys"),
                path("bin"),
                path("tmp")
            ),
        )
        .unwrap();
        fs::write(
            dir.join("unbound.conf"),
            format!(
                "# a comment with include: \"nothing\"\nserver:\n  interface: 127.0.0.1\n  port: {dns_port}\n  \
                 username: \"\"\n  chroot: \"\"\n  directory: \"{}\"\n  pidfile: \"{}\"\n  logfile: \"{}\"\n  \
                 use-syslog: no\n  module-config: \"iterator\"\n  num-threads: 1\n  {}\n\
                 remote-control:\n  control-enable: yes\n  control-interface: \"{}\"\n  control-use-cert: no\n{}\n",
                dir.display(),
                path("unbound.pid"),
                path("unbound.log"),
                setup.server,
                path("control.sock"),
                setup.include.replace("{}", &path("conf.d")),
            ),
        )
        .unwrap();
        let sshd = Command::new(SSHD)
            .args(["-D", "-e", "-f", &path("sshd_config")])
            .stderr(fs::File::create(dir.join("sshd.log")).unwrap())
            .spawn()
            .unwrap();
        let lab = Self { folder, sshd, ssh_port, dns_port };
        until("sshd listens", || std::net::TcpStream::connect(("127.0.0.1", ssh_port)).is_ok());
        Some(lab)
    }

    /// Starts the daemon, which goes to the background by itself.
    pub(super) fn start_unbound(&self) {
        run(Command::new(UNBOUND).args(["-c", &self.path("unbound.conf")]));
        until("unbound runs", || self.control(&["status"]).contains("is running"));
    }

    pub(super) fn stop_unbound(&self) {
        self.control(&["stop"]);
        until("unbound is gone", || !self.control(&["status"]).contains("is running"));
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn include_file(&self) -> PathBuf {
        self.folder.path().join("conf.d/surveyor.conf")
    }

    pub(super) fn control(&self, words: &[&str]) -> String {
        let output = Command::new("/usr/sbin/unbound-control")
            .args(["-c", &self.path("unbound.conf")])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether the daemon serves this as local data, asked on its control socket.
    pub(super) fn serves(&self, line: &str) -> bool {
        self.control(&["list_local_data"]).lines().any(|served| served.replace('\t', " ") == line)
    }

    /// The configuration that fits, with the host key pinned.
    pub(super) fn config(&self) -> UnboundConfig {
        let user = run(Command::new("id").arg("-un"));
        let listed = run(Command::new("ssh-keygen").args(["-lf", &self.path("host_key.pub")]));
        UnboundConfig {
            name: "ns1".to_owned(),
            ssh: format!("{}@127.0.0.1:{}", user.trim(), self.ssh_port).parse().unwrap(),
            identity_file: self.path("user_key").into(),
            known_hosts_file: None,
            host_key: listed.split(' ').nth(1).map(ToOwned::to_owned),
            include_file: self.include_file().display().to_string(),
            mode: Mode::Plain,
            unbound_conf: Some(self.path("unbound.conf")),
            query: Some(format!("127.0.0.1:{}", self.dns_port)),
            timeout_seconds: 10,
        }
    }

    pub(super) fn client(&self) -> Unbound {
        Unbound::new(self.config()).unwrap()
    }

    /// Names of what lies in the folder of the include file.
    pub(super) fn beside(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("conf.d"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // By its pid, because a test may have left a configuration that unbound-control cannot read.
        if let Ok(pid) = fs::read_to_string(self.path("unbound.pid")) {
            _ = Command::new("kill").arg(pid.trim()).stderr(Stdio::null()).status();
        }
        _ = self.sshd.kill();
        _ = self.sshd.wait();
        if std::thread::panicking() {
            for log in ["sshd.log", "unbound.log"] {
                println!("{log}:\n{}", fs::read_to_string(self.path(log)).unwrap_or_default());
            }
        }
    }
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
        std::thread::yield_now();
    }
}
