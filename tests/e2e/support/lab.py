"""The lab, through its own command line: where things are, templates, services."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
LAB = REPOSITORY / "tests" / "lab"
INSTANCE = os.environ.get("SURVEYOR_E2E_INSTANCE", "e2e")
# Where NetBox delivers webhooks; fixed, because it is written into the templates.
WEBHOOK_PORT = 18745 + int(os.environ.get("SURVEYOR_LAB_PORT_OFFSET", "0"))

sys.path[:0] = [str(LAB), str(LAB / "peers")]


def command(*arguments):
    """Runs `lab.py`; its output."""
    argv = [sys.executable, str(LAB / "lab.py"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"lab.py {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Lab:
    """One running lab."""

    def __init__(self):
        self.info = json.loads(command("info"))
        self.folder = Path(self.info["dir"])
        netbox = self.info["netbox"]["instances"]
        if INSTANCE not in netbox:
            raise RuntimeError(f"NetBox `{INSTANCE}` is not up: python3 tests/lab/lab.py up")
        self.netbox = netbox[INSTANCE]
        self.url = self.netbox["url"]
        self.network = Path(self.info["network"]["dir"])

    def admin_token(self):
        """The administrator's token, as it goes into the header."""
        return Path(self.netbox["admin_token_file"]).read_text(encoding="utf-8").strip()

    def reset(self, template):
        """The instance becomes a copy of a template."""
        command("reset", "--instance", INSTANCE, "--template", template)

    def snapshot(self, template):
        """A template from the instance as it is."""
        command("snapshot", "--instance", INSTANCE, "--template", template)

    def templates(self):
        """The templates there are."""
        return command("templates").split()

    def wait_idle(self, queues="high,default,low"):
        """Until NetBox's background jobs are done."""
        command("wait-idle", "--instance", INSTANCE, "--queue", queues)

    def service(self, verb, name):
        """`start`, `stop` or `restart` one service; `worker` and `gunicorn` mean those of our instance."""
        command(verb, f"{name}-{INSTANCE}" if name in ("worker", "gunicorn") else name)

    def reload_network(self):
        """Serves the network as a test edited it."""
        command("reload-network")

    def reset_network(self):
        """Serves the network as it was."""
        command("reset-network")

    def template_key(self, template):
        """What a lab template was made from; changes when the lab rebuilds it."""
        name = f"template_{template}"
        for path in self.folder.glob(f"cache/netbox-*/templates/{template}.json"):
            name += path.read_text(encoding="utf-8")
        return name
