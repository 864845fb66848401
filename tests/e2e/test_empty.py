"""From a NetBox that knows one site and nothing else to the first cable."""

import pytest

from .support import applied, truth
from .support.netbox import choice, custom
from .support.surveyor import DONE, INCOMPLETE
from .support.waiting import eventually

NETWORK = {"router1", "sw1", "sw2"}


@pytest.fixture(scope="module")
def scene(start):
    """Bootstrap has made the site, because there was none: no prefix, no device, no cluster but placeholders."""
    scene = start("e2e-empty")
    assert [site["slug"] for site in scene.admin.all("dcim/sites/")] == ["hq"]
    assert scene.admin.none("dcim/devices/")
    assert scene.admin.none("ipam/prefixes/")
    return scene


def test_the_switches_are_proposed_with_their_ports(scene):
    scene.stage(code=(DONE, INCOMPLETE))
    found = {row["name"] for row in scene.admin.all("dcim/devices/", status="staged")}
    assert found >= NETWORK
    assert "ws-anna" in found
    assert "isp-edge-7" not in found
    ports = {row["name"] for row in scene.admin.all("dcim/interfaces/", device="sw2")}
    assert {"1", "2", "24"} <= ports
    assert scene.admin.none("ipam/ip-addresses/")
    again = scene.stage(code=(DONE, INCOMPLETE))
    assert again.says(" 0 writes"), again


def test_a_host_before_its_switch_gets_all_but_the_cable(scene):
    scene.approve("ws-anna")
    scene.surveyor.run("apply", code=INCOMPLETE)
    anna = scene.admin.device("ws-anna")
    assert custom(anna, "state") == "partial"
    assert anna["primary_ip4"]
    assert scene.admin.none("dcim/cables/", status="connected")
    assert "sw2" in custom(anna, "proposal")


def test_the_switch_is_approved_and_its_hosts_get_their_cables(scene):
    with scene.surveyor.serve():
        scene.approve("sw2")
        eventually(applied.is_applied(scene, "sw2"), timeout=60)
        # The one that waited needs nobody to touch it again.
        eventually(applied.is_applied(scene, "ws-anna"), timeout=60)
        scene.approve("host-30055c9e4712", "reception-pc")
        for name in ("host-30055c9e4712", "reception-pc"):
            eventually(applied.is_applied(scene, name), timeout=60)
    for name, place in (("ws-anna", ("sw2", "1")), ("host-30055c9e4712", ("sw2", "3"))):
        device = scene.admin.device(name)
        port = scene.admin.one("dcim/interfaces/", device_id=device["id"])
        applied.check_cable(port, *place)
    behind = scene.admin.device("reception-pc")
    assert scene.admin.one("dcim/interfaces/", device_id=behind["id"])["cable"] is None
    assert scene.resolver.ask("ws-anna.hq.example") == ["192.0.2.101"]


def test_then_the_links_between_approved_switches_are_proposed(scene):
    scene.approve("sw1", "router1")
    scene.surveyor.run("apply", code=(DONE, INCOMPLETE))
    scene.stage(code=(DONE, INCOMPLETE))
    cables = [row for row in scene.admin.all("dcim/cables/") if choice(row["status"]) == "planned"]
    assert len(cables) == len(truth.links())
