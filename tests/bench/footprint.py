"""What the program costs by itself: the time to start, and the memory of `serve`."""

import re
import statistics
import subprocess
import time
from pathlib import Path

import ground  # noqa: F401 - finds the packages
from e2e.support.waiting import eventually

CHANGE_LOG = "/api/core/object-changes/"


def start_milliseconds(binary, times):
    """The median time of `surveyor --help`."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run([str(binary), "--help"], stdout=subprocess.DEVNULL, check=True)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def serve_mebibytes(site):
    """Resident memory of `serve`: now, its peak, and what of it is no mapped file; after a discovery run of the lab's network and a sweep."""
    with site.proxied() as proxy, site.surveyor.serve() as service:

        def swept():
            """`serve` has read the network and looked at the change log twice."""
            looks = [entry for entry in proxy.requests() if entry["path"].startswith(CHANGE_LOG)]
            return len(looks) >= 2 and "discovery run done" in service.said()

        eventually(swept, 120)
        status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="utf-8")
        return tuple(
            int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M)[1]) / 1024
            for name in ("VmRSS", "VmHWM", "RssAnon")
        )
