"""Sources that NetBox lists: devices by a filter, prefixes by a tag; what it lists without an address or not at all is said."""

import pytest

from .support.surveyor import DONE, INCOMPLETE


@pytest.fixture(scope="module")
def scene(start):
    """NetBox has the address of the lab's SNMP agents as the primary one of a switch; another switch has none."""
    scene = start("e2e-documented")
    host, _, scene.port = scene.lab.info["snmp"]["address"].partition(":")
    sw1, sw2 = scene.admin.device("sw1"), scene.admin.device("sw2")
    port = scene.admin.all("dcim/interfaces/", device_id=sw1["id"])[0]
    address = scene.admin.create(
        "ipam/ip-addresses/",
        address=f"{host}/32",
        assigned_object_type="dcim.interface",
        assigned_object_id=port["id"],
    )
    scene.admin.change(f"dcim/devices/{sw1['id']}/", primary_ip4=address["id"], oob_ip=None)
    scene.admin.change(f"dcim/devices/{sw2['id']}/", primary_ip4=None, primary_ip6=None, oob_ip=None)
    return scene


def switches(scene, wanted):
    """A configuration with the switches that this filter finds, and nothing else."""

    def edit(config):
        source = {"name": "access", "type": "snmp", "from_netbox": wanted}
        source |= {"port": int(scene.port), "credentials": "snmp-sw1"}
        config["source"] = [source]

    return edit


def test_a_device_that_a_filter_finds_is_read_at_its_address(scene):
    with scene.surveyor.changed(switches(scene, "name=sw1&status=active")):
        found = scene.surveyor.run("discover", "--json", code=(DONE, INCOMPLETE)).json
        checked = scene.surveyor.run("doctor", code=None)
    assert found["gaps"] == []
    placed = {
        card["attachment"]["switch"]
        for row in found["candidates"]
        for card in row["interfaces"]
        if card["attachment"]
    }
    assert placed == {"sw1"}
    assert checked.says("sw1", "system", "ok")


def test_a_device_without_an_address_is_a_gap_and_the_others_are_read(scene):
    with scene.surveyor.changed(switches(scene, "name=sw1&name=sw2")):
        found = scene.surveyor.run("discover", "--json", code=INCOMPLETE).json
    assert [gap["source"] for gap in found["gaps"]] == ["sw2"], found["gaps"]
    assert any(card["attachment"] for row in found["candidates"] for card in row["interfaces"])


def test_a_filter_that_netbox_does_not_know_is_a_gap_and_one_that_finds_nothing_is_said(scene):
    with scene.surveyor.changed(switches(scene, "nmae=sw1")):
        outcome = scene.surveyor.run("discover", "--json", code=INCOMPLETE)
    assert "nmae" in outcome.json["gaps"][0]["reason"]
    assert outcome.json["candidates"] == []
    with scene.surveyor.changed(switches(scene, "name=sw9")):
        outcome = scene.surveyor.run("discover", "--json")
        assert outcome.says("from_netbox", "finds nothing"), outcome
        assert scene.surveyor.run("doctor", code=None).says("`name=sw9` finds nothing")


def test_subnets_are_the_prefixes_with_a_tag(scene):
    tag = scene.admin.create("extras/tags/", name="Scan", slug="scan")["id"]
    prefix = scene.admin.one("ipam/prefixes/", prefix="192.0.2.0/24")
    scene.admin.change(f"ipam/prefixes/{prefix['id']}/", tags=[tag])

    def edit(config):
        config["source"] = [{"name": "lan", "type": "scan", "from_netbox": "tag=scan"}]

    with scene.surveyor.changed(edit):
        outcome = scene.surveyor.run("doctor", code=None)
    assert outcome.says("`tag=scan` finds 1 subnet"), outcome
