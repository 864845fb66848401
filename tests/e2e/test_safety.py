"""Traps: each ends in a clear refusal or as evidence, never in a wrong write, and the others go on."""

import subprocess
import sys

import overlay
import pytest

from .support import applied, truth
from .support.lab import LAB
from .support.netbox import choice, custom
from .support.surveyor import DONE, INCOMPLETE

EITHER = (DONE, INCOMPLETE)
# Approved in one bulk edit with those that run into something.
HARMLESS = ("ws-anna", "nas1", "web", "trailing")


@pytest.fixture(scope="module")
def scene(start, lab):
    """The documented NetBox with the traps of `safety.json`; the network with hostile names."""
    lab.reset_network()
    overlay.apply(lab.network, truth.HOSTILE)
    lab.reload_network()
    try:
        scene = start("e2e-documented")
        seed = [sys.executable, str(LAB / "seed.py"), "--url", lab.url, "--extra", "safety"]
        seed += ["--token-file", lab.netbox["admin_token_file"]]
        subprocess.run(seed, check=True, capture_output=True)
        scene.foreign = foreign(scene)
        scene.surveyor.run("stage", code=EITHER)
        yield scene
    finally:
        lab.reset_network()


def foreign(scene):
    """Everything that was there before Surveyor came."""
    return {kind: set(rows) for kind, rows in scene.world().items()}


def assert_foreign_untouched(scene):
    """Nothing that was there before has changed."""
    now = scene.world()
    lost = {kind: rows - set(now[kind]) for kind, rows in scene.foreign.items() if rows - set(now[kind])}
    assert lost == {}


@pytest.fixture(scope="module")
def approved(scene):
    """All of them are approved in one bulk edit, after a person has typed a port that does not exist."""
    esp, octopi = "host-240ac47b193e", "host-dca632710ce8"
    path, _ = scene.admin.ours("backup1")
    scene.reviewer.change(path, custom_fields={"surveyor_port": "GigabitEthernet9/9/9"})
    # A prefix disappears between proposal and approval.
    servers = scene.admin.one("ipam/prefixes/", prefix="198.51.100.0/24")["id"]
    scene.admin.delete(f"ipam/prefixes/{servers}/")
    devices = [name for name in (*HARMLESS, "ws-ben", esp, octopi, "backup1") if name != "web"]
    bulk = [{"id": scene.admin.device(name)["id"], "status": "active"} for name in devices]
    scene.reviewer.expect("PATCH", "dcim/devices/", bulk)
    scene.approve("web", "postgres-prod")
    outcome = scene.surveyor.run("apply", code=INCOMPLETE)
    assert_foreign_untouched(scene)
    return outcome


def test_the_harmless_ones_are_done(scene, approved):
    for name in ("ws-anna", "nas1"):
        applied.check(scene, name)
    assert applied.state(scene, "trailing") == "applied"
    assert scene.resolver.ask("trailing.hq.example") == ["192.0.2.209"]


def test_a_port_with_a_cable_keeps_it(scene, approved):
    ben = scene.admin.device("ws-ben")
    assert custom(ben, "state") == "partial"
    assert scene.admin.one("dcim/interfaces/", device="ws-ben")["cable"] is None
    port = scene.admin.port("sw2", "2")
    assert port["link_peers"][0]["device"]["name"] == "printer-old"
    assert approved.says("printer-old"), approved
    assert "printer-old" in journal(scene, ben)
    # Address and name go on.
    assert ben["primary_ip4"]["address"] == "192.0.2.102/24"
    assert scene.resolver.ask("ws-ben.hq.example") == ["192.0.2.102"]


def test_an_address_of_another_stays_there(scene, approved):
    esp = scene.admin.device("host-240ac47b193e")
    assert custom(esp, "state") in ("blocked", "partial")
    address = scene.admin.one("ipam/ip-addresses/", address="192.0.2.50/24")
    assert address["assigned_object"]["device"]["name"] == "door-controller"
    assert address["tags"] == []
    assert scene.resolver.ask("host-240ac47b193e.hq.example") == []
    assert approved.says("door-controller"), approved
    assert "door-controller" in journal(scene, esp)


def test_an_unknown_port_is_named(scene, approved):
    backup = scene.admin.device("backup1")
    assert custom(backup, "state") == "partial"
    assert scene.admin.one("dcim/interfaces/", device="backup1")["cable"] is None
    assert "GigabitEthernet9/9/9" in journal(scene, backup).replace("\\", "")
    # Corrected, it goes on; nobody has to approve it again.
    path, _ = scene.admin.ours("backup1")
    scene.reviewer.change(path, custom_fields={"surveyor_port": "GigabitEthernet1/0/6"})
    scene.surveyor.run("apply", code=EITHER)
    port = scene.admin.one("dcim/interfaces/", device="backup1")
    applied.check_cable(port, "sw1", "GigabitEthernet1/0/6")
    assert applied.state(scene, "backup1") == "applied"


def test_a_missing_prefix_costs_no_address(scene, approved):
    """The mask a source saw, or the full length, and a word about it."""
    for name, address in (("backup1", "198.51.100.10"), ("postgres-prod", "198.51.100.22")):
        _, row = scene.admin.ours(name)
        assert row["primary_ip4"]["address"] in (f"{address}/24", f"{address}/32")


def test_a_taken_name_is_not_taken_again(scene, approved):
    assert scene.admin.device("OctoPi")["custom_fields"]["surveyor_id"] is None
    host = scene.admin.device("host-dca632710ce8")
    assert choice(host["status"]) == "active"
    assert scene.resolver.ask("octopi.hq.example") == []
    assert "octopi" in journal(scene, host).lower(), "the wish is kept as evidence"


def test_hostile_names_are_text(scene, approved):
    hosts = truth.hostile()
    assert len(hosts) == 12
    for host in hosts:
        row = scene.admin.device(host["name"])
        proposal = custom(row, "proposal") or ""
        for word in ("<script", "<img", "](http", "javascript:", "local-data", "$("):
            assert word not in proposal, (host, proposal)
    names = [host["name"] for host in hosts if host["name"] != "trailing"]
    scene.reviewer.expect(
        "PATCH",
        "dcim/devices/",
        [{"id": scene.admin.device(name)["id"], "status": "active"} for name in names],
    )
    scene.surveyor.run("apply", code=EITHER)
    for host in hosts:
        assert applied.state(scene, host["name"]) == "applied", host
        wanted = ["trailing.hq.example"] if host["name"] == "trailing" else []
        assert scene.resolver.reverse(host["addresses"][0]) == wanted
    text = scene.resolver.include.read_text(encoding="ascii")
    for line in text.splitlines():
        assert (
            not line.strip()
            or line.strip().split(":")[0] in ("server", "local-data", "local-data-ptr")
            or (line.strip().startswith(("#", "local-zone")))
        ), line
    assert scene.resolver.answers()
    assert_foreign_untouched(scene)


def test_nothing_is_tried_for_ever(scene, approved):
    """What stays refused is not written about again and again."""
    scene.surveyor.run("apply", code=EITHER)
    before, last = scene.world(), scene.last_change()
    scene.surveyor.run("apply", code=EITHER)
    assert scene.changes(before) == {}
    assert scene.last_change() == last


def journal(scene, row):
    """All journal entries and the proposal of an object, as one text."""
    entries = scene.admin.all("extras/journal-entries/", assigned_object_id=row["id"])
    return "\n".join([*(entry["comments"] for entry in entries), custom(row, "proposal") or ""])
