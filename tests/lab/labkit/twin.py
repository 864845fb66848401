"""A second lab beside the first, for tests side by side: servers, databases and ports of its own, the same programs."""

import os
import shutil

from .layout import TWIN

# Between the ports of one lab and those of the next.
STRIDE = 500
# Made from the lab's own sources: the same in every lab with the same passwords.
TEMPLATES = ("empty", "documented")


def folder_of(lab, number):
    """The folder of the n-th further lab."""
    return lab.dir / f"{TWIN}{number}"


def environment(lab, number):
    """What makes `lab.py` and the tests mean that lab."""
    return {
        "SURVEYOR_LAB_DIR": str(folder_of(lab, number)),
        "SURVEYOR_LAB_PORT_OFFSET": str(lab.offset + number * STRIDE),
    }


def prepare(lab, number):
    """Gives the further lab what the first has installed, its passwords, and its template databases."""
    cache = folder_of(lab, number) / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for path in lab.cache.iterdir():
        if path.is_file():
            shutil.copy2(path, cache / path.name)
        elif path.name.startswith("netbox-"):
            share_netbox(path, cache / path.name)
        else:
            link(path, cache / path.name)


def share_netbox(source, target):
    """The installation is shared; templates are not, because tests make some of their own."""
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        if path.name != "templates":
            link(path, target / path.name)
    templates = target / "templates"
    templates.mkdir(exist_ok=True)
    for name in TEMPLATES:
        for path in (source / "templates").glob(f"{name}.*"):
            kept = templates / path.name
            if path.is_dir():
                shutil.copytree(path, kept, dirs_exist_ok=True)
            elif not kept.exists() or kept.stat().st_mtime < path.stat().st_mtime:
                shutil.copy2(path, kept)


def link(source, target):
    """A symbolic link, made again if it leads elsewhere."""
    if target.is_symlink() and os.readlink(target) == str(source):
        return
    if target.is_symlink() or target.exists():
        target.unlink()
    target.symlink_to(source)


def numbers(lab):
    """Further labs that there are."""
    return sorted(int(path.name[len(TWIN) :]) for path in lab.dir.glob(f"{TWIN}*") if path.is_dir())
