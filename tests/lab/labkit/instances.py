"""A NetBox instance: gunicorn, RQ worker, database and Redis databases; and nginx in front of them all."""

import os
import time

from . import netbox as installation
from . import packages, probe
from .daemon import Daemon, Service
from .layout import HOST
from .report import LabError, say

NAMES = ("e2e", "demo")
QUEUES = ("high", "default", "low")
BODY_LIMIT = "25m"

# Loaded before the fork, with all views imported, so that the first request is not the slow one.
GUNICORN = '''\
"""gunicorn of one lab instance; written by the lab."""

bind = "{bind}"
workers = 2
threads = 2
timeout = 120
graceful_timeout = 2
preload_app = True
control_socket_disable = True


def when_ready(server):
    """Import every view, then drop the connections the import opened: they must not be shared by forks."""
    import gc

    from django.db import connections
    from django.urls import get_resolver

    get_resolver().check()
    connections.close_all()
    # What is imported is never garbage: looking through it again and again is a third of a request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50000, 50, 50)
'''

# The process that RQ forks for each job costs more than the job does.
WORKER = '''\
"""RQ's worker of one lab instance; written by the lab."""

import django.db
import rq


class InPlace(rq.SimpleWorker):
    """Does jobs in its own process. A reset takes the database away under it: each job looks first."""

    def perform_job(self, *arguments, **more):
        django.db.close_old_connections()
        return super().perform_job(*arguments, **more)
'''

NGINX = """\
daemon off;
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_max_body_size {limit};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}}}
"""

NGINX_SERVER = """\
    server {{
        listen {address};
        location /static/ {{ alias {static}/; }}
        location / {{
            proxy_pass http://{upstream};
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_read_timeout 300s;
        }}
    }}
"""


class Instances:
    """The NetBox instances of one lab."""

    def __init__(self, lab, credentials, netbox, postgres, redis):
        self.lab = lab
        self.credentials = credentials
        self.netbox = netbox
        self.postgres = postgres
        self.redis = redis

    def url(self, instance):
        """What users and tests talk to."""
        return f"http://{self.lab.address(instance)}"

    def services(self, instance):
        """gunicorn and the worker of one instance."""
        root = self.netbox.root(instance)
        gunicorn_port = self.lab.port(f"gunicorn-{instance}")
        settings = root / "gunicorn.conf.py"
        files = {settings: GUNICORN.format(bind=f"{HOST}:{gunicorn_port}")}
        files[root / "conf" / "configuration.py"] = self.netbox.configuration(instance)
        environment = self.netbox.environment(instance)

        def prepare():
            self.netbox.make_root(instance)

        def answers():
            return probe.tcp_open(gunicorn_port) and probe.http_status(gunicorn_port, "/login/") == 200

        return [
            Service(
                f"gunicorn-{instance}",
                self.netbox.program("gunicorn", "-c", settings, "netbox.wsgi"),
                answers,
                (("tcp", gunicorn_port),),
                prepare,
                files,
                environment,
                ready_timeout=120,
            ),
            Service(
                f"worker-{instance}",
                self.netbox.program(
                    "netbox",
                    "rqworker",
                    *QUEUES,
                    "--name",
                    f"lab-{instance}",
                    "--worker-class",
                    "lab_worker.InPlace",
                ),
                lambda: self.worker_alive(instance),
                (),
                lambda: (prepare(), self.forget_worker(instance)),
                {
                    root / "conf" / "configuration.py": files[root / "conf" / "configuration.py"],
                    root / "conf" / "lab_worker.py": WORKER,
                },
                environment | {"PYTHONPATH": str(root / "conf")},
                ready_timeout=120,
            ),
        ]

    def nginx(self):
        """One nginx for all instances: static files, body limit, proxy."""
        folder = self.lab.run / "nginx"
        servers = "".join(
            NGINX_SERVER.format(
                address=self.lab.address(name),
                static=self.netbox.static,
                upstream=self.lab.address(f"gunicorn-{name}"),
            )
            for name in NAMES
        )
        # Otherwise nginx gives its workers to a user that may not pass through root's home.
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(user=user, folder=folder, limit=BODY_LIMIT, servers=servers)
        settings = folder / "nginx.conf"
        argv = (packages.command("nginx") or "nginx", "-e", "stderr", "-p", folder, "-c", settings)
        ports = tuple(("tcp", self.lab.port(name)) for name in NAMES)
        return Service(
            "nginx", argv, lambda: probe.tcp_open(self.lab.port("e2e")), ports, files={settings: text}
        )

    def worker_alive(self, instance):
        """Whether the worker has registered itself."""
        tasks = installation.REDIS_DATABASES[instance][0]
        try:
            return f"rq:worker:lab-{instance}" in self.redis.send(tasks, ["SMEMBERS", "rq:workers"])[1]
        except OSError:
            return False

    def forget_worker(self, instance):
        """Remove the registration of a worker that was killed; RQ would refuse the same name again."""
        key = f"rq:worker:lab-{instance}"
        tasks = installation.REDIS_DATABASES[instance][0]
        locks = [f"rq:scheduler-lock:{queue}" for queue in QUEUES]
        self.redis.send(tasks, ["DEL", key, *locks], ["SREM", "rq:workers", key])

    def ensure_database(self, instance):
        """Make the instance's database from the template `empty` if it has none."""
        if installation.database_of(instance) not in self.postgres.databases():
            self.reset(instance, "empty")

    def drop_databases(self):
        """After the server was killed: it does not sync, so what was written last may be there in part. Templates
        were written long before.
        """
        say("PostgreSQL was killed, not stopped: the NetBox instances start anew")
        for instance in NAMES:
            self.postgres.drop(installation.database_of(instance))

    def reset(self, instance, template):
        """Throw the instance's database and its two Redis databases away and start from a template."""
        started = time.monotonic()
        source = installation.template_database(template)
        if source not in self.postgres.databases():
            raise LabError(f"there is no template `{template}`; see `lab.py templates`")
        self.drop_jobs(instance)
        databases = installation.REDIS_DATABASES[instance]
        for database in databases:
            self.redis.empty(database)
        self.postgres.clone(source, installation.database_of(instance))
        self.netbox.load_files(instance, template)
        # Again: what was under way while the database went away may have queued or cached something.
        for database in databases:
            self.redis.empty(database)
        say(f"{instance} is now a copy of `{template}` ({time.monotonic() - started:.2f} s)")

    def drop_jobs(self, instance, timeout=10):
        """Forget the jobs that wait, and let the worker finish its own: NetBox gives it the row of the job to save,
        and saved in the next database that row takes a number which the sequence there gives out again.
        """
        tasks = installation.REDIS_DATABASES[instance][0]
        deadline = time.monotonic() + timeout
        worker = Daemon(self.lab, f"worker-{instance}")
        while (
            any(self.redis.pending(tasks, QUEUES).values()) and time.monotonic() < deadline and worker.pid()
        ):
            self.redis.send(tasks, ["DEL", *(f"rq:queue:{queue}" for queue in QUEUES)])
            time.sleep(0.02)

    def wait_idle(self, instance, queues, timeout):
        """Wait until no job waits or runs on these queues."""
        tasks = installation.REDIS_DATABASES[instance][0]
        deadline = time.monotonic() + timeout
        quiet = 0
        while quiet < 2:
            pending = self.redis.pending(tasks, queues)
            quiet = 0 if any(pending.values()) else quiet + 1
            if quiet == 0 and time.monotonic() > deadline:
                raise LabError(f"{instance}: still pending after {timeout:.0f} s: {pending}")
            if quiet == 0 and not Daemon(self.lab, f"worker-{instance}").pid():
                raise LabError(f"{instance}: the worker does not run, pending: {pending}")
            time.sleep(0.05)
