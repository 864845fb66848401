"""Roll back removes exactly what an approval made, and it stays removed until a person says otherwise."""

import pytest

from .support import applied
from .support.netbox import choice, custom
from .support.surveyor import DONE, INCOMPLETE
from .support.waiting import eventually, never

EITHER = (DONE, INCOMPLETE)
BY_COMMAND = ("ws-anna", "web")
BY_DECISION, BY_SCRIPT = "backup1", "cam-door"
ADOPTING, EXTENDED = "host-30055c9e4712", "ap1"
ALL = (*BY_COMMAND, BY_DECISION, BY_SCRIPT, ADOPTING, EXTENDED)


@pytest.fixture(scope="module")
def scene(start):
    """Six hosts are approved and made true at once; an address of one of them was there before."""
    scene = start("e2e-staged")
    scene.address = scene.admin.create(
        "ipam/ip-addresses/", address="192.0.2.40/24", status="reserved", description="mine"
    )["id"]
    scene.before, scene.records = scene.world(), scene.resolver.records()
    scene.approve(*ALL)
    scene.surveyor.run("apply")
    return scene


def traces(changed):
    """What differs besides the machine itself, whose status, state and proposal say what happened."""
    return {kind: rows for kind, rows in changed.items() if kind not in ("devices", "guests", "journal")}


def test_the_command_removes_everything_of_one_host(scene):
    for name in BY_COMMAND:
        applied.check(scene, name)
    others = [row for row in scene.resolver.records() if not any(name in row for name in BY_COMMAND)]
    for name in BY_COMMAND:
        with scene.untouched():
            dry = scene.surveyor.run("rollback", name, "--dry-run")
        assert name in dry.out
        scene.surveyor.run("rollback", name)
        applied.check_absent(scene, name)
        _, row = scene.admin.ours(name)
        assert (choice(row["status"]), custom(row, "state")) == ("active", "rolled-back")
    assert scene.resolver.records() == others
    with scene.untouched():
        scene.surveyor.run("rollback", BY_COMMAND[0], code=EITHER)


def test_an_address_that_was_there_before_stays(scene):
    """An unassigned address was adopted: it is given back as it was, not deleted."""
    path = f"ipam/ip-addresses/{scene.address}/"
    row = scene.admin.expect("GET", path)
    assert row["assigned_object"]["device"]["name"] == ADOPTING
    scene.surveyor.run("rollback", ADOPTING)
    row = scene.admin.expect("GET", path)
    assert row["assigned_object"] is None
    assert (choice(row["status"]), row["description"], row["tags"]) == ("reserved", "mine", [])


def test_what_a_person_added_since_stays(scene):
    """A second address and a description, typed by hand after the approval, are not Surveyor's to remove."""
    port = scene.admin.one("dcim/interfaces/", device=EXTENDED)
    scene.admin.change(f"dcim/interfaces/{port['id']}/", description="ceiling")
    own = scene.admin.create(
        "ipam/ip-addresses/",
        address="192.0.2.21/24",
        assigned_object_type="dcim.interface",
        assigned_object_id=port["id"],
    )["id"]
    scene.surveyor.run("rollback", EXTENDED)
    assert scene.admin.expect("GET", f"ipam/ip-addresses/{own}/")["assigned_object_id"] == port["id"]
    port = scene.admin.one("dcim/interfaces/", device=EXTENDED)
    assert (port["description"], port["cable"]) == ("ceiling", None)
    # As it was, for those who compare.
    scene.admin.delete(f"ipam/ip-addresses/{own}/")
    scene.admin.change(f"dcim/interfaces/{port['id']}/", description="")


def test_undo_in_netbox_does_the_same_and_no_sweep_applies_it_again(scene):
    """The decision, and the script, while `serve` runs; somebody else's approval shows that it looks."""
    number = scene.admin.device(BY_SCRIPT)["id"]
    with scene.surveyor.serve():
        scene.decide(BY_DECISION, "undo")
        scene.reviewer.create(
            "extras/scripts/surveyor_scripts.RollBack/", data={"devices": [number]}, commit=True
        )
        for name in (BY_DECISION, BY_SCRIPT):
            eventually(applied.has_state(scene, name, "rolled-back"), timeout=60)
            applied.check_absent(scene, name)
            assert custom(scene.admin.device(name), "decision") is None
        last = scene.last_change()
        never(lambda: scene.last_change() != last, during=3)
    with scene.untouched():
        scene.surveyor.run("apply", code=EITHER)
        scene.stage()


def test_nothing_else_has_changed(scene):
    """All are rolled back: the world is the one before, but for their states and the journal, which keeps both."""
    changed = scene.changes(scene.before)
    assert traces(changed) == {}
    assert not changed["journal"]["gone"]
    assert scene.resolver.records() == scene.records
    assert scene.resolver.answers()


def test_until_a_person_accepts_it_or_approves_it_again(scene):
    scene.decide("web", "accept")
    path, _ = scene.admin.ours("ws-anna")
    scene.reviewer.change(path, status="staged")
    scene.surveyor.run("apply")
    applied.check(scene, "web")
    assert applied.state(scene, "ws-anna") == "candidate"
    scene.approve("ws-anna")
    scene.surveyor.run("apply")
    applied.check(scene, "ws-anna")
