"""How long a scan of a large, quick network takes: in network namespaces, the whole program from start to end."""

import ipaddress
import statistics
import tempfile
from pathlib import Path

import ground  # noqa: F401 - finds the packages
from e2e.support.namespaces import Network, Responder, reason_to_skip
from e2e.support.scanning import scan

SUBNET = "10.93.0.0/20"
LIVE = 767
# Of a wired network on which nobody waits for an access point.
PACE = 50_000
TIMES = 5
# A host that answers for these, and loses so much of what comes and of what goes.
LOSSY, LOSS = "10.94.0.0/20", 0.05


class Sweeping:
    """The times, and whether anything was missed."""

    def __init__(self, times=TIMES):
        self.why_not = reason_to_skip()
        self.seconds, self.missed, self.gaps = [], 0, []
        self.usual = {}
        if self.why_not:
            return
        network = Network()
        try:
            scanner, host = network.host("scanner"), network.host("large")
            scanner.addresses("10.93.0.1/20")
            live = [str(ipaddress.ip_address("10.93.0.0") + 5 * index + 7) for index in range(LIVE)]
            host.addresses(*(f"{address}/20" for address in live))
            with tempfile.TemporaryDirectory() as folder:
                for _ in range(times):
                    found = scan(scanner, Path(folder), subnets=[SUBNET], packets_per_second=PACE)
                    self.seconds.append(found.seconds)
                    self.note(found, {*live, "10.93.0.1"})
                scanner.addresses("10.94.12.1/20")
                for loss in (0.0, LOSS):
                    self.usual[loss] = self.lossy(network, scanner, Path(folder), loss)
        finally:
            network.close()

    def note(self, found, wanted):
        """What was missed."""
        self.missed += len(wanted - found.addresses)
        self.gaps += found.gaps

    def lossy(self, network, scanner, folder, loss):
        """A scan at the usual pace, whose frames and answers are lost in part; how long it took."""
        live = {
            f"10.94.{index >> 8}.{index & 255}": f"02:00:00:00:{index >> 8:02x}:{index & 255:02x}"
            for index in range(1031, 1031 + 3 * LIVE, 3)
        }
        with Responder(network.host(f"lossy{loss}"), live.get, loss=loss):
            found = scan(scanner, folder, subnets=[LOSSY])
        self.note(found, set(live))
        return found.seconds

    @property
    def median(self):
        """The median time."""
        return statistics.median(self.seconds)

    @property
    def listed(self):
        """All times."""
        return ", ".join(f"{seconds:.2f}" for seconds in self.seconds)
