#!/usr/bin/env python3
"""Runs the files of the end-to-end tests in several labs at once: each lab takes the next file when it is done with one.
Those of tests/e2e/sources need no NetBox and mostly wait: they have a lane of their own.

    side_by_side.py [--labs N] [--first COMMAND] [FILE..] [-- arguments for pytest]

Three labs unless told otherwise, two on a single core: a test waits a tenth of its time. The first lab does COMMAND
before its files: the Rust tests mostly wait too. What a file prints comes when it is done. The exit code is 0 if every
file passed.
"""

import argparse
import itertools
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The folder of those that need no NetBox.
APART = "sources"
LAB = [sys.executable, str(HERE.parent / "lab" / "lab.py")]


class Files:
    """What is still to be run, the slowest first, and how it went."""

    def __init__(self, files, memory):
        self.memory = memory
        self.seconds = json.loads(memory.read_text(encoding="utf-8")) if memory.exists() else {}
        # What was never run may take long.
        self.waiting = sorted(files, key=lambda path: -self.seconds.get(path.name, 1e9))
        self.lock = threading.Lock()
        self.failed = []

    def take(self, is_apart):
        """The next file, of those with or without NetBox; None if there is none."""
        with self.lock:
            found = next((path for path in self.waiting if (path.parent.name == APART) == is_apart), None)
            if found:
                self.waiting.remove(found)
            return found

    def run(self, name, where, command, environment):
        """Runs a command and prints what it said."""
        started = time.monotonic()
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        seconds = time.monotonic() - started
        with self.lock:
            self.seconds[name] = round(seconds, 1)
            if done.returncode:
                self.failed.append(name)
            print(f"\n-- {name}: {seconds:.0f} s, {where}{', FAILED' if done.returncode else ''}", flush=True)
            print(done.stdout.rstrip(), flush=True)

    def remember(self):
        """For the order of the next run."""
        self.memory.write_text(json.dumps(self.seconds, indent=1), encoding="utf-8")


def arguments():
    """What was typed."""
    own = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labs", type=int, default=min(3, 1 + (os.cpu_count() or 1)), help="how many labs")
    parser.add_argument(
        "--first", default="", metavar="COMMAND", help="what the first lab does before its files"
    )
    parser.add_argument("files", nargs="*", type=Path, help="all of tests/e2e unless told otherwise")
    chosen = parser.parse_args(own)
    chosen.pytest = sys.argv[len(own) + 2 :]
    return chosen


def bring_up(number):
    """The environment of one lab, which runs afterwards. The first one is the lab itself."""
    environment = dict(os.environ)
    if number:
        twin = subprocess.run([*LAB, "twin", str(number)], stdout=subprocess.PIPE, text=True, check=True)
        environment |= json.loads(twin.stdout)
    subprocess.run([*LAB, "up", "--instance", "e2e", "--fresh"], env=environment, check=True)
    return environment


def work(where, number, files, chosen, first):
    """Runs one file after the other in one lane."""
    try:
        environment = bring_up(number) if number else dict(os.environ)
    except subprocess.CalledProcessError as problem:
        files.failed.append(f"{where}: {problem}")
        return
    if first:
        files.run(" ".join(first[:2]), where, first, environment)
    while path := files.take(where == APART):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path), *chosen.pytest]
        files.run(path.name, where, command, environment)


def main():
    """The exit code."""
    chosen = arguments()
    started = time.monotonic()
    # It installs what the others share.
    bring_up(0)
    info = subprocess.run([*LAB, "info"], stdout=subprocess.PIPE, text=True, check=True)
    memory = Path(json.loads(info.stdout)["dir"]) / "cache" / "e2e-seconds.json"
    every = [*HERE.glob("test_*.py"), *(HERE / APART).glob("test_*.py")]
    files = Files([path.resolve() for path in chosen.files] or sorted(every), memory)
    lanes = [(f"lab {number + 1}", number) for number in range(chosen.labs)] + [(APART, 0)]
    firsts = [shlex.split(chosen.first)]
    threads = [
        threading.Thread(target=work, args=(*lane, files, chosen, first))
        for lane, first in itertools.zip_longest(lanes, firsts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files.remember()
    failed = f"FAILED: {', '.join(files.failed)}" if files.failed else "all passed"
    print(
        f"\nend-to-end tests in {chosen.labs} labs, {time.monotonic() - started:.0f} s: {failed}", flush=True
    )
    return 1 if files.failed else 0


if __name__ == "__main__":
    sys.exit(main())
