"""A synthesised Proxmox cluster of any size, for speed tests. The same numbers give the same cluster.

Guest i has vmid 1000 + i, lives on node i mod NODES, is a container if i mod 4 is 3, is stopped if
i mod 10 is 9, has MAC BC:24:11 + i, VLAN tag 20, and the address 10.x.y.z = 10.0.0.1 + i. The guest
agent answers on every virtual machine that runs.
"""

import ipaddress
import re

FIRST_ADDRESS = ipaddress.ip_address("10.0.0.1")
GIB = 1 << 30


class Cluster:
    """The content of each API path, made when asked for."""

    def __init__(self, guests, nodes):
        self.guests = guests
        self.nodes = [f"pve{number + 1:03d}" for number in range(max(nodes, 1))]
        self.resources = [self.node_row(name) for name in self.nodes]
        self.resources += [self.guest_row(index) for index in range(guests)]

    def mac(self, index):
        """The MAC of a guest."""
        return f"BC:24:11:{index >> 16 & 255:02X}:{index >> 8 & 255:02X}:{index & 255:02X}"

    def running(self, index):
        """Whether a guest runs."""
        return index % 10 != 9

    def kind(self, index):
        """qemu or lxc."""
        return "lxc" if index % 4 == 3 else "qemu"

    def node_row(self, name):
        """A node in /cluster/resources."""
        row = {"id": "node/" + name, "type": "node", "node": name, "status": "online", "uptime": 872961}
        row.update({"maxcpu": 64, "cpu": 0.11, "maxmem": 512 * GIB, "mem": 200 * GIB, "level": ""})
        return row

    def guest_row(self, index):
        """A guest in /cluster/resources."""
        kind, vmid, runs = self.kind(index), 1000 + index, self.running(index)
        row = {"id": f"{kind}/{vmid}", "type": kind, "vmid": vmid, "name": f"guest-{index:05d}"}
        row.update({"node": self.nodes[index % len(self.nodes)], "status": "running" if runs else "stopped"})
        row.update({"template": 0, "maxcpu": 2, "cpu": 0.02 if runs else 0, "maxmem": 4 * GIB, "mem": 0})
        row.update({"maxdisk": 32 * GIB, "disk": 0, "uptime": 874350 if runs else 0})
        return row

    def get(self, path):
        """The content of one path, or None."""
        fixed = {"version": self.version, "cluster/resources": lambda: self.resources}
        fixed.update({"cluster/status": self.status, "nodes": self.node_list})
        fixed["access/permissions"] = self.permissions
        if path in fixed:
            return {"data": fixed[path]()}
        found = re.match(r"^nodes/([^/]+)/(?:network|(qemu|lxc)/([0-9]+)/(.+))$", path)
        if not found or found.group(1) not in self.nodes:
            return None
        node, kind, vmid, rest = found.groups()
        if kind is None:
            return {"data": self.network(self.nodes.index(node))}
        index = int(vmid) - 1000
        if not 0 <= index < self.guests or self.kind(index) != kind:
            return None
        if node != self.nodes[index % len(self.nodes)]:
            return None
        if rest == "config":
            return {"data": self.config(index)}
        if self.running(index) and rest in ("agent/network-get-interfaces", "interfaces"):
            return {"data": self.interfaces(index)}
        return None

    def version(self):
        """/version"""
        return {"version": "8.4.1", "release": "8.4", "repoid": "2a5fa54a8503f96d"}

    def status(self):
        """/cluster/status"""
        head = {"type": "cluster", "id": "cluster", "name": "scale", "version": 3, "quorate": 1}
        rows = [dict(head, nodes=len(self.nodes))]
        for number, name in enumerate(self.nodes):
            row = {"type": "node", "id": "node/" + name, "name": name, "nodeid": number + 1, "level": ""}
            rows.append(dict(row, ip=f"10.255.0.{number + 1}", online=1, local=int(number == 0)))
        return rows

    def node_list(self):
        """/nodes"""
        return [self.node_row(name) for name in self.nodes]

    def permissions(self):
        """/access/permissions"""
        return {"/": {"VM.Audit": 1, "VM.Monitor": 1, "Sys.Audit": 1, "VM.GuestAgent.Audit": 1}}

    def network(self, number):
        """/nodes/N/network"""
        port = {"iface": "eno1", "type": "eth", "method": "manual", "exists": 1, "active": 1}
        bridge = {"iface": "vmbr0", "type": "bridge", "method": "static", "active": 1, "autostart": 1}
        cidr = f"10.255.0.{number + 1}/24"
        bridge.update({"cidr": cidr, "bridge_ports": "eno1", "bridge_vlan_aware": 1})
        return [port, bridge]

    def config(self, index):
        """A guest's config."""
        common = {"cores": 2, "memory": "4096", "digest": f"{index:040x}"}
        tail = "bridge=vmbr0,firewall=1,tag=20"
        if self.kind(index) == "lxc":
            net = f"name=eth0,{tail},hwaddr={self.mac(index)},ip=dhcp,type=veth"
            return dict(common, hostname=f"guest-{index:05d}", arch="amd64", ostype="debian", net0=net)
        net = f"virtio={self.mac(index)},{tail}"
        smbios = f"uuid=00000000-0000-4000-8000-{index:012x}"
        return dict(common, name=f"guest-{index:05d}", agent="1", ostype="l26", net0=net, smbios1=smbios)

    def interfaces(self, index):
        """What the guest agent, or the container, says of its interfaces."""
        address, mac = str(FIRST_ADDRESS + index), self.mac(index).lower()
        if self.kind(index) == "lxc":
            return [{"name": "eth0", "hwaddr": mac, "inet": address + "/8"}]
        listed = [{"ip-address": address, "ip-address-type": "ipv4", "prefix": 8}]
        return {"result": [{"name": "eth0", "hardware-address": mac, "ip-addresses": listed}]}
