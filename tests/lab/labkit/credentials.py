"""The lab's secrets: made once, kept in the cache beside the dumps that contain their hashes."""

import json
import secrets
import string

from .layout import write_private

LETTERS = string.ascii_letters + string.digits
NAMES = {
    "postgres_password": 24,
    "netbox_db_password": 24,
    "store_password": 24,
    "netbox_secret_key": 60,
    "netbox_pepper": 60,
    "admin_password": 24,
    "admin_token_key": 12,
    "admin_token": 40,
    "routeros_password": 20,
    "proxmox_token_secret": 36,
}


class Credentials:
    """All secrets by name."""

    def __init__(self, lab):
        path = lab.cache / "credentials.json"
        self.values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        missing = [name for name in NAMES if name not in self.values]
        for name in missing:
            # A leading letter keeps every value usable in a connection URL and on a command line.
            self.values[name] = "a" + "".join(secrets.choice(LETTERS) for _ in range(NAMES[name] - 1))
        if missing:
            write_private(path, json.dumps(self.values, indent=1))
        self.folder = lab.run / "secrets"

    def __getitem__(self, name):
        return self.values[name]

    @property
    def bearer(self):
        """The administrator's API token as the Authorization header wants it."""
        return f"nbt_{self['admin_token_key']}.{self['admin_token']}"

    def file(self, name):
        """The path of the file that holds one secret."""
        return self.folder / name

    def write_files(self):
        """One file per secret that tests or Surveyor's configuration read."""
        write_private(self.file("admin-token"), self.bearer + "\n")
        write_private(self.file("admin-password"), self["admin_password"] + "\n")
        write_private(self.file("routeros-password"), self["routeros_password"] + "\n")
        write_private(self.file("proxmox-token-secret"), self["proxmox_token_secret"] + "\n")
