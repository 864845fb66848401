"""The commands of `lab.py`: arguments in, one function per command."""

import argparse
import json
import os
import subprocess
import sys

from . import bring_up, packages, twin
from .daemon import Daemon
from .instances import NAMES, QUEUES
from .parts import GROUPS, Parts
from .report import LabError, say

NO_NETBOX_OF_OURS = "NETBOX_URL is set: this NetBox is not the lab's, its database cannot be touched"


def main():
    """Run one command; the exit code."""
    arguments = parse()
    try:
        return arguments.run(arguments) or 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parse():
    """What was typed."""
    parser = argparse.ArgumentParser(
        prog="lab.py", description="A real NetBox, DNS, SSH and wire peers to test with."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, function, text):
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=function)
        return added

    added = command(
        "up", up, "install what is missing and start everything; does nothing that is done already"
    )
    added.add_argument("--only", type=words(GROUPS), default=list(GROUPS), help=f"of {','.join(GROUPS)}")
    added.add_argument(
        "--instance", type=words(NAMES), default=["e2e"], help=f"NetBox instances, of {','.join(NAMES)}"
    )
    added.add_argument(
        "--fresh", action="store_true", help="the instances become copies of `empty`, however they were left"
    )
    command("down", down, "stop what `up` started, and nothing else")
    command("status", status, "what runs")
    command("info", info, "print lab.json")
    added = command("reset", reset, "make an instance a copy of a template; NetBox keeps running")
    added.add_argument("--instance", choices=NAMES, default="e2e")
    added.add_argument("--template", default="empty")
    added = command("snapshot", snapshot, "make a template from an instance")
    added.add_argument("--instance", choices=NAMES, default="e2e")
    added.add_argument("--template", required=True)
    command("templates", templates, "the templates there are")
    added = command("wait-idle", wait_idle, "wait until the instance's job queues are empty")
    added.add_argument("--instance", choices=NAMES, default="e2e")
    added.add_argument("--queue", type=words(QUEUES), default=list(QUEUES))
    added.add_argument("--timeout", type=float, default=300.0)
    for name, function in (("start", start), ("stop", stop), ("restart", restart), ("logs", logs)):
        added = command(name, function, f"{name} of one service, such as worker-e2e, redis, unbound, snmp")
        added.add_argument("name")
    command("reset-network", reset_network, "fresh copy of the network's data; its peers are restarted")
    command(
        "reload-network", reload_network, "serve the copy as edited: SNMP data made again, peers restarted"
    )
    added = command(
        "twin",
        make_twin,
        "prepare a further lab beside this one and print the environment that means it; then `up` there",
    )
    added.add_argument("number", type=int)
    added = command("install", install, "install what only some tests need")
    added.add_argument("what", choices=["browser", "dhcp", "bench"])
    return parser.parse_args()


def words(allowed):
    """A comma-separated choice."""

    def parse_words(text):
        chosen = [word.strip() for word in text.split(",")]
        if unknown := [word for word in chosen if word not in allowed]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not of {', '.join(allowed)}")
        return chosen

    return parse_words


def up(arguments):
    """Everything, in the order it depends on each other."""
    parts = Parts()
    with parts.lab.lock("lab"):
        bring_up.up(parts, arguments.only, arguments.instance, arguments.fresh)
    say("up; `lab.py info` tells where everything is")


def down(_arguments):
    """Newest first; labs beside this one too."""
    parts = Parts()
    for number in twin.numbers(parts.lab):
        environment = {**os.environ, **twin.environment(parts.lab, number)}
        subprocess.run([sys.executable, sys.argv[0], "down"], env=environment, check=True)
    with parts.lab.lock("lab"):
        bring_up.down(parts)


def status(_arguments):
    """One line per service that was started."""
    parts = Parts()
    running = 0
    for path in bring_up.recorded(parts):
        daemon = Daemon(parts.lab, path.stem)
        pid = daemon.pid()
        running += bool(pid)
        state = f"running, pid {pid}" if pid else f"NOT RUNNING, see `lab.py logs {daemon.name}`"
        print(f"{daemon.name:16} {state}")
    if not running:
        print("nothing runs")
    return 0 if running else 1


def info(_arguments):
    """lab.json as it is."""
    path = Parts().lab.description
    if not path.exists():
        raise LabError("no lab yet: `lab.py up` first")
    print(path.read_text(encoding="utf-8"), end="")


def reset(arguments):
    """See Instances.reset."""
    parts = own_netbox()
    with parts.lab.lock(arguments.instance):
        parts.instances.reset(arguments.instance, arguments.template)


def snapshot(arguments):
    """See Templates.snapshot."""
    parts = own_netbox()
    with parts.lab.lock(arguments.instance):
        parts.templates.snapshot(arguments.instance, arguments.template)


def templates(_arguments):
    """One name per line."""
    print("\n".join(own_netbox().templates.names()))


def wait_idle(arguments):
    """See Instances.wait_idle."""
    own_netbox().instances.wait_idle(arguments.instance, arguments.queue, arguments.timeout)


def own_netbox():
    """The lab, if its NetBox is its own."""
    if os.environ.get("NETBOX_URL"):
        raise LabError(NO_NETBOX_OF_OURS)
    return Parts()


def start(arguments):
    """Start one service and wait until it is ready."""
    parts = Parts()
    service = parts.service(arguments.name)
    daemon = Daemon(parts.lab, service.name)
    with parts.lab.lock(f"service-{service.name}"):
        daemon.start(service)
        daemon.wait_ready(service)


def stop(arguments):
    """Stop one service."""
    parts = Parts()
    service = parts.service(arguments.name)
    with parts.lab.lock(f"service-{service.name}"):
        if not Daemon(parts.lab, service.name).stop(service.stop_signal):
            say(f"{service.name} did not run")


def restart(arguments):
    """Stop and start one service."""
    stop(arguments)
    start(arguments)


def logs(arguments):
    """The log of one service."""
    path = Daemon(Parts().lab, arguments.name).log_path
    if not path.exists():
        raise LabError(f"no log of `{arguments.name}`")
    sys.stdout.write(path.read_text(encoding="utf-8", errors="replace"))


def reset_network(_arguments):
    """Throw edits of the copy away."""
    parts = Parts()
    with parts.lab.lock("lab"):
        parts.peers.copy_network()
        bring_up.restart_peers(parts)


def reload_network(_arguments):
    """Serve the copy as it is now."""
    parts = Parts()
    with parts.lab.lock("lab"):
        bring_up.restart_peers(parts)


def make_twin(arguments):
    """See labkit/twin.py."""
    parts = Parts()
    with parts.lab.lock("lab"):
        twin.prepare(parts.lab, arguments.number)
    print(json.dumps(twin.environment(parts.lab, arguments.number)))


def install(arguments):
    """Chromium and Selenium, DHCP servers and a client, or what the benches compare with."""
    parts = Parts()
    with parts.lab.lock("lab"):
        packages.ensure(arguments.what)
        if arguments.what != "browser":
            return
        parts.ensure_venv()
        python = str(parts.lab.venv / "bin" / "python")
        if subprocess.run([python, "-c", "import selenium"], capture_output=True, check=False).returncode:
            say(f"installing Python package selenium into {parts.lab.venv}")
            subprocess.run([python, "-m", "pip", "install", "-q", "selenium"], check=True)
