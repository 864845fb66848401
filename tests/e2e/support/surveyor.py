"""The binary as a person uses it: a configuration, commands, exit codes, what it prints."""

import contextlib
import copy
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import toml
from .lab import REPOSITORY
from .waiting import eventually

DONE, FIXABLE, UNEXPECTED, INCOMPLETE = 0, 1, 2, 3
TIMEOUT = 180


def binary():
    """The program under test."""
    path = Path(os.environ.get("SURVEYOR_BIN") or REPOSITORY / "target" / "debug" / "surveyor").resolve()
    if not path.exists():
        raise RuntimeError(f"{path} is missing: cargo build, or set SURVEYOR_BIN")
    return path


class Outcome:
    """One finished command."""

    def __init__(self, arguments, code, out, err, seconds):
        self.arguments = arguments
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    @property
    def text(self):
        """Everything it said."""
        return self.out + self.err

    @property
    def json(self):
        """What it printed, parsed."""
        return json.loads(self.out)

    def says(self, *words):
        """Whether all these words appear, whatever their case."""
        return all(word.lower() in self.text.lower() for word in words)

    def __repr__(self):
        """As a failed test shows it."""
        said = f"--- out\n{self.out[-4000:]}\n--- err\n{self.err[-4000:]}"
        return f"surveyor {' '.join(self.arguments)}: exit {self.code} after {self.seconds:.1f} s\n{said}"


class Surveyor:
    """The binary with one configuration and one store."""

    def __init__(self, folder, config):
        self.folder = Path(folder)
        self.file = self.folder / "surveyor.toml"
        self.config = config
        self.write()

    def write(self):
        """The configuration as it is now."""
        self.file.write_text(toml.dumps(self.config), encoding="utf-8")

    @contextlib.contextmanager
    def changed(self, edit):
        """Another configuration for a while: `edit` gets the present one and changes it."""
        before = copy.deepcopy(self.config)
        edit(self.config)
        self.write()
        try:
            yield self
        finally:
            self.config = before
            self.write()

    def beside(self, folder, edit=lambda config: None):
        """Another installation with the same credentials, a store of its own, and changes."""
        folder.mkdir(parents=True, exist_ok=True)
        config = copy.deepcopy(self.config)
        config["store"] = {"url": f"sqlite://{folder / 'surveyor.db'}"}
        edit(config)
        return Surveyor(folder, config)

    def start(self, *arguments, **streams):
        """A running command."""
        argv = [str(binary()), "--config", str(self.file), *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SURVEYOR_")}
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=environment, text=True, **streams)

    def run(self, *arguments, code=DONE, timeout=TIMEOUT):
        """One command to its end; `code` is what is expected, a tuple if several are, None if any."""
        started = time.monotonic()
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\n[killed after {timeout} s]"
        outcome = Outcome(arguments, process.returncode, out, err, time.monotonic() - started)
        wanted = code if isinstance(code, tuple) else (code,)
        assert code is None or outcome.code in wanted, f"exit {outcome.code}, expected {code}: {outcome!r}"
        return outcome

    def apply_until_quiet(self, *arguments, rounds=8):
        """Applies until it is done: an interrupted write is waited for, not repeated."""
        for _ in range(rounds):
            outcome = self.run(*arguments, code=(DONE, INCOMPLETE))
            if outcome.code == DONE:
                return outcome
            time.sleep(1)
        raise AssertionError(f"never done: {outcome!r}")

    @contextlib.contextmanager
    def serve(self, timeout=30):
        """`surveyor serve` in the background, listening."""
        log = self.folder / f"serve-{time.monotonic_ns()}.log"
        with open(log, "w", encoding="utf-8") as stream:
            process = self.start("serve", stdout=stream, stderr=stream)
        service = Service(process, log, self.config)
        try:
            eventually(service.listens, timeout)
            yield service
        finally:
            service.stop()

    def forget_everything(self):
        """Loses the local database."""
        for path in self.folder.glob("surveyor.db*"):
            path.unlink()

    def keep_store(self, folder):
        """Copies the local database; nothing may be running."""
        for path in self.folder.glob("surveyor.db*"):
            shutil.copy2(path, folder / path.name)


class Service:
    """A running `serve`."""

    def __init__(self, process, log, config):
        self.process, self.log = process, log
        host, _, port = config["webhook"]["listen"].rpartition(":")
        self.address = (host, int(port))

    def listens(self):
        """Whether the webhook receiver answers."""
        if self.process.poll() is not None:
            raise RuntimeError(f"serve ended with {self.process.returncode}:\n{self.said()[-4000:]}")
        with contextlib.suppress(OSError), socket.create_connection(self.address, timeout=1):
            return True
        return False

    def said(self):
        """Its log so far."""
        return self.log.read_text(encoding="utf-8")

    def stop(self):
        """An orderly end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
