"""DHCP servers as Debian ships them, and clients that ask them, in network namespaces of the test's own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from .lab import LAB
from .waiting import eventually

sys.path[:0] = [str(LAB)]

from labkit import packages  # noqa: E402

HOOKS = next(Path("/usr/lib").glob("*/kea/hooks"), None)
KEA_USER = ("surveyor", "keep out")


def reason_to_skip():
    """Which daemon is missing; nothing if all are there."""
    missing = sorted(
        {package for need, package in packages.NEEDS["dhcp"].items() if not packages.present(need)}
    )
    return f"not installed: {', '.join(missing)} (tests/lab/lab.py install dhcp)" if missing else None


class Daemon:
    """One running daemon. It runs from a copy: a security profile of the host is for the installed file and its paths."""

    def __init__(self, host, folder, command, environment=None):
        self.host, self.folder = host, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{command}.log"
        self.program = self.folder / command
        self.environment = environment or {}
        self.process = None
        shutil.copy(packages.command(command), self.program)

    def start(self, *arguments):
        """Starts it in the namespace."""
        with open(self.log, "ab") as stream:
            self.process = subprocess.Popen(
                self.host.inside(str(self.program), *map(str, arguments)),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **self.environment},
            )
        return self

    def runs(self):
        """Fails with its log once it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text(encoding="utf-8", errors="replace")[-3000:])
        return True

    def stop(self):
        """An orderly end."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Kea(Daemon):
    """kea-dhcp4 or kea-dhcp6, with its leases in a file."""

    def __init__(self, host, folder, family, settings, hook=True):
        # Newer versions accept only these folders; older ones know of none.
        folder = Path(folder)
        places = dict.fromkeys(
            (
                "KEA_PIDFILE_DIR",
                "KEA_LOCKFILE_DIR",
                "KEA_DHCP_DATA_DIR",
                "KEA_CONTROL_SOCKET_DIR",
                "KEA_LOG_FILE_DIR",
            ),
            str(folder),
        )
        super().__init__(host, folder, f"kea-dhcp{family}", places)
        folder.chmod(0o750)
        self.environment["KEA_LFC_EXECUTABLE"] = str(shutil.copy(packages.command("kea-lfc"), folder))
        self.family = family
        self.socket = folder / f"kea{family}.sock"
        self.leases = folder / f"kea-leases{family}.csv"
        self.settings = {
            "interfaces-config": {"interfaces": ["eth0"]},
            "control-socket": {"socket-type": "unix", "socket-name": str(self.socket)},
            "lease-database": {
                "type": "memfile",
                "persist": True,
                "name": str(self.leases),
                "lfc-interval": 0,
            },
            "valid-lifetime": 600,
            **(
                {"preferred-lifetime": 400, "server-id": {"type": "LL", "persist": False}}
                if family == 6
                else {}
            ),
            "hooks-libraries": [{"library": str(HOOKS / "libdhcp_lease_cmds.so")}] if hook else [],
            **settings,
        }
        self.configuration = folder / f"kea-dhcp{family}.conf"

    def begin(self):
        """Starts it and waits until it answers."""
        self.configuration.write_text(json.dumps({f"Dhcp{self.family}": self.settings}), encoding="utf-8")
        self.start("-c", self.configuration)
        eventually(lambda: self.runs() and self.socket.exists() and self.ask("version-get"))
        return self

    def ask(self, command, **arguments):
        """One command; its answer."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(10)
            try:
                wire.connect(str(self.socket))
            except OSError:
                return None
            wire.sendall(json.dumps({"command": command, "arguments": arguments}).encode())
            answer = b""
            while piece := wire.recv(65536):
                answer += piece
        return json.loads(answer)

    def add(self, **lease):
        """Adds a lease, as an administrator can."""
        answer = self.ask(f"lease{self.family}-add", **lease)
        assert answer["result"] == 0, answer

    def stop(self):
        """The end, and none of the socket."""
        super().stop()
        self.socket.unlink(missing_ok=True)


class Agent(Daemon):
    """kea-ctrl-agent, with a password."""

    def __init__(self, host, folder, port, servers, **settings):
        folder = Path(folder)
        super().__init__(
            host, folder, "kea-ctrl-agent", {"KEA_PIDFILE_DIR": str(folder), "KEA_LOCKFILE_DIR": str(folder)}
        )
        self.port = port
        user, password = KEA_USER
        self.settings = {
            "http-host": "127.0.0.1",
            "http-port": port,
            "control-sockets": {
                f"dhcp{server.family}": {"socket-type": "unix", "socket-name": str(server.socket)}
                for server in servers
            },
            "authentication": {
                "type": "basic",
                "realm": "kea",
                "clients": [{"user": user, "password": password}],
            },
            **settings,
        }

    def begin(self):
        """Starts it and waits until it listens."""
        configuration = self.folder / "kea-ctrl-agent.conf"
        configuration.write_text(json.dumps({"Control-agent": self.settings}), encoding="utf-8")
        self.start("-c", configuration)
        eventually(lambda: self.runs() and listens(self.host, self.port))
        return self


def listens(host, port):
    """Whether something does, in the namespace."""
    done = subprocess.run(
        host.inside("ss", "-Hltn", f"sport = :{port}"), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Dnsmasq(Daemon):
    """dnsmasq as a DHCP server only."""

    def __init__(self, host, folder, *ranges):
        super().__init__(host, folder, "dnsmasq")
        self.leases = self.folder / "dnsmasq.leases"
        self.ranges = ranges

    def begin(self):
        """Starts it and waits until it serves."""
        self.start(
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--port=0",
            "--interface=eth0",
            "--user=root",
            "--no-ping",
            "--log-facility=-",
            f"--pid-file={self.folder / 'pid'}",
            f"--dhcp-leasefile={self.leases}",
            *(f"--dhcp-range={span}" for span in self.ranges),
        )
        eventually(lambda: self.runs() and "DHCP, IP range" in self.log.read_text(encoding="utf-8"))
        return self


class Dhcpd(Daemon):
    """ISC dhcpd, for one family."""

    def __init__(self, host, folder, family, configuration):
        super().__init__(host, folder, "dhcpd")
        self.family = family
        self.leases = self.folder / "dhcpd.leases"
        self.leases.touch()
        self.configuration = self.folder / "dhcpd.conf"
        self.configuration.write_text(configuration, encoding="utf-8")

    def begin(self):
        """Starts it and waits until it serves."""
        self.start(
            f"-{self.family}", "-d", "-cf", self.configuration, "-lf", self.leases,
            "-pf", self.folder / "pid", "-user", "root", "-group", "root", "eth0",
        )  # fmt: skip
        eventually(lambda: self.runs() and "Server starting service" in self.log.read_text(encoding="utf-8"))
        return self


class Client:
    """dhclient on a host: it asks for leases and keeps them to itself, the interface stays as it is."""

    def __init__(self, host, folder, name=None):
        self.host, self.folder, self.name = host, Path(folder), name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.program = self.folder / "dhclient"
        shutil.copy(packages.command("dhclient"), self.program)
        self.configuration = self.folder / "dhclient.conf"
        lines = ["timeout 20;", "initial-interval 1;", 'send vendor-class-identifier "surveyor-test";']
        if name is not None:
            lines.append(f'send host-name "{name}";')
        self.configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *options):
        """dhclient once, to its end."""
        family = "6" if "-6" in options else "4"
        files = ("-lf", self.folder / f"leases{family}", "-pf", self.folder / f"pid{family}")
        words = [self.program, *options, "-sf", "/bin/true", "-cf", self.configuration, *files, "eth0"]
        done = subprocess.run(self.host.inside(*map(str, words)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    def lease(self, *options):
        """Asks for a lease and goes away without giving it back."""
        self.run("-1", *options)
        self.run("-x", *options)

    def release(self, *options):
        """Gives the lease back."""
        self.run("-r", *options)


def without_address_checks(host):
    """IPv6 addresses of the namespace are usable at once."""
    for name in ("all", "default", "eth0"):
        path = f"/proc/sys/net/ipv6/conf/{name}/accept_dad"
        subprocess.run(host.inside("sh", "-c", f"echo 0 > {path}"), check=True)


def wait_for_link_local(host):
    """Until the interface has its own address."""

    def there():
        shown = host.ip("-6", "-o", "address", "show", "dev", "eth0", "scope", "link").stdout
        return "fe80" in shown and "tentative" not in shown

    eventually(there, interval=0.02)


def now():
    """Seconds, as the daemons count them."""
    return int(time.time())
