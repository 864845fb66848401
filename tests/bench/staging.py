"""Staging many candidates, against the same rows sent bare: one bulk POST a kind and nothing else."""

import json
from urllib.parse import urlsplit

DEVICES, INTERFACES, JOURNAL = "dcim/devices/", "dcim/interfaces/", "extras/journal-entries/"
WRITES = {"POST", "PATCH", "PUT", "DELETE"}


class Broken(Exception):
    """The measurement does not measure what it should."""


class Timing:
    """From the beginning of the first write to the end of the last."""

    def __init__(self, requests):
        writes = [entry for entry in requests if entry["method"] in WRITES]
        bad = [entry for entry in writes if entry["status"] is None or entry["status"] >= 300]
        if bad or not writes:
            raise Broken(f"{len(writes)} writes, {len(bad)} of them failed: {bad[:1]}")
        self.calls = len(writes)
        begin = min(entry["time"] for entry in writes)
        end = max(entry["time"] + entry["ms"] / 1000 for entry in writes)
        self.seconds = end - begin
        self.netbox = sum(entry["ms"] for entry in writes) / 1000


class Rows:
    """What Surveyor sends to stage these candidates, with names in place of the ids of the devices."""

    def __init__(self, requests, admin, count):
        sent = {}
        for entry in requests:
            if entry["method"] in WRITES:
                path = urlsplit(entry["path"]).path.removeprefix("/api/")
                body = json.loads(entry["body"])
                sent.setdefault((entry["method"], path), []).extend(
                    body if isinstance(body, list) else [body]
                )
        kinds = {key: len(rows) for key, rows in sent.items()}
        if kinds != {("POST", path): count for path in (DEVICES, INTERFACES, JOURNAL)}:
            raise Broken(f"Surveyor sent {kinds}, not {count} devices, interfaces and journal entries")
        names = {row["id"]: row["name"] for row in admin.all(DEVICES)}
        self.devices = sent["POST", DEVICES]
        self.interfaces = [(names[row["device"]], row) for row in sent["POST", INTERFACES]]
        self.journal = [(names[row["assigned_object_id"]], row) for row in sent["POST", JOURNAL]]

    def send(self, netbox):
        """Three calls."""
        made = netbox.create(DEVICES, self.devices)
        ids = {row["name"]: row["id"] for row in made}
        netbox.create(INTERFACES, [{**row, "device": ids[name]} for name, row in self.interfaces])
        netbox.create(JOURNAL, [{**row, "assigned_object_id": ids[name]} for name, row in self.journal])


class Staging:
    """Both sides, as often as wanted."""

    def __init__(self, ground, recorded, count):
        self.ground, self.recorded, self.count = ground, recorded, count
        self.rows = None
        self.ours, self.bare, self.again = [], [], []

    def warm_up(self):
        """One run that is not measured; what was sent in it is what the other side sends."""
        self.ground.fresh()
        with self.ground.proxied() as proxy:
            self.stage()
            self.rows = Rows(proxy.requests(), self.ground.admin, self.count)

    def stage(self):
        """`surveyor stage` with the recorded folder; what it printed."""
        return self.ground.surveyor.run("stage", "--replay", str(self.recorded), "--json").json

    def measure_ours(self):
        """Surveyor; and Surveyor again, with nothing new."""
        self.ground.fresh()
        with self.ground.proxied() as proxy:
            self.stage()
            self.ours.append(Timing(proxy.requests()))
            self.ground.lab.wait_idle()
            told = self.stage()
            self.again.append((told["writes"], told["requests"]))

    def measure_bare(self):
        """The same rows, sent by three plain calls."""
        self.ground.fresh()
        with self.ground.proxied() as proxy:
            self.rows.send(self.ground.stager(proxy.url))
            self.bare.append(Timing(proxy.requests()))

    def measure(self, rounds):
        """The sides take turns in going first; Surveyor is the last."""
        for number in range(rounds):
            sides = [self.measure_bare, self.measure_ours]
            for side in sides if number % 2 == 0 else reversed(sides):
                side()
        if rounds % 2 == 0:
            self.measure_ours()
