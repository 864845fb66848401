"""What a scan prints and records, run from a host of a `Network`."""

import json
import subprocess
import time

from . import toml
from .surveyor import DONE, INCOMPLETE, binary


class Found:
    """What one `discover` printed and recorded."""

    def __init__(self, code, printed, recorded, said, seconds):
        self.code, self.seconds, self.said = code, seconds, said
        self.candidates, self.gaps = printed["candidates"], printed["gaps"]
        self.conflicts = printed["conflicts"] + [
            conflict for candidate in self.candidates for conflict in candidate["conflicts"]
        ]
        self.replies = [row for row in recorded if row["fact"] == "scan_reply"]
        self.networks = {(row["prefix"], row["interface"]) for row in recorded if row["fact"] == "network"}
        self.neighbors = {row["address"]: row["mac"] for row in recorded if row["fact"] == "neighbor"}

    @property
    def addresses(self):
        """Addresses that answered."""
        return {row["address"] for row in self.replies}

    @property
    def names(self):
        """Names of addresses that answered, where they have one."""
        return {row["address"]: row["name"] for row in self.replies if row["name"]}

    def macs(self, address):
        """Who answered for it."""
        return {row["mac"] for row in self.replies if row["address"] == address}


def scan(host, folder, *prefix, **keys):
    """Scans from a host: `scan(host, folder, subnets=[..], rounds=2)`. `prefix` are words before the program's own."""
    source = {"name": "lan", "type": "scan", **keys}
    file, recording = folder / "surveyor.toml", folder / f"recording-{time.monotonic_ns()}"
    file.write_text(toml.dumps({"source": [source]}), encoding="utf-8")
    words = [*prefix, str(binary()), "--config", str(file), "--json", "discover", "--record", str(recording)]
    began = time.monotonic()
    done = subprocess.run(host.inside(*words), capture_output=True, text=True, timeout=240, check=False)
    seconds = time.monotonic() - began
    assert done.returncode in (DONE, INCOMPLETE), done.stderr
    rows = []
    for recorded in sorted(recording.rglob("*.jsonl")):
        rows += [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
    facts = [row for row in rows if "fact" in row]
    return Found(done.returncode, json.loads(done.stdout), facts, done.stderr, seconds)


def doctor(host, folder, *prefix, **keys):
    """What the doctor says about a scan."""
    file = folder / "surveyor.toml"
    file.write_text(toml.dumps({"source": [{"name": "lan", "type": "scan", **keys}]}), encoding="utf-8")
    words = [*prefix, str(binary()), "--config", str(file), "doctor"]
    return subprocess.run(host.inside(*words), capture_output=True, text=True, check=False).stdout
