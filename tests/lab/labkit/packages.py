"""Debian packages the lab needs: installs only what is missing, says so, lets no service be started."""

import glob
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from .report import LabError, say

# What must be found -> the package that brings it.
NEEDS = {
    "postgres": {"/usr/lib/postgresql/*/bin/postgres": "postgresql", "psql": "postgresql-client"},
    "netbox": {"redis-server": "redis-server", "nginx": "nginx-light"},
    "dns": {
        "unbound": "unbound",
        "unbound-control": "unbound",
        "dig": "bind9-dnsutils",
        "sshd": "openssh-server",
        "ssh-keygen": "openssh-client",
    },
    "peers": {
        "openssl": "openssl",
        "/usr/lib/python3*/*/_gdbm*.so": "python3-gdbm",
        # For tests of Linux boxes in network namespaces.
        "lldpd": "lldpd",
        "busybox": "busybox",
    },
    "common": {
        "setpriv": "util-linux",
        "ip": "iproute2",
        "/usr/lib/python3*/ensurepip/__init__.py": "python3-venv",
    },
    # NetBox's PostgreSQL driver is compiled against libpq.
    "driver": {"gcc": "gcc", "pg_config": "libpq-dev", "/usr/include/*/sys/types.h": "libc6-dev"},
    "debootstrap": {"debootstrap": "debootstrap", "unshare": "util-linux"},
    "browser": {"chromium": "chromium", "chromedriver": "chromium-driver"},
    "bench": {"snmpbulkwalk": "snmp"},
    "dhcp": {
        "kea-dhcp4": "kea-dhcp4-server",
        "kea-dhcp6": "kea-dhcp6-server",
        "kea-ctrl-agent": "kea-ctrl-agent",
        "dnsmasq": "dnsmasq-base",
        "dhcpd": "isc-dhcp-server",
        "dhclient": "isc-dhcp-client",
    },
}
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_SAVED = Path("/usr/sbin/policy-rc.d.surveyor-lab-saved")
POLICY_MARK = "# surveyor-lab: no service is started while packages are installed\n"


def command(name):
    """The path of a command, looked up in the administrator's folders too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")


def present(need):
    """Whether a command, or a file given as a pattern, is there."""
    return bool(glob.glob(need)) if need.startswith("/") else bool(command(need))


def ensure(*groups):
    """Install the packages of these groups whose command or file is missing."""
    missing = {package for group in groups for need, package in NEEDS[group].items() if not present(need)}
    if missing:
        install(sorted(missing))


def install(packages):
    """apt-get install, quietly, without starting anything."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"missing packages, install them first: {' '.join(packages)}")
    for package in packages:
        say(f"installing Debian package {package}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install_command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    with services_held():
        for attempt in (["apt-get", "update", "-q"], install_command):
            done = subprocess.run(attempt, env=environment, capture_output=True, text=True, check=False)
            if done.returncode and attempt is install_command:
                raise LabError(f"apt-get failed:\n{(done.stdout + done.stderr)[-3000:]}")


@contextmanager
def services_held():
    """A policy-rc.d that refuses every service start, for the time of an installation."""
    restore_policy()
    if POLICY.exists():
        POLICY.rename(POLICY_SAVED)
    POLICY.write_text(f"#!/bin/sh\n{POLICY_MARK}exit 101\n", encoding="utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        restore_policy()


def restore_policy():
    """Put back what was there; also after a run that was killed half-way."""
    if POLICY.exists() and POLICY_MARK in POLICY.read_text(encoding="utf-8", errors="replace"):
        POLICY.unlink()
    if POLICY_SAVED.exists():
        POLICY_SAVED.rename(POLICY)
