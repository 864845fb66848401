"""One process the lab started: recorded by pid and start time, so that nothing else is ever stopped."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .layout import HOST
from .report import LabError, say

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def nothing():
    """Prepare nothing."""


@dataclass(frozen=True)
class Service:
    """How one daemon is started, known to be ready, and stopped."""

    name: str
    argv: tuple
    ready: Callable[[], bool]
    ports: tuple = ()  # loopback ports, ("tcp" or "udp", number), that must be free before the start
    prepare: Callable[[], None] = nothing
    files: dict = field(default_factory=dict)  # configuration: path -> text, written before the start
    env: dict = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    ready_timeout: float = 60.0

    def digest(self):
        """A change of command line or configuration makes `up` restart the daemon."""
        parts = [list(map(str, self.argv)), sorted(self.env.items())]
        parts += sorted((str(path), text) for path, text in self.files.items())
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def process_stat(pid):
    """(state, session, start time) of a process from /proc, or None."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[3]), int(fields[19])


class Daemon:
    """The recorded process of one service."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.record_path = lab.daemon_dir / f"{name}.json"
        self.log_path = lab.log_dir / f"{name}.log"

    def record(self):
        """What was recorded at the start, or None."""
        try:
            return json.loads(self.record_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def pid(self):
        """The pid if that very process still runs, else None."""
        record = self.record()
        if not record or record["boot"] != BOOT_ID.read_text(encoding="utf-8").strip():
            return None
        stat = process_stat(record["pid"])
        if not stat or stat[0] == "Z" or stat[2] != record["start"]:
            return None
        return record["pid"]

    def start(self, service):
        """Start the service unless it already runs as configured. Does not wait until it is ready."""
        if self.pid():
            if self.record()["digest"] == service.digest():
                return False
            say(f"{self.name}: configuration changed, restarting")
        self.stop(service.stop_signal)
        for kind, port in service.ports:
            if not port_free(kind, port):
                raise LabError(
                    f"{self.name} cannot start: {kind} port {port} is used by a program that is not the lab's"
                )
        service.prepare()
        for path, text in service.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        with open(self.log_path, "ab") as log:
            process = subprocess.Popen(
                [str(part) for part in service.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **service.env},
                start_new_session=True,
            )
        stat = process_stat(process.pid)
        record = {
            "pid": process.pid,
            "start": stat[2],
            "boot": BOOT_ID.read_text(encoding="utf-8").strip(),
            "signal": int(service.stop_signal),
            "digest": service.digest(),
            "argv": [str(part) for part in service.argv],
        }
        self.record_path.write_text(json.dumps(record, indent=1), encoding="utf-8")
        return True

    def wait_ready(self, service):
        """Wait until the service answers; fail with the end of its log if it dies or takes too long."""
        deadline = time.monotonic() + service.ready_timeout
        while True:
            answers = service.ready()
            reap(self.record()["pid"])
            if answers and self.pid():
                return
            if not self.pid():
                raise LabError(f"{self.name} ended while starting\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise LabError(
                    f"{self.name} is not ready after {service.ready_timeout:.0f} s\n{self.log_tail()}"
                )
            time.sleep(0.05)

    def stop(self, stop_signal=None, timeout=20.0):
        """Stop the recorded process and what is left of its session; forget the record."""
        record = self.record()
        pid = self.pid()
        if pid:
            os.kill(pid, stop_signal or record["signal"])
            deadline = time.monotonic() + timeout
            while self.pid() and time.monotonic() < deadline:
                reap(pid)
                time.sleep(0.02)
            if self.pid():
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.1)
                reap(pid)
        if record and (process_stat(record["pid"]) or "Z")[0] == "Z":
            kill_session(record["pid"], record["start"])
        self.record_path.unlink(missing_ok=True)
        return bool(pid)

    def log_tail(self, lines=25):
        """The end of the log, indented."""
        try:
            text = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        except OSError:
            text = ["(no log)"]
        return "\n".join("    " + line for line in text)


def port_free(kind, port):
    """Whether a loopback port can be bound."""
    family = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, family) as attempt:
        if kind == "tcp":
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError:
            return False
    return True


def reap(pid):
    """Collect the exit status if the process is our own child; otherwise its parent does."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def session_members(session, since):
    """The living processes of a session, none older than its recorded leader."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = process_stat(entry.name)
            if stat and stat[1] == session and stat[2] >= since and stat[0] != "Z":
                yield int(entry.name)


def kill_session(session, since, timeout=5.0):
    """Kill what a dead daemon left behind in the session it led, and wait until it is gone."""
    deadline = time.monotonic() + timeout
    while members := list(session_members(session, since)):
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(f"processes {members} do not end")
        time.sleep(0.02)
