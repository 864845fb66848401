"""What Surveyor adds to NetBox's own time, and what it costs by itself. See README.md beside this file.

    bench.py --bin target/release/surveyor [--instance e2e] [--quick]

Prints a table of figures and targets. A missed target is no failure: it ends with 0 unless something broke.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

import recording
import sweeping
from footprint import serve_mebibytes, start_milliseconds
from ground import Ground
from staging import Broken, Staging

CANDIDATES = 100
ROUNDS = 3
STARTS = 20
# By the folder that Cargo puts it into.
BUILDS = {"release": "release build", "debug": "debug build: memory and start say little"}
RATIO, REQUESTS, START_MS, MEMORY_MIB, SWEEP_SECONDS = 1.25, 15, 20, 30, 1.0


class Table:
    """Figures with their targets."""

    def __init__(self):
        self.rows = [("what", "figure", "target", "")]

    def add(self, what, figure, target="", is_met=None):
        """One row; without a target it is only told."""
        self.rows.append((what, figure, target, {True: "ok", False: "MISS", None: ""}[is_met]))

    def __str__(self):
        """Aligned."""
        widths = [max(len(row[column]) for row in self.rows) for column in range(4)]
        lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)) for row in self.rows]
        return "\n".join(line.rstrip() for line in lines)


def say(text):
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def median(timings):
    """The median time."""
    return statistics.median(timing.seconds for timing in timings)


def listed(timings):
    """All times."""
    return ", ".join(f"{timing.seconds:.2f}" for timing in timings)


def staging_rows(table, staging):
    """Staging, and staging again."""
    ours, bare = median(staging.ours), median(staging.bare)
    ratio = ours / bare
    between = statistics.median(timing.seconds - timing.netbox for timing in staging.ours)
    table.add(f"stage {CANDIDATES}: writes, first to last", f"{ours:.2f} s ({listed(staging.ours)})")
    table.add("the same rows, bare POSTs", f"{bare:.2f} s ({listed(staging.bare)})")
    table.add("ratio", f"{ratio:.3f}", f"<= {RATIO}", ratio <= RATIO)
    table.add("  of ours: not inside NetBox", f"{between * 1000:.0f} ms")
    table.add("  of ours: calls", f"{max(timing.calls for timing in staging.ours)}")
    writes = max(writes for writes, _ in staging.again)
    requests = max(requests for _, requests in staging.again)
    table.add("stage again, nothing new: writes", f"{writes}", "0", writes == 0)
    table.add("stage again, nothing new: requests", f"{requests}", f"<= {REQUESTS}", requests <= REQUESTS)


def sweeping_rows(table):
    """A scan of a large subnet."""
    scans = sweeping.Sweeping()
    what = f"scan {sweeping.SUBNET}, {sweeping.LIVE} live, {sweeping.PACE}/s, median of {sweeping.TIMES}"
    if scans.why_not:
        table.add(what, f"skipped: {scans.why_not}")
        return
    if scans.missed or scans.gaps:
        raise Broken(f"{scans.missed} addresses were missed, gaps: {scans.gaps}")
    is_met = scans.median <= SWEEP_SECONDS
    table.add(what, f"{scans.median:.2f} s ({scans.listed})", f"<= {SWEEP_SECONDS:.1f} s", is_met)
    for loss, seconds in scans.usual.items():
        table.add(f"  at the usual pace, {loss:.0%} lost each way, all found", f"{seconds:.1f} s")


def measure(options):
    """Everything."""
    table = Table()
    say("scans of a large subnet, in network namespaces")
    sweeping_rows(table)
    say("setting NetBox up, kept as the template `bench`")
    ground = Ground(options.instance)
    ground.prepare()
    recorded = ground.folder / "recorded"
    recording.write(recorded, CANDIDATES)
    staging = Staging(ground, recorded, CANDIDATES)
    say("one round to warm up")
    staging.warm_up()
    rounds = 1 if options.quick else ROUNDS
    say(f"{rounds} measured, the sides taking turns")
    staging.measure(rounds)
    staging_rows(table, staging)
    say("memory of `serve`")
    ground.lab.wait_idle()
    now, peak, anonymous = serve_mebibytes(ground)
    what = f"serve, {CANDIDATES} staged, after a discovery run and a sweep"
    table.add(
        f"{what}: VmRSS",
        f"{now:.1f} MiB ({anonymous:.1f} anonymous)",
        f"< {MEMORY_MIB} MiB",
        now < MEMORY_MIB,
    )
    table.add(f"{what}: VmHWM", f"{peak:.1f} MiB", f"< {MEMORY_MIB} MiB", peak < MEMORY_MIB)
    say("start")
    start = start_milliseconds(options.bin, STARTS)
    table.add(f"surveyor --help, median of {STARTS}", f"{start:.1f} ms", f"< {START_MS} ms", start < START_MS)
    return ground, table


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="What Surveyor costs.")
    parser.add_argument("--bin", type=Path, required=True, help="the surveyor to measure: a release build")
    parser.add_argument(
        "--instance", default="e2e", choices=("e2e", "demo"), help="NetBox of the lab; its data is lost"
    )
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    os.environ["SURVEYOR_BIN"] = str(options.bin)
    try:
        ground, table = measure(options)
    except (Broken, AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as problem:
        print(f"bench: broken: {problem}", file=sys.stderr)
        return 1
    build = next((BUILDS[part] for part in options.bin.parts if part in BUILDS), "unknown build")
    load = os.getloadavg()[0]
    print(
        f"{options.bin} ({build}), NetBox {ground.lab.info['netbox']['version']}, {os.cpu_count()} cores, load {load:.1f}"
    )
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
