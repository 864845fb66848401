"""The NetBox installation all instances share: packages, static files, one configuration per instance."""

import shutil

from . import pythons
from .layout import HOST, LAB_SOURCE, write_private
from .report import say

REQUIREMENTS = LAB_SOURCE / "requirements-netbox.txt"
VERSION = pythons.version_of(REQUIREMENTS, "netbox")

# Instance -> Redis databases for jobs and for the cache. `seed` only lives while a template is built.
REDIS_DATABASES = {"e2e": (0, 1), "demo": (2, 3), "seed": (4, 5), "build": (6, 7)}

# The folders whose content belongs to the database.
FILES = ("media", "scripts", "reports")

CONFIGURATION = '''\
"""NetBox configuration of the lab instance `{name}`; written by the lab."""

ALLOWED_HOSTS = ["*"]
DATABASES = {{
    "default": {{
        "NAME": {database!r},
        "USER": "netbox",
        "PASSWORD": {db_password!r},
        "HOST": {host!r},
        "PORT": "{db_port}",
        # A reset takes the database away under the connections: each request looks first.
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
    }}
}}
REDIS = {{
    "tasks": {{"HOST": {host!r}, "PORT": {redis_port}, "DATABASE": {tasks}, "SSL": False}},
    "caching": {{"HOST": {host!r}, "PORT": {redis_port}, "DATABASE": {caching}, "SSL": False}},
}}
SECRET_KEY = {secret_key!r}
API_TOKEN_PEPPERS = {{1: {pepper!r}}}
ISOLATED_DEPLOYMENT = True
CENSUS_REPORTING_ENABLED = False
METRICS_ENABLED = False
QUEUE_MAPPINGS = {{"webhook": "high"}}
MEDIA_ROOT = {media!r}
SCRIPTS_ROOT = {scripts!r}
REPORTS_ROOT = {reports!r}
SESSION_COOKIE_NAME = "sessionid_{name}"
CSRF_COOKIE_NAME = "csrftoken_{name}"
LOGGING = {{
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {{"line": {{"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}}}},
    "handlers": {{"file": {{"class": "logging.FileHandler", "filename": {log!r}, "formatter": "line"}}}},
    "root": {{"handlers": ["file"], "level": "INFO"}},
}}
'''

MAKE_ADMIN = """
import sys, django
django.setup()
from users.models import Token, User
password, key, token = sys.argv[1:]
user = User.objects.filter(username="admin").first()
if user is None:
    user = User.objects.create_superuser("admin", "admin@example.org", password)
if not Token.objects.filter(key=key).exists():
    Token(user=user, key=key, token=token, write_enabled=True, description="lab").save()
"""


class NetBox:
    """The installed NetBox."""

    def __init__(self, lab, credentials):
        self.lab = lab
        self.credentials = credentials
        self.folder = lab.cache / f"netbox-{VERSION}"
        self.venv = self.folder / "venv"
        self.static = self.folder / "static"

    @property
    def interpreter(self):
        """The Python it runs with; None before it is installed."""
        return pythons.netbox_interpreter(self.lab, install=False)

    def install(self):
        """Packages into the virtual environment; nothing to do when they are there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pythons.ensure_venv(pythons.netbox_interpreter(self.lab), self.venv, REQUIREMENTS)

    def root(self, instance):
        """The instance's own folder (NETBOX_ROOT)."""
        return self.lab.run / "netbox" / instance

    def environment(self, instance):
        """What every NetBox process of an instance needs."""
        return {"NETBOX_ROOT": str(self.root(instance)), "DJANGO_SETTINGS_MODULE": "netbox.settings"}

    def configuration(self, instance):
        """The text of configuration.py."""
        root = self.root(instance)
        tasks, caching = REDIS_DATABASES[instance]
        return CONFIGURATION.format(
            name=instance,
            host=HOST,
            database=database_of(instance),
            db_password=self.credentials["netbox_db_password"],
            db_port=self.lab.port("postgres"),
            redis_port=self.lab.port("redis"),
            tasks=tasks,
            caching=caching,
            secret_key=self.credentials["netbox_secret_key"],
            pepper=self.credentials["netbox_pepper"],
            media=str(root / "media"),
            scripts=str(root / "scripts"),
            reports=str(root / "reports"),
            log=str(self.lab.log_dir / f"netbox-{instance}.log"),
        )

    def make_root(self, instance):
        """The instance's folders and configuration."""
        root = self.root(instance)
        for name in ("conf", *FILES):
            (root / name).mkdir(parents=True, exist_ok=True)
        write_private(root / "conf" / "configuration.py", self.configuration(instance))

    def template_files(self, template):
        """Where a template keeps the scripts and media that its database speaks of."""
        return self.folder / "templates" / f"{template}.files"

    def load_files(self, instance, template):
        """Give an instance the files of a template, and no others."""
        for name in FILES:
            target, source = self.root(instance) / name, self.template_files(template) / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target) if source.exists() else target.mkdir(parents=True)

    def keep_files(self, instance, template):
        """Keep an instance's files with a template."""
        shutil.rmtree(self.template_files(template), ignore_errors=True)
        for name in FILES:
            shutil.copytree(self.root(instance) / name, self.template_files(template) / name)

    def program(self, *argv):
        """A command of the virtual environment, ready for subprocess."""
        return self.interpreter.command(self.venv / "bin" / argv[0], *argv[1:])

    def manage(self, instance, *argv):
        """Run a NetBox management command to its end."""
        return self.interpreter.run(self.venv / "bin" / "netbox", *argv, env=self.environment(instance))

    def build_database(self):
        """Migrate the (empty) database of the pseudo instance `build` and make its administrator."""
        self.make_root("build")
        say(f"migrating a NetBox {VERSION} database (3 to 5 minutes on two idle cores, once)")
        self.manage("build", "upgrade", "--no-input", "--skip-static", "--skip-reindex")
        values = [self.credentials[name] for name in ("admin_password", "admin_token_key", "admin_token")]
        python = self.venv / "bin" / "python"
        self.interpreter.run(python, "-c", MAKE_ADMIN, *values, env=self.environment("build"))
        self.clear_build()

    def collect_static(self):
        """The files nginx serves under /static/."""
        if (self.static / ".complete").exists():
            return
        self.make_root("build")
        say("collecting NetBox's static files")
        self.manage("build", "collectstatic", "--no-input")
        shutil.rmtree(self.static, ignore_errors=True)
        shutil.move(str(self.root("build") / "static"), str(self.static))
        (self.static / ".complete").touch()

    def clear_build(self):
        """Forget the folder of the pseudo instance."""
        shutil.rmtree(self.root("build") / "conf", ignore_errors=True)


def database_of(instance):
    """The database an instance uses."""
    return template_database("building") if instance == "build" else f"netbox_{instance}"


def template_database(template):
    """The database a template is kept in."""
    return f"netbox_template_{template}"
