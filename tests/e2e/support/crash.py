"""Killing a command at one moment, seen from NetBox: before a request reaches it, inside it, after its answer."""

import json
import os
import signal
import subprocess
import time

from proxy import FaultProxy

from .surveyor import binary

# Where the process dies -> what the proxy does with the request.
MOMENTS = {
    "before": {"action": "drop_before_forward", "kill_at": "before"},
    "inside": {"action": "pass", "kill_at": "before"},
    "after": {"action": "drop_after_forward", "kill_at": "after"},
}


def proxied(surveyor, proxy):
    """Lets an installation talk to NetBox through the proxy."""
    surveyor.config["netbox"]["url"] = proxy.url
    surveyor.write()


def front(scene):
    """A proxy before NetBox."""
    host, _, port = scene.lab.url.removeprefix("http://").rpartition(":")
    return FaultProxy((host, int(port)))


def held(surveyor, *arguments):
    """A command that has a process id and waits for SIGCONT before it begins."""
    argv = [str(binary()), "--config", str(surveyor.file), *arguments]
    line = 'kill -STOP $$; exec "$0" "$@"'
    process = subprocess.Popen(
        ["sh", "-c", line, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.waitpid(process.pid, os.WUNTRACED)
    return process


def killed_at(surveyor, proxy, number, moment, *arguments):
    """Runs a command that dies at its n-th request; whether it came that far."""
    process = held(surveyor, *arguments)
    proxy.clear_rules()
    rule = {"match": {"path_prefix": "/api/", "nth": number}, "kill_pid": process.pid, **MOMENTS[moment]}
    proxy.add_rule(rule)
    process.send_signal(signal.SIGCONT)
    code = process.wait(timeout=120)
    proxy.clear_rules()
    return code == -signal.SIGKILL


def killed_when(surveyor, happened, *arguments):
    """Runs a command that dies as soon as something has happened; whether it did."""
    process = held(surveyor, *arguments)
    process.send_signal(signal.SIGCONT)
    while process.poll() is None:
        if happened():
            process.kill()
            break
        time.sleep(0.001)
    return process.wait(timeout=120) == -signal.SIGKILL


def requests_of(surveyor, proxy, *arguments):
    """Runs a command to its end; its requests in order, as (number, method)."""
    start = len(proxy.requests)
    outcome = surveyor.run(*arguments, code=None)
    seen = proxy.requests[start:]
    return outcome, [(number, entry["method"]) for number, entry in enumerate(seen, 1)]


def points(requests, full):
    """The moments to try, as (number, moment): all of them, or those around writes, thinned out."""
    writes = [(n, moment) for n, method in requests if method != "GET" for moment in MOMENTS]
    reads = [(n, "before") for n, method in requests if method == "GET"]
    if full:
        return sorted(writes + reads)
    # Three moments a write: every seventh of them is another moment on another write.
    return writes[::7] + reads[-1:]


def ledger(row):
    """What an object's ledger says was made, without ids."""
    kept = row["custom_fields"]["surveyor_ledger"] or {}
    kept = json.loads(kept) if isinstance(kept, str) else kept
    return sorted(made["kind"] for made in kept.get("made", []))
