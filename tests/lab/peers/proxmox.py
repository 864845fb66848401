"""The Proxmox VE 8 API at the wire, for reading: HTTPS and API tokens.

Each path is one file in the data folder: /api2/json/nodes/pve1/qemu/101/config is
nodes__pve1__qemu__101__config.json, holding {"data": ..}, or {"status": 500, "reason": ".."} for an
error. Errors carry their text in the HTTP reason phrase, as in the real thing. What has no file is
answered as Proxmox answers it: an absent guest agent, a guest that does not exist, an unknown node.
`--scale GUESTS,NODES` serves a synthesised cluster instead of the files (see scale.py). Faults: see
wire.py, named by path, as "cluster/resources".
"""

import hmac
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import scale
import wire

ROOT = "/api2/json"
KINDS = {"vm": ("qemu", "lxc"), "node": ("node",), "storage": ("storage",), "sdn": ("sdn",)}
GUEST = re.compile(r"^nodes/([^/]+)/(qemu|lxc)/([0-9]+)(?:/(.+))?$")


class Files:
    """The data folder as API content."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def get(self, path):
        """The content of one path, or None."""
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", path):
            return None
        return wire.unescape_bytes(wire.read_json(self.folder / (path.replace("/", "__") + ".json")))


def ok(value):
    """A good answer."""
    return wire.Reply(200, wire.dump({"data": value}), "OK", "application/json;charset=UTF-8")


def error(status, reason, **more):
    """A bad answer: the reason phrase says why."""
    body = dict(data=None, **more)
    if status >= 500:
        body["message"] = reason + "\n"
    return wire.Reply(status, wire.dump(body), reason, "application/json;charset=UTF-8")


class Proxmox(wire.PeerHandler):
    """Answers /api2/json/..."""

    def version_string(self):
        """The `Server` header."""
        return "pve-api-daemon/3.0"

    def extra_headers(self, _answer):
        """Proxmox forbids caching."""
        return (("Cache-Control", "max-age=0"), ("Pragma", "no-cache"))

    def fault_path(self):
        """The path below /api2/json."""
        path = unquote(urlsplit(self.path).path)
        return path[len(ROOT) :].strip("/") if path.startswith(ROOT) else path.strip("/")

    def fault_reply(self, status, reason, body):
        """A fault in Proxmox's form, or the raw body that was ordered."""
        if body is not None:
            return wire.Reply(status, body.encode("utf-8"), reason)
        return error(status, reason or "got an unexpected error")

    def refusal(self):
        """Why the token is not accepted, or None."""
        given = self.headers.get("Authorization") or ""
        if not given.startswith("PVEAPIToken="):
            return "No ticket"
        token, _, secret = given[len("PVEAPIToken=") :].replace("=", " ", 1).partition(" ")
        if token != self.server.token_id:
            user, _, name = token.partition("!")
            return f"no such token '{name}' for user '{user}'"
        if not hmac.compare_digest(secret.encode("utf-8"), self.server.token_secret.encode("utf-8")):
            return "invalid token value!"
        return None

    def reply(self, _body):
        """Dispatches one request."""
        url = urlsplit(self.path)
        path = self.fault_path()
        if not url.path.startswith(ROOT):
            return error(501, f"Method '{self.command} {url.path}' not implemented")
        refusal = self.refusal()
        if refusal:
            return error(401, refusal)
        if self.command != "GET":
            return error(403, "Permission check failed")
        content = self.server.content.get(path)
        if content is None:
            return self.absent(path)
        if "reason" in content:
            return error(content["status"], content["reason"])
        value = content.get("data")
        if path == "cluster/resources":
            return self.resources(value, parse_qs(url.query))
        return ok(value)

    def resources(self, rows, query):
        """/cluster/resources with its `type` parameter."""
        kind = query.get("type", [None])[0]
        if kind is None:
            return ok(rows)
        if kind not in KINDS:
            text = "value '{}' does not have a value in the enumeration '{}'".format(kind, ", ".join(KINDS))
            return error(400, "Parameter verification failed.", errors={"type": text})
        return ok([row for row in rows if row.get("type") in KINDS[kind]])

    def absent(self, path):
        """The answer for a path that has no content."""
        found = GUEST.match(path)
        if not found:
            node = re.match(r"^nodes/([^/]+)/", path)
            if node and node.group(1) not in self.nodes():
                name = node.group(1)
                text = f"hostname lookup '{name}' failed - failed to get address info for: {name}"
                return error(500, text + ": Name or service not known")
            return error(501, f"Method 'GET /{path}' not implemented")
        node, kind, vmid, rest = found.groups()
        config = self.server.content.get(f"nodes/{node}/{kind}/{vmid}/config")
        if config is None or "data" not in config:
            folder = "qemu-server" if kind == "qemu" else "lxc"
            return error(500, f"Configuration file 'nodes/{node}/{folder}/{vmid}.conf' does not exist")
        if kind == "lxc" and rest == "interfaces":
            return ok(None)
        if kind == "qemu" and rest == "agent/network-get-interfaces":
            agent = str(config["data"].get("agent", "0"))
            if not re.match(r"^(enabled=)?1", agent):
                return error(500, "No QEMU guest agent configured")
            if self.status(int(vmid)) != "running":
                return error(500, f"VM {vmid} is not running")
            return error(500, "QEMU guest agent is not running")
        return error(501, f"Method 'GET /{path}' not implemented")

    def rows(self):
        """The rows of /cluster/resources."""
        return (self.server.content.get("cluster/resources") or {}).get("data") or []

    def nodes(self):
        """The names of the nodes."""
        listed = (self.server.content.get("nodes") or {}).get("data") or []
        return {row.get("node") for row in self.rows() + listed}

    def status(self, vmid):
        """The status of a guest, or None."""
        return next((row.get("status") for row in self.rows() if row.get("vmid") == vmid), None)


def main():
    """Command line."""
    parser = wire.arguments("A Proxmox VE 8 API, for reading.")
    parser.add_argument("--token-id", required=True, help="USER@REALM!TOKEN")
    parser.add_argument("--token-secret-file", required=True, help="its first line is the secret")
    parser.add_argument("--scale", metavar="GUESTS,NODES", help="serve a synthesised cluster")
    options = parser.parse_args()
    if not options.data and not options.scale:
        parser.error("--data or --scale is required")
    if options.scale:
        guests, _, nodes = options.scale.partition(",")
        content = scale.Cluster(int(guests), int(nodes or 1))
    else:
        content = Files(options.data)
    secret = (Path(options.token_secret_file).read_text(encoding="utf-8").splitlines() or [""])[0]
    wire.run(Proxmox, options, content=content, token_id=options.token_id, token_secret=secret)


if __name__ == "__main__":
    main()
