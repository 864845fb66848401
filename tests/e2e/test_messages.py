"""When something is wrong there is one clear message, the right exit code, and nothing is half-written."""

import contextlib
import socket

import pytest

from .support import applied
from .support.configuration import only, secret
from .support.netbox import NetBox, custom
from .support.surveyor import DONE, FIXABLE, INCOMPLETE
from .support.waiting import eventually

EITHER = (DONE, INCOMPLETE)
# Of what it says on standard error: a person reads that, not a stack of causes.
LINES = 8


@pytest.fixture(scope="module")
def scene(start):
    """Everything is staged, and one approval waits to be made true."""
    scene = start("e2e-staged")
    scene.approve("ws-anna")
    return scene


@pytest.fixture
def broken(scene, tmp_path):
    """An installation to be broken, beside the good one; nothing may change in NetBox or in DNS."""
    with scene.untouched():
        yield scene.surveyor.beside(tmp_path / "broken")
    assert scene.resolver.answers()


def clear(outcome, *words):
    """Says these words, and not much more."""
    assert outcome.says(*words), outcome
    said = [line for line in outcome.err.splitlines() if line.strip()]
    assert 1 <= len(said) <= LINES, outcome
    assert "panicked" not in outcome.err
    assert "Traceback" not in outcome.err


def free_port():
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


COMMANDS = (("stage",), ("apply",), ("status",), ("rollback", "ws-anna"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_netbox_is_down(broken, command):
    url = f"http://127.0.0.1:{free_port()}"
    with broken.changed(lambda config: config["netbox"].update(url=url)):
        clear(broken.run(*command, code=FIXABLE), url.removeprefix("http://"))


def test_wrong_url(broken, scene):
    for url in (f"{scene.lab.url}/nowhere", scene.lab.info["proxmox"]["url"]):
        with broken.changed(lambda config, url=url: config["netbox"].update(url=url)):
            clear(broken.run("apply", code=FIXABLE), url.split("://")[1])
    with broken.changed(lambda config: config["netbox"].update(url="netbox.example.org")):
        clear(broken.run("apply", code=FIXABLE), "netbox.url", "https://")


def test_wrong_token(broken, scene, tmp_path):
    wrong = secret(tmp_path, "wrong", "nbt_abcdefghijkl.0123456789012345678901234567890123456789")
    for key in ("stager_token_file", "materializer_token_file"):
        with broken.changed(lambda config, key=key: config["netbox"].update({key: wrong})):
            outcome = broken.run("apply", code=(FIXABLE, INCOMPLETE))
            clear(outcome, "token")
    garbage = secret(tmp_path, "garbage", "no\ntoken at all\n")
    with broken.changed(lambda config: config["netbox"].update(stager_token_file=garbage)):
        clear(broken.run("apply", code=FIXABLE), garbage)


def test_a_user_without_rights(broken, scene, tmp_path):
    scene.admin.create("users/users/", username="nobody", password="Nobody-at-all-1")
    token = scene.admin.login("nobody", "Nobody-at-all-1").session.headers["Authorization"].split()[1]
    poor = secret(tmp_path, "poor", token)
    edit = {"stager_token_file": poor, "materializer_token_file": poor}
    scene_last = scene.last_change()
    with broken.changed(lambda config: config["netbox"].update(edit)):
        clear(broken.run("apply", code=FIXABLE), "permission")
        clear(broken.run("stage", code=FIXABLE), "permission")
    assert scene.last_change() == scene_last


def test_configurations_that_cannot_be_read(broken, tmp_path):
    good = broken.file.read_text(encoding="utf-8")
    cases = (
        (good + "\n[netbox\n", ("surveyor.toml", "line")),
        (good.replace("settle_after_seconds", "settle_after_secs"), ("settle_after_secs",)),
        (good.replace("[defaults]", "[default]"), ("default",)),
        (good.replace("sweep_seconds = 1", 'sweep_seconds = "soon"'), ("sweep_seconds",)),
        (good.replace('type = "snmp"', 'type = "smtp"'), ("smtp",)),
        (good.replace('site = "hq"', ""), ("defaults.site",)),
        (good.replace('credentials = "snmp-sw1"', 'credentials = "snmp-sw9"'), ("snmp-sw9",)),
        (good.replace('zone = "hq.example"', 'zone = "hq example"'), ("zone",)),
        ("", ("netbox",)),
    )
    for text, words in cases:
        assert text != good
        broken.file.write_text(text, encoding="utf-8")
        clear(broken.run("stage", code=FIXABLE), *words)
    broken.file.unlink()
    clear(broken.run("stage", code=FIXABLE), str(broken.file))


def test_secrets_that_are_missing(broken, tmp_path):
    gone = str(tmp_path / "gone")

    def netbox(config):
        config["netbox"]["materializer_token_file"] = gone

    def source(config):
        config["source"][0]["password_file"] = gone

    def webhook(config):
        config["webhook"]["secret_file"] = gone

    for edit, command, key in (
        (netbox, "apply", "materializer_token_file"),
        (source, "stage", "router1"),
        (webhook, "serve", "secret_file"),
    ):
        with broken.changed(edit):
            clear(broken.run(command, code=FIXABLE, timeout=20), gone, key)


def test_what_does_not_exist(broken, tmp_path):
    with broken.changed(lambda config: config["defaults"].update(site="hw")):
        clear(broken.run("stage", code=FIXABLE), "hw", "hq")
    clear(broken.run("apply", "no-such-host", code=FIXABLE), "no-such-host")
    clear(broken.run("rollback", "dcim.device/999999", code=FIXABLE), "999999")
    clear(broken.run("stage", "--source", "sw9", code=FIXABLE), "sw9", "sw2")
    clear(broken.run("forget", "00:11:22:33:44:55", code=FIXABLE), "00:11:22:33:44:55")
    clear(broken.run("bootstrap", "--admin-token-file", str(tmp_path / "none"), code=FIXABLE), "none")
    store = {"url": f"sqlite://{tmp_path}/no/such/folder/surveyor.db"}
    with broken.changed(lambda config: config["store"].update(store)):
        clear(broken.run("stage", code=FIXABLE), "no/such/folder")


def test_one_source_is_down_the_others_go_on(broken):
    port = free_port()

    def edit(config):
        only(config, "router1", "sw1")
        config["source"][0]["address"] = f"127.0.0.1:{port}"

    with broken.changed(edit):
        outcome = broken.run("stage", "--dry-run", "--json", code=INCOMPLETE)
        assert {gap["source"] for gap in outcome.json["gaps"]} == {"router1"}
        assert str(port) in str(outcome.json["gaps"])
        found = broken.run("discover", "--json", code=INCOMPLETE).json
        assert found["candidates"] or found["links"] or found["gaps"]
    with broken.changed(lambda config: config["source"][0].update(tls="sha256:" + ":".join(["AA"] * 32))):
        outcome = broken.run("discover", "--source", "router1", "--json", code=INCOMPLETE)
        assert "fingerprint" in str(outcome.json["gaps"]).lower(), outcome


# From here on the waiting approval is made true, with something in its way.


def failing(scene, edit, command, *words):
    """DNS fails: the message is clear, Unbound is as before."""
    files = scene.resolver.files()
    with scene.surveyor.changed(edit):
        outcome = scene.surveyor.run(*command, code=(FIXABLE, INCOMPLETE))
        assert outcome.says("ns1", *words), outcome
    assert scene.resolver.files() == files
    assert scene.resolver.answers()
    assert scene.resolver.ask("ws-anna.hq.example") == []


def test_the_ssh_key_is_refused(scene):
    """NetBox is done, and the state says that DNS is not; `doctor` tells the same."""
    ssh = scene.lab.info["ssh"]

    def edit(config):
        config["dns"]["unbound"][0]["identity_file"] = ssh["refused_identity_file"]

    failing(scene, edit, ("apply",), "key", ssh["refused_identity_file"])
    anna = scene.admin.device("ws-anna")
    assert custom(anna, "state") in ("failed", "partial")
    assert anna["primary_ip4"]["address"] == "192.0.2.101/24"
    failing(scene, edit, ("doctor",), "key", ssh["refused_identity_file"])


def test_the_host_key_has_changed(scene):
    ssh = scene.lab.info["ssh"]

    def edit(config):
        config["dns"]["unbound"][0]["known_hosts_file"] = ssh["wrong_known_hosts_file"]

    failing(scene, edit, ("apply", "--skip-netbox"), "host key", ssh["wrong_known_hosts_file"])


def test_nobody_answers_there(scene):
    port = free_port()

    def edit(config):
        config["dns"]["unbound"][0]["ssh"] = f"root@127.0.0.1:{port}"

    failing(scene, edit, ("apply", "--skip-netbox"), str(port))


def test_the_check_of_unbound_fails(scene):
    """Another administrator's file has a fault: ours is not put beside it, and the daemon goes on answering."""
    fault = scene.resolver.folder / "50-fault.conf"
    fault.write_text("server:\n    no-such-option: yes\n", encoding="utf-8")
    try:
        failing(scene, lambda config: None, ("apply",), "50-fault.conf")
    finally:
        fault.unlink()


def test_a_permission_is_missing(scene):
    """The cable is refused by NetBox: the rest is done, and the message names what is missing."""
    right = scene.admin.one("users/permissions/", name="Surveyor materializer: add cables")
    scene.admin.change(f"users/permissions/{right['id']}/", enabled=False)
    try:
        scene.approve("nas1")
        outcome = scene.surveyor.run("apply", "nas1", code=(FIXABLE, INCOMPLETE))
        assert outcome.says("cable", "permission"), outcome
        assert scene.admin.one("dcim/interfaces/", device="nas1")["cable"] is None
        assert custom(scene.admin.device("nas1"), "state") in ("failed", "partial")
        doctor = scene.surveyor.run("doctor", code=FIXABLE)
        assert doctor.says("Surveyor materializer: add cables"), doctor
    finally:
        scene.admin.change(f"users/permissions/{right['id']}/", enabled=True)


def test_once_it_is_repaired_it_is_finished(scene):
    scene.surveyor.run("doctor", code=EITHER)
    with scene.surveyor.serve():
        for name in ("ws-anna", "nas1"):
            eventually(applied.is_applied(scene, name), timeout=60)
    for name in ("ws-anna", "nas1"):
        applied.check(scene, name)


def test_two_of_serve(scene, tmp_path):
    with scene.surveyor.serve() as first:
        clear(scene.surveyor.run("serve", code=FIXABLE, timeout=20), "surveyor.db")
        other = scene.surveyor.beside(tmp_path / "other")
        clear(other.run("serve", code=FIXABLE, timeout=20), scene.surveyor.config["webhook"]["listen"])
        assert first.process.poll() is None


def test_netbox_goes_away_and_comes_back(scene):
    """`serve` survives it, says so, and does what was approved when NetBox is back."""
    with scene.surveyor.serve() as service:
        scene.approve("backup1")
        scene.lab.service("stop", "gunicorn")
        try:
            eventually(lambda: "backup1" in service.said() or "502" in service.said(), timeout=20)
        finally:
            scene.lab.service("start", "gunicorn")
        eventually(lambda: is_up(scene), timeout=60)
        eventually(applied.is_applied(scene, "backup1"), timeout=60)
        assert service.process.poll() is None
    applied.check(scene, "backup1")


def is_up(scene):
    """Whether NetBox answers."""
    with contextlib.suppress(OSError):
        return NetBox(scene.lab.url, scene.lab.admin_token()).call("GET", "status/")[0] == 200
    return False
