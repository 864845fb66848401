"""Which user a daemon runs as: you, except that PostgreSQL and the SNMP agent refuse to run as root."""

import os
import pwd

from .layout import traversable


def run_as(user, folder):
    """The prefix that changes to `user`, with the right to pass through a root-only home where needed."""
    if os.geteuid() != 0:
        return ()
    account = pwd.getpwnam(user)
    prefix = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
    if not traversable(folder):
        prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return tuple(prefix)


def give(path, user):
    """Make `user` the owner of a file or folder (root only)."""
    if os.geteuid() == 0:
        account = pwd.getpwnam(user)
        os.chown(path, account.pw_uid, account.pw_gid)
