"""A scene: a fresh copy of a bootstrapped NetBox, a Surveyor installation, a reviewer, a clean resolver.

The templates `e2e-empty`, `e2e-documented` and `e2e-staged` are made once by `surveyor bootstrap` (and
`surveyor stage`) and again when the binary, the scripts or the lab's own templates change.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
import time
from pathlib import Path

from .configuration import configuration, secret
from .dns import Resolver
from .lab import REPOSITORY
from .netbox import NetBox
from .surveyor import DONE, INCOMPLETE, Surveyor, binary
from .world import difference, world

# Template -> what it starts from, and whether the network is staged in it.
PLANS = {
    "e2e-empty": ("empty", False),
    "e2e-documented": ("documented", False),
    "e2e-staged": ("e2e-documented", True),
}
REVIEWER = "rita"
GROUP = "Surveyor reviewers"


class Scene:
    """What a group of tests plays in."""

    def __init__(self, lab, folder, state):
        self.lab, self.folder, self.state = lab, Path(folder), Path(state)
        self.admin = NetBox(lab.url, lab.admin_token())
        self.resolver = Resolver(lab.info["unbound"])
        self.surveyor = Surveyor(folder, configuration(lab.info, lab.url, folder, state))
        self.recording = self.state / "recording"
        self.people = json.loads((self.state / "people.json").read_text(encoding="utf-8"))
        for path in self.state.glob("surveyor.db*"):
            shutil.copy2(path, self.folder / path.name)
        self.reviewer = NetBox(lab.url, self.people[REVIEWER]["token"])

    def stage(self, *arguments, code=DONE):
        """Proposes what the recording of the network shows."""
        return self.surveyor.run("stage", "--replay", str(self.recording), *arguments, code=code)

    def world(self):
        """All that matters in NetBox."""
        return world(self.admin)

    def changes(self, before):
        """What is different now."""
        return difference(before, self.world())

    def last_change(self):
        """The id of the newest entry in the change log: whatever was written is there."""
        found = self.admin.expect("GET", "core/object-changes/", ordering="-id", limit=1)["results"]
        return found[0]["id"] if found else 0

    @contextlib.contextmanager
    def webhooks_off(self):
        """A person has switched NetBox's event rules off."""
        rules = self.admin.all("extras/event-rules/")
        for rule in rules:
            self.admin.change(f"extras/event-rules/{rule['id']}/", enabled=False)
        try:
            yield
        finally:
            for rule in rules:
                self.admin.change(f"extras/event-rules/{rule['id']}/", enabled=True)

    def as_service(self, which):
        """NetBox as `stager` or `materializer`."""
        token = (self.state / f"{which}-token").read_text(encoding="utf-8").strip()
        return NetBox(self.lab.url, token.removeprefix("Bearer ").removeprefix("Token "))

    def approve(self, *names, netbox=None, **more):
        """A person sets the status to active."""
        person = netbox or self.reviewer
        for name in names:
            path, _ = person.ours(name)
            person.change(path, status="active", **more)

    def decide(self, name, decision, netbox=None, **more):
        """A person sets the decision."""
        person = netbox or self.reviewer
        path, _ = person.ours(name)
        person.change(path, custom_fields={"surveyor_decision": decision, **more})


def record(surveyor, folder):
    """What the network shows, once and completely: most tests replay it."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if surveyor.run("discover", "--record", str(folder), code=(DONE, INCOMPLETE)).code == DONE:
            return
    raise AssertionError("the lab's network cannot be read without gaps")


class Scenes:
    """Makes scenes."""

    def __init__(self, lab):
        self.lab = lab
        self.folder = lab.folder / "run" / "e2e"

    def start(self, template, folder):
        """A scene in a fresh copy of the template; `folder` is for the installation."""
        state = self.ensure(template)
        self.lab.reset(template)
        scene = Scene(self.lab, folder, state)
        scene.resolver.reset()
        return scene

    def ensure(self, template):
        """The template and what belongs to it; the folder with tokens, secret and store."""
        base, staged = PLANS[template]
        state = self.folder / template
        key = self.key(base)
        kept = state / "key"
        is_kept = kept.exists() and kept.read_text(encoding="utf-8") == key
        if is_kept and template in self.lab.templates():
            return state
        if base in PLANS:
            origin = self.ensure(base)
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        if base in PLANS:
            for name in ("stager-token", "materializer-token", "webhook-secret", "people.json"):
                shutil.copy2(origin / name, state / name)
            shutil.copytree(origin / "recording", state / "recording")
        self.lab.reset(base)
        self.build(state, staged, base not in PLANS)
        self.lab.wait_idle()
        self.lab.snapshot(template)
        kept.write_text(key, encoding="utf-8")
        return state

    def build(self, state, staged, bootstrap):
        """Bootstraps, adds people, stages."""
        work = state / "work"
        work.mkdir()
        if bootstrap:
            secret(state, "webhook-secret", secrets.token_hex(24))
        surveyor = Surveyor(work, configuration(self.lab.info, self.lab.url, work, state))
        if bootstrap:
            surveyor.run("bootstrap", "--admin-token-file", self.lab.netbox["admin_token_file"])
            self.add_people(state)
            record(surveyor, state / "recording")
        if staged:
            surveyor.run("stage", "--replay", str(state / "recording"))
            surveyor.keep_store(state)

    def add_people(self, state):
        """A reviewer with the group's rights and no others."""
        admin = NetBox(self.lab.url, self.lab.admin_token())
        group = admin.one("users/groups/", name=GROUP)["id"]
        password = secrets.token_urlsafe(18) + "aA1"
        admin.create("users/users/", username=REVIEWER, password=password, groups=[group])
        person = admin.login(REVIEWER, password)
        token = person.session.headers["Authorization"].split()[1]
        people = {REVIEWER: {"password": password, "token": token}}
        secret(state, "people.json", json.dumps(people))

    def key(self, base):
        """What a template depends on."""
        program = binary().stat()
        # What was recorded grows stale: not older than a week.
        week = time.strftime("%G-%V")
        digest = hashlib.sha256(f"{program.st_mtime_ns} {program.st_size} {self.lab.url} {week}".encode())
        digest.update(self.lab.template_key(base if base not in PLANS else PLANS[base][0]).encode())
        for path in sorted((REPOSITORY / "netbox-scripts").glob("*.py")):
            digest.update(path.read_bytes())
        for path in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(path.read_bytes() if path.stem in ("scene", "configuration") else b"")
        return digest.hexdigest()
