"""Waiting for what another process does, with a limit and without guessing how long it takes."""

import time


def eventually(check, timeout=30, interval=0.3):
    """Calls `check` until it returns something true, and returns that; its last complaint when time is up."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            result, problem = check(), None
        except AssertionError as failure:
            result, problem = None, failure
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not after {timeout} s: {problem or check.__doc__ or check}")
        time.sleep(interval)


def never(check, during, interval=0.5):
    """Fails if `check` becomes true within a time."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        assert not check(), f"within {during} s: {check.__doc__ or check}"
        time.sleep(interval)
