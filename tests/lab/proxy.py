"""A fault-injecting HTTP proxy: logs each request, and breaks the ones it is told to break.

    proxy.py --listen 127.0.0.1:0 --to 127.0.0.1:8000 --log FILE.jsonl --control 127.0.0.1:0

prints one JSON line, {"listen": PORT, "control": PORT}. Each request goes to the server on a connection
of its own and is never sent twice. Control: POST /rules (a rule, answers its id), GET /rules,
DELETE /rules (also lets held responses go), GET /count. A rule:

    {"match": {"method": "POST|PATCH", "path_prefix": "/api/dcim/devices/", "path_regex": "..",
               "body_contains": "..", "nth": 3},
     "action": "hold_response", "ms": 500, "status": 503, "kill_pid": 1234, "signal": 9, "repeat": false}

| action | what happens |
|---|---|
| drop_before_forward | the server never sees it, the connection closes |
| drop_after_forward | the server has answered, the client never hears it |
| hold_response | the answer waits `ms`, or without `ms` until DELETE /rules |
| delay | the request waits `ms` before it is forwarded |
| status | the client gets `status`, the server never sees it |
| pass | forwarded as usual (to kill a process at that moment) |

`kill_pid` gets `signal` (default 9) before forwarding, or with `"kill_at": "after"` (the default for
drop_after_forward and hold_response) between the server's answer and the client's. `nth` counts the
requests the rule matches, from 1; without it the next one is meant. A rule fires once, or with
`repeat` every time from then on. In a test: `with FaultProxy(("127.0.0.1", 8000)) as proxy: ...`.
"""

import argparse
import contextlib
import http.client
import http.server
import itertools
import json
import os
import re
import socket
import threading
import time
from urllib.parse import urlsplit

ACTIONS = ("drop_before_forward", "drop_after_forward", "hold_response", "delay", "status", "pass")
AFTER = ("drop_after_forward", "hold_response")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
TIMEOUT = 600


class Rule:
    """One ordered fault."""

    def __init__(self, number, wanted):
        match = wanted.get("match", {})
        self.id = number
        self.wanted = wanted
        self.action = wanted.get("action", "pass")
        if self.action not in ACTIONS:
            raise ValueError(f"action: one of {', '.join(ACTIONS)}")
        unknown = set(match) - {"method", "path_prefix", "path_regex", "body_contains", "nth"}
        if unknown:
            raise ValueError(f"match: unknown {sorted(unknown)}")
        self.methods = set(match["method"].upper().split("|")) if match.get("method") else None
        self.prefix = match.get("path_prefix", "")
        self.pattern = re.compile(match.get("path_regex", ""))
        self.text = match.get("body_contains", "").encode("utf-8")
        self.nth = match.get("nth", 1)
        self.repeat = wanted.get("repeat", False)
        self.kill_at = wanted.get("kill_at", "after" if self.action in AFTER else "before")
        self.seen = 0
        self.fired = 0
        self.released = threading.Event()

    def fires(self, method, path, body):
        """Counts this request if it matches, and says whether the rule applies to it."""
        if self.methods is not None and method not in self.methods:
            return False
        if not path.startswith(self.prefix) or not self.pattern.search(path) or self.text not in body:
            return False
        self.seen += 1
        if self.seen < self.nth or (self.fired and not self.repeat):
            return False
        self.fired += 1
        return True

    def kill(self, moment):
        """Sends the signal, if this is the moment for it."""
        pid = self.wanted.get("kill_pid")
        if pid and moment == self.kill_at:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, self.wanted.get("signal", 9))

    def wait(self):
        """Waits as long as the rule says, or until it is removed."""
        milliseconds = self.wanted.get("ms")
        self.released.wait(TIMEOUT if milliseconds is None else milliseconds / 1000)

    def describe(self):
        """The rule with its counts."""
        return dict(self.wanted, id=self.id, seen=self.seen, fired=self.fired)


class Server(http.server.ThreadingHTTPServer):
    """A threaded server that knows its proxy."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, handler, proxy):
        self.proxy = proxy
        super().__init__(address, handler)

    def handle_error(self, request, client_address):
        """A client that went away is no error."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Reading a request, for both servers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_args):
        """Says nothing."""

    def body(self):
        """The request body, whole."""
        if (self.headers.get("Transfer-Encoding") or "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                return b"".join(parts)

    def answer(self, status, reason, headers, payload):
        """Writes an answer of known length."""
        self.send_response_only(status, reason)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304) and self.command != "HEAD":
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()


class Forward(Handler):
    """The data side."""

    def serve(self):
        """Takes one request through rules, server and log."""
        proxy, body, started = self.server.proxy, self.body(), time.time()
        entry = {"n": 0, "time": started, "method": self.command, "path": self.path}
        entry.update(body=body.decode("utf-8", "replace"), status=None, response_bytes=0, ms=None)
        rule = proxy.take(entry, body)
        try:
            self.exchange(rule, body, entry)
        except OSError as problem:
            entry["error"] = str(problem)
            self.close_connection = True
        finally:
            entry["ms"] = round((time.time() - started) * 1000, 1)
            proxy.record(entry)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def exchange(self, rule, body, entry):
        """The exchange itself, broken where the rule says."""
        action = rule.action if rule else "pass"
        if action == "delay":
            rule.wait()
        if rule:
            rule.kill("before")
        if action == "drop_before_forward":
            self.drop()
            return
        if action == "status":
            entry["status"] = status = rule.wanted.get("status", 503)
            text = rule.wanted.get("body", json.dumps({"detail": "ordered by the proxy"}))
            self.answer(status, None, [("Content-Type", "application/json")], text.encode("utf-8"))
            return
        status, reason, headers, payload = self.forward(body)
        entry.update(status=status, response_bytes=len(payload))
        if rule:
            rule.kill("after")
        if action == "drop_after_forward":
            self.drop()
            return
        if action == "hold_response":
            rule.wait()
        self.answer(status, reason, headers, payload)

    def forward(self, body):
        """Sends the request to the server, once; the answer is read whole."""
        upstream = http.client.HTTPConnection(*self.server.proxy.target, timeout=TIMEOUT)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP and name.lower() != "content-length":
                    upstream.putheader(name, value)
            if body or self.command in ("POST", "PUT", "PATCH"):
                upstream.putheader("Content-Length", str(len(body)))
            upstream.putheader("Connection", "close")
            upstream.endheaders(body or None)
            response = upstream.getresponse()
            payload = response.read()
            headers = [
                (name, value)
                for name, value in response.getheaders()
                if name.lower() not in HOP_BY_HOP and name.lower() != "content-length"
            ]
            return response.status, response.reason, headers, payload
        except http.client.HTTPException as problem:
            raise OSError(f"the server's answer: {problem!r}") from problem
        finally:
            upstream.close()

    def drop(self):
        """Closes the connection without a word."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Control(Handler):
    """The control side."""

    def serve(self):
        """One control request."""
        proxy, body, path = self.server.proxy, self.body(), urlsplit(self.path).path
        try:
            status, value = self.reply(proxy, path, body)
        except (ValueError, TypeError, KeyError, re.error) as problem:
            status, value = 400, {"error": str(problem)}
        payload = json.dumps(value).encode("utf-8")
        self.answer(status, None, [("Content-Type", "application/json")], payload)

    do_GET = do_POST = do_DELETE = serve

    def reply(self, proxy, path, body):
        """Status and answer."""
        if path == "/count" and self.command == "GET":
            return 200, {"count": len(proxy.requests), "done": proxy.done}
        if path != "/rules":
            return 404, {"error": "there is /rules and /count"}
        if self.command == "POST":
            return 201, {"id": proxy.add_rule(json.loads(body))}
        if self.command == "DELETE":
            proxy.clear_rules()
        return 200, [rule.describe() for rule in proxy.rules]


class FaultProxy:
    """The proxy in this process, listening on `port` and `control_port`.

    `requests` has an entry for every request from the moment it came; its log line is written at the end.
    """

    def __init__(self, target, listen=("127.0.0.1", 0), control=("127.0.0.1", 0), log=None):
        self.target = target
        self.rules = []
        self.requests = []
        self.done = 0
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.log = open(log, "a", encoding="utf-8") if log else None  # noqa: SIM115 - closed in stop()
        self.servers = [Server(listen, Forward, self), Server(control, Control, self)]
        self.port, self.control_port = (server.server_address[1] for server in self.servers)
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        """Serves in the background."""
        for server in self.servers:
            serve = {"poll_interval": 0.05}
            threading.Thread(target=server.serve_forever, kwargs=serve, daemon=True).start()
        return self

    def stop(self):
        """Lets held responses go and closes both ports."""
        self.clear_rules()
        for server in self.servers:
            server.shutdown()
            server.server_close()
        with self.lock:
            if self.log:
                self.log.close()
                self.log = None

    def __enter__(self):
        """Starts."""
        return self.start()

    def __exit__(self, *_exception):
        """Stops."""
        self.stop()

    def add_rule(self, wanted):
        """Orders a fault; answers its id."""
        rule = Rule(next(self.numbers), wanted)
        with self.lock:
            self.rules = [*self.rules, rule]
        return rule.id

    def clear_rules(self):
        """Drops all rules; whoever waits on one goes on."""
        with self.lock:
            rules, self.rules = self.rules, []
        for rule in rules:
            rule.released.set()

    def take(self, entry, body):
        """Numbers a new request and answers the first rule that fires for it; every rule counts it."""
        with self.lock:
            self.requests.append(entry)
            entry["n"] = len(self.requests)
            firing = [rule for rule in self.rules if rule.fires(entry["method"], entry["path"], body)]
            if not firing:
                return None
            entry.update(rule=firing[0].id, action=firing[0].action)
            return firing[0]

    def record(self, entry):
        """Logs a request that is over."""
        with self.lock:
            self.done += 1
            if self.log:
                self.log.write(json.dumps(entry, ensure_ascii=False) + "\n")
                self.log.flush()


def address(text):
    """("127.0.0.1", 8000) from "127.0.0.1:8000"."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="A fault-injecting HTTP proxy.")
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 0))
    parser.add_argument("--to", type=address, required=True)
    parser.add_argument("--log", help="append one JSON line a request")
    parser.add_argument("--control", type=address, default=("127.0.0.1", 0))
    options = parser.parse_args()
    proxy = FaultProxy(options.to, options.listen, options.control, options.log).start()
    print(json.dumps({"listen": proxy.port, "control": proxy.control_port}), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
