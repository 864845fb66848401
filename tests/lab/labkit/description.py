"""lab.json: where everything is. Tests and the Makefile read nothing else."""

import json
import os
import urllib.request
from pathlib import Path

from . import netbox as installation
from .instances import NAMES
from .layout import HOST, write_private
from .peers import PROXMOX_TOKEN, ROUTEROS_USER
from .report import LabError


def write(parts):
    """Write run/lab.json whole."""
    write_private(parts.lab.description, json.dumps(describe(parts), indent=2) + "\n")


def describe(parts):
    """The description; the same whether a part runs or not."""
    lab, unbound, sshd, peers = parts.lab, parts.unbound, parts.sshd, parts.peers
    return {
        "dir": str(lab.dir),
        "netbox": external_netbox() or own_netbox(parts),
        "postgres": {
            "host": HOST,
            "port": lab.port("postgres"),
            "store_url": parts.postgres.url("surveyor", "store_password", "surveyor"),
        },
        "redis": {"port": lab.port("redis")},
        "unbound": {
            "dns": lab.address("unbound"),
            "conf": str(unbound.conf),
            "include_file": str(unbound.include_file),
            "include_dir": str(unbound.include_dir),
            "control_conf": str(unbound.conf),
            "pid_file": str(unbound.folder / "unbound.pid"),
        },
        "ssh": {
            "address": lab.address("sshd"),
            "user": sshd.user,
            "identity_file": str(sshd.folder / "plain"),
            "forced_identity_file": str(sshd.folder / "forced"),
            "refused_identity_file": str(sshd.folder / "refused"),
            "known_hosts_file": str(sshd.folder / "known_hosts"),
            "wrong_known_hosts_file": str(sshd.folder / "wrong_known_hosts"),
            "host_key_fingerprint": sshd.fingerprint(),
        },
        "snmp": {"address": lab.address("snmp")},
        "routeros": {
            "address": lab.address("routeros"),
            "username": ROUTEROS_USER,
            "password_file": str(parts.credentials.file("routeros-password")),
            "fingerprint": peers.fingerprint("routeros"),
        },
        "proxmox": {
            "url": f"https://{lab.address('proxmox')}",
            "token_id": PROXMOX_TOKEN,
            "token_secret_file": str(parts.credentials.file("proxmox-token-secret")),
            "fingerprint": peers.fingerprint("proxmox"),
        },
        "network": {"dir": str(lab.network)},
    }


def own_netbox(parts):
    """The lab's own NetBox instances."""
    instances = {
        name: {
            "url": parts.instances.url(name),
            "admin_token_file": str(parts.credentials.file("admin-token")),
            "admin_user": "admin",
            "admin_password_file": str(parts.credentials.file("admin-password")),
            "database": installation.database_of(name),
            "admin_dsn": parts.postgres.url("postgres", "postgres_password", installation.database_of(name)),
        }
        for name in NAMES
    }
    return {"version": installation.VERSION, "instances": instances}


def external_netbox():
    """The NetBox that `NETBOX_URL` names, or None. It is known as `e2e`; what only our own has is null."""
    url = os.environ.get("NETBOX_URL")
    if not url:
        return None
    token_file = os.environ.get("NETBOX_ADMIN_TOKEN_FILE")
    if not token_file or not os.path.exists(token_file):
        raise LabError(
            "NETBOX_URL is set, so NETBOX_ADMIN_TOKEN_FILE must name a file with an administrator's token"
        )
    token = Path(token_file).read_text(encoding="utf-8").strip()
    scheme = "Bearer" if token.startswith("nbt_") else "Token"
    headers = {"Authorization": f"{scheme} {token}", "Accept": "application/json"}
    request = urllib.request.Request(f"{url.rstrip('/')}/api/status/", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            version = json.load(answer)["netbox-version"]
    except (OSError, ValueError, KeyError) as error:
        raise LabError(f"the NetBox at {url} does not answer to the token: {error}") from error
    unknown = dict.fromkeys(("admin_user", "admin_password_file", "database", "admin_dsn"))
    instance = {"url": url.rstrip("/"), "admin_token_file": token_file, **unknown}
    return {"version": version, "instances": {"e2e": instance}}
