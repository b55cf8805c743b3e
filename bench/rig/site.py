"""The admin site with a million users: a database like that of a large house, and the pages that are asked."""

import datetime
import http.client
import re
import shutil
import socket
import sqlite3
import subprocess
import urllib.parse

from rig.machine import PLACE, WARDROOM, fail
from rig.people import fill_sqlite, without_indexes

GROUPS = 10_000
EVENTS = 5_000_000
PASSWORD = "an unlikely pass phrase"
ADMIN = "site-admin"
# Every user is in one of the groups; the first group has all of them.
GROUP_ROWS = "INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) SELECT i, 'team ' || i, 'team ' || i, '', 0, 0, i || ' team ' || i FROM n"
MEMBERS = "INSERT INTO memberships (user_id, group_id) SELECT id, {group} FROM users"
# One event a minute or so: mostly sign-ins, by and about many people, from many addresses.
EVENT_ROWS = """INSERT INTO audit_events (at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, changes, address, previous_hash, hash)
    SELECT {now} - ({events} - i) * 6000000, 'person', i * 7919 % {users} + 1, 'user' || (i * 7919 % {users} + 1),
      CASE i % 10 WHEN 0 THEN 'user.update' WHEN 1 THEN 'sign_in.refused' WHEN 2 THEN 'token.issue' ELSE 'sign_in' END, 'user', i * 7919 % {users} + 1,
      'user' || (i * 7919 % {users} + 1), '{{}}', '10.' || i % 250 || '.' || i % 241 || '.7', {bytes}, {bytes} FROM n"""
KINDS = ["sign_in.api", "sign_in.api.failed", "sign_in.site", "request.answered", "request.refused", "request.invalid", "request.failed", "key.unknown",
         "key.expired", "key.revoked"]
ACTIVITY = """INSERT INTO activity (span, starts_at, kind, count) SELECT '{span}', {now} - {now} % {length} - i * {length}, '{kind}', i * 37 % 1000 FROM n"""
# The first one is what the others are of; with `page` they are asked again later in the list.
PAGES = {
    "Overview": "/admin",
    "Overview, 90 days": "/admin?span=90d",
    "Users": "/admin/users",
    "Users by last sign-in": "/admin/users?ordering=-last_login",
    "Users, searched": "/admin/users?search=xyzzy",
    "One user": "/admin/users/777777",
    "Groups": "/admin/groups",
    "A group of all": "/admin/groups/1",
    "A group of all, searched": "/admin/groups/1?search=xyzzy",
    "Permissions": "/admin/permissions",
    "Tokens": "/admin/tokens",
    "Tokens by issue": "/admin/tokens?ordering=-created_at",
    "Sessions": "/admin/sessions",
    "Audit trail": "/admin/audit",
    "Audit trail, one actor": "/admin/audit?actor_name=user777777",
    "Audit trail, one object": "/admin/audit?object_name=user777777",
    "Audit trail, one action": "/admin/audit?action=token.issue",
    "Audit trail, before a day": "/admin/audit?to={day}",
    "Audit trail, one action before a day": "/admin/audit?action=sign_in&to={day}",
    "Recycle bin": "/admin/bin",
    "Settings": "/admin/settings",
    "Own account": "/admin/account",
}
# The day of the filter "before a day": most events are newer.
LONG_AGO = datetime.timedelta(days=330)
# Lists whose page 10,000 is asked by following its links.
DEEP = ["Users", "A group of all", "Tokens", "Audit trail"]


def paged():
    """The pages, with the addresses of today."""
    day = datetime.datetime.now(datetime.timezone.utc) - LONG_AGO
    return [(kind, path.format(day=day.date())) for kind, path in PAGES.items()]


def statements(users, now, numbers, as_bytes):
    """The statements that add what a large house has to a database with these users."""
    n = lambda first, last: numbers.format(first=first, last=last)
    yield "DELETE FROM memberships"
    yield n(4, GROUPS) + GROUP_ROWS
    yield MEMBERS.format(group=1)
    yield MEMBERS.format(group=f"4 + id % {GROUPS - 4}")
    yield "UPDATE groups SET users_count = 0"
    yield f"UPDATE groups SET users_count = {users} WHERE id = 1"
    yield n(1, EVENTS) + EVENT_ROWS.format(users=users, now=now, events=EVENTS, bytes=as_bytes)
    for kind in KINDS:
        yield n(0, 24 * 90) + ACTIVITY.format(span="hour", length=3_600_000_000, kind=kind, now=now)
        yield n(0, 730) + ACTIVITY.format(span="day", length=86_400_000_000, kind=kind, now=now)


def on_sqlite(users, now):
    """A data directory. It is created once and kept."""
    data = PLACE / f"site-{users}"
    if (data / "filled").exists():
        return data
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(fill_sqlite(users, ()), data, ignore=shutil.ignore_patterns("filled"))
    database = sqlite3.connect(data / "wardroom.db")
    database.executescript("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;")
    aside = database.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND "
                             "(type = 'trigger' OR type = 'index' AND tbl_name IN ('audit_events', 'memberships'))").fetchall()
    for kind, name, _ in aside:
        database.execute(f"DROP {kind} {name}")
    numbers = "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
    # In SQLite the clause stands before INSERT, too.
    for statement in statements(users, now, numbers, "zeroblob(32)"):
        database.execute(statement)
    for _, _, made in aside:
        database.execute(made)
    database.commit()
    database.close()
    (data / "filled").touch()
    return data


def on_postgres(psql, users, now):
    """Adds the same to a database on PostgreSQL that has the users."""
    numbers = "WITH n (i) AS (SELECT generate_series({first}::bigint, {last})) "
    text = ";\n".join(statements(users, now, numbers, "decode(repeat('00', 32), 'hex')"))
    before, after = without_indexes(["audit_events", "memberships"])
    script = f"SET session_replication_role = replica;\n{before}{text};\n{after}VACUUM ANALYZE;\nCHECKPOINT;\n"
    done = subprocess.run([*map(str, psql), "-X", "-q", "-v", "ON_ERROR_STOP=1"], input=script, text=True)
    if done.returncode:
        fail("PostgreSQL could not be filled")


def add_admin(*place):
    """Creates the person who browses, if there is none yet."""
    there = subprocess.run([WARDROOM, "user", "show", ADMIN, *map(str, place)], capture_output=True)
    if there.returncode:
        subprocess.run([WARDROOM, "user", "add", ADMIN, "--admin", "--password-stdin", *map(str, place)], input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)


class Browser:
    """A browser that has signed in, with one connection."""

    def __init__(self, port, cookie=None):
        self.place, self.socket = ("localhost", port), None
        self.connection = http.client.HTTPConnection(*self.place)
        self.cookie = cookie or self.sign_in()

    def sign_in(self):
        form = urllib.parse.urlencode({"username": ADMIN, "password": PASSWORD, "next": "/admin"})
        self.connection.request("POST", "/admin/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"})
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 303:
            fail(f"signing in: {answer.status}")
        return answer.headers["Set-Cookie"].split(";")[0]

    def get(self, path):
        self.connection.request("GET", path, headers={"Cookie": self.cookie, "Accept": "text/html"})
        answer = self.connection.getresponse()
        page = answer.read().decode()
        if answer.status != 200:
            fail(f"{path}: {answer.status} {page[-600:]}")
        return page

    def read(self, path):
        """The same with as little work here as possible, for a load beside which something else is measured."""
        if self.socket is None:
            self.socket = socket.create_connection(self.place)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {self.cookie}\r\nAccept: text/html\r\n\r\n".encode())
        answer = self.socket.recv(1 << 16)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            fail(f"{path}: {head.decode()}")
        left = int(re.search(rb"(?i)content-length: (\d+)", head).group(1)) - len(body)
        while left > 0:
            more = self.socket.recv(1 << 16)
            if not more:
                fail(f"{path}: the server closed the connection")
            left -= len(more)

    def next(self, page, path):
        """The address of the next page of a list."""
        for link in re.findall(r"<a [^>]*>", page):
            if 'rel="next"' in link:
                return re.search(r'href="([^"]*)"', link).group(1).replace("&amp;", "&").replace("&#38;", "&")
        fail(f"{path} has no next page")
