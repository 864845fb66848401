"""All parts of one lab, put together: who needs whom, and which daemons there are in which group."""

from . import packages, pythons
from .credentials import Credentials
from .instances import NAMES, Instances
from .layout import LAB_SOURCE, Layout
from .netbox import NetBox
from .peers import Peers
from .postgres import Postgres
from .redis import Redis
from .report import LabError
from .sshd import Sshd
from .templates import Templates
from .unbound import Unbound

GROUPS = ("netbox", "dns", "peers")


class Parts:
    """The lab."""

    def __init__(self):
        self.lab = Layout()
        self.lab.make_folders()
        self.credentials = Credentials(self.lab)
        self.postgres = Postgres(self.lab, self.credentials)
        self.redis = Redis(self.lab)
        self.netbox = NetBox(self.lab, self.credentials)
        self.instances = Instances(self.lab, self.credentials, self.netbox, self.postgres, self.redis)
        self.templates = Templates(self.lab, self.credentials, self.netbox, self.postgres, self.instances)
        self.unbound = Unbound(self.lab)
        self.sshd = Sshd(self.lab, self.unbound)
        self.peers = Peers(self.lab, self.credentials)

    def ensure_venv(self):
        """The environment of the SNMP agent and of the test clients."""
        packages.ensure("common")
        interpreter = pythons.Interpreter(pythons.SYSTEM_PYTHON)
        pythons.ensure_venv(interpreter, self.lab.venv, LAB_SOURCE / "requirements.txt")

    def service(self, name):
        """One service by name."""
        makers = {
            "postgres": self.postgres.service,
            "redis": self.redis.service,
            "nginx": self.instances.nginx,
            "unbound": self.unbound.service,
            "sshd": self.sshd.service,
            "routeros": self.peers.routeros,
            "proxmox": self.peers.proxmox,
            "snmp": self.peers.snmp,
        }
        if name in makers:
            return makers[name]()
        kind, _, instance = name.partition("-")
        if kind in ("gunicorn", "worker") and instance in NAMES:
            if not self.netbox.interpreter:
                raise LabError("NetBox is not installed yet: `lab.py up` first")
            return next(service for service in self.instances.services(instance) if service.name == name)
        known = [*makers, *(f"{kind}-{instance}" for kind in ("gunicorn", "worker") for instance in NAMES)]
        raise LabError(f"unknown service `{name}`; there are {', '.join(known)}")
