"""SIGKILL around every call of one host's staging and materializing: it converges, and nothing is there twice.

Sampled unless SURVEYOR_FULL=1. The sources are read once and replayed, so that only NetBox, the store and
the resolver are involved.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from .support import applied, crash
from .support.configuration import only
from .support.scene import record
from .support.surveyor import DONE, INCOMPLETE
from .support.waiting import eventually
from .support.world import difference, duplicates

HOST = "ws-anna"
EITHER = (DONE, INCOMPLETE)


def one_host(config):
    """Only one host is proposed, and an interrupted call counts as over after two seconds."""
    config["stage"] = {"include": [{"name": HOST}], "links": "off"}
    config["netbox"]["settle_after_seconds"] = 2


class Trial:
    """One command of one host, from the same beginning each time."""

    def __init__(self, lab, scene, proxy, template, command):
        self.lab, self.scene, self.proxy = lab, scene, proxy
        self.template, self.command = template, command
        self.begin()
        outcome, self.requests = crash.requests_of(scene.surveyor, proxy, *command)
        assert outcome.code in EITHER, outcome
        self.wanted, self.records = scene.world(), scene.resolver.records()
        self.ledger = crash.ledger(scene.admin.device(HOST))

    def begin(self):
        """NetBox, store and resolver as they were."""
        self.lab.reset(self.template)
        self.scene.surveyor.forget_everything()
        for path in (self.scene.folder / self.template).glob("surveyor.db*"):
            shutil.copy2(path, self.scene.folder / path.name)
        self.scene.resolver.reset()

    def converges(self, point):
        """Started again, until it has nothing more to do; then the world is the one of an undisturbed run."""
        outcome = self.scene.surveyor.apply_until_quiet(*self.command)
        if not outcome.says(" 0 writes"):
            again = self.scene.surveyor.run(*self.command, code=EITHER)
            assert again.says(" 0 writes"), (point, outcome, again)
        found = self.scene.world()
        assert difference(self.wanted, found) == {}, (point, outcome)
        assert duplicates(found) == [], point
        assert self.scene.resolver.records() == self.records, point
        assert crash.ledger(self.scene.admin.device(HOST)) == self.ledger, point

    def killed(self, number, moment):
        """Dies at one moment; whether it came that far."""
        self.begin()
        return crash.killed_at(self.scene.surveyor, self.proxy, number, moment, *self.command)


def keep(lab, scene, template):
    """Takes NetBox and the store as they are for a beginning."""
    lab.snapshot(template)
    folder = scene.folder / template
    folder.mkdir()
    scene.surveyor.keep_store(folder)


@pytest.fixture(scope="module")
def scene(start):
    """A NetBox behind a proxy."""
    scene = start("e2e-documented")
    # Without the hypervisor: its node is proposed whatever the rules say.
    only(scene.surveyor.config, "router1", "sw1", "sw2")
    one_host(scene.surveyor.config)
    scene.surveyor.write()
    scene.recording = scene.folder / "recording"
    record(scene.surveyor, scene.recording)
    with crash.front(scene) as proxy:
        scene.proxy = proxy
        crash.proxied(scene.surveyor, proxy)
        yield scene


@pytest.fixture(scope="module")
def staging(lab, scene):
    """Staging one host."""
    (scene.folder / "e2e-documented").mkdir()
    command = ("stage", "--replay", str(scene.recording))
    trial = Trial(lab, scene, scene.proxy, "e2e-documented", command)
    assert [row["name"] for row in scene.admin.all("dcim/devices/", tag="surveyor")] == [HOST]
    return trial


@pytest.fixture(scope="module")
def materializing(lab, scene, staging):
    """Materializing it, after a person approved it."""
    staging.begin()
    scene.surveyor.run(*staging.command, code=EITHER)
    scene.approve(HOST)
    scene.before = scene.world()
    keep(lab, scene, "e2e-crash")
    trial = Trial(lab, scene, scene.proxy, "e2e-crash", ("apply", HOST))
    applied.check(scene, HOST)
    return trial


def try_all(trial, full, check=lambda point: None):
    """Every moment, or a sample; fails only after all of them, and tells which."""
    tried, failed = 0, []
    for point in crash.points(trial.requests, full):
        if not trial.killed(*point):
            continue
        tried += 1
        try:
            trial.converges(point)
            check(point)
        except AssertionError as problem:
            failed.append(f"{point} {trial.requests[point[0] - 1]}: {str(problem)[:1500]}")
    assert not failed, f"{len(failed)} of {tried}\n" + "\n".join(failed)
    assert tried >= 3


def test_staging(staging, full):
    try_all(staging, full)


def test_materializing(materializing, full):
    scene = materializing.scene

    def rolled_back(point):
        """What was made by two half runs is removed like what one made."""
        if not full and point[1] != "after":
            return
        scene.surveyor.run("rollback", HOST, code=EITHER)
        applied.check_absent(scene, HOST)
        changed = scene.changes(scene.before)
        assert set(changed) <= {"devices", "journal"}, (point, changed)

    try_all(materializing, full, rolled_back)


@pytest.mark.parametrize("moment", ["a file appears", "the file is there"])
def test_pushing_dns(materializing, moment):
    """Killed while the include file is written, and right after it: the daemon answers, the next run finishes."""
    scene = materializing.scene
    materializing.begin()
    before = scene.resolver.names()

    def happened():
        if moment == "the file is there":
            return scene.resolver.include.exists()
        return scene.resolver.names() != before

    assert crash.killed_when(scene.surveyor, happened, *materializing.command)
    assert scene.resolver.answers()
    materializing.converges(moment)
    left = scene.resolver.names() - before
    assert left == {scene.resolver.include.name}, "temporary files are cleared away"


def test_a_person_is_quicker(materializing):
    """Somebody edits the host between Surveyor's look at it and its write: planned again at once, nothing failed."""
    scene = materializing.scene
    materializing.begin()
    path, host = scene.admin.ours(HOST)
    scene.proxy.add_rule({"match": {"method": "PATCH", "path_prefix": f"/api/{path}"}, "action": "delay"})
    [rule] = scene.proxy.rules
    with ThreadPoolExecutor() as pool:
        running = pool.submit(scene.surveyor.run, *materializing.command, code=DONE)
        try:
            eventually(lambda: rule.fired, interval=0.02)
            scene.admin.change(path, description="by the window")
        finally:
            scene.proxy.clear_rules()
        outcome = running.result()
    assert outcome.says("planned again"), outcome
    applied.check(scene, HOST)
    assert scene.admin.expect("GET", path)["description"] == "by the window"
    failures = scene.admin.all("extras/journal-entries/", assigned_object_id=host["id"], kind="danger")
    assert failures == []


def test_serve_killed_and_started_again(materializing):
    """What `serve` had begun, the next `serve` finishes by itself."""
    scene = materializing.scene
    materializing.begin()
    with scene.surveyor.serve() as service:
        eventually(lambda: scene.admin.all("ipam/ip-addresses/", device=HOST), timeout=30, interval=0.02)
        service.kill()
    with scene.surveyor.serve():
        eventually(applied.is_applied(scene, HOST), timeout=60)
        eventually(lambda: scene.resolver.records() == materializing.records, timeout=30)
    assert scene.changes(materializing.wanted) == {}
    assert duplicates(scene.world()) == []
