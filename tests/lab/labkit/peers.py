"""The network's devices at the wire: RouterOS and Proxmox peers and an SNMP agent, over a network folder.

They serve a copy of it (run/network), which tests may edit; the originals are in tests/lab/networks.
"""

import hashlib
import shutil
import ssl
import subprocess

from . import accounts, probe
from .daemon import Service
from .layout import HOST, LAB_SOURCE
from .report import LabError, say

PEERS = LAB_SOURCE / "peers"
NETWORK = LAB_SOURCE / "networks" / "hq"
ROUTEROS_USER = "surveyor"
PROXMOX_TOKEN = "surveyor@pve!ro"
SNMP_USER = "nobody"
# SNMPv3 beside the v2c communities (community or context = device name).
SNMP_V3 = ("--v3-engine-id=auto", "--v3-user=surveyor", "--v3-auth-key=authpass123", "--v3-auth-proto=SHA256")
SNMP_V3_PRIVACY = ("--v3-priv-key=privpass123", "--v3-priv-proto=AES")


class Peers:
    """The wire peers of one lab."""

    def __init__(self, lab, credentials):
        self.lab = lab
        self.credentials = credentials
        self.folder = lab.run / "peers"
        self.snmp_data = lab.run / "snmp" / "data"
        self.snmp_cache = lab.run / "snmp" / "cache"

    def services(self):
        """Those whose program is there."""
        services = []
        for make in (self.routeros, self.proxmox, self.snmp):
            service = make()
            script = PEERS / ("snmp_data.py" if service.name == "snmp" else f"{service.name}.py")
            if script.exists() and NETWORK.exists():
                services.append(service)
            else:
                say(
                    f"{service.name}: not started, {script.relative_to(LAB_SOURCE)} or networks/hq is missing"
                )
        return services

    def routeros(self):
        """The RouterOS REST and API peer."""
        secret = ("--username", ROUTEROS_USER, "--password-file", self.credentials.file("routeros-password"))
        return self.https_peer("routeros", secret)

    def proxmox(self):
        """The Proxmox VE peer."""
        secret = (
            "--token-id",
            PROXMOX_TOKEN,
            "--token-secret-file",
            self.credentials.file("proxmox-token-secret"),
        )
        return self.https_peer("proxmox", secret)

    def https_peer(self, name, secret):
        """A peer behind TLS with a certificate of its own."""
        argv = [self.lab.venv / "bin" / "python", PEERS / f"{name}.py", "--data", self.lab.network / name]
        argv += [
            "--listen",
            self.lab.address(name),
            "--cert",
            self.certificate(name),
            "--key",
            self.key(name),
        ]
        port = self.lab.port(name)

        def prepare():
            self.make_certificate(name)

        environment = {"PYTHONUNBUFFERED": "1", **program_text()}
        return Service(
            name, (*argv, *secret), lambda: probe.tcp_open(port), (("tcp", port),), prepare, env=environment
        )

    def snmp(self):
        """The SNMP agent: one UDP port, a device per community."""
        port = self.lab.port("snmp")
        argv = [
            *accounts.run_as(SNMP_USER, self.lab.dir),
            self.lab.venv / "bin" / "snmpsim-command-responder",
        ]
        argv += [f"--cache-dir={self.snmp_cache}", "--logging-method=stderr", "--log-level=error"]
        argv += [
            *SNMP_V3,
            *SNMP_V3_PRIVACY,
            f"--data-dir={self.snmp_data}",
            f"--agent-udpv4-endpoint={HOST}:{port}",
        ]
        environment = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.snmp_cache), **program_text()}
        return Service(
            "snmp",
            tuple(argv),
            self.snmp_answers,
            (("udp", port),),
            self.make_snmp_data,
            env=environment,
            ready_timeout=30,
        )

    def snmp_answers(self):
        """Whether any device says its name."""
        names = sorted(path.stem for path in self.snmp_data.glob("*.snmprec"))
        return bool(names) and probe.udp_answers(self.lab.port("snmp"), sysname_request(names[0]))

    def make_snmp_data(self):
        """snmprec files from the copied network, readable by the agent."""
        shutil.rmtree(self.snmp_data, ignore_errors=True)
        for folder in (self.snmp_data, self.snmp_cache):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        accounts.give(self.snmp_cache, SNMP_USER)
        python = self.lab.venv / "bin" / "python"
        command = [python, PEERS / "snmp_data.py", "--network", self.lab.network, "--out", self.snmp_data]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"snmp_data.py failed:\n{(done.stdout + done.stderr)[-3000:]}")

    def copy_network(self):
        """A fresh copy of the network for tests to edit."""
        if not NETWORK.exists():
            return
        if self.lab.network.exists():
            shutil.rmtree(self.lab.network)
        shutil.copytree(NETWORK, self.lab.network)

    def network_differs(self):
        """Whether the copy is missing or not (any more) what the repository has."""
        return NETWORK.exists() and tree_digest(NETWORK) != tree_digest(self.lab.network)

    def certificate(self, name):
        """The path of a peer's certificate."""
        return self.folder / f"{name}.crt"

    def key(self, name):
        """The path of a peer's private key."""
        return self.folder / f"{name}.key"

    def make_certificate(self, name):
        """A self-signed leaf certificate, once."""
        if self.certificate(name).exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]
        command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{HOST},DNS:localhost"]
        command += ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"]
        command += ["-keyout", str(self.key(name)), "-out", str(self.certificate(name))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"openssl failed:\n{done.stderr}")

    def fingerprint(self, name):
        """`sha256:AA:BB..` of a peer's certificate, as browsers print it; None before it is made."""
        if not self.certificate(name).exists():
            return None
        text = self.certificate(name).read_text(encoding="ascii")
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest().upper()
        return "sha256:" + ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def program_text():
    """A hash over the peers' programs, as an environment variable: a change makes `up` restart them."""
    digest = hashlib.sha256()
    for path in sorted(PEERS.glob("*.py")):
        digest.update(path.read_bytes())
    return {"SURVEYOR_LAB_PEERS": digest.hexdigest()}


def tree_digest(folder):
    """A hash over all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sysname_request(community):
    """An SNMPv2c GET of sysName.0, in BER."""

    def field(tag, content):
        return bytes([tag, len(content)]) + content

    name = field(0x06, bytes([0x2B, 6, 1, 2, 1, 1, 5, 0]))
    bindings = field(0x30, field(0x30, name + b"\x05\x00"))
    request = field(0xA0, b"\x02\x01\x01\x02\x01\x00\x02\x01\x00" + bindings)
    return field(0x30, b"\x02\x01\x01" + field(0x04, community.encode()) + request)
