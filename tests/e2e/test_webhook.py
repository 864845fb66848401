"""A webhook only wakes the worker: forged, repeated, late or lost ones change nothing about what happens."""

import pytest
from proxy import FaultProxy

from .support import applied
from .support.hook import Hook
from .support.lab import WEBHOOK_PORT
from .support.waiting import eventually, never

NEVER = 3600


@pytest.fixture(scope="module")
def scene(start):
    """Everything is staged."""
    return start("e2e-staged")


def quiet(config):
    """No sweep but the first: only webhooks wake it. NetBox delivers through a proxy in front."""
    config["serve"]["sweep_seconds"] = NEVER
    config["webhook"]["listen"] = f"127.0.0.1:{WEBHOOK_PORT + 1}"


def front():
    """What NetBox's webhook points to; forwards to the receiver, and keeps what it saw."""
    return FaultProxy(("127.0.0.1", WEBHOOK_PORT + 1), listen=("127.0.0.1", WEBHOOK_PORT))


def test_the_webhook_alone_does_it_and_again_does_nothing(scene):
    with front() as proxy, scene.surveyor.changed(quiet), scene.surveyor.serve():
        hook = Hook(scene.surveyor.config)
        hook.settle()
        scene.approve("ws-anna")
        eventually(applied.is_applied(scene, "ws-anna"), timeout=60)
        applied.check(scene, "ws-anna")
        delivered = [entry for entry in proxy.requests if entry["status"] == 202]
        assert delivered, proxy.requests
        last = scene.last_change()
        # The same bytes twice more, and an old one about the same object.
        body = delivered[0]["body"].encode()
        number = scene.admin.device("ws-anna")["id"]
        answers = [hook.post(body), hook.post(body), hook.post(hook.body("dcim.device", number))]
        assert answers == [202] * 3
        never(lambda: scene.last_change() != last, during=3)


def test_a_wrong_signature_is_refused_and_wakes_nobody(scene):
    with scene.surveyor.changed(quiet), scene.surveyor.serve():
        hook = Hook(scene.surveyor.config)
        hook.settle()
        # With NetBox's own webhook switched off, only what we forge arrives.
        with scene.webhooks_off():
            scene.approve("nas1")
            body = hook.body("dcim.device", scene.admin.device("nas1")["id"])
            good = hook.post(b"{}", secret="another secret")
            answers = [
                good,
                hook.post(body, secret="another secret"),
                hook.post(body, signature=""),
                hook.post(body, signature="0" * 128),
                hook.post(body + b" ", signature=hook.sign(body)),
                hook.post(body, signature=hook.sign(body)[:-2]),
            ]
            assert answers == [401] * len(answers)
            last = scene.last_change()
            never(lambda: scene.last_change() != last, during=2)
            # The right signature does wake it; what the body says does not matter.
            assert hook.post(b"[1, 2]") == 400
            assert hook.post(b"x" * (2 << 20)) == 413
            never(lambda: scene.last_change() != last, during=1)
            assert hook.post(hook.body("dcim.site", 999_999, event="deleted")) == 202
            eventually(applied.is_applied(scene, "nas1"), timeout=30)
    applied.check(scene, "nas1")


def test_without_webhooks_the_sweep_finds_it(scene):
    with scene.webhooks_off(), scene.surveyor.serve():
        Hook(scene.surveyor.config).settle()
        scene.approve("cam-door")
        interval = scene.surveyor.config["serve"]["sweep_seconds"]
        eventually(applied.is_applied(scene, "cam-door"), timeout=interval + 15)
    applied.check(scene, "cam-door")


def test_a_lost_webhook_is_made_up_for(scene):
    with front() as proxy:
        proxy.add_rule({"match": {"method": "POST"}, "action": "status", "status": 503, "repeat": True})

        def behind(config):
            config["webhook"]["listen"] = f"127.0.0.1:{WEBHOOK_PORT + 1}"

        with scene.surveyor.changed(behind), scene.surveyor.serve():
            Hook(scene.surveyor.config).settle()
            scene.approve("backup1")
            eventually(applied.is_applied(scene, "backup1"), timeout=30)
            eventually(lambda: proxy.requests, timeout=30)
    applied.check(scene, "backup1")


def test_what_was_approved_while_it_was_down(scene):
    scene.approve("host-30055c9e4712", "dns1")
    with scene.surveyor.changed(quiet), scene.surveyor.serve():
        for name in ("host-30055c9e4712", "dns1"):
            eventually(applied.is_applied(scene, name), timeout=60)
    applied.check(scene, "host-30055c9e4712")
    applied.check(scene, "dns1")
