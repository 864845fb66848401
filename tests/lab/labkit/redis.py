"""Redis on its own port, and the few commands the lab itself sends to it."""

import os
import socket

from . import packages
from .daemon import Service
from .layout import HOST

# Keys of a running RQ worker. Without them NetBox believes that no worker exists and refuses to run scripts.
KEEP = ("rq:worker:", "rq:workers", "rq:scheduler-lock:", "rq:clean_registries:")


class Redis:
    """The lab's Redis."""

    def __init__(self, lab):
        self.port = lab.port("redis")
        self.folder = lab.run / "redis"

    def service(self):
        """The server daemon."""
        argv = [packages.command("redis-server") or "redis-server", "--port", self.port, "--bind", HOST]
        # Kept on disk, so that queued jobs and worker registrations survive a restart as they do elsewhere.
        argv += ["--dir", self.folder, "--appendonly", "yes", "--appendfsync", "no", "--save", ""]
        argv += ["--databases", "16", "--daemonize", "no"]
        ports = (("tcp", self.port),)
        return Service(
            "redis", tuple(argv), self.answers, ports, lambda: os.makedirs(self.folder, exist_ok=True)
        )

    def answers(self):
        """Whether it says PONG."""
        try:
            return self.send(0, ["PING"])[1] == "PONG"
        except OSError:
            return False

    def send(self, database, *commands):
        """Run commands in one database; returns the reply to SELECT, then one per command."""
        with socket.create_connection((HOST, self.port), timeout=10) as connection:
            stream = connection.makefile("rwb")
            replies = []
            for command in (["SELECT", database], *commands):
                stream.write(f"*{len(command)}\r\n".encode())
                for part in command:
                    raw = str(part).encode("utf-8", "surrogateescape")
                    stream.write(f"${len(raw)}\r\n".encode() + raw + b"\r\n")
                stream.flush()
                replies.append(read_reply(stream))
            return replies

    def empty(self, database):
        """Delete everything but what tells that a worker is alive."""
        keys = [key for key in self.send(database, ["KEYS", "*"])[1] if not key.startswith(KEEP)]
        for start in range(0, len(keys), 1000):
            self.send(database, ["DEL", *keys[start : start + 1000]])

    def pending(self, database, queues):
        """How many jobs wait or run, per queue."""
        commands = [
            command
            for name in queues
            for command in (["LLEN", f"rq:queue:{name}"], ["ZCARD", f"rq:wip:{name}"])
        ]
        counts = self.send(database, *commands)[1:]
        return {name: counts[2 * index] + counts[2 * index + 1] for index, name in enumerate(queues)}


def read_reply(stream):
    """One reply of the Redis protocol."""
    line = stream.readline()
    kind, rest = line[:1], line[1:].rstrip(b"\r\n")
    if kind == b"$":
        length = int(rest)
        return None if length < 0 else stream.read(length + 2)[:-2].decode("utf-8", "surrogateescape")
    if kind == b"*":
        return [read_reply(stream) for _ in range(int(rest))]
    if kind == b":":
        return int(rest)
    if kind == b"+":
        return rest.decode()
    raise OSError(f"redis: {line!r}")
