"""IPv6 neighbours that are not the kernel's: one that answers for many, or badly, and one that only listens."""

import ipaddress
import random
import socket
import struct

from .namespaces import Attached

IPV6 = 0x86DD
SOLICITATION, ADVERTISEMENT, ECHO_REQUEST, REPORT = 135, 136, 128, (131, 143)


def made_from(prefix, mac):
    """The address that a machine makes from its card (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    network = ipaddress.IPv6Address(prefix.split("/")[0])
    return str(ipaddress.IPv6Address(int(network) | int.from_bytes(identifier, "big")))


def checksum(source, target, message):
    """RFC 4443 section 2.3."""
    data = source + target + struct.pack("!II", len(message), 58) + message
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


class Wire(Attached):
    """A thread that sees the IPv6 frames of a host."""

    def serve(self):
        """The thread."""
        self.host.enter()
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV6)) as wire:
            wire.bind(("eth0", IPV6))
            # Groups that nobody here has joined are sent to everybody by the switch, and dropped by the card.
            membership = struct.pack("iHH8s", socket.if_nametoindex("eth0"), 1, 0, b"")
            wire.setsockopt(263, 1, membership)
            wire.settimeout(0.1)
            self.ready.set()
            while not self.ending.is_set():
                try:
                    frame = wire.recv(2048)
                except TimeoutError:
                    continue
                if len(frame) >= 58 and frame[20] == 58:
                    self.hear(wire, frame)
                elif len(frame) >= 63 and frame[20] == 0 and frame[54] == 58:
                    self.hear_report(frame)

    def hear_report(self, frame):
        """A multicast listener report, behind its hop-by-hop options."""


class Listener(Wire):
    """Remembers what is asked."""

    def __init__(self, host):
        super().__init__(host)
        self.calls, self.asked, self.joined = [], [], []

    def hear(self, wire, frame):
        """One ICMPv6 message."""
        source = str(ipaddress.IPv6Address(frame[22:38]))
        if frame[54] == ECHO_REQUEST and frame[38:54] == ipaddress.IPv6Address("ff02::1").packed:
            self.calls.append(source)
        elif frame[54] == SOLICITATION:
            self.asked.append((source, str(ipaddress.IPv6Address(frame[62:78]))))

    def hear_report(self, frame):
        """Somebody joined a group."""
        if frame[62] in REPORT:
            self.joined.append(str(ipaddress.IPv6Address(frame[22:38])))


class Forger(Wire):
    """Answers solicitations for whatever `answer(address)` gives a MAC address for; `forgery`: `hops`, `checksum`, `group`."""

    def __init__(self, host, answer, loss=0.0, forgery=None):
        super().__init__(host)
        self.answer, self.loss, self.forgery = answer, loss, forgery
        self.random = random.Random(7)

    def is_lost(self):
        """Whether this packet never arrives."""
        return self.random.random() < self.loss

    def hear(self, wire, frame):
        """One ICMPv6 message."""
        if frame[54] != SOLICITATION or self.is_lost():
            return
        asker, target = frame[22:38], frame[62:78]
        mac = self.answer(str(ipaddress.IPv6Address(target)))
        if mac is None or self.is_lost():
            return
        own = bytes.fromhex(mac.replace(":", ""))
        if self.forgery == "group":
            own = bytes([own[0] | 1]) + own[1:]
        hops = 64 if self.forgery == "hops" else 255
        message = bytearray(
            struct.pack("!BBHI", ADVERTISEMENT, 0, 0, 0x60000000) + target + b"\x02\x01" + own
        )
        total = checksum(target, asker, bytes(message))
        message[2:4] = struct.pack("!H", total ^ (0x1234 if self.forgery == "checksum" else 0))
        header = struct.pack("!IHBB", 0x60000000, len(message), 58, hops) + target + asker
        wire.send(frame[6:12] + bytes([own[0] & 0xFE]) + own[1:] + struct.pack("!H", IPV6) + header + message)
