"""The custom scripts do what the edit form can do, for those who may, and nothing for those who may not."""

import datetime
import itertools

import pytest

from .support.netbox import choice, custom
from .support.waiting import eventually

MODULE = "surveyor_scripts"
SECRET = "a-Long-Password-1"
NUMBERS = itertools.count(1)


class Stage:
    """Candidates made by hand, and people with and without rights."""

    def __init__(self, scene):
        self.scene = scene
        self.admin = scene.admin
        self.stager = scene.as_service("stager")
        self.site = self.admin.one("dcim/sites/", slug="hq")["id"]
        self.type = self.admin.one("dcim/device-types/", slug="surveyor-discovered")["id"]
        self.role = self.admin.one("dcim/device-roles/", slug="discovered")["id"]
        self.cluster = self.admin.one("virtualization/clusters/", name="lab")["id"]
        self.script_ids = [row["id"] for row in self.admin.all("extras/scripts/")]

    def fields(self, name, state="candidate", **more):
        """What all candidates have."""
        custom_fields = {"surveyor_id": f"mac:{name}", "surveyor_state": state}
        return {
            "name": name,
            "status": "staged",
            "tags": [{"slug": "surveyor"}],
            "custom_fields": custom_fields,
            **more,
        }

    def device(self, state="candidate", name=None):
        """A staged device."""
        name = name or f"box{next(NUMBERS)}"
        fields = self.fields(name, state, site=self.site, role=self.role, device_type=self.type)
        return self.stager.create("dcim/devices/", fields)["id"]

    def guest(self):
        """A staged virtual machine."""
        fields = self.fields(f"vm{next(NUMBERS)}", cluster=self.cluster)
        return self.stager.create("virtualization/virtual-machines/", fields)["id"]

    def link(self):
        """A planned cable between two switches."""
        number = next(NUMBERS)
        a, b = (self.admin.port(switch, port)["id"] for switch, port in (("sw1", SW1), ("sw2", SW2)))
        ends = [[{"object_type": "dcim.interface", "object_id": end}] for end in (a, b)]
        return self.stager.create(
            "dcim/cables/",
            a_terminations=ends[0],
            b_terminations=ends[1],
            status="planned",
            tags=[{"slug": "surveyor"}],
            custom_fields={"surveyor_id": f"link:{number}", "surveyor_state": "candidate"},
        )["id"]

    def person(self, name, *permissions):
        """Somebody who may run the scripts, and has these permissions: (actions, types, constraints)."""
        user = self.admin.create("users/users/", username=name, password=SECRET)["id"]
        permissions = (
            (["view", "run"], ["extras.script"], None),
            (["view"], ["dcim.device", "virtualization.virtualmachine", "dcim.cable"], None),
            *permissions,
        )
        for number, (actions, types, constraints) in enumerate(permissions):
            self.admin.create(
                "users/permissions/",
                name=f"{name} {number}",
                actions=actions,
                object_types=types,
                constraints=constraints,
                users=[user],
            )
        return self.admin.login(name, SECRET)

    def run(self, person, script, data, commit=True):
        """Runs a script to its end; the status of the job, and what it logged as one text."""
        body = {"data": data, "commit": commit}
        job = person.expect("POST", f"extras/scripts/{MODULE}.{script}/", body)["result"]["id"]

        def ended():
            row = self.admin.expect("GET", f"core/jobs/{job}/")
            return row if choice(row["status"]) in ("completed", "errored", "failed") else None

        row = eventually(ended, timeout=90)
        said = [f"{entry['status']}: {entry['obj']}: {entry['message']}" for entry in row["data"]["log"]]
        return choice(row["status"]), "\n".join(said)

    def read(self, number):
        """A device."""
        return self.admin.expect("GET", f"dcim/devices/{number}/")


SW1, SW2 = "GigabitEthernet1/0/24", "24"


@pytest.fixture(scope="module")
def stage(start):
    """Bootstrap has uploaded the scripts."""
    return Stage(start("e2e-documented"))


def test_bootstrap_uploaded_them_for_reviewers(stage):
    found = stage.admin.all("extras/scripts/")
    assert {row["name"] for row in found} == {"ApproveMany", "RejectMany", "RollBack"}
    assert all(row["is_executable"] and row["description"] for row in found)
    assert stage.scene.reviewer.call("GET", f"extras/scripts/{MODULE}.ApproveMany/")[0] == 200


def test_approve_many(stage):
    first, second, guest, link = stage.device(), stage.device(), stage.guest(), stage.link()
    role = stage.admin.create("dcim/device-roles/", name="Desk", slug="desk")["id"]
    data = {"devices": [first, second], "virtual_machines": [guest], "cables": [link], "role": role}
    status, said = stage.run(stage.scene.reviewer, "ApproveMany", data)
    assert status == "completed", said
    for number in (first, second):
        row = stage.read(number)
        assert choice(row["status"]) == "active"
        assert row["role"]["id"] == role
    assert (
        choice(stage.admin.expect("GET", f"virtualization/virtual-machines/{guest}/")["status"]) == "active"
    )
    assert choice(stage.admin.expect("GET", f"dcim/cables/{link}/")["status"]) == "connected"
    change = stage.admin.all("core/object-changes/", changed_object_id=first, action="update")[0]
    assert change["user_name"] == "rita"
    assert change["prechange_data"]["status"] == "staged"
    assert said.count("success") == 4


def test_everything_leaves_conflicts_alone(stage):
    plain, doubtful, decided = stage.device(), stage.device(state="conflict"), stage.device()
    stage.scene.reviewer.change(f"dcim/devices/{decided}/", custom_fields={"surveyor_decision": "reject"})
    status, said = stage.run(stage.scene.reviewer, "ApproveMany", {"everything": True})
    assert status == "completed", said
    found = [choice(stage.read(number)["status"]) for number in (plain, doubtful, decided)]
    assert found == ["active", "staged", "staged"]
    # One by one a conflict can be approved; what is to be rejected cannot.
    status, said = stage.run(stage.scene.reviewer, "ApproveMany", {"devices": [doubtful, decided]})
    found = [choice(stage.read(number)["status"]) for number in (doubtful, decided)]
    assert found == ["active", "staged"], said
    assert "already reject" in said


def test_without_commit_nothing_changes(stage):
    number = stage.device()
    status, said = stage.run(stage.scene.reviewer, "ApproveMany", {"devices": [number]}, commit=False)
    assert (status, choice(stage.read(number)["status"])) == ("completed", "staged"), said


def test_who_may_not_change_may_not_decide(stage):
    number = stage.device()
    walter = stage.person("walter")
    before = stage.scene.world()
    for script, data in (
        ("ApproveMany", {"devices": [number]}),
        ("ApproveMany", {"everything": True}),
        ("RejectMany", {"devices": [number], "decision": "reject"}),
        ("RollBack", {"devices": [number]}),
    ):
        status, said = stage.run(walter, script, data)
        assert status == "errored", (script, said)
        assert "may not change" in said or "Nothing is chosen" in said, said
    assert stage.scene.changes(before) == {}


def test_who_may_edit_but_not_activate_may_not_approve(stage):
    numbers = [stage.device(), stage.device()]
    staged_only = (["change"], ["dcim.device"], {"status": "staged"})
    paula = stage.person("paula", staged_only)
    before = stage.scene.world()
    status, said = stage.run(paula, "ApproveMany", {"devices": numbers})
    assert status == "errored", said
    assert "permissions do not allow" in said
    assert stage.scene.changes(before) == {}
    # The same person may reject.
    status, said = stage.run(paula, "RejectMany", {"devices": numbers, "decision": "reject"})
    assert status == "completed", said
    assert [custom(stage.read(number), "decision") for number in numbers] == ["reject", "reject"]


def test_foreign_objects_are_not_touched(stage):
    cloned = stage.admin.create(
        "dcim/devices/",
        name="cloned",
        site=stage.site,
        role=stage.role,
        device_type=stage.type,
        status="staged",
        tags=[{"slug": "surveyor"}],
    )["id"]
    switch = stage.admin.device("sw1")["id"]
    before = stage.scene.world()
    status, said = stage.run(stage.scene.reviewer, "ApproveMany", {"devices": [switch, cloned]})
    assert status == "errored", said
    status, said = stage.run(stage.scene.reviewer, "ApproveMany", {"devices": [cloned]})
    assert status == "completed", said
    assert "did not propose it" in said
    assert stage.scene.changes(before) == {}


def test_one_that_cannot_be_saved_does_not_stop_the_others(stage):
    annex = stage.admin.create("dcim/sites/", name="Annex", slug="annex")["id"]
    taken = stage.device(name="taken")
    other = stage.device()
    stage.admin.create(
        "dcim/devices/", name="TAKEN", site=annex, role=stage.role, device_type=stage.type, status="active"
    )
    status, said = stage.run(stage.scene.reviewer, "ApproveMany", {"devices": [taken, other], "site": annex})
    assert status == "completed", said
    assert choice(stage.read(taken)["status"]) == "staged"
    row = stage.read(other)
    assert (choice(row["status"]), row["site"]["id"]) == ("active", annex)


def test_reject_many_with_a_day(stage):
    number = stage.device()
    today = datetime.datetime.now(datetime.UTC).date()
    wish = {"devices": [number], "decision": "ignore"}
    late = str(today - datetime.timedelta(days=1))
    status, said = stage.run(stage.scene.reviewer, "RejectMany", {**wish, "snooze_until": late})
    assert status == "errored", said
    assert custom(stage.read(number), "decision") is None
    soon = str(today + datetime.timedelta(days=30))
    status, said = stage.run(stage.scene.reviewer, "RejectMany", {**wish, "snooze_until": soon})
    assert status == "completed", said
    row = stage.read(number)
    assert (custom(row, "decision"), custom(row, "snooze_until")) == ("ignore", soon)
    assert choice(row["status"]) == "staged"


def test_roll_back_is_for_what_was_applied(stage):
    applied, waiting = stage.device(), stage.device()
    stage.admin.change(
        f"dcim/devices/{applied}/", status="active", custom_fields={"surveyor_state": "applied"}
    )
    status, said = stage.run(stage.scene.reviewer, "RollBack", {"devices": [applied, waiting]})
    assert status == "completed", said
    found = [custom(stage.read(number), "decision") for number in (applied, waiting)]
    assert found == ["undo", None]
    assert "nothing of it was applied" in said
