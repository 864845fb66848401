"""A Surveyor installation in the lab's folder: configuration, secrets, database, and the running `serve`."""

import contextlib
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path

os.environ["SURVEYOR_E2E_INSTANCE"] = "demo"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from e2e.support import configuration
from e2e.support.dns import Resolver
from e2e.support.lab import Lab
from e2e.support.netbox import NetBox
from e2e.support.surveyor import Service, Surveyor
from e2e.support.waiting import eventually

# The end-to-end tests listen elsewhere, and may run at the same time.
WEBHOOK_PORT = 18845 + int(os.environ.get("SURVEYOR_LAB_PORT_OFFSET", "0"))
SWEEP_SECONDS = 15
REVIEWER = "rita"
GROUP = "Surveyor reviewers"


class Installation:
    """Everything that the demo works with; made anew each time."""

    def __init__(self, binary):
        os.environ["SURVEYOR_BIN"] = str(binary)
        self.lab = Lab()
        self.folder = self.lab.folder / "run" / "demo"
        self.pid_file = self.folder / "serve.pid"
        self.stop_earlier()
        self.reset()
        self.surveyor = Surveyor(self.folder, self.configuration())
        self.surveyor.file.chmod(0o600)
        self.admin = NetBox(self.lab.url, self.lab.admin_token())
        self.resolver = Resolver(self.lab.info["unbound"])
        self.service = None

    def reset(self):
        """NetBox is as its people documented it, the resolver and the folder as if Surveyor had never been there."""
        for attempt in range(3):
            try:
                self.lab.reset("documented")
                break
            except RuntimeError:
                if attempt == 2:
                    raise
                time.sleep(2)
        Resolver(self.lab.info["unbound"]).reset()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)

    def configuration(self):
        """As a person would write it: every secret in a file of its own."""
        configuration.secret(self.folder, "webhook-secret", secrets.token_hex(24))
        tree = configuration.configuration(self.lab.info, self.lab.url, self.folder, self.folder)
        tree["webhook"]["listen"] = f"127.0.0.1:{WEBHOOK_PORT}"
        tree["webhook"]["public_url"] = f"http://127.0.0.1:{WEBHOOK_PORT}/webhooks/netbox"
        # The tests are in a hurry; here everything is as it comes.
        del tree["netbox"]["settle_after_seconds"]
        # Approvals are to arrive by webhook; the sweep is the safety net it is by default.
        tree["serve"] = {"sweep_seconds": SWEEP_SECONDS}
        return tree

    def add_reviewer(self):
        """A person with the rights of the reviewers' group and no others: NetBox as that person, and the password."""
        group = self.admin.one("users/groups/", name=GROUP)["id"]
        password = f"{secrets.token_urlsafe(9)}-aA1"
        self.admin.create("users/users/", username=REVIEWER, password=password, groups=[group])
        person = self.admin.login(REVIEWER, password)
        token = person.session.headers["Authorization"].split()[1]
        configuration.secret(self.folder, "reviewer-password", password)
        configuration.secret(self.folder, "reviewer-token", token)
        return person, password

    def last_change(self):
        """The id of the newest entry in NetBox's change log: whatever was written is there."""
        found = self.admin.expect("GET", "core/object-changes/", ordering="-id", limit=1)["results"]
        return found[0]["id"] if found else 0

    def serve(self):
        """Starts `surveyor serve` in the background."""
        log = self.folder / "serve.log"
        with open(log, "w", encoding="utf-8") as stream:
            process = self.surveyor.start("serve", stdout=stream, stderr=stream, start_new_session=True)
        self.pid_file.write_text(str(process.pid), encoding="utf-8")
        self.service = Service(process, log, self.surveyor.config)
        eventually(self.service.listens, 30)
        return self.service

    def stop(self):
        """Stops the `serve` that was started here, and no other process."""
        if self.service:
            code = self.service.stop()
            self.pid_file.unlink()
            self.service = None
            return code
        return None

    def stop_earlier(self):
        """Stops the `serve` that an earlier demo left running."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(self.pid_file.read_text(encoding="utf-8"))
            command = Path(f"/proc/{pid}/cmdline")
            if str(self.folder / "surveyor.toml") not in command.read_text(encoding="utf-8").split("\0"):
                return
            os.kill(pid, signal.SIGTERM)
            eventually(lambda: not command.exists() or not command.read_bytes(), 20)
