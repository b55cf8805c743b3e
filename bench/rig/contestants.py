"""The servers that are measured. Each runs on the same core, has the same users and answers GET /api/users/me."""

import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from rig.machine import PLACE, ROOT, WARDROOM, Process, found, free_port, postgres_programs, say
from rig.people import body, fill_postgres, fill_sqlite, key_of

# What each needs in addition to Rust and Python: programs and their Debian packages.
PROGRAMS = {"nginx": {"nginx": "nginx-light"}, "wardroom-postgres": {"postgres": "postgresql"}, "wardroom-replicas": {"postgres": "postgresql"}}


class Contestant:
    """Running servers: those that get the requests, and those whose work also counts."""

    def __init__(self, asked, beside=()):
        self.asked, self.all = asked, [*asked, *beside]
        self.ports = [process.port for process in asked]

    def cpu(self):
        return [sum(part) for part in zip(*(process.cpu() for process in self.all))]

    def memory(self):
        """Resident bytes of one of the servers that get the requests."""
        return self.asked[0].memory()

    def stop(self):
        for process in self.all:
            process.stop()


def serve(*place, threads=1, **options):
    port = free_port()
    command = [WARDROOM, "serve", "--listen", f"127.0.0.1:{port}", "--log-level", "warn", "--threads", threads, "--access-log", "none"]
    return Process([*command, *place], port, **options)


def wardroom_sqlite(users, *options):
    return Contestant([serve("--data-dir", fill_sqlite(users), *options)])


class Postgres(Process):
    """A private server with a filled database. Its work for a request counts as the server's, so they share a core."""

    def __init__(self, users, groups=(1, 2, 3), pinned=True):
        programs, port = postgres_programs(), free_port()
        place = pathlib.Path(f"/tmp/wardroom-bench-{os.getpid()}-{port}")
        place.mkdir()
        atexit.register(shutil.rmtree, place, True)
        as_postgres = []
        if os.getuid() == 0:
            shutil.chown(place, "postgres")
            as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        initdb = [*as_postgres, programs / "initdb", "--pgdata", place / "data", "--username=wardroom", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(list(map(str, initdb)), check=True, stdout=subprocess.DEVNULL, cwd="/")
        super().__init__([*as_postgres, programs / "postgres", "-D", place / "data", "-p", port, "-h", "127.0.0.1", "-k", place, "-c", "shared_buffers=512MB"],
                         port, stop=signal.SIGINT, cwd="/", pinned=pinned)
        # It accepts connections before it is ready.
        while subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode:
            time.sleep(0.05)
        self.url = f"postgres://wardroom@127.0.0.1:{port}/postgres"
        subprocess.run([WARDROOM, "init", "--database-url", self.url], check=True, stdout=subprocess.DEVNULL)
        fill_postgres([programs / "psql", self.url], users, groups)


def wardroom_postgres(users, *options):
    database = Postgres(users)
    return Contestant([serve("--database-url", database.url, *options)], [database])


def wardroom_replicas(users, *options):
    database = Postgres(users)
    return Contestant([serve("--database-url", database.url, *options) for _ in range(2)], [database])


def nginx(users):
    port, place = free_port(), PLACE / "nginx"
    place.mkdir(exist_ok=True)
    config = f"""daemon off; master_process off; worker_processes 1; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 2048; }}
http {{ access_log off; default_type application/json; keepalive_requests 1000000000;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body(users)}'; }} }} }}
"""
    (place / "nginx.conf").write_text(config)
    return Contestant([Process([found("nginx"), "-p", place, "-c", place / "nginx.conf"], port)])


def bare_hyper(users):
    port = free_port()
    return Contestant([Process([PLACE / "bare_hyper/release/bare_hyper", port, body(users)], port)])


def drf(users):
    place = PLACE / "drf"
    if not (place / "venv/bin/gunicorn").exists():
        say("installing Django REST Framework")
        subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
        subprocess.run([place / "venv/bin/pip", "install", "--quiet", "Django>=5.2,<5.3", "djangorestframework>=3.16,<4", "gunicorn>=23,<24"], check=True)
    (place / "db.sqlite3").unlink(missing_ok=True)
    environment = {**os.environ, "BENCH_DATABASE": str(place / "db.sqlite3"), "PYTHONPATH": str(ROOT / "bench/drf"), "PYTHONDONTWRITEBYTECODE": "1"}
    keys = "\n".join(key_of(number) for number in range(1, users + 1))
    subprocess.run([place / "venv/bin/python", ROOT / "bench/drf/fill.py"], input=keys, text=True, check=True, env=environment)
    port = free_port()
    command = [place / "venv/bin/gunicorn", "--workers", 2, "--bind", f"127.0.0.1:{port}", "--chdir", ROOT / "bench/drf", "app:application"]
    return Contestant([Process(command, port, env=environment)])


CONTESTANTS = {"nginx": nginx, "bare-hyper": bare_hyper, "wardroom-sqlite": wardroom_sqlite, "wardroom-postgres": wardroom_postgres,
               "wardroom-replicas": wardroom_replicas, "drf": drf}
