"""What the lab tells the person in front of it: progress on stderr, and the one error type it stops with."""

import sys
import time

START = time.monotonic()


class LabError(Exception):
    """Something the person can fix; printed without a traceback."""


def say(text):
    """Print one line of progress, with the seconds since the command began."""
    print(f"[{time.monotonic() - START:6.1f}s] {text}", file=sys.stderr, flush=True)
