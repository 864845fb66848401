"""The RouterOS v7 REST API at the wire, for reading: HTTPS, basic auth, GET and POST .../print.

Each menu is one file in the data folder: /ip/dhcp-server/lease is ip_dhcp-server_lease.json, a list of
rows, or an object for a menu that has one (system_identity.json). A missing file is a missing menu,
answered as RouterOS does (400). Every value is a string; a column that is absent is unset. A value
{"bytes": "latin1 text"} is sent as exactly those bytes, which need not be UTF-8. Faults: see wire.py,
named by menu, as "ip/dhcp-server/lease".
"""

import base64
import hmac
import http
import json
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import wire

PROPLIST = (".proplist", "_proplist")
QUERY = (".query", "_query")


def error(status, detail=None):
    """An error in RouterOS's form."""
    body = {"error": status, "message": http.HTTPStatus(status).phrase}
    if detail is not None:
        body["detail"] = detail
    return wire.Reply(status, wire.dump({key: body[key] for key in sorted(body)}))


def compare(row, word):
    """The truth of one query word (not an operation) for one row."""
    if word.startswith("-"):
        return word[1:] not in row
    sign = word[0] if word[:1] in ("=", "<", ">") else ""
    name, separator, wanted = word[len(sign) :].partition("=")
    if not separator:
        return name in row
    value = row.get(name)
    if value is None:
        return False
    if sign in ("", "="):
        return value == wanted
    try:
        left, right = float(value), float(wanted)
    except ValueError:
        left, right = value, wanted
    return left < right if sign == "<" else left > right


def matches(row, words):
    """Evaluates a `.query`: words push truths on a stack, `#` words combine them; what is left is AND-ed."""
    stack = []
    for word in words:
        word = word[1:] if word.startswith("?") else word
        if not word.startswith("#"):
            stack.append(compare(row, word))
            continue
        for operation in word[1:]:
            if operation == "!":
                stack.append(not stack.pop())
            elif operation in "&|":
                right, left = stack.pop(), stack.pop()
                stack.append(left and right if operation == "&" else left or right)
            else:
                raise IndexError(operation)
    return all(stack)


def columns(row, proplist):
    """The wanted columns of a row, sorted as RouterOS does."""
    return {name: row[name] for name in sorted(row) if not proplist or name in proplist}


def read_menu(folder, path):
    """The rows of a menu and whether it has only one, or (None, False)."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts):
        return None, False
    content = wire.read_json(folder / ("_".join(parts) + ".json"))
    if content is None:
        return None, False
    content = wire.unescape_bytes(content)
    return ([content], True) if isinstance(content, dict) else (content, False)


class RouterOs(wire.PeerHandler):
    """Answers /rest/..."""

    def fault_path(self):
        """The menu, without `print`."""
        path = urlsplit(self.path).path
        menu = unquote(path[len("/rest/") :] if path.startswith("/rest/") else path).strip("/")
        return menu[: -len("/print")] if menu.endswith("/print") else menu

    def fault_reply(self, status, reason, body):
        """A fault in RouterOS's form, or the raw body that was ordered."""
        if body is not None:
            return wire.Reply(status, body.encode("utf-8"), reason)
        return error(status, reason)

    def extra_headers(self, answer):
        """RouterOS sends a challenge with 401 and forbids caching."""
        headers = [("Cache-Control", "no-cache")]
        if answer.status == 401:
            headers.append(("WWW-Authenticate", 'Basic realm="RouterOS"'))
        return headers

    def authorized(self):
        """Whether the basic credentials are the right ones."""
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            given = base64.b64decode(value.strip(), validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(given, self.server.credentials)

    def reply(self, body):
        """Dispatches one request."""
        url = urlsplit(self.path)
        if not url.path.startswith("/rest"):
            return error(404)
        if not self.authorized():
            return error(401)
        path = unquote(url.path[len("/rest") :]).strip("/")
        if self.command == "GET":
            return self.get(path, parse_qsl(url.query, keep_blank_values=True))
        if self.command == "POST" and path.rpartition("/")[2] == "print":
            return self.print(path[: -len("/print")], body)
        return error(403, "not enough permissions (9)")

    def get(self, path, query):
        """GET of a menu with equality filters, or of one row by .id or name."""
        proplist = [name for key, value in query if key in PROPLIST for name in value.split(",") if name]
        filters = [(key, value) for key, value in query if key not in PROPLIST]
        rows, single = read_menu(self.server.data_dir, path)
        if rows is None:
            parent, _, wanted = path.rpartition("/")
            rows, single = read_menu(self.server.data_dir, parent)
            if rows is None or single:
                return error(400, f"no such command or directory ({wanted})")
            for row in rows:
                if wanted in (row.get(".id"), row.get("name")):
                    return wire.Reply(200, wire.dump(columns(row, proplist)))
            if wanted.startswith("*"):
                return error(404)
            return error(400, f"no such command or directory ({wanted})")
        if single:
            return wire.Reply(200, wire.dump(columns(rows[0], proplist)))
        rows = [row for row in rows if all(row.get(key) == value for key, value in filters)]
        return wire.Reply(200, wire.dump([columns(row, proplist) for row in rows]))

    def print(self, path, body):
        """POST .../print with `.proplist` and `.query`."""
        rows, _ = read_menu(self.server.data_dir, path)
        if rows is None:
            return error(400, "no such command or directory ({})".format(path.rpartition("/")[2]))
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return error(400, "failed to parse request body")
        proplist, words = [], []
        for key, value in request.items():
            listed = value.split(",") if isinstance(value, str) else value
            if key in PROPLIST:
                proplist = listed
            elif key in QUERY:
                words = listed
            else:
                return error(400, f"unknown parameter {key}")
        try:
            rows = [row for row in rows if matches(row, words)]
        except IndexError:
            return error(400, "bad query")
        return wire.Reply(200, wire.dump([columns(row, proplist) for row in rows]))


def main():
    """Command line."""
    parser = wire.arguments("A RouterOS v7 REST API, for reading.")
    parser.add_argument("--username", required=True)
    parser.add_argument("--password-file", required=True, help="its first line is the password")
    options = parser.parse_args()
    if not options.data:
        parser.error("--data is required")
    password = (Path(options.password_file).read_text(encoding="utf-8").splitlines() or [""])[0]
    wire.run(RouterOs, options, credentials=f"{options.username}:{password}".encode())


if __name__ == "__main__":
    main()
