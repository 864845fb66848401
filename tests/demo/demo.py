"""The main job of Surveyor from beginning to end, against the lab's real NetBox and real Unbound.

    demo.py --bin target/debug/surveyor [--keep-serving]

An empty resolver, a NetBox that knows three network devices: Surveyor discovers, proposes, a reviewer decides in
NetBox, and the demo reads back what became true. Ends with 1 and the reason if something did not. It can be run
again and again; each run begins from the start.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import requests
from installation import GROUP, REVIEWER, SWEEP_SECONDS, Installation
from proof import Link, Machine, Rejected, expected
from telling import Teller, Untrue, expect

APPROVED = ("ws-anna", "nas1", "web")
REJECTED = "octopi"
SWITCHES = ("sw1", "sw2")
LINK = "the cable sw1 - sw2"
TIMEOUT = 120
# Bootstrap's line for one object: "create custom field `surveyor_state`".
CREATED = re.compile(r"^create ([a-z -]+?)(?: of)? `")
INBOX = re.compile(r"^([a-z ]+): (http\S+)$")


class Demo:
    """The story, chapter by chapter."""

    def __init__(self, binary, teller):
        self.teller = teller
        self.binary = binary
        self.started = time.monotonic()
        self.site = Installation(binary)
        self.reviewer = self.password = None
        self.inbox = []
        self.took = {}

    def tell(self, keep_serving):
        """Everything."""
        self.introduce()
        self.doctor_before()
        self.bootstrap()
        self.discover()
        self.stage()
        self.invite()
        self.read_back(self.decide())
        self.again()
        self.leave(keep_serving)

    def run(self, *arguments, code=0):
        """One command of Surveyor, shown as it is typed; it must end as it should."""
        self.teller.command(*arguments)
        outcome = self.site.surveyor.run(*arguments, code=None)
        told = (outcome.err.strip() or outcome.out.strip()).splitlines()
        problem = f"`surveyor {' '.join(arguments)}` ended with {outcome.code}, not {code}"
        expect(outcome.code == code, "\n  ".join([problem, *told[-15:]]))
        return outcome

    def introduce(self):
        """Where we are."""
        lab = self.site.lab
        self.teller.say(
            f"Surveyor, main job, end to end. NetBox {lab.info['netbox']['version']} ({lab.url}), Unbound and sshd are "
            "real; a RouterOS router, a Proxmox node and two switches answer over their own protocols on loopback."
        )
        devices = lab_names(self.site.admin.all("dcim/devices/"))
        self.teller.say(
            f"NetBox documents {devices} and their ports: no cable, no host. Unbound knows no host."
        )

    def doctor_before(self):
        """What is missing."""
        self.teller.headline("Is everything within reach?")
        outcome = self.run("doctor", code=1)
        self.teller.output(outcome.out, lambda line: not line.startswith("ok"), join=True)
        self.teller.say("All that fails is NetBox's side: Surveyor has no users and no tokens there yet.")

    def bootstrap(self):
        """NetBox is set up."""
        self.teller.headline("Setting NetBox up, once, with an administrator's token that is not kept")
        outcome = self.run("bootstrap", "--admin-token-file", self.site.lab.netbox["admin_token_file"])
        counts = {}
        for line in outcome.out.splitlines():
            made = CREATED.match(line)
            if made:
                counts[made[1]] = counts.get(made[1], 0) + 1
            elif INBOX.match(line):
                self.inbox.append(INBOX.match(line).groups())
        made = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items())
        self.teller.aside(f"created: {made}")
        self.teller.output(outcome.out.splitlines()[-1])
        expect(len(self.inbox) >= 3, "bootstrap printed no inbox")
        outcome = self.run("doctor")
        self.teller.output(outcome.out, once_a_subject(), join=True)

    def discover(self):
        """The candidates."""
        self.teller.headline("What is on the network? Reads everything, writes nothing")
        before = self.site.last_change()
        outcome = self.run("discover")
        self.teller.output(outcome.out, width=None)
        missing = [name for name in (*APPROVED, REJECTED) if f" {name} " not in outcome.out]
        expect(not missing, f"discover did not find {', '.join(missing)}")
        expect(self.site.last_change() == before, "discover wrote something to NetBox")

    def stage(self):
        """They are proposed."""
        self.teller.headline("Proposing it in NetBox, as staged objects")
        outcome = self.run("stage")
        self.teller.output(outcome.out, plans_of("ws-anna", "sw1"), join=True)
        admin = self.site.admin
        for name in (*APPROVED, REJECTED):
            _, row = admin.ours(name)
            expect(row["status"]["value"] == "staged", f"{name} is {row['status']['value']}, not staged")
            expect(row["primary_ip4"] is None, f"{name} has an address before anybody approved it")
        expect(not admin.all("ipam/ip-addresses/", tag="surveyor"), "there are addresses before approval")
        _, row = admin.ours("ws-anna")
        self.teller.line("What the reviewer reads on the page of ws-anna:")
        for line in row["custom_fields"]["surveyor_proposal"].splitlines():
            self.teller.aside(line)

    def invite(self):
        """The inbox, and who may decide."""
        self.teller.headline("Deciding is done in NetBox, by people")
        lab = self.site.lab
        self.reviewer, self.password = self.site.add_reviewer()
        self.teller.facts(
            [
                *((f"inbox: {title}", url) for title, url in self.inbox[:3]),
                ("log in as reviewer", f"user {REVIEWER}, password {self.password} (only in group {GROUP})"),
                ("log in as administrator", f"user admin, password in {lab.netbox['admin_password_file']}"),
            ]
        )
        seen = self.browse([url for _, url in self.inbox[:3]])
        for name in ("ws-anna", "web"):
            expect(any(f">{name}<" in page for page in seen), f"the reviewer's inbox does not show {name}")
        self.teller.say(f"({REVIEWER} has logged in and sees the candidates in these lists.)")

    def browse(self, urls):
        """The pages as the reviewer's browser gets them."""
        session = requests.Session()
        login = f"{self.site.lab.url}/login/"
        hidden = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(login, timeout=60).text)
        expect(hidden, f"{login} is no log-in form")
        form = {"username": REVIEWER, "password": self.password, "csrfmiddlewaretoken": hidden[1]}
        answer = session.post(login, data=form, headers={"Referer": login}, timeout=60)
        expect(answer.ok and "/login/" not in answer.url, f"{REVIEWER} cannot log in: {answer.status_code}")
        pages = [session.get(url, timeout=60) for url in urls]
        for page in pages:
            expect(
                page.ok and "/login/" not in page.url,
                f"{REVIEWER} may not see {page.url}: {page.status_code}",
            )
        return [re.sub(r">\s+|\s+<", lambda found: found[0].strip(), page.text) for page in pages]

    def decide(self):
        """The reviewer decides while `serve` runs; the decisions become true."""
        self.teller.headline("The service waits for decisions; the reviewer makes them")
        self.teller.command("serve  (in the background)")
        service = self.site.serve()
        settled(service)
        waiting = {}
        for name in APPROVED:
            path, _ = self.reviewer.ours(name)
            waiting[name] = (
                time.monotonic(),
                lambda name=name: Machine(self.site.admin, self.site.resolver, name),
            )
            self.reviewer.change(path, status="active")
            self.teller.line(f"    {REVIEWER}: {name}: status staged -> active")
        number = self.planned_link()
        waiting[LINK] = (time.monotonic(), lambda: Link(self.site.admin, number))
        self.reviewer.change(f"dcim/cables/{number}/", status="connected")
        self.teller.line(f"    {REVIEWER}: {LINK}: status planned -> connected")
        path, _ = self.reviewer.ours(REJECTED)
        waiting[REJECTED] = (
            time.monotonic(),
            lambda: Rejected(self.site.admin, self.site.resolver, REJECTED),
        )
        self.reviewer.change(path, custom_fields={"surveyor_decision": "reject"})
        self.teller.line(f"    {REVIEWER}: {REJECTED}: decision reject")
        return self.wait(waiting)

    def planned_link(self):
        """The proposed cable between the two switches."""
        found = [
            row["id"]
            for row in self.reviewer.all("dcim/cables/", tag="surveyor", status="planned")
            if {end["object"]["device"]["name"] for side in "ab" for end in row[f"{side}_terminations"]}
            == set(SWITCHES)
        ]
        expect(len(found) == 1, f"{len(found)} planned cables between {' and '.join(SWITCHES)}")
        return found[0]

    def wait(self, waiting):
        """Until every decision is true; what was read back, by name."""
        true, problems = {}, {}
        deadline = time.monotonic() + TIMEOUT
        while len(true) < len(waiting):
            for name, (since, read) in waiting.items():
                if name in true:
                    continue
                seen = read()
                problems[name] = seen.problems()
                if not problems[name]:
                    true[name] = seen
                    self.took[name] = time.monotonic() - since
            if time.monotonic() > deadline:
                left = [f"{name}: {'; '.join(problems[name])}" for name in waiting if name not in true]
                raise Untrue(
                    "\n  ".join([f"{TIMEOUT} s after the decisions this is not true:", *left, self.log()])
                )
            time.sleep(0.1)
        return true

    def log(self):
        """The end of what `serve` said."""
        said = re.sub(r"\x1b\[[0-9;]*m", "", self.site.service.said())
        return "\n    ".join(["serve said:", *said.splitlines()[-10:]])

    def read_back(self, true):
        """What became true."""
        self.teller.headline("What became true, read back from NetBox and asked of Unbound")
        for name in (*APPROVED, LINK, REJECTED):
            self.teller.line(f"  {name}: true {self.took[name]:.1f} s after the decision; {true[name].url}")
            self.teller.facts(true[name].facts())
        metrics = requests.get(
            self.site.surveyor.config["webhook"]["public_url"].rsplit("/", 2)[0] + "/metrics", timeout=10
        )
        accepted = re.search(r'surveyor_webhooks_total\{result="accepted"\} (\d+)', metrics.text)
        expect(accepted and int(accepted[1]) > 0, "no webhook of NetBox reached the service")
        self.teller.say(
            f"({accepted[1]} signed webhooks woke the service; without them its sweep looks every {SWEEP_SECONDS} s.)"
        )
        self.teller.line()
        self.teller.line(
            "The journal of ws-anna in NetBox has the proposal with its evidence, and what was done:"
        )
        entries = true["ws-anna"].journal
        evidence = [line for line in entries[0]["comments"].splitlines() if line.startswith("| ")]
        expect(len(evidence) > 2, "the first journal entry of ws-anna has no evidence")
        self.teller.output("\n".join(evidence[2:]), first(4), join=True)
        self.teller.output(entries[-1]["comments"].replace("\n\n", "\n"), first(5), join=True)

    def again(self):
        """Nothing is written twice, and everything can be undone."""
        self.teller.headline("Running it again writes nothing; every approval has an undo")
        before = self.site.last_change()
        outcome = self.run("stage")
        self.teller.output(outcome.out.splitlines()[-1])
        expect("; 0 writes, " in outcome.out, "the second `stage` wrote something")
        outcome = self.run("rollback", "nas1", "--dry-run")
        self.teller.output(outcome.out)
        expect(re.search(r"^  - ", outcome.out, re.M), "rollback would remove nothing")
        expect("- nas1.hq.example A 192.0.2.10" in outcome.out, "rollback would leave the name in DNS")
        expect("; 0 writes, " in outcome.out, "a dry run wrote something")
        outcome = self.run("ignored")
        self.teller.output(outcome.out)
        mac = expected(REJECTED)[0]["mac"]
        expect(mac in outcome.out.upper(), f"`ignored` does not show {REJECTED} ({mac})")
        expect(self.site.last_change() == before, "NetBox's change log has grown")
        problems = Machine(self.site.admin, self.site.resolver, "nas1").problems()
        expect(not problems, f"nas1 after the dry run: {'; '.join(problems)}")

    def leave(self, keep_serving):
        """Where to look now."""
        lab, folder = self.site.lab, self.site.folder
        self.teller.headline("Done: everything above was checked, not only printed")
        if keep_serving:
            serving = f"runs on, process {self.site.service.process.pid}; stop it with: kill {self.site.service.process.pid}"
        else:
            code = self.site.stop()
            expect(code == 0, f"`surveyor serve` ended with {code}")
            serving = f"stopped; again: {self.binary} --config {folder}/surveyor.toml serve"
        host, _, port = lab.info["unbound"]["dns"].rpartition(":")
        self.teller.facts(
            [
                ("NetBox", f"{lab.url}  (runs on; users {REVIEWER} and admin, see 5)"),
                ("inbox", self.inbox[0][1]),
                ("DNS", f"dig @{host} -p {port} ws-anna.hq.example"),
                ("DNS file", lab.info["unbound"]["include_file"]),
                ("configuration", f"{folder}/surveyor.toml"),
                ("serve", serving),
                ("log", f"{folder}/serve.log"),
                ("stop the lab", "make lab-down"),
            ]
        )
        self.teller.line(f"({time.monotonic() - self.started:.0f} s)")


def lab_names(rows):
    """`a, b and c`."""
    names = sorted(row["name"] for row in rows)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def once_a_subject():
    """Chooses the first line of each subject, what fails, and the sum."""
    seen = set()

    def keep(line):
        subject = line[5:].split(":")[0]
        is_new = subject not in seen
        seen.add(subject)
        return is_new or not line.startswith("ok")

    return keep


def plans_of(*names):
    """Chooses the plans of these objects, whole, and what is no plan."""
    chosen = [True]

    def keep(line):
        if not line.startswith("  "):
            words = line.split()
            chosen[0] = words[0] != "stage" or words[1].rstrip(",") in names
        return chosen[0]

    return keep


def first(count):
    """Chooses the first lines."""
    numbers = iter(range(10**6))
    return lambda line: next(numbers) < count


def settled(service, timeout=30):
    """Waits for the first discovery run of `serve`, so that the times that follow are those of approvals."""
    deadline = time.monotonic() + timeout
    while "discovery run done" not in service.said() and time.monotonic() < deadline:
        time.sleep(0.1)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="Surveyor's main job, end to end, against the lab.")
    parser.add_argument("--bin", type=Path, required=True, help="the surveyor to show")
    parser.add_argument("--keep-serving", action="store_true", help="leave `surveyor serve` running")
    options = parser.parse_args()
    demo, ended = None, 1
    try:
        demo = Demo(options.bin.resolve(), Teller())
        demo.tell(options.keep_serving)
        ended = 0
    except (Untrue, AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as problem:
        sys.stdout.flush()
        print(f"\ndemo: FAILED: {problem}", file=sys.stderr)
    finally:
        if demo and (ended or not options.keep_serving):
            demo.site.stop()
    return ended


if __name__ == "__main__":
    sys.exit(main())
