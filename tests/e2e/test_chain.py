"""The whole chain on a documented NetBox: discover, stage, approve in several ways, cable, address, DNS."""

import json

import pytest

from .support import applied, truth
from .support.netbox import choice, custom, slugs
from .support.surveyor import DONE, INCOMPLETE
from .support.waiting import eventually

# A phone with a random MAC address: staged or not, as the policy says.
EITHER_WAY = {"annas-iphone"}
# Two devices call themselves so: at most one of them gets the name.
SHARED = {"ipad", "host-f018984da273", "host-3c22fb601e95"}


@pytest.fixture(scope="module")
def scene(start):
    """One NetBox for the whole story; the tests follow each other."""
    return start("e2e-documented")


def test_discover_says_what_is_true_and_writes_nothing(scene):
    with scene.untouched():
        found = scene.surveyor.run("discover", "--json", code=(DONE, INCOMPLETE)).json
    by_mac = {}
    for candidate in found["candidates"]:
        for interface in candidate["interfaces"]:
            by_mac[(interface["mac"] or "").upper()] = (candidate, interface)
    for host in truth.candidates():
        assert host["mac"] in by_mac, host
        candidate, interface = by_mac[host["mac"]]
        # A node has its address on the bridge, and its MAC on the card in it.
        cards = candidate["interfaces"] if candidate.get("device") else [interface]
        assert sorted(text for card in cards for text in card["addresses"]) == sorted(host["addresses"]), host
        if host["name"] not in SHARED:
            assert candidate["name"] == host["name"]
        attachment = interface["attachment"]
        if host["place"]:
            assert attachment, (host, candidate)
            assert (attachment["switch"], attachment["port"]) == host["place"]
            assert attachment["exclusive"] == (host["plug"] == "cable"), host
    # What is seen and belongs to no known network is evidence, and says so; it is never staged.
    proposed = {mac for mac, (candidate, _) in by_mac.items() if not candidate.get("evidence_only")}
    strangers = [host["mac"] for host in truth.hosts() if host["kind"] == "none" and host["mac"] in proposed]
    assert strangers == []
    ends = {frozenset((link[side]["switch"], link[side]["port"]) for side in "ab") for link in found["links"]}
    assert ends == {frozenset(pair) for pair in truth.links()}


def test_stage_proposes_everything_and_no_more(scene):
    before = scene.world()
    scene.surveyor.run("stage", code=(DONE, INCOMPLETE))
    devices = scene.admin.all("dcim/devices/", tag="surveyor")
    guests = scene.admin.all("virtualization/virtual-machines/", tag="surveyor")
    names = {row["name"] for row in devices + guests}
    assert names - SHARED - EITHER_WAY == truth.names() - SHARED - EITHER_WAY
    assert {row["name"] for row in guests} == {h["name"] for h in truth.candidates() if h["kind"] == "vm"}
    for row in devices + guests:
        assert choice(row["status"]) == "staged"
        assert slugs(row) == ["surveyor"]
        assert row["primary_ip4"] is None
        assert custom(row, "id")
        assert custom(row, "state") in ("candidate", "conflict")
        assert 0 < len(custom(row, "proposal").splitlines()) <= 6
        assert 0 < custom(row, "confidence") <= 100
    anna = scene.admin.device("ws-anna")
    assert (custom(anna, "switch")["name"], custom(anna, "port")) == ("sw2", "1")
    assert "192.0.2.101" in custom(anna, "addresses")
    added = scene.changes(before)
    assert all(not rows["gone"] for rows in added.values())
    assert "addresses" not in added, "no IP address before approval"
    cables = scene.admin.all("dcim/cables/")
    assert len(cables) == len(truth.links())
    assert all(choice(cable["status"]) == "planned" and slugs(cable) == ["surveyor"] for cable in cables)


def test_the_second_run_writes_nothing(scene):
    with scene.untouched():
        outcome = scene.surveyor.run("stage", code=(DONE, INCOMPLETE))
    assert outcome.says(" 0 writes"), outcome


def test_approved_in_four_ways(scene):
    """A status edit, a bulk edit, a script, a guest; all at once, and each ends with everything in place."""
    with scene.surveyor.serve():
        scene.approve("ws-anna", "web")
        bulk = [
            {"id": scene.admin.device(name)["id"], "status": "active"} for name in ("nas1", "backup1", "ap1")
        ]
        scene.reviewer.expect("PATCH", "dcim/devices/", bulk)
        scripted = [scene.admin.device(name)["id"] for name in ("cam-door", "host-30055c9e4712")]
        scene.reviewer.create(
            "extras/scripts/surveyor_scripts.ApproveMany/", data={"devices": scripted}, commit=True
        )
        names = ("ws-anna", "web", "nas1", "backup1", "ap1", "cam-door", "host-30055c9e4712")
        for name in names:
            eventually(applied.is_applied(scene, name), timeout=90)
    for name in names:
        applied.check(scene, name)
    assert scene.resolver.answers()


def test_a_link_is_approved_by_connecting_it(scene):
    link = scene.admin.one("dcim/cables/", device="sw2", status="planned")
    scene.reviewer.change(f"dcim/cables/{link['id']}/", status="connected")
    before = scene.world()
    scene.surveyor.run("apply", code=(DONE, INCOMPLETE))
    row = scene.admin.expect("GET", f"dcim/cables/{link['id']}/")
    assert (choice(row["status"]), custom(row, "state")) == ("connected", "applied")
    changed = scene.changes(before)
    assert set(changed) <= {"cables", "journal"}, changed
    # Rejected links go, and stay away.
    other = scene.admin.one("dcim/cables/", device="router1", status="planned")
    scene.reviewer.change(f"dcim/cables/{other['id']}/", custom_fields={"surveyor_decision": "reject"})
    scene.surveyor.run("apply", code=(DONE, INCOMPLETE))
    scene.surveyor.run("stage", code=(DONE, INCOMPLETE))
    assert scene.admin.none("dcim/cables/", device="router1", status="planned")


def test_when_all_is_done_nothing_is_written_any_more(scene):
    with scene.untouched():
        scene.surveyor.run("stage", code=(DONE, INCOMPLETE))
        outcome = scene.surveyor.run("apply", code=(DONE, INCOMPLETE))
    assert outcome.says(" 0 writes"), outcome


def test_status_tells_where_things_stand(scene):
    told = scene.surveyor.run("status", "--json", code=(DONE, INCOMPLETE))
    assert json.loads(told.out)
    assert told.says("applied")
    doctor = scene.surveyor.run("doctor", code=None)
    assert doctor.code in (DONE, INCOMPLETE), doctor
