"""NetBox itself refuses what Surveyor's two tokens must not do; what they say in `decision` counts for nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from .support import applied, attempts
from .support.netbox import choice, custom
from .support.waiting import eventually

REFUSALS = (400, 403, 404)


class Rights:
    """A NetBox with one object of each kind, and both tokens."""

    def __init__(self, scene):
        self.scene = scene
        self.admin = scene.admin
        self.tokens = {name: scene.as_service(name) for name in ("stager", "materializer")}
        self.things = self.places() | self.accounts()
        self.things |= self.machines() | self.loose()

    def id(self, path, **query):
        """The id of the only object that matches."""
        return self.admin.one(path, **query)["id"]

    def places(self):
        """What a device needs, and the switches of somebody else."""
        sw1, sw2 = self.id("dcim/devices/", name="sw1"), self.id("dcim/devices/", name="sw2")
        return {
            "site": self.id("dcim/sites/", slug="hq"),
            "role": self.id("dcim/device-roles/", slug="discovered"),
            "device_type": self.id("dcim/device-types/", slug="surveyor-discovered"),
            "cluster": self.id("virtualization/clusters/", name="lab"),
            "prefix": self.id("ipam/prefixes/", prefix="192.0.2.0/24"),
            "sw1": sw1,
            "sw2": sw2,
            "sw1 port": self.id("dcim/interfaces/", device_id=sw1, name="GigabitEthernet1/0/20"),
            "sw2 port": self.id("dcim/interfaces/", device_id=sw2, name="20"),
            "sw1 mac": self.admin.all("dcim/mac-addresses/", device_id=sw1)[0]["id"],
            "sw1 ip": self.admin.all("ipam/ip-addresses/", device_id=sw1)[0]["id"],
        }

    def accounts(self):
        """Users, permissions, and what bootstrap made."""
        return {
            "stager": self.id("users/users/", username="surveyor-stager"),
            "materializer": self.id("users/users/", username="surveyor-materializer"),
            "admin": self.id("users/users/", username="admin"),
            "reviewers": self.id("users/groups/", name="Surveyor reviewers"),
            "permission": self.admin.all("users/permissions/", name__isw="Surveyor stager")[0]["id"],
            "tag": self.id("extras/tags/", slug="surveyor"),
            "webhook": self.id("extras/webhooks/", name="Surveyor"),
            "rule": self.admin.all("extras/event-rules/")[0]["id"],
        }

    def machines(self):
        """A candidate, one that was approved, a guest, and a person's device under watch."""
        stager, materializer = self.tokens["stager"], self.tokens["materializer"]
        kind = {key: self.things[key] for key in ("site", "role", "device_type")}
        made = {}
        for name, mac in (("staged", "02:00:00:00:01:01"), ("active", "02:00:00:00:01:02")):
            fields = {
                "status": "staged",
                "tags": attempts.TAG,
                "custom_fields": {"surveyor_id": f"mac:{mac}"},
            }
            made[name] = stager.create("dcim/devices/", {**kind, **fields, "name": name})["id"]
            port = {"device": made[name], "name": "eth0", "type": "1000base-t", "tags": attempts.TAG}
            made[f"{name} port"] = stager.create("dcim/interfaces/", {**port, "mac_address": mac})["id"]
        fields = {"status": "staged", "tags": attempts.TAG, "custom_fields": {"surveyor_id": "pve:lab/1"}}
        guest = {**fields, "name": "vm", "cluster": self.things["cluster"]}
        made["vm"] = stager.create("virtualization/virtual-machines/", guest)["id"]
        self.scene.approve("active")
        far = self.id("dcim/interfaces/", device_id=self.things["sw1"], name="GigabitEthernet1/0/21")
        made["own cable"] = materializer.create("dcim/cables/", attempts.cable(made["active port"], far))[
            "id"
        ]
        address = {"address": "192.0.2.99/24", "tags": attempts.TAG, **attempts.on(made["active port"])}
        made["active ip"] = materializer.create("ipam/ip-addresses/", address)["id"]
        return made

    def loose(self):
        """What belongs to people: a managed device, cables, a journal entry."""
        kind = {key: self.things[key] for key in ("site", "role", "device_type")}
        fields = {**kind, "name": "managed", "status": "active", "tags": attempts.MANAGED}
        made = {"managed": self.admin.create("dcim/devices/", fields)["id"]}
        port = {"device": made["managed"], "name": "eth0", "type": "1000base-t"}
        made["managed port"] = self.admin.create("dcim/interfaces/", port)["id"]
        address = {"address": "192.0.2.98/24", **attempts.on(made["managed port"])}
        made["managed ip"] = self.admin.create("ipam/ip-addresses/", address)["id"]
        for name, status, tags, number in (
            ("cable", "connected", [], 22),
            ("planned", "planned", attempts.TAG, 23),
        ):
            ends = [
                self.id("dcim/interfaces/", device_id=self.things[switch], name=port)
                for switch, port in (("sw1", f"GigabitEthernet1/0/{number}"), ("sw2", str(number)))
            ]
            person = self.tokens["stager"] if status == "planned" else self.admin
            made[name] = person.create("dcim/cables/", attempts.cable(*ends, status, tags))["id"]
        entry = {
            "assigned_object_type": "dcim.device",
            "assigned_object_id": made["managed"],
            "comments": "mine",
        }
        made["entry"] = self.admin.create("extras/journal-entries/", entry)["id"]
        return made


@pytest.fixture(scope="module")
def rights(start):
    """Only the administrator's and the two tokens' REST calls; no Surveyor in between."""
    return Rights(start("e2e-documented"))


@pytest.mark.parametrize("who", ["stager", "materializer"])
def test_every_attempt_is_refused(rights, who):
    tried = attempts.both(rights.things) + getattr(attempts, who)(rights.things)

    def attempt(rows):
        done = []
        for name, method, path, body in rows:
            status, answer = rights.tokens[who].call(method, path, body)
            if status not in REFUSALS:
                done.append(f"{name}: {method} {path}: {status}: {str(answer)[:300]}")
        return done

    # Those of one model after each other: two transactions on one port are a 500, which proves nothing.
    groups = {}
    for row in tried:
        groups.setdefault(row[2].split("/")[1], []).append(row)
    before = rights.scene.last_change()
    with ThreadPoolExecutor(4) as pool:
        done = [text for texts in pool.map(attempt, groups.values()) for text in texts]
    assert not done, "\n".join(done)
    assert rights.scene.last_change() == before


@pytest.mark.parametrize("who", ["stager", "materializer"])
def test_nor_in_the_background(rights, who):
    staged, foreign = rights.things["staged"], rights.things["sw1"]
    for body in ([{"id": staged, "status": "active"}], [{"id": foreign, "comments": "x"}]):
        status, _ = rights.tokens[who].call("PATCH", "dcim/devices/", body, background="true")
        assert status == 202 or status in REFUSALS
    rights.scene.lab.wait_idle()
    assert choice(rights.admin.expect("GET", f"dcim/devices/{staged}/")["status"]) == "staged"
    assert rights.admin.expect("GET", f"dcim/devices/{foreign}/")["comments"] == ""


def test_what_they_need_they_may(rights):
    """The refusals above are no accident: the same calls, on their own objects, succeed."""
    stager, materializer = rights.tokens["stager"], rights.tokens["materializer"]
    things = rights.things
    stager.change(f"dcim/devices/{things['staged']}/", custom_fields={"surveyor_port": "x"})
    stager.change(f"dcim/interfaces/{things['staged port']}/", custom_fields={"surveyor_port": "x"})
    tombstone = {"mac_address": "02:00:00:00:02:01", "tags": attempts.IGNORED}
    stager.delete(f"dcim/mac-addresses/{stager.create('dcim/mac-addresses/', tombstone)['id']}/")
    materializer.change(f"dcim/devices/{things['active']}/", primary_ip4=things["active ip"])
    materializer.change(f"dcim/devices/{things['managed']}/", custom_fields={"surveyor_state": "drifted"})
    loose = rights.admin.create("ipam/ip-addresses/", {"address": "192.0.2.97/24"})["id"]
    adopted = {**attempts.on(things["active port"]), "tags": attempts.TAG}
    materializer.change(f"ipam/ip-addresses/{loose}/", **adopted)
    materializer.delete(f"ipam/ip-addresses/{loose}/")
    materializer.delete(f"dcim/cables/{things['own cable']}/")


def test_a_decision_of_its_own_users_has_no_effect(start):
    """Either token can write `decision`; who wrote it is in the change log."""
    scene = start("e2e-staged")
    stager, materializer = scene.as_service("stager"), scene.as_service("materializer")
    scene.decide("ws-anna", "reject", netbox=stager)
    scene.decide("web", "ignore", netbox=stager)
    scene.approve("nas1")
    scene.surveyor.run("apply", "nas1")
    scene.decide("nas1", "undo", netbox=materializer)
    before = scene.world()
    scene.surveyor.run("apply", code=None)
    with scene.surveyor.serve() as service:
        # A person's approval shows that a sweep has passed.
        scene.approve("backup1")
        eventually(applied.is_applied(scene, "backup1"), timeout=60)
        assert service.process.poll() is None
    gone = [text for rows in scene.changes(before).values() for text in rows["gone"]]
    assert [text for text in gone if not text.startswith("backup1")] == []
    assert custom(scene.admin.device("nas1"), "state") == "applied"
    # The decision of a person counts.
    scene.decide("ws-anna", "ignore")
    scene.surveyor.run("apply", code=None)
    assert scene.admin.none("dcim/devices/", name="ws-anna")
