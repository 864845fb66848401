"""Sources against independent clients and against each other: REST and binary API, Proxmox VE and proxmoxer."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from proxmoxer import ProxmoxAPI
from wire import self_signed

from ..support.configuration import only, sources
from ..support.lab import LAB
from ..support.surveyor import Surveyor


@contextlib.contextmanager
def api_peer(lab, folder):
    """The lab's router over its binary API; its address."""
    cert, key = self_signed(folder, "router1")
    router = lab.info["routeros"]
    argv = [sys.executable, str(LAB / "peers" / "routeros_api.py"), "--data", str(lab.network / "routeros")]
    argv += ["--cert", str(cert), "--key", str(key), "--username", router["username"]]
    argv += ["--password-file", router["password_file"]]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[1].removeprefix("https://")
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def installation(lab, tmp_path):
    """A configuration with sources and nothing else."""
    config = {"source": sources(lab.info, tmp_path)}
    config["credentials"] = []
    return Surveyor(tmp_path, config)


def observations(folder):
    """What was recorded, without times, in an order of its own."""
    lines = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(text)
            for name in ("observed_at", "expires_at"):
                row.pop(name, None)
            lines.append(json.dumps(row, sort_keys=True))
    return sorted(lines)


def test_both_ways_to_a_router_say_the_same(lab, installation, tmp_path):
    only(installation.config, "router1")
    installation.write()
    over_rest = installation.run("discover", "--json", "--record", str(tmp_path / "rest")).json
    with api_peer(lab, tmp_path / "peer") as address:

        def over_the_api(config):
            config["source"][0] |= {"address": address, "transport": "api", "tls": "insecure"}

        with installation.changed(over_the_api):
            over_api = installation.run("discover", "--json", "--record", str(tmp_path / "api")).json
            said = installation.run("doctor", code=None)
    assert over_rest["candidates"], "the router knows hosts"
    assert over_api == over_rest
    assert observations(tmp_path / "api") == observations(tmp_path / "rest")
    assert "router1: log in" in said.out, said


def test_a_wrong_password_over_the_api_is_said(lab, installation, tmp_path):
    only(installation.config, "router1")
    wrong = tmp_path / "wrong"
    wrong.write_text("nonsense", encoding="utf-8")
    with api_peer(lab, tmp_path / "peer") as address:
        change = {"address": address, "transport": "api", "tls": "insecure", "password_file": str(wrong)}
        installation.config["source"][0] |= change
        installation.write()
        found = installation.run("discover", "--json", code=None).json
    assert [gap["source"] for gap in found["gaps"]] == ["router1"], found
    assert found["candidates"] == []
    assert "nonsense" not in json.dumps(found)


def test_guests_are_those_that_proxmoxer_sees(lab, installation):
    only(installation.config, "pve")
    installation.write()
    found = installation.run("discover", "--json", code=None).json
    pve = lab.info["proxmox"]
    user, _, name = pve["token_id"].partition("!")
    host, _, port = pve["url"].removeprefix("https://").rpartition(":")
    secret = Path(pve["token_secret_file"]).read_text(encoding="utf-8").strip()
    client = ProxmoxAPI(host, port=port, user=user, token_name=name, token_value=secret, verify_ssl=False)
    expected = {}
    for row in client.cluster.resources.get(type="vm"):
        if row.get("template") or row.get("status") == "unknown":
            continue
        node = getattr(client.nodes(row["node"]), row["type"])(row["vmid"])
        config = node.config.get()
        nics = [value for key, value in config.items() if key.startswith("net") and key[3:].isdigit()]
        parts = [part.partition("=")[2] for nic in nics for part in nic.split(",")]
        expected[row["name"]] = sorted(part.upper() for part in parts if part.count(":") == 5)
    seen = {
        candidate["name"]: sorted(nic["mac"].upper() for nic in candidate["interfaces"])
        for candidate in found["candidates"]
        if candidate["kind"] == "virtual_machine"
    }
    assert seen == expected
