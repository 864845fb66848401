"""How fast sources are read, each against a target or against another program in the same run. See README.md beside this file.

    sources.py --bin target/release/surveyor [--rounds 5]

Needs no NetBox. The SNMP part needs `snmpbulkwalk` (Debian package snmp), the lab's environment and the recordings
(`SURVEYOR_RECORDINGS`); what is missing is said and left out.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ground  # noqa: F401 - finds the packages
from bench import BUILDS, Table
from e2e.support import toml
from e2e.support.configuration import secret
from wire import self_signed

TESTS = Path(__file__).resolve().parents[1]
PEERS = TESTS / "lab" / "peers"
RECORDINGS = Path(os.environ.get("SURVEYOR_RECORDINGS") or TESTS.parents[1] / "shared" / "recordings")
COLUMNS = TESTS.parent / "service" / "source" / "snmp" / "column.rs"
AGENT = "/var/tmp/surveyor-snmpsim/bin/snmpsim-command-responder"
SWITCHES, AT_ONCE = 25, 8
ROWS = 50_000
TOKEN = "surveyor@pve!ro"


def say(text):
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def certificate(folder):
    """A self-signed certificate and its key, as arguments of a peer."""
    cert, key = self_signed(folder)
    return ["--cert", str(cert), "--key", str(key)]


@contextlib.contextmanager
def running(*argv, **keys):
    """A peer; the address that it says it is ready at."""
    process = subprocess.Popen([str(part) for part in argv], stdout=subprocess.PIPE, text=True, **keys)
    try:
        yield process.stdout.readline().split()[-1].removeprefix("https://")
    finally:
        process.kill()
        process.wait()


# A child's peak counts what its parent had before `exec`: so a small process stands between.
STARTER = """
import os, resource, sys
code = os.spawnv(os.P_WAIT, sys.argv[2], sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


class Discovery:
    """`surveyor discover --json` with sources and nothing else."""

    def __init__(self, binary, folder, tree):
        self.binary, self.file = binary, folder / "surveyor.toml"
        self.file.write_text(toml.dumps(tree), encoding="utf-8")

    def run(self):
        """Seconds, peak memory in MiB, and what was found."""
        argv = [str(self.binary), "--config", str(self.file), "discover", "--json"]
        peak = self.file.with_name("peak")
        started = time.perf_counter()
        starter = [sys.executable, "-S", "-c", STARTER, str(peak), *argv]
        done = subprocess.run(starter, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        seconds = time.perf_counter() - started
        return seconds, int(peak.read_text(encoding="utf-8")) / 1024, json.loads(done.stdout)

    def median(self, rounds):
        """Median seconds, highest memory, and the last finding."""
        runs = [self.run() for _ in range(rounds)]
        times = [seconds for seconds, _, _ in runs]
        return statistics.median(times), times, max(peak for _, peak, _ in runs), runs[-1][2]


def listed(times):
    """All times."""
    return ", ".join(f"{seconds:.2f}" for seconds in times)


def proxmox(table, binary, rounds):
    """200 guests on 4 nodes at 25 ms a call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        secret_file = secret(folder, "secret", "5e9f")
        argv = [sys.executable, PEERS / "proxmox.py", "--scale", "200,4", "--latency-ms", "25"]
        argv += ["--token-id", TOKEN, "--token-secret-file", secret_file, *certificate(folder)]
        with running(*argv) as address:
            source = {"name": "pve", "type": "proxmox", "url": f"https://{address}", "token_id": TOKEN}
            source |= {"token_secret_file": secret_file, "tls": "insecure", "cluster": "scale"}
            discovery = Discovery(binary, folder, {"source": [source]})
            median, times, _, found = discovery.median(rounds)
    guests = sum(candidate["kind"] == "virtual_machine" for candidate in found["candidates"])
    assert (guests, found["gaps"]) == (200, []), (guests, found["gaps"])
    table.add(
        "Proxmox VE, 200 guests, 4 nodes, 25 ms a call",
        f"{median:.2f} s ({listed(times)})",
        "<= 1.0 s",
        median <= 1,
    )


def routeros(table, binary, rounds):
    """50,000 rows of a bridge host table over the binary API."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        shutil.copytree(TESTS / "lab" / "networks" / "hq" / "routeros", data)
        hosts = [
            {
                ".id": f"*{index:X}",
                "mac-address": f"00:16:3E:{index >> 16 & 255:02X}:{index >> 8 & 255:02X}:{index & 255:02X}",
                "on-interface": f"ether{2 + index % 4}",
                "bridge": "bridge",
                "local": "false",
                "external": "false",
                "dynamic": "true",
                "vid": str(10 + index % 3),
            }
            for index in range(ROWS)
        ]
        (data / "interface_bridge_host.json").write_text(json.dumps(hosts), encoding="utf-8")
        password = secret(folder, "password", "pw")
        argv = [sys.executable, PEERS / "routeros_api.py", "--data", data, "--username", "surveyor"]
        argv += ["--password-file", password, *certificate(folder)]
        with running(*argv) as address:
            source = {"name": "router1", "type": "routeros", "address": address, "transport": "api"}
            source |= {"username": "surveyor", "password_file": password, "tls": "insecure"}
            discovery = Discovery(binary, folder, {"source": [source]})
            median, times, peak, found = discovery.median(rounds)
            started = time.perf_counter()
            plain_client(address)
            other = time.perf_counter() - started
    assert found["gaps"] == [], found["gaps"]
    what = f"RouterOS API, {ROWS} rows of a bridge host table"
    table.add(what, f"{median:.2f} s ({listed(times)})", "<= 1 s", median <= 1)
    table.add("  of it: peak memory", f"{peak:.1f} MiB", "<= 60 MiB", peak <= 60)
    table.add("  the same menu alone, librouteros", f"{other:.2f} s")


def plain_client(address):
    """The same table, read by librouteros."""
    import ssl

    import librouteros

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, _, port = address.rpartition(":")
    session = librouteros.connect(host, "surveyor", "pw", port=int(port), ssl_wrapper=context.wrap_socket)
    assert len(list(session.path("interface", "bridge", "host"))) == ROWS


def columns():
    """The columns that Surveyor knows: OIDs."""
    text = COLUMNS.read_text(encoding="utf-8")
    found = re.findall(r"\[(1(?:, \d+){6,})\]", text)
    return [".".join(numbers.split(", ")) for numbers in found]


def ber(oid):
    """An OID as it is in a packet."""
    first, second, *rest = (int(part) for part in oid.split("."))
    data = bytes([first * 40 + second])
    for part in rest:
        septets = [part & 127]
        while part := part >> 7:
            septets.append(part & 127 | 128)
        data += bytes(reversed(septets))
    return data


class Listener(threading.Thread):
    """Stands between Surveyor and the agent for one round and notes which columns each switch is asked for."""

    def __init__(self, agent, names):
        super().__init__(daemon=True)
        self.agent, self.names = agent, names
        self.known = {ber(oid): oid for oid in columns()}
        self.asked = {name: set() for name in names}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.upstream = {}

    def run(self):
        """Passes packets on, both ways."""
        while True:
            data, client = self.socket.recvfrom(65535)
            name = next((name for name in self.names if name.encode() in data), None)
            for pattern, oid in self.known.items():
                if name and pattern in data:
                    self.asked[name].add(oid)
            if client not in self.upstream:
                upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                upstream.connect(self.agent)
                self.upstream[client] = upstream
                threading.Thread(target=self.back, args=(upstream, client), daemon=True).start()
            self.upstream[client].send(data)

    def back(self, upstream, client):
        """Answers; while the agent starts there is nobody."""
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                self.socket.sendto(upstream.recv(65535), client)


def walk(agent, name, oids):
    """All columns of one switch, one after the other, as a person would with net-snmp."""
    for oid in sorted(oids):
        argv = ["snmpbulkwalk", "-v2c", "-c", name, "-On", "-t", "3", "-r", "2", agent, oid]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def snmp(table, binary, rounds):
    """25 recorded switches behind one agent, against snmpbulkwalk of the same columns."""
    missing = [path for path in ("snmpbulkwalk", AGENT) if not shutil.which(path)]
    recorded = sorted((RECORDINGS / "snmp").glob("*.snmprec"))
    if missing or not recorded:
        say(f"SNMP left out: {', '.join(missing) or RECORDINGS} missing")
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data, cache = folder / "data", folder / "cache"
        data.mkdir()
        cache.mkdir()
        names = [f"switch{index:02}" for index in range(SWITCHES)]
        for index, switch in enumerate(names):
            shutil.copy(recorded[index % len(recorded)], data / f"{switch}.snmprec")
        shutil.chown(cache, "nobody")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        argv = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", AGENT]
        argv += [f"--cache-dir={cache}", f"--data-dir={data}", f"--agent-udpv4-endpoint=127.0.0.1:{port}"]
        argv += ["--logging-method=null"]
        agent = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            measure_snmp(table, binary, rounds, folder, names, port)
        finally:
            agent.kill()
            agent.wait()


def measure_snmp(table, binary, rounds, folder, names, port):
    """The agent runs; both sides take turns."""
    listener = Listener(("127.0.0.1", port), names)
    listener.start()

    def tree(at):
        credentials = [
            {"name": name, "community_file": secret(folder, f"community-{name}", name)} for name in names
        ]
        sources = [
            {"name": name, "type": "snmp", "address": f"127.0.0.1:{at}", "credentials": name}
            for name in names
        ]
        return {"credentials": credentials, "source": sources}

    say("one round to build the agent's index and to note the columns")
    for _ in range(3):
        _, _, found = Discovery(binary, folder, tree(listener.socket.getsockname()[1])).run()
        silent = {gap["source"] for gap in found["gaps"]}
        if len(silent) < len(names) // 2:
            break
    discovery = Discovery(binary, folder, tree(port))
    ours, theirs, peak = [], [], 0
    for _ in range(rounds):
        seconds, memory, _ = discovery.run()
        ours.append(seconds)
        peak = max(peak, memory)
        started = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: walk(f"127.0.0.1:{port}", name, listener.asked[name]), names))
        theirs.append(time.perf_counter() - started)
    ratio = statistics.median(ours) / statistics.median(theirs)
    asked = sum(len(oids) for oids in listener.asked.values())
    what = f"SNMP, {SWITCHES} recorded switches, one agent"
    table.add(what, f"{statistics.median(ours):.2f} s ({listed(ours)})")
    table.add(
        f"  snmpbulkwalk, {AT_ONCE} at a time, {asked} columns",
        f"{statistics.median(theirs):.2f} s ({listed(theirs)})",
    )
    table.add("  ratio", f"{ratio:.2f}", "<= 1", ratio <= 1)
    table.add("  of ours: peak memory", f"{peak:.1f} MiB")


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="How fast sources are read.")
    parser.add_argument("--bin", type=Path, required=True, help="the surveyor to measure: a release build")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    binary = options.bin.resolve()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    table = Table()
    for part in (proxmox, routeros, snmp):
        say(part.__doc__)
        part(table, binary, options.rounds)
    build = next((BUILDS[part] for part in binary.parts if part in BUILDS), "unknown build")
    print(
        f"{binary} ({build}), median of {options.rounds}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
