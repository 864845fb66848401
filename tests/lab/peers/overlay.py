"""Merges an overlay into a network folder, which should be a copy: lists grow, objects merge, values win.

    overlay.py NETDIR OVERLAYDIR

A JSON file of the overlay that the network lacks is copied. In a list, a row that is already there is
not added again, a row with a known `ifindex` merges into that port, and a row without `.id` gets a free
one where the others have one. The overlay's README.md becomes README.<overlay>.md, so its table of
truth is found beside the network's own.
"""

import argparse
import json
import shutil
from pathlib import Path


def merged(base, extra):
    """`base` with `extra` laid over it."""
    if isinstance(base, dict) and isinstance(extra, dict):
        result = dict(base)
        for key, value in extra.items():
            result[key] = merged(base[key], value) if key in base else value
        return result
    if isinstance(base, list) and isinstance(extra, list):
        return merged_rows(base, extra)
    return extra


def merged_rows(base, extra):
    """`base` with the rows of `extra` it does not have."""
    place = {row["ifindex"]: n for n, row in enumerate(base) if isinstance(row, dict) and "ifindex" in row}
    numbered = bool(base) and all(isinstance(row, dict) and ".id" in row for row in base)
    bare = [{key: value for key, value in row.items() if key != ".id"} for row in base] if numbered else base
    taken = {row[".id"] for row in base} if numbered else set()
    rows, number = list(base), 1
    for row in extra:
        if row in bare or row in base:
            continue
        if isinstance(row, dict) and row.get("ifindex") in place:
            rows[place[row["ifindex"]]] = merged(rows[place[row["ifindex"]]], row)
            continue
        if numbered and ".id" not in row:
            while f"*{number:X}" in taken:
                number += 1
            taken.add(f"*{number:X}")
            row = {".id": f"*{number:X}", **row}
        rows.append(row)
    return rows


def apply(network, overlay):
    """Merges `overlay` into `network`."""
    for source in sorted(overlay.rglob("*")):
        target = network / source.relative_to(overlay)
        if source.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.name == "README.md":
            shutil.copyfile(source, target.with_name(f"README.{overlay.name}.md"))
        elif source.suffix == ".json" and target.exists():
            base = json.loads(target.read_text(encoding="utf-8"))
            extra = json.loads(source.read_text(encoding="utf-8"))
            written = target.with_name(target.name + ".new")
            written.write_text(json.dumps(merged(base, extra), indent=1), encoding="utf-8")
            written.replace(target)
        else:
            shutil.copyfile(source, target)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="Merges an overlay into a (copied) network folder.")
    parser.add_argument("network", type=Path)
    parser.add_argument("overlay", type=Path)
    options = parser.parse_args()
    apply(options.network, options.overlay.resolve())


if __name__ == "__main__":
    main()
