"""The configuration of a Surveyor that watches the lab's network."""

from pathlib import Path

from .lab import WEBHOOK_PORT

ZONE = "hq.example"
SWEEP_SECONDS = 1
# An interrupted write counts as over after this; the lab's NetBox answers sooner.
SETTLE_SECONDS = 2


def secret(folder, name, text):
    """A file only its owner may read."""
    path = Path(folder) / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def sources(info, folder):
    """The router, the hypervisor, the two switches."""
    router, pve, snmp = info["routeros"], info["proxmox"], info["snmp"]
    switches = [
        {"name": name, "type": "snmp", "address": snmp["address"], "credentials": f"snmp-{name}"}
        for name in ("sw1", "sw2")
    ]
    return [
        {
            "name": "router1",
            "type": "routeros",
            "address": router["address"],
            "username": router["username"],
            "password_file": router["password_file"],
            "tls": router["fingerprint"],
        },
        {
            "name": "pve",
            "type": "proxmox",
            "url": pve["url"],
            "token_id": pve["token_id"],
            "token_secret_file": pve["token_secret_file"],
            "tls": pve["fingerprint"],
            "cluster": "lab",
        },
        *switches,
    ]


def dns(info):
    """The lab's Unbound, over SSH, with a login shell."""
    unbound, ssh = info["unbound"], info["ssh"]
    return {
        "zone": ZONE,
        "unbound": [
            {
                "name": "ns1",
                "ssh": f"{ssh['user']}@{ssh['address']}",
                "identity_file": ssh["identity_file"],
                "known_hosts_file": ssh["known_hosts_file"],
                "include_file": unbound["include_file"],
                "unbound_conf": unbound["conf"],
                "mode": "plain",
                "query": unbound["dns"],
            }
        ],
    }


def configuration(info, url, folder, state):
    """Everything; `state` is the folder with the tokens that bootstrap wrote."""
    folder, state = Path(folder), Path(state)
    return {
        "netbox": {
            "url": url,
            "stager_token_file": str(state / "stager-token"),
            "materializer_token_file": str(state / "materializer-token"),
            "settle_after_seconds": SETTLE_SECONDS,
        },
        "store": {"url": f"sqlite://{folder / 'surveyor.db'}"},
        "webhook": {
            "listen": f"127.0.0.1:{WEBHOOK_PORT}",
            "public_url": f"http://127.0.0.1:{WEBHOOK_PORT}/webhooks/netbox",
            "secret_file": str(state / "webhook-secret"),
        },
        "serve": {"sweep_seconds": SWEEP_SECONDS, "discover_minutes": 0},
        "defaults": {"site": "hq"},
        "credentials": [
            {"name": f"snmp-{name}", "community_file": secret(folder, f"community-{name}", name)}
            for name in ("sw1", "sw2")
        ],
        "source": sources(info, folder),
        "dns": dns(info),
    }


def only(config, *names):
    """Keeps only these sources."""
    config["source"] = [source for source in config["source"] if source["name"] in names]
