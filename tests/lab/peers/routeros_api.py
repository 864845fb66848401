"""The binary API of RouterOS over TLS (service api-ssl), for reading: the same menus and files as `routeros.py`.

Sentences of length-prefixed words (help.mikrotik.com, "API"): `/login` with name and password as since 6.43, then
`/MENU/print` with `=.proplist=` and query words. Commands with tags run side by side, and their replies are mixed on
the wire. Faults are those of wire.py; `status` becomes a `!trap` with the reason, and `{"rows": N}` says so many rows
and then nothing more.

Rows are encoded once for each version of a file: a device has them in memory too, and a measurement is of its reader.
"""

import collections
import contextlib
import functools
import hmac
import socket
import socketserver
import threading
import time
from pathlib import Path

import wire
from routeros import PROPLIST, columns, matches, read_menu

MISSING = "no such command prefix"
# Rows that are said at once; then other commands have a turn.
TURN = 256


def encode_length(size):
    """The length of a word."""
    for limit, width, mark in ((0x80, 1, 0), (0x4000, 2, 0x80), (0x200000, 3, 0xC0), (0x10000000, 4, 0xE0)):
        if size < limit:
            head = size.to_bytes(width, "big")
            return bytes([head[0] | mark]) + head[1:]
    return b"\xf0" + size.to_bytes(4, "big")


def encode(words):
    """A sentence, ended by an empty word."""
    parts = []
    for word in words:
        data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
        parts += [encode_length(len(data)), data]
    return b"".join(parts) + b"\0"


def encode_row(row, proplist):
    """A row as a sentence that is not ended yet."""
    words = ["!re", *(f"={name}={value}" for name, value in columns(row, proplist).items())]
    return encode(words)[:-1]


@functools.lru_cache(maxsize=64)
def encoded_menu(folder, menu, _version, proplist, query):
    """All wanted rows of a menu as sentences that are not ended yet, or None."""
    rows = read_menu(folder, menu)[0]
    return rows and [encode_row(row, proplist) for row in rows if matches(row, query)]


def version(folder, menu):
    """Tells whether the file of a menu is as it was."""
    with contextlib.suppress(OSError):
        found = (folder / f"{menu.replace('/', '_')}.json").stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None


def read_exactly(stream, size):
    """So many bytes; EOFError if the other side closed."""
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def read_word(stream):
    """The next word."""
    first = read_exactly(stream, 1)[0]
    for mark, more in ((0xF0, 4), (0xE0, 3), (0xC0, 2), (0x80, 1)):
        if first & mark == mark:
            high = 0 if mark == 0xF0 else first & ~mark & 0xFF
            return read_exactly(stream, int.from_bytes(bytes([high]) + read_exactly(stream, more), "big"))
    return read_exactly(stream, first)


def read_sentence(stream):
    """The words up to the empty one."""
    words = []
    while word := read_word(stream):
        words.append(word.decode("utf-8", "surrogateescape"))
    return words


class Turns:
    """A lock that is given in the order in which it was asked for, so that commands take turns."""

    def __init__(self):
        self.guard, self.waiting = threading.Lock(), collections.deque()

    def __enter__(self):
        ticket = threading.Lock()
        ticket.acquire()
        with self.guard:
            self.waiting.append(ticket)
            is_first = len(self.waiting) == 1
        if not is_first:
            ticket.acquire()

    def __exit__(self, *_error):
        with self.guard:
            self.waiting.popleft()
            if self.waiting:
                self.waiting[0].release()


class RouterOsApi(socketserver.StreamRequestHandler):
    """One session."""

    disable_nagle_algorithm = True

    def setup(self):
        """Nobody is logged in."""
        super().setup()
        self.is_known = False
        self.writing = Turns()

    def handle(self):
        """Sentence after sentence; commands with tags are worked on at the same time."""
        try:
            while True:
                words = read_sentence(self.rfile)
                if not words:
                    continue
                tag = next((word for word in words[1:] if word.startswith(".tag=")), None)
                rest = [word for word in words[1:] if word != tag]
                if not self.is_known:
                    if not self.log_in(words[0], rest, tag):
                        return
                elif tag:
                    threading.Thread(target=self.run, args=(words[0], rest, tag), daemon=True).start()
                else:
                    self.run(words[0], rest, tag)
        except (EOFError, OSError):
            return

    def say(self, tag, *sentences):
        """Writes replies to one command."""
        data = b"".join(encode([*words, tag] if tag else words) for words in sentences)
        with self.writing:
            self.wfile.write(data)
            self.wfile.flush()

    def log_in(self, command, rest, tag):
        """Whether the session goes on."""
        if command != "/login":
            self.say(None, ["!fatal", "not logged in"])
            return False
        given = dict(word[1:].partition("=")[::2] for word in rest if word.startswith("="))
        text = f"{given.get('name', '')}:{given.get('password', '')}".encode("utf-8", "surrogateescape")
        if hmac.compare_digest(text, self.server.credentials):
            self.is_known = True
            self.say(tag, ["!done"])
        else:
            trap = ["!trap", "=message=invalid user name or password (6)"]
            self.say(tag, trap, ["!done"])
        return True

    def run(self, command, rest, tag):
        """One command to its end; a client that went away is no error."""
        try:
            self.answer(command, rest, tag)
        except (OSError, ValueError):
            return

    def answer(self, command, rest, tag):
        """The replies to one command."""
        menu, _, verb = command.strip("/").rpartition("/")
        fault = self.server.fault(menu)
        time.sleep(self.server.latency + fault.get("delay_ms", 0) / 1000)
        if fault.get("close"):
            # The session's own thread reads: only this wakes it up.
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if "status" in fault:
            self.say(tag, ["!trap", f"=message={fault.get('reason') or 'failure'}"], ["!done"])
            return
        given = dict(word[1:].partition("=")[::2] for word in rest if word.startswith("="))
        proplist = tuple(name for key in PROPLIST for name in given.get(key, "").split(",") if name)
        query = tuple(word for word in rest if word.startswith("?"))
        folder = self.server.data_dir
        rows = None
        if verb == "print":
            rows = encoded_menu(folder, menu, version(folder, menu), proplist, query)
        if rows is None:
            self.say(tag, ["!trap", "=category=0", f"=message={MISSING}"], ["!done"])
        else:
            self.say_rows(tag, rows, fault.get("rows"))

    def say_rows(self, tag, rows, only=None):
        """All rows and the end, or `only` some and no end; RouterOS 7.18 and newer say that there is none."""
        tail = encode([tag] if tag else [])
        for begin in range(0, len(rows) if only is None else only, TURN):
            turn = rows[begin : begin + TURN if only is None else min(begin + TURN, only)]
            with self.writing:
                self.wfile.write(tail.join([*turn, b""]))
        if only is None:
            self.say(tag, *([] if rows else [["!empty"]]), ["!done"])


def main():
    """Command line."""
    parser = wire.arguments("The binary API of RouterOS over TLS, for reading.")
    parser.add_argument("--username", required=True)
    parser.add_argument("--password-file", required=True, help="its first line is the password")
    options = parser.parse_args()
    if not options.data:
        parser.error("--data is required")
    password = (Path(options.password_file).read_text(encoding="utf-8").splitlines() or [""])[0]
    wire.run(RouterOsApi, options, credentials=f"{options.username}:{password}".encode())


if __name__ == "__main__":
    main()
