"""A reviewer with limited rights reads a proposal in the browser, presses Approve, and sees what came of it.

Screenshots go to the folder in SURVEYOR_SCREENSHOTS, else to a temporary one.
"""

import os
import shutil
from pathlib import Path

import pytest

from .support import applied
from .support.netbox import custom
from .support.waiting import eventually

webdriver = pytest.importorskip("selenium.webdriver", reason="lab.py install browser")
LINK_TEXT, CSS = "link text", "css selector"
HOST = "ws-anna"


class Reviewer:
    """A person at a screen, logged in."""

    def __init__(self, scene, driver, folder):
        self.scene, self.driver, self.folder = scene, driver, folder
        self.count = 0

    def open(self, url):
        """Goes to a page."""
        self.driver.get(url)

    def login(self, username, password):
        """With the form."""
        self.open(f"{self.scene.lab.url}/login/")
        self.find("#id_username").send_keys(username)
        self.find("#id_password").send_keys(password)
        self.find("form button[type=submit]").click()
        eventually(lambda: "/login/" not in self.driver.current_url, timeout=20)

    def find(self, selector):
        """The first element, once it is there."""
        return eventually(lambda: self.driver.find_elements(CSS, selector), timeout=20)[0]

    def link(self, text):
        """A link with this text, once it is there."""
        return eventually(lambda: self.driver.find_elements(LINK_TEXT, text), timeout=20)[0]

    def text(self):
        """All that can be read."""
        return self.find("body").text

    def shot(self, name):
        """A picture of the page."""
        self.count += 1
        self.driver.save_screenshot(str(self.folder / f"{self.count:02}-{name}.png"))


@pytest.fixture(scope="module")
def scene(start):
    """Everything is staged."""
    return start("e2e-staged")


@pytest.fixture
def reviewer(scene, tmp_path):
    """Somebody of the group `Surveyor reviewers`, in headless Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: lab.py install browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1400"):
        options.add_argument(flag)
    folder = Path(os.environ.get("SURVEYOR_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        person = Reviewer(scene, driver, folder)
        person.login("rita", scene.people["rita"]["password"])
        yield person
    finally:
        driver.quit()


def inbox(scene, title):
    """The address of an inbox, as `status` prints it."""
    told = scene.surveyor.run("status", "--json", code=None).json["inbox"]
    return next(entry["url"] for entry in told if entry["title"] == title)


def test_a_reviewer_approves(scene, reviewer):
    reviewer.open(inbox(scene, "devices"))
    assert HOST in reviewer.text()
    rows = reviewer.driver.find_elements(CSS, "table tbody tr")
    assert len(rows) == len(scene.admin.all("dcim/devices/", status="staged", fields="id"))
    reviewer.shot("inbox")
    reviewer.link(HOST).click()
    read = eventually(lambda: reviewer.text() if "Proposal" in reviewer.text() else None)
    for word in ("192.0.2.101", "sw2", "1", "3C:E9:F7:21:8A:04"):
        assert word in read
    reviewer.shot("proposal")
    reviewer.link("Approve").click()
    form = reviewer.find("form select[name=status]")
    assert form.get_attribute("value") == "active"
    reviewer.shot("form")
    with scene.surveyor.serve():
        reviewer.find("button[name=_update]").click()
        eventually(lambda: "/edit/" not in reviewer.driver.current_url, timeout=20)
        assert "/dcim/devices/?filter_id=" in reviewer.driver.current_url, "back in the inbox"
        eventually(applied.is_applied(scene, HOST), timeout=60)
    reviewer.shot("inbox-afterwards")
    applied.check(scene, HOST)
    device = f"{scene.lab.url}/dcim/devices/{scene.admin.device(HOST)['id']}/"
    reviewer.open(device)
    read = reviewer.text()
    assert "Applied" in read
    assert "192.0.2.101" in read
    assert not reviewer.driver.find_elements(LINK_TEXT, "Approve")
    assert reviewer.link("Undo")
    reviewer.shot("applied")
    reviewer.open(f"{device}journal/")
    assert "cable" in reviewer.text()
    reviewer.shot("journal")


def test_a_reviewer_rejects(scene, reviewer):
    reviewer.open(f"{scene.lab.url}/dcim/devices/{scene.admin.device('ws-ben')['id']}/")
    reviewer.link("Reject").click()
    form = reviewer.find("form select[name=cf_surveyor_decision]")
    assert form.get_attribute("value") == "reject"
    reviewer.find("button[name=_update]").click()
    eventually(lambda: "/edit/" not in reviewer.driver.current_url, timeout=20)
    assert custom(scene.admin.device("ws-ben"), "decision") == "reject"
    scene.surveyor.run("apply")
    assert scene.admin.none("dcim/devices/", name="ws-ben")
    reviewer.open(inbox(scene, "ignored"))
    assert "A4:BB:6D:5F:33:C1" in reviewer.text()
    reviewer.shot("ignored")
