"""The fault-injecting proxy breaks exactly the request it is told to, and sends nothing twice."""

import contextlib
import http.client
import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

import proxy as faulty

GONE = (http.client.RemoteDisconnected, ConnectionResetError)


class Upstream(http.server.BaseHTTPRequestHandler):
    """Remembers what reached it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Answers with a length."""
        self.server.seen.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(201)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"made")

    def do_GET(self):
        """Answers in chunks."""
        self.server.seen.append((self.path, b""))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\nabc\r\n0\r\n\r\n")

    def log_message(self, *_args):
        """Says nothing."""


@pytest.fixture
def upstream():
    """A server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.seen = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(upstream, tmp_path):
    """The proxy before it."""
    with faulty.FaultProxy(upstream.server_address, log=tmp_path / "log.jsonl") as proxy:
        yield proxy


def ask(proxy, method, path, body=None):
    """Status and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def control(proxy, method, path, body=None):
    """One control request."""
    payload = None if body is None else json.dumps(body).encode()
    url = f"http://127.0.0.1:{proxy.control_port}{path}"
    return json.load(urllib.request.urlopen(urllib.request.Request(url, payload, method=method)))


def test_passes_and_logs(proxy, tmp_path):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    for _ in range(3):
        connection.request("POST", "/x?a=1", iter([b"ab", b"cd"]), encode_chunked=True)
        assert connection.getresponse().read() == b"made"
    assert ask(proxy, "GET", "/y") == (200, b"abc")
    assert control(proxy, "GET", "/count")["count"] == 4
    while control(proxy, "GET", "/count")["done"] < 4:
        time.sleep(0.01)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(row["path"], row["body"], row["status"], row["response_bytes"]) for row in lines] == [
        *[("/x?a=1", "abcd", 201, 4)] * 3,
        ("/y", "", 200, 3),
    ]


def test_drops_before_or_after_the_server_has_seen_it(proxy, upstream):
    match = {"method": "POST|PATCH", "path_prefix": "/api/"}
    control(proxy, "POST", "/rules", {"match": {**match, "nth": 2}, "action": "drop_before_forward"})
    assert ask(proxy, "POST", "/api/1", b"")[0] == 201
    with pytest.raises(GONE):
        ask(proxy, "POST", "/api/2", b"")
    control(proxy, "POST", "/rules", {"match": match, "action": "drop_after_forward"})
    with pytest.raises(GONE):
        ask(proxy, "POST", "/api/3", b"")
    assert ask(proxy, "POST", "/api/4", b"")[0] == 201
    assert [path for path, _ in upstream.seen] == ["/api/1", "/api/3", "/api/4"]
    assert [(rule["seen"], rule["fired"]) for rule in control(proxy, "GET", "/rules")] == [(4, 1), (2, 1)]


def test_answers_a_status_as_long_as_it_is_told(proxy, upstream):
    proxy.add_rule({"action": "status", "status": 503, "repeat": True})
    assert [ask(proxy, "GET", "/")[0] for _ in range(2)] == [503, 503]
    assert control(proxy, "DELETE", "/rules") == []
    assert ask(proxy, "GET", "/")[0] == 200
    assert len(upstream.seen) == 1


def test_holds_a_response_until_the_rules_go(proxy, upstream):
    proxy.add_rule({"action": "hold_response"})
    answers = []
    client = threading.Thread(target=lambda: answers.append(ask(proxy, "GET", "/held")))
    client.start()
    while not upstream.seen:
        time.sleep(0.01)
    assert not answers
    proxy.clear_rules()
    client.join(10)
    assert answers == [(200, b"abc")]


def test_kills_inside_a_call(proxy, upstream):
    for action, reached in (("drop_before_forward", 0), ("hold_response", 1)):
        victim = subprocess.Popen(["sleep", "600"])
        proxy.add_rule({"action": action, "ms": 0, "kill_pid": victim.pid})
        with contextlib.suppress(*GONE):
            ask(proxy, "GET", "/")
        assert victim.wait(10) == -9
        assert len(upstream.seen) == reached


def test_refuses_a_rule_it_does_not_understand(proxy):
    with pytest.raises(ValueError, match="action"):
        proxy.add_rule({"action": "explode"})
    with pytest.raises(ValueError, match="unknown"):
        proxy.add_rule({"match": {"verb": "POST"}})
