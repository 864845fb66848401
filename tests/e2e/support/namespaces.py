"""Networks of this machine's own, in network namespaces: nothing leaves them, and nothing is left of them."""

import contextlib
import ctypes
import os
import random
import socket
import struct
import subprocess
import threading

ARP = 0x0806


def run(*words, check=True):
    """One command."""
    return subprocess.run(words, check=check, capture_output=True, text=True)


def reason_to_skip():
    """Why there can be no namespaces here; nothing if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"surveyor-try-{os.getpid()}"
    made = run("ip", "netns", "add", name, check=False)
    if made.returncode != 0:
        return f"network namespaces cannot be made: {made.stderr.strip()}"
    run("ip", "netns", "del", name)
    return None


class Host:
    """A namespace with one cable into the switch."""

    def __init__(self, network, name):
        self.network, self.name = network, name
        self.namespace = f"{network.prefix}-{name}"

    def ip(self, *words):
        """Runs `ip` there."""
        return run("ip", "-n", self.namespace, *words)

    def batch(self, lines):
        """Many `ip` commands at once."""
        command = ["ip", "-n", self.namespace, "-batch", "-"]
        subprocess.run(command, check=True, input="\n".join(lines), capture_output=True, text=True)

    def inside(self, *words):
        """A command line that runs there."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def addresses(self, *addresses):
        """Gives it addresses, with their prefix length."""
        self.batch([f"address add {address} dev eth0" for address in addresses])

    @property
    def mac(self):
        """Its link-layer address, as Surveyor prints it."""
        shown = self.ip("-o", "link", "show", "dev", "eth0").stdout
        return shown.split("link/ether ")[1].split()[0].upper()

    def enter(self):
        """Moves the calling thread there: sockets it opens belong to the namespace."""
        handle = os.open(f"/var/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(handle, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)


class Network:
    """A switch in a namespace, and hosts on it."""

    def __init__(self):
        self.prefix = f"sv{os.getpid()}"
        self.switch = f"{self.prefix}-switch"
        self.hosts = []
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "br0", "up")

    def host(self, name):
        """A further host."""
        host = Host(self, name)
        self.hosts.append(host)
        port = f"p{len(self.hosts)}"
        run("ip", "netns", "add", host.namespace)
        run(
            "ip",
            "-n",
            self.switch,
            "link",
            "add",
            port,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            host.namespace,
        )
        run("ip", "-n", self.switch, "link", "set", port, "master", "br0", "up")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "set", "eth0", "up")
        return host

    def close(self):
        """Removes all of it."""
        for namespace in [*(host.namespace for host in self.hosts), self.switch]:
            run("ip", "netns", "del", namespace, check=False)


class Attached(contextlib.AbstractContextManager):
    """A thread on a host; who inherits says in `serve` what it does, sets `ready` and ends with `ending`."""

    def __init__(self, host):
        self.host = host
        self.ending, self.ready = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.ready.wait(10)
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


class Responder(Attached):
    """Answers ARP on a host for whatever `answer(address)` gives a MAC address for, and loses a share of both directions."""

    def __init__(self, host, answer, loss=0.0):
        super().__init__(host)
        self.answer, self.loss = answer, loss
        self.random = random.Random(7)

    def is_lost(self):
        """Whether this frame never arrives."""
        return self.random.random() < self.loss

    def serve(self):
        """The thread."""
        self.host.enter()
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as wire:
            wire.bind(("eth0", ARP))
            wire.settimeout(0.1)
            self.ready.set()
            while not self.ending.is_set():
                try:
                    frame = wire.recv(2048)
                except TimeoutError:
                    continue
                operation, sender, from_address, _, target = struct.unpack("!H6s4s6s4s", frame[20:42])
                if operation != 1 or self.is_lost():
                    continue
                mac = self.answer(socket.inet_ntoa(target))
                if mac is None or self.is_lost():
                    continue
                own = bytes.fromhex(mac.replace(":", ""))
                head = struct.pack("!6s6sHHHBBH", sender, own, ARP, 1, 0x0800, 6, 4, 2)
                wire.send(head + own + target + sender + from_address)
