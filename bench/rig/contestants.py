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
NGINX = {"nginx": "nginx-light"}
PROGRAMS = {"nginx": NGINX, "wardroom-behind-nginx": NGINX, "wardroom-forward-auth": NGINX, "wardroom-postgres": {"postgres": "postgresql"}, "wardroom-replicas": {"postgres": "postgresql"}}


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

    def __init__(self, users, groups=(1, 2, 3), pinned=True, options=()):
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
        super().__init__([*as_postgres, programs / "postgres", "-D", place / "data", "-p", port, "-h", "127.0.0.1", "-k", place, "-c", "shared_buffers=512MB", "-c", "max_wal_size=16GB", *options],
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


def behind_nginx(users, options, location):
    """Wardroom and an nginx in front of it, which gets the requests. The work of both counts."""
    server = serve("--data-dir", fill_sqlite(users), *options)
    port = free_port()
    place = PLACE / f"nginx-{port}"
    (place / "api/users").mkdir(parents=True)
    (place / "api/users/me").write_text(body(users))
    config = f"""daemon off; master_process off; worker_processes 1; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; default_type application/json; keepalive_requests 1000000000; root {place}; open_file_cache max=10;
proxy_http_version 1.1;
upstream wardroom {{ server 127.0.0.1:{server.port}; keepalive 512; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port}; {location} }} }}
"""
    (place / "nginx.conf").write_text(config)
    return Contestant([Process([found("nginx"), "-p", place, "-c", place / "nginx.conf"], port)], [server])


def wardroom_behind_nginx(users, *options):
    # A location that sets one header inherits none: without the empty `Connection`, nginx would connect for each request.
    return behind_nginx(users, options, """location / { proxy_pass http://wardroom; proxy_set_header Host 127.0.0.1; proxy_set_header Connection "";
proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }""")


def wardroom_forward_auth(users, *options):
    """nginx asks Wardroom with the directives of docs/forward-auth/nginx.conf, and answers with a file of the same length as `me`."""
    headers = ["user", "user_id", "groups", "group_names", "email", "name", "staff", "admin", "scopes"]
    sets = " ".join(f"auth_request_set $wardroom_{name} $upstream_http_remote_{name};" for name in headers)
    return behind_nginx(users, options, f"""location / {{ auth_request /_wardroom; {sets} }}
location = /_wardroom {{ internal; proxy_pass http://wardroom/api/auth/forward/staff; proxy_method GET;
proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-Id $request_id; }}""")


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
               "wardroom-replicas": wardroom_replicas, "wardroom-behind-nginx": wardroom_behind_nginx, "wardroom-forward-auth": wardroom_forward_auth, "drf": drf}
