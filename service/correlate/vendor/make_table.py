#!/usr/bin/env python3
"""Makes `table.bin`: which vendor has which block of MAC addresses, from IEEE's public listing (public domain).

    apt-get download ieee-data && dpkg-deb -x ieee-data_*.deb ieee
    python3 make_table.py ieee/usr/share/ieee-data table.bin

It reads oui.csv (24-bit blocks), mam.csv (28) and oui36.csv (36). The same input gives the same bytes.

Layout, all numbers little-endian: `SVT1`; four u32: blocks of 24, 28 and 36 bits, vendors; then for each length the
prefixes, sorted, in 3, 4 or 5 octets as they are sent (unused bits zero), followed by as many u16: the vendor's
number; then for every 64th vendor a u32: where its name begins; then for each vendor the length of its name in one
octet; then the names in UTF-8.
"""

import csv
import re
import struct
import sys
from pathlib import Path

FILES = {"oui.csv": 24, "mam.csv": 28, "oui36.csv": 36}
# Blocks that say nothing about who made the card: hidden by their owner, or divided into longer ones.
NOBODY = {"private", "ieee registration authority"}
MAX_NAME = 32
STRIDE = 64
# Legal forms at the end of a name, with what separates them.
FORM = (
    r"inc|incorporated|corp|corporation|corporate|co|company|ltd|limited|llc|l\.l\.c|gmbh|mbh|ag|kg|se|sa|s\.a|sas|s\.a\.s|sarl|"
    r"spa|s\.p\.a|srl|s\.r\.l|bv|b\.v|nv|n\.v|oy|oyj|ab|as|a/s|aps|pty|pte|plc|llp|lp|sro|s\.r\.o|a\.s|k\.k|kk|"
    r"sdn|bhd|sp\.? ?z ?o\.?o|int'l|pvt|e\.?k|ltda|s\.l|sl|d\.o\.o|ooo|zao"
)
ENDING = re.compile(rf"[\s,.;&-]+(?:{FORM})\.?$", re.IGNORECASE)


def shortened(name):
    """The name without its legal form, in letters that do not shout."""
    name = " ".join("".join(c if c.isprintable() else " " for c in name).strip("\"' ").split())
    while True:
        cut = ENDING.sub("", name.rstrip(" ,.;&-"))
        if cut == name or not cut:
            break
        name = cut
    words = [word.capitalize() if word.isupper() and word.isalpha() and len(word) > 4 else word for word in name.split()]
    return " ".join(words)[:MAX_NAME].strip()


def blocks(folder):
    """Prefix in octets, length in bits, vendor; of two that claim one block the first in the alphabet."""
    found = {}
    for file, bits in FILES.items():
        with (folder / file).open(encoding="utf-8", newline="") as text:
            for registry, prefix, name, *_ in csv.reader(text):
                if registry == "Registry" or name.strip().lower() in NOBODY:
                    continue
                digits = prefix.strip().ljust((bits + 7) // 8 * 2, "0")
                key = (bits, bytes.fromhex(digits))
                name = shortened(name)
                if name:
                    found[key] = min(found.get(key, name), name)
    return found


def main():
    """Command line."""
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    found = blocks(folder)
    vendors = sorted(set(found.values()))
    number = {name: index for index, name in enumerate(vendors)}
    lists = [sorted(key[1] for key in found if key[0] == bits) for bits in FILES.values()]
    out = bytearray(b"SVT1" + struct.pack("<4I", *(len(each) for each in lists), len(vendors)))
    for bits, prefixes in zip(FILES.values(), lists):
        out += b"".join(prefixes)
        out += b"".join(struct.pack("<H", number[found[bits, prefix]]) for prefix in prefixes)
    names = [name.encode() for name in vendors]
    for index in range(0, len(names), STRIDE):
        out += struct.pack("<I", sum(len(name) for name in names[:index]))
    out += bytes(len(name) for name in names) + b"".join(names)
    target.write_bytes(out)
    print(f"{len(found)} blocks of {len(vendors)} vendors, {len(out)} octets", file=sys.stderr)


if __name__ == "__main__":
    main()
