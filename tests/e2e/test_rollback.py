"""Roll back removes exactly what an approval made, and it stays removed until a person says otherwise."""

import pytest

from .support import applied
from .support.netbox import choice, custom
from .support.surveyor import DONE, INCOMPLETE
from .support.waiting import eventually, never

EITHER = (DONE, INCOMPLETE)


@pytest.fixture(scope="module")
def scene(start):
    """Everything is staged."""
    return start("e2e-staged")


def traces(changed):
    """What differs besides the machine itself, whose status, state and proposal say what happened."""
    return {kind: rows for kind, rows in changed.items() if kind not in ("devices", "guests", "journal")}


@pytest.mark.parametrize("name", ["ws-anna", "web"])
def test_everything_it_made_and_nothing_else(scene, name):
    before, records = scene.world(), scene.resolver.records()
    scene.approve(name)
    scene.surveyor.run("apply", name)
    applied.check(scene, name)
    assert traces(scene.changes(before)), "the approval made something"
    middle = scene.world()
    dry = scene.surveyor.run("rollback", name, "--dry-run", code=EITHER)
    assert scene.changes(middle) == {}
    assert name in dry.out
    scene.surveyor.run("rollback", name)
    applied.check_absent(scene, name)
    changed = scene.changes(before)
    assert traces(changed) == {}
    assert scene.resolver.records() == records
    assert scene.resolver.answers()
    journal = changed["journal"]
    assert not journal["gone"], "the journal keeps both"
    _, row = scene.admin.ours(name)
    assert (choice(row["status"]), custom(row, "state")) == ("active", "rolled-back")
    # Again: nothing to do.
    world, last = scene.world(), scene.last_change()
    scene.surveyor.run("rollback", name, code=EITHER)
    assert scene.changes(world) == {}
    assert scene.last_change() == last


def test_the_sweep_does_not_apply_it_again(scene):
    last = scene.last_change()
    with scene.surveyor.serve():
        # Somebody else's approval shows that a full look has passed.
        scene.approve("nas1")
        eventually(applied.is_applied(scene, "nas1"), timeout=60)
        never(lambda: applied.state(scene, "ws-anna") != "rolled-back", during=3)
    scene.surveyor.run("apply", code=EITHER)
    scene.stage()
    for name in ("ws-anna", "web"):
        applied.check_absent(scene, name)
    changes = scene.admin.all("core/object-changes/", id__gt=last)
    touched = {row["changed_object"]["display"] for row in changes if row["changed_object"]}
    assert not {name for name in touched if name.startswith(("ws-anna", "web"))}, touched


def test_until_a_person_accepts_it_or_approves_it_again(scene):
    scene.decide("web", "accept")
    path, _ = scene.admin.ours("ws-anna")
    scene.reviewer.change(path, status="staged")
    scene.surveyor.run("apply", code=EITHER)
    applied.check(scene, "web")
    assert applied.state(scene, "ws-anna") == "candidate"
    scene.approve("ws-anna")
    scene.surveyor.run("apply", code=EITHER)
    applied.check(scene, "ws-anna")


def test_undo_in_netbox_does_the_same(scene):
    """The decision `undo`, and the script, while `serve` runs."""
    scene.approve("backup1", "cam-door")
    scene.surveyor.run("apply", code=EITHER)
    before = scene.world()
    number = scene.admin.device("cam-door")["id"]
    with scene.surveyor.serve():
        scene.decide("backup1", "undo")
        scene.reviewer.create(
            "extras/scripts/surveyor_scripts.RollBack/", data={"devices": [number]}, commit=True
        )
        for name in ("backup1", "cam-door"):
            eventually(lambda name=name: applied.state(scene, name) == "rolled-back", timeout=60)
            applied.check_absent(scene, name)
            assert custom(scene.admin.device(name), "decision") is None
    gone = scene.changes(before)
    assert all(
        "backup1" in row or "cam-door" in row or "192.0.2.51" in row or "198.51.100.10" in row
        for rows in traces(gone).values()
        for row in rows["gone"]
    )


def test_an_address_that_was_there_before_stays(scene):
    """An unassigned address was adopted: it is given back as it was, not deleted."""
    address = scene.admin.create(
        "ipam/ip-addresses/", address="192.0.2.40/24", status="reserved", description="mine"
    )["id"]
    scene.approve("host-30055c9e4712")
    scene.surveyor.run("apply", "host-30055c9e4712", code=EITHER)
    row = scene.admin.expect("GET", f"ipam/ip-addresses/{address}/")
    assert row["assigned_object"]["device"]["name"] == "host-30055c9e4712"
    scene.surveyor.run("rollback", "host-30055c9e4712")
    row = scene.admin.expect("GET", f"ipam/ip-addresses/{address}/")
    assert row["assigned_object"] is None
    assert (choice(row["status"]), row["description"], row["tags"]) == ("reserved", "mine", [])


def test_what_a_person_added_since_stays(scene):
    """A second address and a description, typed by hand after the approval, are not Surveyor's to remove."""
    scene.approve("ap1")
    scene.surveyor.run("apply", "ap1")
    port = scene.admin.one("dcim/interfaces/", device="ap1")
    scene.admin.change(f"dcim/interfaces/{port['id']}/", description="ceiling")
    own = scene.admin.create(
        "ipam/ip-addresses/",
        address="192.0.2.21/24",
        assigned_object_type="dcim.interface",
        assigned_object_id=port["id"],
    )["id"]
    scene.surveyor.run("rollback", "ap1")
    assert scene.admin.expect("GET", f"ipam/ip-addresses/{own}/")["assigned_object_id"] == port["id"]
    port = scene.admin.one("dcim/interfaces/", device="ap1")
    assert (port["description"], port["cable"]) == ("ceiling", None)
