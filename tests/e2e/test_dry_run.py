"""A dry run writes nothing, and prints exactly the steps that the same command then does."""

import collections

import pytest

from .support import applied
from .support.netbox import custom
from .support.surveyor import DONE, FIXABLE, INCOMPLETE

EITHER = (DONE, INCOMPLETE)
# What a step calls a model, and what the change log calls it.
LOGGED = {
    "device": "dcim.device",
    "interface": "dcim.interface",
    "cable": "dcim.cable",
    "ip_address": "ipam.ipaddress",
    "virtual_machine": "virtualization.virtualmachine",
    "vm_interface": "virtualization.vminterface",
    "journal_entry": "extras.journalentry",
}


@pytest.fixture(scope="module")
def scene(start):
    """Bootstrapped, nothing staged yet."""
    return start("e2e-documented")


def steps(outcome):
    """(object, verb, label) of each step that was printed."""
    found = []
    for done in outcome.json["plans"]:
        plan = done["plan"]
        found += [(plan["object"], step["verb"], step["label"]) for step in plan["steps"]]
    return sorted(found)


def created(outcome):
    """How many objects of each kind the printed steps make."""
    count = collections.Counter()
    for done in outcome.json["plans"]:
        for step in done["plan"]["steps"]:
            kind = "journal_entry" if step["verb"] == "note" else step.get("kind")
            if step["verb"] in ("create", "note") and kind in LOGGED:
                count[LOGGED[kind]] += 1
    return count


def logged(scene, since):
    """How many objects of each kind were made, by NetBox's change log."""
    rows = scene.admin.all("core/object-changes/", id__gt=since, action="create")
    kinds = [row["changed_object_type"] for row in rows]
    return collections.Counter(kind for kind in kinds if kind in LOGGED.values())


def untouched(scene, command, *arguments):
    """Runs a command that must not write; what it said."""
    with scene.untouched():
        return scene.surveyor.run(command, *arguments, code=EITHER)


def test_stage(scene):
    replay = ("--replay", str(scene.recording))
    told = untouched(scene, "stage", "--dry-run", "--json", *replay)
    assert steps(told)
    last = scene.last_change()
    done = scene.stage("--json")
    assert steps(done) == steps(told)
    assert logged(scene, last) == created(told)
    assert steps(untouched(scene, "stage", "--dry-run", "--json", *replay)) == []


def test_apply_and_the_hash(scene):
    scene.approve("ws-anna", "web", "nas1")
    told = untouched(scene, "apply", "--dry-run", "--json")
    assert steps(told)
    assert all(server["pushed"] is False for server in told.json["dns"])
    last = scene.last_change()
    done = scene.surveyor.run("apply", "--expect", told.json["hash"], "--json", code=EITHER)
    assert steps(done) == steps(told)
    assert logged(scene, last) == created(told)
    assert scene.resolver.ask("ws-anna.hq.example") == ["192.0.2.101"]
    for name in ("ws-anna", "web", "nas1"):
        applied.check(scene, name)


def test_another_plan_than_expected_is_not_done(scene):
    scene.approve("backup1")
    told = untouched(scene, "apply", "backup1", "--dry-run", "--json").json["hash"]
    path, _ = scene.admin.ours("backup1")
    scene.reviewer.change(path, custom_fields={"surveyor_port": "GigabitEthernet1/0/9"})
    with scene.untouched():
        outcome = scene.surveyor.run("apply", "backup1", "--expect", told, code=FIXABLE)
    assert outcome.says(told)
    now = untouched(scene, "apply", "backup1", "--dry-run", "--json").json["hash"]
    assert now != told
    scene.surveyor.run("apply", "backup1", "--expect", now, code=EITHER)
    assert custom(scene.admin.device("backup1"), "state") == "applied"


def test_plan_of_what_is_not_approved_yet(scene):
    told = untouched(scene, "plan", "ap1")
    assert told.says("192.0.2.20", "sw2", "cable")
    device = scene.admin.device("ap1")
    for way in (custom(device, "id"), f"{scene.lab.url}/dcim/devices/{device['id']}/"):
        assert untouched(scene, "plan", way).out == told.out


def test_rollback(scene):
    told = untouched(scene, "rollback", "nas1", "--dry-run", "--json")
    done = scene.surveyor.run("rollback", "nas1", "--json")
    assert steps(done) == steps(told)
    applied.check_absent(scene, "nas1")


def test_parts_of_apply(scene):
    """`--skip-dns` leaves the servers alone, `--skip-netbox` only brings them up to date."""
    scene.approve("cam-door")
    files = scene.resolver.files()
    scene.surveyor.run("apply", "cam-door", "--skip-dns", code=EITHER)
    assert scene.resolver.files() == files
    last = scene.last_change()
    scene.surveyor.run("apply", "--skip-netbox", code=EITHER)
    assert scene.last_change() == last
    assert scene.resolver.ask("cam-door.hq.example") == ["192.0.2.51"]
