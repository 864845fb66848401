#!/usr/bin/env python3
"""The lab: a real NetBox, Unbound, sshd and wire peers on loopback ports. See README.md beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from labkit.commands import main

if __name__ == "__main__":
    sys.exit(main())
