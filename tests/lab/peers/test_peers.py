"""The RouterOS and Proxmox peers answer as their models do: rows, columns, queries, errors, faults."""

import base64
import http.client
import json
import shutil
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import overlay
import proxmox
import routeros
import scale
import wire

HQ = Path(__file__).parent.parent / "networks" / "hq"
TOKEN, SECRET = "surveyor@pve!ro", "6e1a2b3c-0000-4000-8000-123456789abc"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate and its key."""
    return wire.self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def network(tmp_path):
    """A copy of hq with the hostile overlay."""
    folder = tmp_path / "hq"
    shutil.copytree(HQ, folder)
    overlay.apply(folder, folder / "hostile")
    return folder


class Peer:
    """A peer in this process and a client for it."""

    def __init__(self, handler, data, certificate, headers, **attributes):
        self.server = wire.PeerServer(("127.0.0.1", 0), handler, *certificate, data, 0)
        for name, value in attributes.items():
            setattr(self.server, name, value)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.headers = headers
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def connect(self):
        """A client connection."""
        port = self.server.server_address[1]
        return http.client.HTTPSConnection("127.0.0.1", port, context=self.tls, timeout=10)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """Status, reason phrase and body of one request."""
        connection = connection or self.connect()
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, self.headers if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, answer.reason, answer.read()


@pytest.fixture
def router(network, certificate):
    """router1."""
    header = {"Authorization": "Basic " + base64.b64encode(b"u:p:w").decode()}
    peer = Peer(routeros.RouterOs, network / "routeros", certificate, header, credentials=b"u:p:w")
    yield peer
    peer.server.shutdown()
    peer.server.server_close()


@pytest.fixture(params=["files", "scale"])
def cluster(request, network, certificate):
    """The cluster lab, or a synthesised one."""
    content = proxmox.Files(network / "proxmox") if request.param == "files" else scale.Cluster(40, 3)
    header = {"Authorization": f"PVEAPIToken={TOKEN}={SECRET}"}
    more = {"content": content, "token_id": TOKEN, "token_secret": SECRET}
    peer = Peer(proxmox.Proxmox, network / "proxmox", certificate, header, **more)
    yield peer
    peer.server.shutdown()
    peer.server.server_close()


def test_routeros_get(router):
    path = "/rest/interface/bridge/host?local=true&.proplist=mac-address,on-interface"
    status, _, body = router.ask("GET", path)
    assert status == 200
    assert json.loads(body)[0] == {"mac-address": "D4:01:C3:5A:10:01", "on-interface": "bridge"}
    assert json.loads(router.ask("GET", "/rest/system/identity")[2]) == {"name": "router1"}
    assert json.loads(router.ask("GET", "/rest/interface/ether5")[2])["default-name"] == "ether5"
    assert json.loads(router.ask("GET", "/rest/interface/*2")[2])["name"] == "ether2"


def test_routeros_print(router):
    ask = {".proplist": ["name"], ".query": ["type=ether", "running=true", "#&", "type=bridge", "#|"]}
    status, _, body = router.ask("POST", "/rest/interface/print", ask)
    assert status == 200
    assert [row["name"] for row in json.loads(body)] == ["ether1", "ether2", "ether5", "bridge"]
    status, _, body = router.ask("POST", "/rest/ip/dhcp-server/lease/print", {".query": ["-host-name"]})
    assert [row["last-seen"] for row in json.loads(body)] == ["never"]


def test_routeros_errors(router):
    status, _, body = router.ask("GET", "/rest/interface/ethernet/switch/host")
    assert (status, json.loads(body)["detail"]) == (400, "no such command or directory (host)")
    assert router.ask("GET", "/rest/interface/*FF")[0] == 404
    assert router.ask("GET", "/rest/../system/identity")[0] == 400
    status, _, body = router.ask("GET", "/rest/ip/arp", headers={"Authorization": "Basic eDp5"})
    assert (status, json.loads(body)) == (401, {"error": 401, "message": "Unauthorized"})
    assert router.ask("PUT", "/rest/ip/address", {"address": "192.0.2.9/24"})[0] == 403


def test_routeros_sends_bytes_that_are_not_utf8(router):
    body = router.ask("GET", "/rest/ip/dhcp-server/lease?.proplist=host-name")[2]
    assert b'"caf\xe9-\xff\xfe"' in body


def test_faults_and_edits_take_effect_at_once(router, network):
    data = network / "routeros"
    (data / "system_identity.json").write_text('{"name": "other"}')
    assert json.loads(router.ask("GET", "/rest/system/identity")[2])["name"] == "other"
    faults = {"ip/arp": {"status": 500}, "ip/neighbor": {"close": True}, "interface": {"cut_bytes": 9}}
    (data / "_faults.json").write_text(json.dumps(faults))
    assert json.loads(router.ask("GET", "/rest/ip/arp")[2])["error"] == 500
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        router.ask("GET", "/rest/ip/neighbor")
    with pytest.raises(http.client.IncompleteRead):
        router.ask("GET", "/rest/interface")


def test_keep_alive_and_parallel_connections(router):
    def several(_number):
        connection = router.connect()
        return [router.ask("GET", "/rest/ip/arp", connection=connection)[0] for _ in range(10)]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(several, range(16))) == [[200] * 10] * 16


def test_proxmox_reads(cluster):
    rows = json.loads(cluster.ask("GET", "/api2/json/cluster/resources?type=vm")[2])["data"]
    assert {row["type"] for row in rows} == {"qemu", "lxc"}
    for row in rows:
        path = "/api2/json/nodes/{node}/{id}/config".format(**row)
        assert "net0" in json.loads(cluster.ask("GET", path)[2])["data"]
    for path in ("version", "cluster/status", "nodes", "access/permissions"):
        assert cluster.ask("GET", "/api2/json/" + path)[0] == 200
    assert cluster.ask("GET", f"/api2/json/nodes/{rows[0]['node']}/network")[0] == 200


@pytest.mark.parametrize("cluster", ["files"], indirect=True)
def test_proxmox_errors_are_reason_phrases(cluster):
    def reason(path, **more):
        return cluster.ask("GET", "/api2/json/" + path, **more)[:2]

    agent = "nodes/pve1/qemu/{}/agent/network-get-interfaces"
    assert reason(agent.format(101)) == (200, "OK")
    assert reason(agent.format(102)) == (500, "QEMU guest agent is not running")
    assert reason(agent.format(104)) == (500, "No QEMU guest agent configured")
    missing = "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist"
    assert reason("nodes/pve1/qemu/999/config") == (500, missing)
    assert reason("version", headers={}) == (401, "No ticket")
    wrong = {"Authorization": f"PVEAPIToken={TOKEN}=wrong"}
    assert reason("version", headers=wrong) == (401, "invalid token value!")
    assert reason("cluster/resources?type=guest") == (400, "Parameter verification failed.")
