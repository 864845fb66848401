"""A real sshd on loopback: one plain key, one key bound to the DNS apply helper, one key it does not know."""

import os
import pwd
import subprocess
from pathlib import Path

from . import packages, probe
from .daemon import Service
from .layout import HOST, REPOSITORY, write_private

HELPER = REPOSITORY / "service" / "dns" / "surveyor-unbound-apply"
HOST_KEYS = {"ssh_host_ed25519_key": "ed25519", "ssh_host_rsa_key": "rsa"}
CLIENT_KEYS = ("plain", "forced", "refused")

CONFIGURATION = """\
Port {port}
ListenAddress {host}
HostKey {folder}/ssh_host_ed25519_key
HostKey {folder}/ssh_host_rsa_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM {pam}
StrictModes no
X11Forwarding no
PrintMotd no
MaxStartups 200
MaxSessions 100
LogLevel VERBOSE
# Otherwise bash takes itself for a login and reads the user's .bashrc: it may cost more than the command.
SetEnv SHLVL=1
"""


class Sshd:
    """The lab's SSH server."""

    def __init__(self, lab, unbound):
        self.lab = lab
        self.unbound = unbound
        self.folder = lab.run / "ssh"
        self.port = lab.port("sshd")
        self.user = pwd.getpwuid(os.geteuid()).pw_name

    def service(self):
        """The daemon."""
        settings = self.folder / "sshd_config"
        pam = "yes" if locked_account(self.user) else "no"
        text = CONFIGURATION.format(port=self.port, host=HOST, folder=self.folder, pam=pam)
        argv = (packages.command("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", settings)
        return Service(
            "sshd",
            argv,
            lambda: probe.tcp_open(self.port),
            (("tcp", self.port),),
            self.make_keys,
            {settings: text},
        )

    def make_keys(self):
        """Keys once; the files that depend on paths every time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # privilege separation insists on it
        for name, kind in {
            **HOST_KEYS,
            "other_host_key": "ed25519",
            **dict.fromkeys(CLIENT_KEYS, "ed25519"),
        }.items():
            if not (self.folder / f"{name}.pub").exists():
                (self.folder / name).unlink(missing_ok=True)
                command = [
                    "ssh-keygen",
                    "-q",
                    "-t",
                    kind,
                    "-N",
                    "",
                    "-C",
                    f"lab {name}",
                    "-f",
                    self.folder / name,
                ]
                subprocess.run(command + (["-b", "2048"] if kind == "rsa" else []), check=True)
        write_private(self.folder / "authorized_keys", self.authorized_keys())
        host = f"[{HOST}]:{self.port}"
        known = "".join(f"{host} {self.public_key(name)}\n" for name in HOST_KEYS)
        (self.folder / "known_hosts").write_text(known, encoding="utf-8")
        wrong = f"{host} {self.public_key('other_host_key')}\n"
        (self.folder / "wrong_known_hosts").write_text(wrong, encoding="utf-8")

    def authorized_keys(self):
        """Two lines: a login shell, and the forced command that only applies DNS files."""
        command = f"/bin/sh {HELPER} --conf {self.unbound.conf} --include {self.unbound.include_file}"
        return f'{self.public_key("plain")}\nrestrict,command="{command}" {self.public_key("forced")}\n'

    def public_key(self, name):
        """`TYPE BASE64` of a key."""
        return " ".join((self.folder / f"{name}.pub").read_text(encoding="utf-8").split()[:2])

    def fingerprint(self):
        """`SHA256:..` of the ed25519 host key, or None before the first start."""
        public = self.folder / "ssh_host_ed25519_key.pub"
        if not public.exists():
            return None
        return subprocess.run(
            ["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True
        ).stdout.split()[1]


def locked_account(user):
    """Without PAM, sshd refuses accounts whose password is locked (`!`)."""
    try:
        lines = Path("/etc/shadow").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{user}:!") for line in lines)
