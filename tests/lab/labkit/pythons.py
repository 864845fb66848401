"""Python for NetBox (3.12 or newer, from the host or from a Debian trixie folder) and virtual environments.

A Python that is loaded as a shared library, as pyenv builds them, answers a request in 1.3 to 1.7 times the time of
Debian's. Where only such a one is on the host, the trixie folder is made if it can be.

A trixie interpreter is entered with chroot inside a private mount namespace: what is mounted there (proc,
the lab's own folder under its own name) is never visible outside, so the folder can be removed at any time.
Its /dev is the few nodes debootstrap makes; nothing of the host's is bound.
"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from . import packages
from .report import LabError, say

SUITE = "trixie"
# NetBox's PostgreSQL driver is compiled against libpq.
INCLUDE = "python3,python3-venv,python3-dev,gcc,libc6-dev,libpq-dev,ca-certificates"
SYSTEM_PYTHON = "/usr/bin/python3"
PROBE = "import sys, ssl, venv, ensurepip, ctypes; print(sys.version_info[:2] >= (3, 12))"
SHARED = "print(any('/libpython' in line for line in open('/proc/self/maps')))"
HEADERS = "import os, sysconfig; print(os.path.exists(sysconfig.get_path('include') + '/Python.h'))"
ENTER = """set -e
root=$1; shared=$2; shift 2
mount -t proc proc "$root/proc"
mkdir -p "$root$shared"
mount --bind "$shared" "$root$shared"
exec chroot "$root" "$@"
"""


def host_python():
    """A Python of the host that NetBox accepts. `SURVEYOR_LAB_PYTHON` names one (`debootstrap`: None)."""
    chosen = os.environ.get("SURVEYOR_LAB_PYTHON")
    if chosen == "debootstrap":
        return None
    candidates = [chosen] if chosen else []
    candidates += [shutil.which(name) for name in ("python3.13", "python3.12", "python3.14", "python3")]
    candidates += sorted(
        glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[2-9]*/bin/python3")), reverse=True
    )
    for candidate in filter(None, candidates):
        if says(candidate, PROBE):
            return candidate
    return None


class Interpreter:
    """How to run a command next to one Python: plainly, or inside the trixie folder."""

    def __init__(self, python, prefix=()):
        self.python = python
        self.prefix = tuple(map(str, prefix))

    def command(self, *argv):
        """The full command line."""
        return (*self.prefix, *map(str, argv))

    def run(self, *argv, env=None, timeout=1800):
        """Run to the end; return its output; stop with the end of it if it fails."""
        environment = {**os.environ, **(env or {})}
        line = self.command(*argv)
        done = subprocess.run(
            line, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise LabError(f"{' '.join(map(str, argv))} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout


def netbox_interpreter(lab, install=True):
    """The interpreter NetBox runs with, remembered so that a later start does not choose another one."""
    record = lab.cache / "netbox-python.json"
    if record.exists():
        choice = json.loads(record.read_text(encoding="utf-8"))
        if choice["trixie"]:
            return trixie(lab)
        if os.access(choice["python"], os.X_OK):
            return Interpreter(choice["python"])
    if not install:
        return None
    interpreter = choose(lab)
    is_trixie = bool(interpreter.prefix)
    record.write_text(json.dumps({"python": interpreter.python, "trixie": is_trixie}), encoding="utf-8")
    return interpreter


def choose(lab):
    """The host's Python if it is asked for or a fast one, else Debian's; the host's own if that cannot be had."""
    python = host_python()
    is_wanted = python and (python == os.environ.get("SURVEYOR_LAB_PYTHON") or not says(python, SHARED))
    if is_wanted or (python and os.geteuid() != 0):
        return on_host(python)
    try:
        interpreter = build_trixie(lab)
        interpreter.run("/usr/bin/python3", "-c", "")
        return interpreter
    except LabError as problem:
        if not python:
            raise
        say(f"{problem}; NetBox runs with {python}, which is slower")
        return on_host(python)


def on_host(python):
    """The host's Python, and what compiling for it takes."""
    packages.ensure("driver")
    if not says(python, HEADERS):
        packages.install(["python3-dev"])
    return Interpreter(python)


def says(python, probe):
    """Whether a Python prints True."""
    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)
    return done.stdout.strip() == "True"


def trixie(lab):
    """The interpreter inside the trixie folder."""
    enter = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", ENTER, "sh"]
    return Interpreter(SYSTEM_PYTHON, [*enter, lab.cache / SUITE, lab.outermost])


def build_trixie(lab):
    """debootstrap the folder; a half-made one is made again."""
    folder = lab.cache / SUITE
    if os.geteuid() != 0:
        raise LabError("no Python 3.12 or newer found, and a Debian folder with one can only be made as root")
    packages.ensure("debootstrap")
    if not (folder / ".complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        say(f"installing a Debian {SUITE} folder for its Python into {folder}")
        command = ["debootstrap", "--variant=minbase", f"--include={INCLUDE}", SUITE, str(folder), *mirror()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"debootstrap failed:\n{done.stdout[-3000:]}")
        (folder / ".complete").touch()
    for shared in ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
        if os.path.exists(shared):
            shutil.copyfile(shared, f"{folder}{shared}")
    return trixie(lab)


def mirror():
    """The host's own Debian mirror; none means debootstrap's default."""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return [
        line.split(" ", 1)[1] for line in listing if line.startswith("Debian http") and "security" not in line
    ][:1]


def ensure_venv(interpreter, folder, requirements):
    """A virtual environment with these requirements; made again when they or the Python change."""
    stamp = folder / ".requirements"
    wanted = hashlib.sha256(
        f"{interpreter.python}\n{requirements.read_text(encoding='utf-8')}".encode()
    ).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    wants = [
        line for line in requirements.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
    ]
    for requirement in wants:
        say(f"installing Python package {requirement} into {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    interpreter.run(interpreter.python, "-m", "venv", "--clear", folder)
    interpreter.run(folder / "bin" / "pip", "install", "-q", "--upgrade", *wants)
    stamp.write_text(wanted, encoding="utf-8")


def version_of(requirements, package):
    """The version a requirements file pins for a package."""
    for line in Path(requirements).read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{package}=="):
            return line.split("==", 1)[1].strip()
    raise LabError(f"{requirements} does not pin {package}")
