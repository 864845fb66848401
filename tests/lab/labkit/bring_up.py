"""`up` and `down`: the order in which the parts of the lab are installed, started, filled and stopped."""

import os
from concurrent.futures import ThreadPoolExecutor

from . import description, packages
from .daemon import Daemon
from .report import LabError, say

PEER_NAMES = ("routeros", "proxmox", "snmp")


def up(parts, groups, instances, fresh=False):
    """Start the chosen groups; each step does nothing if it is done already.

    `fresh`: the instances become copies of the template `empty`, whatever they were left as.
    """
    own_netbox = "netbox" in groups and not os.environ.get("NETBOX_URL")
    needs = ["common", *(group for group in groups if group != "netbox")]
    needs += (["postgres"] if "netbox" in groups else []) + (["netbox"] if own_netbox else [])
    parts.credentials.write_files()
    # The quick ones first; while NetBox migrates for the first time, they already serve.
    with ThreadPoolExecutor(max_workers=4) as pool:
        packages.ensure(*needs)
        jobs = [pool.submit(dns, parts)] if "dns" in groups else []
        if "netbox" in groups:
            jobs.append(pool.submit(databases, parts, own_netbox, instances, fresh))
        if "peers" in groups:
            jobs.append(pool.submit(peers, parts))
        failures = [error for job in jobs if (error := job.exception())]
    if own_netbox and not failures:
        description.write(parts)
        if "peers" not in groups:
            parts.ensure_venv()
        parts.templates.ensure_documented()
        parts.templates.restore_others()
    description.write(parts)
    for error in failures:
        if not isinstance(error, LabError):
            raise error
    if failures:
        raise LabError("\n".join(map(str, failures)))


def launch(parts, services):
    """Start services side by side, then wait for all."""
    started = {}
    for service in services:
        daemon = Daemon(parts.lab, service.name)
        if daemon.pid() and not service.ready():
            say(f"{service.name} runs but does not answer, restarting")
            daemon.stop()
        started[service.name] = daemon.start(service)
    for service in services:
        Daemon(parts.lab, service.name).wait_ready(service)
        if started[service.name]:
            say(f"{service.name} is ready")


def dns(parts):
    """Unbound and sshd."""
    launch(parts, [parts.unbound.service(), parts.sshd.service()])


def peers(parts):
    """The wire peers over a copy of the network, made new when the repository's differs."""
    parts.ensure_venv()
    if parts.peers.network_differs():
        parts.peers.copy_network()
        stop_all(parts, PEER_NAMES)
    launch(parts, parts.peers.services())


def databases(parts, own_netbox, instances, fresh):
    """PostgreSQL; with a NetBox of our own Redis, the template `empty` and the instances too."""
    launch(parts, [parts.postgres.service(), *([parts.redis.service()] if own_netbox else [])])
    parts.postgres.ensure_roles()
    if not own_netbox:
        return
    parts.netbox.install()
    if parts.postgres.was_killed:
        parts.instances.drop_databases()
    parts.templates.ensure_empty()
    parts.netbox.collect_static()
    for instance in instances:
        if fresh:
            parts.instances.reset(instance, "empty")
        else:
            parts.instances.ensure_database(instance)
    launch(
        parts,
        [service for name in instances for service in parts.instances.services(name)]
        + [parts.instances.nginx()],
    )
    for instance in instances:
        parts.templates.check_token(instance)


def recorded(parts):
    """The records of started services, oldest first."""
    return sorted(parts.lab.daemon_dir.glob("*.json"), key=lambda path: path.stat().st_mtime)


def stop_all(parts, names):
    """Stop services side by side."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: Daemon(parts.lab, name).stop(), names))


def down(parts):
    """Stop everything that was started: the databases last."""
    names = [path.stem for path in recorded(parts)]
    last = [name for name in names if name in ("postgres", "redis")]
    stop_all(parts, [name for name in names if name not in last])
    stop_all(parts, last)
    say(f"stopped {', '.join(names)}" if names else "nothing ran")


def restart_peers(parts):
    """Restart the peers that run."""
    running = [name for name in PEER_NAMES if Daemon(parts.lab, name).pid()]
    stop_all(parts, running)
    launch(parts, [parts.service(name) for name in running])
