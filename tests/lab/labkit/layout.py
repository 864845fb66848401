"""Where the lab keeps its things and which loopback ports it uses. Knows no service."""

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path

LAB_SOURCE = Path(__file__).resolve().parents[1]
REPOSITORY = LAB_SOURCE.parents[1]
HOST = "127.0.0.1"

# Name -> port. `SURVEYOR_LAB_PORT_OFFSET` shifts all of them, so that a second lab fits beside the first.
PORTS = {
    "redis": 16379,
    "postgres": 15432,
    "unbound": 15353,
    "unbound-control": 18953,
    "sshd": 12222,
    "snmp": 11161,
    "routeros": 18729,
    "proxmox": 18006,
    "e2e": 18000,
    "gunicorn-e2e": 18001,
    "demo": 18100,
    "gunicorn-demo": 18101,
    "gunicorn-seed": 18201,
}

# Folders of further labs inside the first one begin with this.
TWIN = "twin-"


def state_directory():
    """`SURVEYOR_LAB_DIR`, else a folder in the user's cache."""
    chosen = os.environ.get("SURVEYOR_LAB_DIR")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(base).expanduser() / "surveyor-lab").resolve()


class Layout:
    """The folders and addresses of one lab."""

    def __init__(self, directory=None, offset=None):
        self.dir = Path(directory) if directory else state_directory()
        # The folder that holds all that this lab's programs may need: a twin's are in the first lab's.
        self.outermost = self.dir.parent if self.dir.name.startswith(TWIN) else self.dir
        self.offset = int(os.environ.get("SURVEYOR_LAB_PORT_OFFSET", "0")) if offset is None else offset
        self.cache = self.dir / "cache"
        self.run = self.dir / "run"
        self.log_dir = self.run / "logs"
        self.daemon_dir = self.run / "daemons"
        self.description = self.run / "lab.json"
        self.network = self.run / "network"
        self.venv = self.cache / "venv"

    def port(self, name):
        """The port of one listener."""
        return PORTS[name] + self.offset

    def address(self, name):
        """`127.0.0.1:PORT` of one listener."""
        return f"{HOST}:{self.port(name)}"

    def make_folders(self):
        """Create the folders everything else expects."""
        for folder in (self.dir, self.cache, self.run, self.log_dir, self.daemon_dir):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self, name):
        """Hold an exclusive lock between `lab.py` commands; daemons do not inherit it."""
        self.dir.mkdir(parents=True, exist_ok=True)
        with open(self.dir / f".{name}.lock", "w", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def write_private(path, text, owner=None):
    """Write a file only its owner may read, replacing it whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    if owner:
        os.chown(temporary, *owner)
    os.replace(temporary, path)


def traversable(path):
    """Whether every other user may pass through all folders above `path` (a root home usually forbids it)."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents if folder.exists())
