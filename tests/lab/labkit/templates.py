"""Template databases: made once, dumped into the cache, copied by `CREATE DATABASE .. TEMPLATE` in a moment.

`empty` is a migrated NetBox with its administrator; `documented` is `empty` after tests/lab/seed.py.
"""

import hashlib
import json
import subprocess

from . import netbox as installation
from . import probe
from .daemon import Daemon
from .instances import NAMES as INSTANCES
from .layout import LAB_SOURCE
from .netbox import template_database
from .report import LabError, say

SEED = LAB_SOURCE / "seed.py"
NETWORKS = LAB_SOURCE / "networks"
PREFIX = template_database("")


class Templates:
    """The templates of one lab."""

    def __init__(self, lab, credentials, netbox, postgres, instances):
        self.lab = lab
        self.credentials = credentials
        self.netbox = netbox
        self.postgres = postgres
        self.instances = instances
        self.folder = netbox.folder / "templates"

    def names(self):
        """All templates there are."""
        databases = (name for name in self.postgres.databases() if name.startswith(PREFIX))
        return sorted(name[len(PREFIX) :] for name in databases if not name.endswith("building"))

    def ensure_empty(self):
        """`empty`: from the server, else from the cache, else by migrating."""
        parts = (installation.VERSION, self.credentials.bearer, self.credentials["netbox_pepper"])
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        if self.is_current("empty", key):
            return
        if not self.restore("empty", key):
            building = installation.database_of("build")
            if building not in self.postgres.databases():
                self.postgres.query(f'create database "{building}" owner netbox')
            self.netbox.build_database()  # migrations resume where a killed run stopped
            self.postgres.drop(template_database("empty"))
            self.postgres.query(f'alter database "{building}" rename to "{template_database("empty")}"')
            self.keep("empty", key)
        # Copies of what `empty` was before are of no use: another NetBox version, or another administrator.
        for instance in INSTANCES:
            self.postgres.drop(installation.database_of(instance))

    def ensure_documented(self):
        """`documented`: rebuilt when seed.py or the networks it documents change."""
        if not SEED.exists():
            say("no template `documented`: tests/lab/seed.py is missing")
            return
        key = self.seed_key()
        if self.is_current("documented", key) or self.restore("documented", key):
            return
        say("building the template `documented`")
        self.instances.reset("seed", "empty")
        daemons = [(Daemon(self.lab, service.name), service) for service in self.instances.services("seed")]
        try:
            for daemon, service in daemons:
                daemon.start(service)
            for daemon, service in daemons:
                daemon.wait_ready(service)
            self.run_seed()
            self.instances.wait_idle("seed", ("high", "default", "low"), 300)
        finally:
            for daemon, _ in daemons:
                daemon.stop()
        self.snapshot("seed", "documented", key)
        self.postgres.drop(installation.database_of("seed"))

    def run_seed(self):
        """Fill the seed instance."""
        url = f"http://{self.lab.address('gunicorn-seed')}"
        python = self.lab.venv / "bin" / "python"
        command = [python, SEED, "--url", url, "--token-file", self.credentials.file("admin-token")]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"seed.py failed:\n{(done.stdout + done.stderr)[-4000:]}")

    def seed_key(self):
        """A hash over everything that decides what `documented` contains."""
        digest = hashlib.sha256(installation.VERSION.encode() + self.credentials.bearer.encode())
        files = [path for path in NETWORKS.rglob("*.json") if path.is_file()]
        for path in [SEED, *sorted(files)]:
            digest.update(str(path.relative_to(LAB_SOURCE)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def snapshot(self, instance, template, key="by hand"):
        """Make a template from an instance's database, and keep it in the cache."""
        if template == "empty":
            raise LabError("the template `empty` is not for overwriting")
        self.postgres.clone(installation.database_of(instance), template_database(template))
        self.netbox.keep_files(instance, template)
        # The rows of system jobs point to queue entries that a copy does not have.
        self.postgres.query("delete from core_job", database=template_database(template))
        self.keep(template, key)
        say(f"template `{template}` made from {instance}")

    def keep(self, template, key):
        """Dump a template into the cache and note what it was made from, there and in the database."""
        self.postgres.dump(template_database(template), self.folder / f"{template}.dump")
        (self.folder / f"{template}.json").write_text(json.dumps({"key": key}), encoding="utf-8")
        self.mark(template, key)

    def mark(self, template, key):
        """Note in the database what it was made from."""
        self.postgres.query(f"comment on database \"{template_database(template)}\" is '{key}'")

    def is_current(self, template, key):
        """Whether the server has the template, made from the same."""
        comment = "select shobj_description(oid, 'pg_database') from pg_database where datname = "
        return self.postgres.query(f"{comment}'{template_database(template)}'").strip() == key

    def restore(self, template, key):
        """Restore a template from the cache if it was made from the same."""
        try:
            kept = json.loads((self.folder / f"{template}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if kept["key"] != key or not (self.folder / f"{template}.dump").exists():
            return False
        self.postgres.restore(self.folder / f"{template}.dump", template_database(template))
        self.mark(template, key)
        return True

    def restore_others(self):
        """Bring back the templates people made, after the server's data were deleted."""
        for path in sorted(self.folder.glob("*.json")):
            if path.stem not in ("empty", "documented") and path.stem not in self.names():
                self.restore(path.stem, json.loads(path.read_text(encoding="utf-8"))["key"])

    def check_token(self, instance):
        """Fail if the administrator's token is not valid in an instance."""
        headers = {"Authorization": f"Bearer {self.credentials.bearer}", "Accept": "application/json"}
        status = probe.http_status(self.lab.port(instance), "/api/status/", headers)
        if status != 200:
            raise LabError(f"{instance} answers {status} to the administrator's token")
