"""The peers answer clients that others wrote: librouteros for the binary API, proxmoxer for Proxmox VE."""

import json
import ssl
import urllib.request

import librouteros
import proxmox
import pytest
import routeros_api
from librouteros.login import plain
from librouteros.query import Key
from proxmoxer import ProxmoxAPI
from test_peers import SECRET, TOKEN, Peer, certificate, network, router  # noqa: F401

MENUS = ("interface", "interface/bridge/host", "ip/dhcp-server/lease", "ip/arp", "ip/neighbor")


@pytest.fixture
def api(network, certificate):  # noqa: F811
    """router1 over its binary API."""
    peer = Peer(routeros_api.RouterOsApi, network / "routeros", certificate, {}, credentials=b"u:p:w")
    yield peer
    peer.server.shutdown()
    peer.server.server_close()


def connect(peer, password="p:w"):
    """A session of librouteros."""
    return librouteros.connect(
        "127.0.0.1",
        "u",
        password,
        port=peer.server.server_address[1],
        ssl_wrapper=peer.tls.wrap_socket,
        login_method=plain,
        encoding="latin-1",
    )


def test_librouteros_reads_what_rest_says(api, router):  # noqa: F811
    session = connect(api)
    for menu in MENUS:
        status, _, body = router.ask("GET", f"/rest/{menu}")
        assert status == 200
        over_rest = json.loads(body.decode("latin-1"))
        over_api = [
            {name: said(value) for name, value in row.items()} for row in session.path(*menu.split("/"))
        ]
        assert over_api == [{name: said(typed(value)) for name, value in row.items()} for row in over_rest], (
            menu
        )
    assert over_api, "there are neighbours"


def typed(text):
    """As librouteros understands a value."""
    return {"true": True, "yes": True, "false": False, "no": False}.get(text, text)


def said(value):
    """Numbers are texts over REST."""
    return value if isinstance(value, bool) else str(value)


def test_librouteros_asks_for_columns_and_rows(api):
    session = connect(api)
    name, kind = Key("name"), Key("type")
    rows = list(session.path("interface").select(name).where(kind == "bridge"))
    assert rows == [{"name": "bridge"}]


def test_librouteros_hears_errors(api):
    with pytest.raises(librouteros.exceptions.LibRouterosError):
        connect(api, "wrong")
    session = connect(api)
    with pytest.raises(librouteros.exceptions.TrapError, match="no such command"):
        list(session.path("interface", "nothing"))
    # The session is as good as before.
    assert len(list(session.path("interface"))) > 3


def test_lengths_of_words():
    for size in (0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000):
        head = routeros_api.encode_length(size)
        assert len(head) == 1 + sum(size >= limit for limit in (0x80, 0x4000, 0x200000)), size


def test_proxmoxer_reads_the_cluster(network, certificate):  # noqa: F811
    more = {"content": proxmox.Files(network / "proxmox"), "token_id": TOKEN, "token_secret": SECRET}
    peer = Peer(proxmox.Proxmox, network / "proxmox", certificate, {}, **more)
    user, _, name = TOKEN.partition("!")
    port = peer.server.server_address[1]
    client = ProxmoxAPI(
        "127.0.0.1", port=port, user=user, token_name=name, token_value=SECRET, verify_ssl=False
    )
    resources = client.cluster.resources.get(type="vm")
    plain_answer = ask(port, "/api2/json/cluster/resources?type=vm")
    assert resources == plain_answer
    running = [row for row in resources if row["type"] == "qemu" and row["status"] == "running"]
    for row in running:
        config = client.nodes(row["node"]).qemu(row["vmid"]).config.get()
        assert config["net0"].count(":") >= 5, config
    peer.server.shutdown()
    peer.server.server_close()


def ask(port, path):
    """The data of one answer, without proxmoxer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}{path}", headers={"Authorization": f"PVEAPIToken={TOKEN}={SECRET}"}
    )
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return json.load(answer)["data"]
