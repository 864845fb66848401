"""A thin reader and writer of NetBox's REST API, as one user."""

import requests

PAGE = 1000
# What tests look at in a device or guest; all of it costs NetBox twice the time.
MACHINE = "id,display_url,name,status,site,role,device_type,serial,tags,custom_fields,primary_ip4,primary_ip6"


class Refused(AssertionError):
    """NetBox did not accept a request that should have succeeded."""


class NetBox:
    """The REST API with one token."""

    def __init__(self, url, token):
        self.url = url.rstrip("/")
        self.session = requests.Session()
        kind = "Bearer" if token.startswith("nbt_") else "Token"
        self.session.headers.update({"Authorization": f"{kind} {token}", "Accept": "application/json"})

    def call(self, method, path, body=None, **query):
        """Status and body of one request; `path` is what follows `/api/`."""
        answer = self.session.request(
            method, f"{self.url}/api/{path}", json=body, params=query or None, timeout=120
        )
        try:
            return answer.status_code, answer.json() if answer.content else None
        except ValueError:
            return answer.status_code, answer.text[:500]

    def expect(self, method, path, body=None, **query):
        """The body of a request that must succeed."""
        status, answer = self.call(method, path, body, **query)
        if status >= 300:
            raise Refused(f"{method} {path}: {status}: {str(answer)[:1500]}")
        return answer

    def all(self, path, **query):
        """All objects of a list."""
        return self.expect("GET", path, limit=PAGE, **query)["results"]

    def one(self, path, **query):
        """The only object that matches."""
        found = self.all(path, **query)
        if len(found) != 1:
            raise AssertionError(f"{path} {query}: {len(found)} objects, one is wanted")
        return found[0]

    def none(self, path, **query):
        """Whether nothing matches."""
        return not self.all(path, **query)

    def create(self, path, body=None, **fields):
        """Makes one object, or several."""
        return self.expect("POST", path, fields if body is None else body)

    def change(self, path, **fields):
        """Changes one object."""
        return self.expect("PATCH", path, fields)

    def delete(self, path):
        """Deletes one object."""
        self.expect("DELETE", path)

    def device(self, name):
        """A device by name."""
        return self.one("dcim/devices/", name=name, fields=MACHINE)

    def guest(self, name):
        """A virtual machine by name."""
        return self.one("virtualization/virtual-machines/", name=name)

    def ours(self, name):
        """A device or virtual machine by name, as (path, object)."""
        for path in ("dcim/devices/", "virtualization/virtual-machines/"):
            found = self.all(path, name=name, fields=MACHINE)
            if found:
                return f"{path}{found[0]['id']}/", found[0]
        raise AssertionError(f"no device or virtual machine `{name}`")

    def port(self, device, name):
        """An interface of a device."""
        return self.one("dcim/interfaces/", device=device, name=name)

    def login(self, username, password):
        """The same NetBox as another user, with a new token."""
        answer = requests.post(
            f"{self.url}/api/users/tokens/provision/",
            json={"username": username, "password": password},
            headers={"Accept": "application/json"},
            timeout=60,
        )
        if answer.status_code != 201:
            raise Refused(f"token of {username}: {answer.status_code}: {answer.text[:500]}")
        made = answer.json()
        return NetBox(self.url, f"nbt_{made['key']}.{made['token']}")


def choice(value):
    """The bare value of a selection field."""
    return value["value"] if isinstance(value, dict) and "value" in value else value


def custom(row, name):
    """The bare value of one of Surveyor's custom fields."""
    return choice(row["custom_fields"].get(f"surveyor_{name}"))


def slugs(row):
    """The tags of an object."""
    return sorted(tag["slug"] for tag in row["tags"])
