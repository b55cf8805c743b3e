"""Lists of users among many who differ: the same rows for Wardroom and for a small Django REST Framework service, and what is asked of both."""

import itertools
import os
import shutil
import sqlite3
import subprocess
import sys

from rig.contestants import Contestant, Postgres, serve
from rig.machine import PLACE, ROOT, Process, fail, free_port, postgres_programs, say
from rig.people import CREATED, fill_sqlite, key_of, without_indexes

SPAN = 3 * 365 * 86_400_000_000
# What is asked of Wardroom and, where it has the same list, of the service.
LISTS = {
    "the default page": ("", ""),
    "is_active=true": ("is_active=true", "is_active=true"),
    "is_active=true&is_staff=true&ordering=-last_login": ("is_active=true&is_staff=true&ordering=-last_login",) * 2,
    "group_id=3 (a third of all)": ("group_id=3", "groups=3"),
    "group_id=3&cursor=": ("group_id=3&cursor=", "groups=3"),
    "groups_in=1,3&is_active=true&ordering=username": ("groups_in=1,3&is_active=true&ordering=username", "groups_in=1,3&is_active=true&ordering=username"),
    "search=karimi (a seventh of all)": ("search=karimi", "search=karimi"),
    "search=karimi&cursor=": ("search=karimi&cursor=", "search=karimi"),
    "search={one} (one)": ("search={one}", "search={one}"),
    "has_token=true": ("has_token=true", "has_token=true"),
    "ordering=-last_login&offset={half}": ("ordering=-last_login&offset={half}", "ordering=-last_login&offset={half}"),
    "has_email=true&created_from=2024-01-01": ("has_email=true&created_from=2024-01-01", "has_email=true&created_from=2024-01-01"),
    "gender=other&has_groups=false": ("gender=other&has_groups=false", None),
    "is_online=false": ("is_online=false", None),
}

# Each filter of the API with a value that fits many users, so that none is cheap because it finds nothing.
FILTERS = [
    "id_min=1000", "id_max={most}", "created_date=2024-03-15", "created_from=2023-01-01", "created_to=2026-01-01", "updated_date=2024-03-15",
    "updated_from=2023-01-01", "updated_to=2026-01-01", "last_login_date=2024-02-29", "last_login_from=2024-01-01", "last_login_to=2025-01-01",
    "has_email=true", "has_avatar=false", "has_phone=false", "has_token=true", "has_first_name=true", "has_last_name=true", "has_groups=true",
    "is_active=true", "is_staff=false", "is_admin=false", "is_online=false", "username=user{half}", "email=user{half}@example.com",
    "mobile_number=%2B989120000000", "gender=other", "group_id=3", "groups_in=1,3", "search=karimi",
]


def combined(users):
    """Every filter, and every pair of filters."""
    filters = [one.replace("{most}", str(users - 1000)).replace("{half}", str(users // 2)) for one in FILTERS]
    return filters, ["&".join(pair) for pair in itertools.combinations(filters, 2)]


def targets(users):
    for name, lists in LISTS.items():
        fill = lambda text: text.replace("{one}", f"user{users // 2}@").replace("{half}", str(users // 2)) if text is not None else None
        yield fill(name), *map(fill, lists)


def last_login(users):
    """In SQL: three of four have signed in, on days of three years in no order."""
    return f"CASE WHEN id % 4 <> 0 THEN {CREATED} - (id * 7919 % {users}) * {SPAN // users} END"


def differences(users):
    """The statements that make users differ."""
    at = last_login(users)
    yield (f"UPDATE users SET is_active = (id % 10 <> 0), is_staff = (id % 51 = 0 OR id = 1), is_admin = (id = 1), last_login = {at}, "
           "last_name = CASE WHEN id % 7 = 0 THEN 'Karimi' ELSE last_name END, search_key = CASE WHEN id % 7 = 0 THEN replace(search_key, 'lee', 'karimi') ELSE search_key END")
    yield "INSERT INTO memberships (user_id, group_id) SELECT id, 3 FROM users WHERE id % 3 = 0"
    yield "INSERT INTO memberships (user_id, group_id) SELECT id, 1 FROM users WHERE id % 2 = 0"
    yield "UPDATE tokens SET revoked_at = 1 WHERE user_id % 5 = 0"
    yield "UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id)"


def on_sqlite(users):
    """A data directory. It is created once and kept."""
    data = PLACE / f"lists-{users}"
    if (data / "filled").exists():
        return data
    say(f"filling SQLite with {users} users who differ")
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(fill_sqlite(users, ()), data, ignore=shutil.ignore_patterns("filled"))
    database = sqlite3.connect(data / "wardroom.db")
    database.executescript("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;")
    aside = database.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND "
                             "(type = 'trigger' OR type = 'index' AND tbl_name IN ('users', 'tokens', 'memberships'))").fetchall()
    for kind, name, _ in aside:
        database.execute(f"DROP {kind} {name}")
    for statement in differences(users):
        database.execute(statement)
    for _, _, made in aside:
        database.execute(made)
    database.execute("INSERT INTO users_search (users_search) VALUES ('rebuild')")
    database.commit()
    database.close()
    (data / "filled").touch()
    return data


def on_postgres(users, pinned=True):
    database = Postgres(users, (), pinned)
    text = ";\n".join(differences(users))
    before, after = without_indexes(["users", "tokens", "memberships"])
    psql = [postgres_programs() / "psql", database.url, "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(list(map(str, psql)), input=f"SET session_replication_role = replica;\nBEGIN;\n{before}{text};\nCOMMIT;\nVACUUM FULL;\n{after}VACUUM ANALYZE;\nCHECKPOINT;\n", text=True)
    if done.returncode:
        fail("PostgreSQL could not be filled")
    return database


def wardroom(kind, users, metrics):
    """A server whose metrics are at this port, and its database if that is a server of its own."""
    options = ("--metrics-listen", f"127.0.0.1:{metrics}")
    if kind == "SQLite":
        return Contestant([serve("--data-dir", on_sqlite(users), *options)]), None
    database = on_postgres(users)
    return Contestant([serve("--database-url", database.url, *options)], [database]), database


def drf(users, database=None):
    """The service with the same rows: on SQLite, or in another database of this PostgreSQL."""
    place = PLACE / "drf-lists"
    if not (place / "venv/filled").exists():
        say("installing Django REST Framework")
        subprocess.run([sys.executable, "-m", "venv", "--clear", place / "venv"], check=True)
        packages = ["Django>=5.2,<5.3", "djangorestframework>=3.16,<4", "django-filter>=25,<26", "gunicorn>=23,<24", "psycopg[binary]>=3.2,<4"]
        subprocess.run([place / "venv/bin/pip", "install", "--quiet", *packages], check=True)
        (place / "venv/filled").touch()
    file = place / f"{users}.sqlite3"
    where = str(file)
    if database:
        subprocess.run([postgres_programs() / "psql", database.url, "-X", "-q", "-c", "CREATE DATABASE service"], check=True)
        where = database.url.replace("/postgres", "/service")
    environment = {**os.environ, "BENCH_DATABASE": where, "PYTHONPATH": str(ROOT / "bench/drf"), "PYTHONDONTWRITEBYTECODE": "1", "BENCH_LISTS": "1"}
    done = place / f"{users}.filled"
    if database or not done.exists():
        say(f"filling the service with {users} users")
        if not database:
            file.unlink(missing_ok=True)
        arguments = [str(users), last_login(users).replace("id ", "i ").replace("(id", "(i"), key_of(1), str(CREATED // 1_000_000)]
        subprocess.run([place / "venv/bin/python", ROOT / "bench/drf/fill_lists.py", *arguments], check=True, env=environment)
        if not database:
            done.touch()
    port = free_port()
    command = [place / "venv/bin/gunicorn", "--workers", 1, "--timeout", 300, "--bind", f"127.0.0.1:{port}", "--chdir", ROOT / "bench/drf", "lists:application"]
    return Contestant([Process(command, port, env=environment)], [database] if database else [])
