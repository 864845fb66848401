"""The HTTPS server below the simulated peers: TLS, keep-alive, many connections, ordered faults.

Knows nothing of RouterOS or Proxmox. A peer subclasses `PeerHandler` and answers in `reply()`.
Data files are read again at every request, so a test may edit them while a peer runs.

`DIR/_faults.json`, if present, orders faults by path (or "*" for all):

    {"interface/bridge/host": {"delay_ms": 5000, "status": 500, "reason": "text", "close": true,
                               "cut_bytes": 100, "body": "<html>"}}

`delay_ms` waits first; `close` then drops the connection without an answer; `status` answers that
status (with `reason` and `body`); `cut_bytes` announces the full length but sends only so much.
"""

import argparse
import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path


def self_signed(folder, name="localhost"):
    """A certificate and its key for a peer that a test starts itself, as files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def read_json(path):
    """The parsed file, or None if there is none. A half-written file is read again for a moment."""
    for attempt in range(20):
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return json.loads(text)
        except ValueError:
            if attempt == 19:
                raise
            time.sleep(0.01)
    return None


def unescape_bytes(value):
    """Replaces {"bytes": "latin1 text"} anywhere by a string that `dump` writes as those raw bytes."""
    if isinstance(value, dict):
        if set(value) == {"bytes"}:
            return value["bytes"].encode("latin-1").decode("utf-8", "surrogateescape")
        return {key: unescape_bytes(child) for key, child in value.items()}
    if isinstance(value, list):
        return [unescape_bytes(child) for child in value]
    return value


def dump(value):
    """JSON as bytes, not necessarily valid UTF-8 (see `unescape_bytes`)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape")


class Reply:
    """One answer: status, reason phrase (None = the usual one), body bytes, content type."""

    def __init__(self, status, body, reason=None, content_type="application/json"):
        self.status = status
        self.body = body
        self.reason = reason
        self.content_type = content_type


class PeerServer(http.server.ThreadingHTTPServer):
    """One thread a connection; the TLS handshake happens in that thread, never in the accept loop."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, listen, handler, cert, key, data_dir, latency_ms):
        self.data_dir = Path(data_dir) if data_dir else None
        self.latency = latency_ms / 1000
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert, key)
        super().__init__(listen, handler)

    def get_request(self):
        """Accepts a connection and wraps it, without shaking hands yet."""
        sock, address = super().get_request()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(120)
        return self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

    def finish_request(self, request, client_address):
        """Shakes hands, then serves the connection; a client that goes away is no error."""
        with contextlib.suppress(OSError):
            request.do_handshake()
            super().finish_request(request, client_address)

    def shutdown_request(self, request):
        """Closes the connection; a client that is already gone is no error."""
        with contextlib.suppress(OSError):
            super().shutdown_request(request)

    def fault(self, path):
        """The fault ordered for this path, or an empty one."""
        if self.data_dir is None:
            return {}
        faults = read_json(self.data_dir / "_faults.json") or {}
        return faults.get(path) or faults.get("*") or {}


class PeerHandler(http.server.BaseHTTPRequestHandler):
    """Reads requests and writes answers; subclasses decide the answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        """Answers a GET."""
        self.serve(b"")

    def do_POST(self):
        """Answers a POST."""
        length = int(self.headers.get("Content-Length") or 0)
        self.serve(self.rfile.read(length) if length else b"")

    do_PUT = do_PATCH = do_DELETE = do_POST

    def log_message(self, *_args):
        """Says nothing per request."""

    def fault_path(self):
        """The path under which a fault may be ordered."""
        raise NotImplementedError

    def reply(self, body):
        """The `Reply` to this request."""
        raise NotImplementedError

    def fault_reply(self, status, reason, body):
        """The answer of an ordered fault, in the peer's own error form."""
        raise NotImplementedError

    def serve(self, body):
        """Waits as told, applies an ordered fault, answers."""
        fault = self.server.fault(self.fault_path())
        delay = self.server.latency + fault.get("delay_ms", 0) / 1000
        if delay:
            time.sleep(delay)
        if fault.get("close"):
            self.close_connection = True
            return
        if "status" in fault:
            answer = self.fault_reply(fault["status"], fault.get("reason"), fault.get("body"))
        elif "body" in fault:
            answer = Reply(200, fault["body"].encode("utf-8"))
        else:
            answer = self.reply(body)
        self.send(answer, fault.get("cut_bytes"))

    def send(self, answer, cut_bytes=None):
        """Writes one answer."""
        self.send_response(answer.status, answer.reason)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in self.extra_headers(answer):
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut_bytes is not None:
            self.wfile.write(answer.body[:cut_bytes])
            self.close_connection = True
            return
        self.wfile.write(answer.body)

    def extra_headers(self, _answer):
        """Further headers of an answer."""
        return ()


def arguments(description):
    """The options all peers share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", help="folder of JSON files, read again at every request")
    parser.add_argument("--listen", default="127.0.0.1:0", help="ADDRESS:PORT, port 0 picks a free one")
    parser.add_argument("--cert", required=True, help="PEM certificate chain")
    parser.add_argument("--key", required=True, help="PEM private key")
    parser.add_argument("--latency-ms", type=float, default=0, help="wait this long before each answer")
    return parser


def address(text):
    """("127.0.0.1", 8443) from "127.0.0.1:8443"."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def run(handler, options, **attributes):
    """Serves until the process is told to stop; prints one line when it is ready."""
    server = PeerServer(
        address(options.listen), handler, options.cert, options.key, options.data, options.latency_ms
    )
    for name, value in attributes.items():
        setattr(server, name, value)
    print("ready https://{}:{}".format(*server.server_address[:2]), flush=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        sys.exit(0)
