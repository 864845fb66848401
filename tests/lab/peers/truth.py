"""Reads the tables of truth in a network's README.md, so that tests need no second copy."""

import re
from pathlib import Path

COLUMNS = ("mac", "name", "place", "vlan", "addresses", "class", "kind", "plug", "remarks")
MAC = re.compile(r"^[0-9A-F]{2}(:[0-9A-F]{2}){5}$")


def cells(line):
    """The cells of one Markdown table row."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def hosts(readme):
    """One dict a MAC: `place` is (switch, port) or None, `addresses` a list, `vlan` a number or None."""
    found = []
    for line in Path(readme).read_text(encoding="utf-8").splitlines():
        row = cells(line)
        if len(row) != len(COLUMNS) or not MAC.match(row[0]):
            continue
        host = dict(zip(COLUMNS, row))
        host["place"] = tuple(host["place"].split(" ", 1)) if " " in host["place"] else None
        host["addresses"] = host["addresses"].split()
        host["vlan"] = int(host["vlan"]) if host["vlan"] else None
        found.append(host)
    return found


def links(readme):
    """Pairs of (device, port), from the table whose head is `A | B | seen by`."""
    lines = Path(readme).read_text(encoding="utf-8").splitlines()
    start = next((n for n, line in enumerate(lines) if cells(line)[:2] == ["A", "B"]), None)
    found = []
    for line in lines[start + 2 :] if start is not None else []:
        row = cells(line)
        if len(row) != 3:
            break
        found.append((tuple(row[0].split(" ", 1)), tuple(row[1].split(" ", 1))))
    return found
