"""Questions to the lab's resolver, and its configuration as Surveyor should leave it."""

import subprocess
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.reversename
from labkit import packages


class Resolver:
    """The lab's Unbound."""

    def __init__(self, info):
        host, _, port = info["dns"].rpartition(":")
        self.host, self.port = host, int(port)
        self.conf = Path(info["control_conf"])
        self.include = Path(info["include_file"])
        self.folder = Path(info["include_dir"])

    def ask(self, name, kind="A"):
        """The answers as texts; empty if there are none."""
        question = dns.message.make_query(name, kind)
        answer = dns.query.udp(question, self.host, port=self.port, timeout=5)
        assert answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN), dns.rcode.to_text(answer.rcode())
        return sorted(str(row) for rrset in answer.answer for row in rrset)

    def reverse(self, address):
        """The names of an address, without the last dot."""
        name = dns.reversename.from_address(address)
        return [text.rstrip(".") for text in self.ask(name, "PTR")]

    def answers(self):
        """Whether the daemon lives and still has the other administrator's records."""
        return self.ask("gw.hq.example.") == ["192.0.2.1"]

    def control(self, *arguments):
        """`unbound-control`; its output."""
        argv = [packages.command("unbound-control"), "-c", str(self.conf), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def records(self):
        """The lines of Surveyor's include file that are records."""
        if not self.include.exists():
            return []
        lines = self.include.read_text(encoding="utf-8").splitlines()
        return sorted(line.strip() for line in lines if "local-data" in line)

    def files(self):
        """The include folder: name to content. Locks, which Unbound does not include, are nothing."""
        return {name: (self.folder / name).read_bytes() for name in sorted(self.names())}

    def names(self):
        """The names of these files."""
        return {path.name for path in self.folder.iterdir() if path.suffix != ".lock"}

    def reset(self):
        """As it was before Surveyor came."""
        for path in self.folder.iterdir():
            if path.name != "00-admin.conf":
                path.unlink()
        self.control("reload")
