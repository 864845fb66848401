"""Writes the little TOML that a configuration needs: tables, lists of tables, plain values."""

import json


def dumps(tree):
    """A configuration as text."""
    lines = []
    write(tree, [], lines)
    return "\n".join(lines) + "\n"


def write(table, path, lines):
    """The plain values of a table, then the tables in it."""
    nested = {}
    for key, value in table.items():
        if isinstance(value, dict) or is_tables(value):
            nested[key] = value
        else:
            lines.append(f"{key} = {plain(value)}")
    for key, value in nested.items():
        name = [*path, key]
        for row in value if isinstance(value, list) else [value]:
            mark = ("[[", "]]") if isinstance(value, list) else ("[", "]")
            lines.append(f"{mark[0]}{'.'.join(name)}{mark[1]}")
            write(row, name, lines)


def is_tables(value):
    """Whether it is a list of tables."""
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def plain(value):
    """One value; TOML writes these as JSON does."""
    return json.dumps(value, ensure_ascii=False)
