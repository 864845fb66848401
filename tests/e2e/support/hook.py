"""Webhooks as NetBox sends them, and as it never would."""

import hashlib
import hmac
import json
import time
from pathlib import Path

import requests

from .waiting import eventually

HEADER = "X-Hook-Signature"


def sign(body, secret):
    """The signature NetBox puts into the header."""
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


class Hook:
    """The receiver of a running `serve`, and the secret it shares with NetBox."""

    def __init__(self, config):
        self.url = f"http://{config['webhook']['listen']}/webhooks/netbox"
        self.secret = Path(config["webhook"]["secret_file"]).read_text(encoding="utf-8").strip()

    def settle(self, timeout=30):
        """Wakes the worker and waits until it has looked: it is idle, and has seen everything before now."""
        # Each one is another: a body that came before is no news.
        assert self.post(self.body("dcim.site", 1, request={"id": str(time.monotonic_ns())})) == 202
        health = f"{self.url.rsplit('/', 2)[0]}/health"
        eventually(lambda: requests.get(health, timeout=10).json()["backlog"] == 0, timeout)

    def body(self, object_type, number, event="updated", **more):
        """A body about an object."""
        said = {"event": event, "object_type": object_type, "id": number, "data": {"id": number}}
        said |= {"timestamp": "2020-01-01T00:00:00+00:00", "request": {"id": "r", "user": "rita"}}
        return json.dumps(said | more).encode()

    def sign(self, body):
        """The right signature."""
        return sign(body, self.secret)

    def post(self, body, signature=None, secret=None):
        """Delivers a body; signed with our secret unless told otherwise. The status."""
        if signature is None:
            signature = sign(body, secret or self.secret)
        headers = {"Content-Type": "application/json"}
        if signature:
            headers[HEADER] = signature
        return requests.post(self.url, data=body, headers=headers, timeout=30).status_code
