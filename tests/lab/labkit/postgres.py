"""PostgreSQL with its own data folder and port: NetBox's databases, their templates, Surveyor's store.

The data are in memory where there is room: copying a template makes thousands of files, which takes some file systems
(ext4 without a journal) over a second. Templates are also in the cache as dumps, and come back from there.
"""

import glob
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from . import accounts, packages, probe
from .daemon import Service
from .layout import HOST, write_private
from .report import LabError, say

USER = "postgres"
MEMORY = Path("/dev/shm")
# Free memory that one cluster asks for, several times what it needs.
ROOM = 4 << 30
# Speed over durability: everything here can be built again.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "unix_socket_directories": "",
    "listen_addresses": HOST,
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_min_duration_statement": "1000",
    "log_line_prefix": "%m [%p] %d ",
    "jit": "off",
}


class Postgres:
    """The lab's cluster."""

    def __init__(self, lab, credentials):
        self.lab = lab
        self.credentials = credentials
        self.on_disk = lab.run / "postgres"
        self.folder = place(self.on_disk)
        self.data = self.folder / "data"
        self.port = lab.port("postgres")
        # Whether the last run of the server was not ended, but killed.
        self.was_killed = False

    def program(self, name):
        """A server program; Debian keeps them out of PATH."""
        found = sorted(
            glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4])
        )
        program = found[-1] if found else packages.command(name)
        if not program:
            raise LabError(f"PostgreSQL's `{name}` is not installed")
        return program

    def service(self):
        """The server daemon."""
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        argv = [*accounts.run_as(USER, self.data), self.program("postgres"), "-D", self.data, "-p", self.port]
        return Service(
            "postgres",
            (*argv, *settings),
            self.answers,
            (("tcp", self.port),),
            self.make_cluster,
            stop_signal=signal.SIGINT,
        )

    def answers(self):
        """Whether a query works."""
        return probe.tcp_open(self.port) and self.psql_command("select 1").returncode == 0

    def make_cluster(self):
        """initdb, unless it is there; a half-made one is made again."""
        if self.folder != self.on_disk:
            shutil.rmtree(self.on_disk, ignore_errors=True)
        if (self.data / "PG_VERSION").exists() and (self.folder / ".complete").exists():
            # Only called when none of ours runs.
            left = self.data / "postmaster.pid"
            self.was_killed = left.exists()
            left.unlink(missing_ok=True)
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        accounts.give(self.folder, USER)
        password_file = self.folder / "password"
        write_private(password_file, self.credentials["postgres_password"])
        accounts.give(password_file, USER)
        command = [
            *accounts.run_as(USER, self.data),
            self.program("initdb"),
            "-D",
            str(self.data),
            "-U",
            "postgres",
        ]
        command += [
            "-A",
            "scram-sha-256",
            f"--pwfile={password_file}",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            raise LabError(f"initdb failed:\n{done.stdout}{done.stderr}")
        password_file.unlink()
        (self.folder / ".complete").touch()

    def ensure_roles(self):
        """NetBox's role and the one of Surveyor's store tests, which may create databases."""
        known = self.query("select rolname from pg_roles").split()
        for role, secret, rights in (
            ("netbox", "netbox_db_password", "createdb"),
            ("surveyor", "store_password", "createdb"),
        ):
            verb = "alter" if role in known else "create"
            self.query(f"{verb} role {role} login {rights} password '{self.credentials[secret]}'")
        if "surveyor" not in self.databases():
            self.query("create database surveyor owner surveyor")

    def environment(self):
        """What libpq programs need."""
        password = self.credentials["postgres_password"]
        base = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {
            **base,
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGPASSWORD": password,
        }

    def psql_command(self, *statements, database="postgres"):
        """Run statements, each in its own transaction; the completed process."""
        argv = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]
        for statement in statements:
            argv += ["-c", statement]
        return subprocess.run(argv, env=self.environment(), capture_output=True, text=True, check=False)

    def query(self, *statements, database="postgres"):
        """Run statements and return what they print."""
        done = self.psql_command(*statements, database=database)
        if done.returncode:
            raise LabError(f"PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout

    def databases(self):
        """The names of all databases."""
        return self.query("select datname from pg_database").split()

    def clone(self, source, target):
        """Make `target` anew as a copy of `source`; both lose their connections."""
        if source not in self.databases():
            raise LabError(f"there is no database `{source}` to copy from")
        self.query(
            f'drop database if exists "{target}" with (force)',
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{source}'",
            f'create database "{target}" template "{source}" owner netbox strategy file_copy',
        )

    def drop(self, name):
        """Drop a database, connections and all."""
        self.query(f'drop database if exists "{name}" with (force)')

    def dump(self, database, path):
        """Write a dump that `restore` reads."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        self.tool("pg_dump", "-Fc", "-Z1", "-f", temporary, database)
        os.replace(temporary, path)

    def restore(self, path, database):
        """Make a database from a dump."""
        self.drop(database)
        building = f"{database}_building"
        self.drop(building)
        self.query(f'create database "{building}" owner netbox')
        self.tool("pg_restore", "-j", str(min(4, os.cpu_count() or 2)), "-d", building, path)
        self.query(f'alter database "{building}" rename to "{database}"')
        say(f"restored database {database} from the cache")

    def tool(self, *argv):
        """Run one of PostgreSQL's programs."""
        done = subprocess.run(
            [str(part) for part in argv], env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LabError(f"{argv[0]} failed:\n{done.stderr[-2000:]}")

    def url(self, role, secret, database):
        """A connection URL."""
        return f"postgres://{role}:{self.credentials[secret]}@{HOST}:{self.port}/{database}"


def place(on_disk):
    """Where the data are: in memory if they are there already, or if there is room; else on the disk."""
    name = hashlib.sha256(str(on_disk).encode()).hexdigest()[:16]
    in_memory = MEMORY / f"surveyor-lab-{os.geteuid()}-{name}"
    try:
        if in_memory.exists():
            if owner_is_known(in_memory):
                return in_memory
        elif shutil.disk_usage(MEMORY).free >= ROOM:
            return in_memory
    except OSError:
        pass
    return on_disk


def owner_is_known(folder):
    """Whether the folder is ours or PostgreSQL's: anybody may make one where it is."""
    users = {os.geteuid()} | {entry.pw_uid for entry in pwd.getpwall() if entry.pw_name == USER}
    return folder.stat().st_uid in users
