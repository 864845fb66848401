"""What the measurements stand on: an instance of the lab, set up once and kept as a template, and the proxy."""

import contextlib
import json
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from e2e.support import configuration, lab
from e2e.support.netbox import NetBox
from e2e.support.surveyor import Surveyor

TEMPLATE = "bench"
WEBHOOK_PORT = lab.WEBHOOK_PORT + 200
# What a request costs the first time, in either of NetBox's processes, is not what is measured.
TOUCHED = ("dcim/devices/", "dcim/interfaces/", "extras/journal-entries/", "ipam/prefixes/")
TOUCHES = 4
# A busy machine is no reason to give up: the ratio is what counts.
TIMEOUT = 120


class Proxy:
    """`tests/lab/proxy.py` in a process of its own; its log says what was asked, when, and for how long."""

    def __init__(self, url, log):
        self.file = log
        log.unlink(missing_ok=True)
        target = urlsplit(url).netloc
        argv = [sys.executable, str(lab.LAB / "proxy.py"), "--to", target, "--log", str(log)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        port = json.loads(self.process.stdout.readline())["listen"]
        self.url = f"http://127.0.0.1:{port}"

    def requests(self):
        """Everything that was asked so far, in the order in which it began."""
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        return sorted((json.loads(line) for line in lines), key=lambda entry: entry["time"])

    def stop(self):
        """Ends the process."""
        self.process.terminate()
        self.process.wait()


class Ground:
    """A bootstrapped NetBox as often as one is needed, and Surveyor beside it."""

    def __init__(self, instance):
        lab.INSTANCE = instance
        self.lab = lab.Lab()
        self.folder = self.lab.folder / "run" / "bench"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.admin = NetBox(self.lab.url, self.lab.admin_token())
        configuration.secret(self.folder, "webhook-secret", secrets.token_hex(24))
        for name in ("stager-token", "materializer-token"):
            (self.folder / name).unlink(missing_ok=True)
        tree = configuration.configuration(self.lab.info, self.lab.url, self.folder, self.folder)
        tree["webhook"]["listen"] = f"127.0.0.1:{WEBHOOK_PORT}"
        tree["webhook"]["public_url"] = f"http://127.0.0.1:{WEBHOOK_PORT}/webhooks/netbox"
        tree["serve"] = {"sweep_seconds": 1}
        tree["netbox"]["timeout_seconds"] = TIMEOUT
        tree["netbox"]["settle_after_seconds"] = TIMEOUT + 1
        # Only NetBox is measured, and the resolver belongs to whoever else uses the lab.
        del tree["dns"]
        self.surveyor = Surveyor(self.folder, tree)

    def prepare(self):
        """The template: documented, and bootstrapped by this binary."""
        self.lab.reset("documented")
        self.surveyor.run("bootstrap", "--admin-token-file", self.lab.netbox["admin_token_file"])
        self.lab.wait_idle()
        self.lab.snapshot(TEMPLATE)

    def fresh(self):
        """Nothing staged, nothing remembered, no job waiting, NetBox warm."""
        self.lab.reset(TEMPLATE)
        self.surveyor.forget_everything()
        for _ in range(TOUCHES):
            for path in TOUCHED:
                self.admin.all(path)
        self.lab.wait_idle()

    @contextlib.contextmanager
    def proxied(self):
        """While it lasts, Surveyor reaches NetBox through the proxy."""
        proxy = Proxy(self.lab.url, self.folder / "requests.jsonl")

        def edit(config):
            config["netbox"]["url"] = proxy.url

        try:
            with self.surveyor.changed(edit):
                yield proxy
        finally:
            proxy.stop()

    def stager(self, url):
        """NetBox at this address with the token that Surveyor stages with."""
        token = (self.folder / "stager-token").read_text(encoding="utf-8").strip()
        return NetBox(url, token.removeprefix("Bearer ").removeprefix("Token "))
