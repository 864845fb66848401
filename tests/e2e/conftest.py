"""Fixtures of the end-to-end tests: the lab, and scenes in it. One reset a file, where the tests allow it."""

import os

import pytest

from .support.lab import Lab
from .support.scene import Scenes

FULL = os.environ.get("SURVEYOR_FULL") == "1"


@pytest.fixture(scope="session")
def lab():
    """The running lab."""
    return Lab()


@pytest.fixture(scope="session")
def scenes(lab):
    """Makes scenes."""
    return Scenes(lab)


@pytest.fixture(scope="module")
def start(scenes, tmp_path_factory):
    """Starts a scene in a fresh copy of a template: `start("e2e-staged")`."""

    def begin(template):
        return scenes.start(template, tmp_path_factory.mktemp(template))

    return begin


@pytest.fixture(scope="session")
def full():
    """Whether everything is to be tried, not a sample."""
    return FULL
