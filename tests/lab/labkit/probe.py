"""Is something listening, does it answer? Used to know when a daemon is ready."""

import http.client
import socket

from .layout import HOST


def tcp_open(port):
    """Whether a TCP connection is accepted."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def http_status(port, path, headers=None, timeout=30):
    """The status of a GET, or 0 if there is no answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def udp_answers(port, payload, timeout=0.3):
    """Whether a datagram gets an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        try:
            client.sendto(payload, (HOST, port))
            return bool(client.recv(65535))
        except OSError:
            return False
