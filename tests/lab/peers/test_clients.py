"""The peers answer clients that others wrote: librouteros for the binary API, proxmoxer for Proxmox VE."""

import json
import socket
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


def test_commands_with_tags_are_answered_side_by_side(api, network):  # noqa: F811
    # More than the socket takes at once, so that the second command begins before the first ends.
    rows = [{"comment": f"{index:0600}"} for index in range(40 * routeros_api.TURN)]
    (network / "routeros" / "many.json").write_text(json.dumps(rows), encoding="utf-8")
    faults = {"ip/arp": {"rows": 2}, "ip/neighbor": {"delay_ms": 60_000}}
    (network / "routeros" / "_faults.json").write_text(json.dumps(faults), encoding="utf-8")
    with api.tls.wrap_socket(socket.create_connection(api.server.server_address, timeout=10)) as session:
        stream = session.makefile("rwb")
        stream.write(routeros_api.encode(["/login", "=name=u", "=password=p:w"]))
        stream.flush()
        assert routeros_api.read_sentence(stream) == ["!done"]
        for tag, menu in enumerate(("many", "many", "ip/arp", "ip/neighbor", "nothing")):
            stream.write(routeros_api.encode([f"/{menu}/print", f".tag={tag}"]))
        stream.flush()
        said = {str(tag): [] for tag in range(5)}
        order = []
        while not all(said[tag][-1:] == ["!done"] for tag in "014") or len(said["2"]) < 2:
            kind, *rest = routeros_api.read_sentence(stream)
            (tag,) = (word.removeprefix(".tag=") for word in rest if word.startswith(".tag="))
            said[tag].append(kind)
            order.append(tag)
    assert said["0"] == said["1"] == ["!re"] * len(rows) + ["!done"]
    assert (said["2"], said["3"]) == (["!re"] * 2, []), "these hang"
    assert said["4"] == ["!trap", "!done"]
    turns = [tag for tag, before in zip(order, ["", *order]) if tag != before]
    assert len(turns) > 4, "replies are mixed"


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
