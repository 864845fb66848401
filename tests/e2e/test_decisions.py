"""What people decide besides approving: reject, ignore, delete, forget, correct, take out of service."""

import datetime

import pytest

from .support import applied
from .support.netbox import choice, custom, slugs
from .support.surveyor import DONE, INCOMPLETE

EITHER = (DONE, INCOMPLETE)


@pytest.fixture(scope="module")
def scene(start):
    """Everything is staged; each test decides about hosts of its own."""
    return start("e2e-staged")


def tombstones(scene, mac):
    """What is remembered about a MAC address."""
    return scene.admin.all("dcim/mac-addresses/", mac_address=mac, tag="surveyor-ignored")


def staged(scene, name):
    """Whether a candidate of this name waits."""
    paths = ("dcim/devices/", "virtualization/virtual-machines/")
    return any(scene.admin.all(path, name=name, status="staged") for path in paths)


def test_rejected_ignored_and_deleted_hosts_stay_away(scene):
    soon = str(datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30))
    mac = {name: applied.rows(name)[0]["mac"] for name in ("ws-ben", "reception-pc", "octopi", "dns1")}
    scene.decide("ws-ben", "reject")
    scene.decide("dns1", "reject")
    scene.decide("reception-pc", "ignore", surveyor_snooze_until=soon)
    scene.reviewer.delete(f"dcim/devices/{scene.admin.device('octopi')['id']}/")
    scene.surveyor.run("apply", code=EITHER)
    for name, decision in (("ws-ben", "reject"), ("reception-pc", "ignore"), ("dns1", "reject")):
        assert not staged(scene, name)
        [stone] = tombstones(scene, mac[name])
        assert custom(stone, "decision") == decision
        assert stone["assigned_object_id"] is None
        assert "rita" in str(stone), "who decided is remembered"
    assert custom(tombstones(scene, mac["reception-pc"])[0], "snooze_until") == soon
    until = custom(tombstones(scene, mac["octopi"])[0], "snooze_until")
    days = (datetime.date.fromisoformat(until) - datetime.datetime.now(datetime.UTC).date()).days
    assert days in (6, 7), "a deleted candidate is snoozed for a week"
    with scene.untouched():
        scene.stage()
    listed = scene.surveyor.run("ignored", "--json").json
    assert {row["mac"].upper() for row in listed} >= set(mac.values())
    # Deleting the tombstone by hand brings one back, `forget` another; the rest stays away.
    scene.reviewer.delete(f"dcim/mac-addresses/{tombstones(scene, mac['ws-ben'])[0]['id']}/")
    scene.surveyor.run("forget", mac["dns1"])
    scene.stage()
    assert [name for name in mac if staged(scene, name)] == ["ws-ben", "dns1"]
    # Back is back: it can be approved like any other.
    scene.approve("ws-ben")
    scene.surveyor.run("apply", code=EITHER)
    applied.check(scene, "ws-ben")


def test_a_lost_database_loses_no_decision(scene, tmp_path):
    scene.decide("laptop-7q2m", "reject")
    scene.surveyor.run("apply", code=EITHER)
    other = scene.surveyor.beside(tmp_path / "new")
    with scene.untouched():
        other.run("stage", "--replay", str(scene.recording))
    assert not staged(scene, "laptop-7q2m")


def test_what_a_person_corrected_wins(scene):
    """Port, name and addresses edited before approval survive a new run, and are what is made true."""
    path, row = scene.admin.ours("host-240ac47b193e")
    scene.reviewer.change(
        path,
        name="esp-kitchen",
        custom_fields={
            "surveyor_port": "9",
            "surveyor_addresses": "192.0.2.52",
            "surveyor_dns_name": "kitchen.hq.example",
        },
    )
    with scene.untouched():
        scene.stage()
    scene.approve("esp-kitchen")
    scene.surveyor.run("apply", code=EITHER)
    _, row = scene.admin.ours("esp-kitchen")
    port = scene.admin.one("dcim/interfaces/", device_id=row["id"])
    applied.check_cable(port, "sw2", "9")
    [address] = scene.admin.all("ipam/ip-addresses/", device_id=row["id"])
    assert (address["address"], address["dns_name"]) == ("192.0.2.52/24", "kitchen.hq.example")
    assert scene.resolver.ask("kitchen.hq.example") == ["192.0.2.52"]
    assert scene.admin.none("ipam/ip-addresses/", address="192.0.2.50/24")


def test_a_clone_is_not_approved(scene):
    """Cloning a candidate copies its tag; without an identity of its own it is a person's."""
    row = scene.admin.device("nas1")
    fields = {name: row[name]["id"] for name in ("site", "role", "device_type")}
    scene.admin.create(
        "dcim/devices/", **fields, name="nas1-copy", status="active", tags=[{"slug": "surveyor"}]
    )
    with scene.untouched():
        scene.surveyor.run("apply", code=EITHER)


@pytest.fixture(scope="module")
def in_service(scene):
    """Four hosts are approved, and made true at once."""
    names = ("backup1", "web", "cam-door", "nas1")
    scene.approve(*names)
    scene.surveyor.run("apply", code=EITHER)
    for name in names:
        applied.check(scene, name)


def test_out_of_service_means_out_of_dns_and_nothing_else(scene, in_service):
    statuses = {"backup1": "offline", "web": "decommissioning"}
    paths = {name: scene.admin.ours(name)[0] for name in statuses}
    before = scene.world()
    for name, status in statuses.items():
        scene.reviewer.change(paths[name], status=status)
    scene.surveyor.run("apply", code=EITHER)
    changed = scene.changes(before)
    assert "addresses" not in changed
    assert "cables" not in changed
    for name, status in statuses.items():
        assert scene.resolver.ask(f"{name}.hq.example") == []
        assert choice(scene.admin.expect("GET", paths[name])["status"]) == status
        scene.reviewer.change(paths[name], status="active")
    # Back in service, back in DNS.
    scene.surveyor.run("apply", code=EITHER)
    for name in statuses:
        applied.check_dns(scene, name)


def test_deleting_an_approved_device_leaves_nothing_behind(scene, in_service):
    path, _ = scene.admin.ours("cam-door")
    scene.admin.delete(path)
    assert scene.admin.port("router1", "ether5")["cable"], "NetBox leaves the half cable behind"
    scene.surveyor.run("apply", code=EITHER)
    assert scene.resolver.ask("cam-door.hq.example") == []
    cables = scene.admin.all("dcim/cables/")
    assert all(cable["a_terminations"] and cable["b_terminations"] for cable in cables)
    assert scene.admin.port("router1", "ether5")["cable"] is None


def test_without_the_tag_it_is_nobody_s(scene, in_service):
    path, _ = scene.admin.ours("nas1")
    for address in scene.admin.all("ipam/ip-addresses/", device="nas1"):
        assert slugs(address) == ["surveyor"]
    scene.admin.change(path, tags=[])
    last = scene.last_change()
    scene.surveyor.run("apply", code=EITHER)
    assert scene.resolver.ask("nas1.hq.example") == []
    assert scene.last_change() == last
