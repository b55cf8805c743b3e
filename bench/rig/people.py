"""The users of the benchmarks, each with a token, and how they are written to the databases."""

import hashlib
import json
import shutil
import sqlite3
import subprocess

from rig.machine import PLACE, WARDROOM

CREATED = 1710495000000000
GROUPS = "INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) VALUES (1, 'a', 'a', '', 0, 0, 'a'), (2, 'b', 'b', '', 0, 0, 'b'), (3, 'c', 'c', '', 0, 0, 'c');"
USER = "id, username, username_key, email, email_key, first_name, last_name, gender, password, is_active, is_staff, is_admin, created_at, updated_at, search_key"
TOKEN = "user_id, name, kind, digest, prefix, last_four, created_at"
MEMBERSHIP = "user_id, group_id"


def key_of(number):
    return hashlib.sha1(f"bench {number}".encode()).hexdigest()


def user(number):
    name, mail = f"user{number}", f"user{number}@example.com"
    # A rare name for lists to search for, and a rare gender to filter by.
    last, gender = ("Xyzzy", "other") if number % 1000 == 0 else ("Lee", None)
    search = "\x1f".join([str(number), name, "", mail, "ann", last.lower()])
    # The first user is an administrator; all are staff.
    return (number, name, name, mail, mail, "Ann", last, gender, "!", True, True, number == 1, CREATED + number, CREATED + number, search)


def token(number):
    key = key_of(number)
    return (number, "t", "imported", hashlib.sha256(key.encode()).digest(), key[:4], key[-4:], 0)


def expected(number, kind="wardroom"):
    """The answer for a user. The small Django service has fewer fields."""
    _, name, _, mail, _, first, last, gender, *_ = user(number)
    created = f"2024-03-15T09:30:{number // 1_000_000:02}.{number % 1_000_000:06}Z"
    me = {"id": number, "username": name, "mobile_number": None, "email": mail, "avatar": None, "first_name": first, "last_name": last,
          "full_name": f"{first} {last}", "gender": gender, "groups": [1, 2, 3], "last_login": None, "created_at": created}
    if kind == "drf":
        me = {field: value for field, value in me.items() if field not in ("mobile_number", "avatar", "gender", "created_at", "last_name", "full_name")}
    return me


def body(number):
    return json.dumps(expected(number), separators=(",", ":"))


def memberships(users, groups):
    return ((number, group) for number in range(1, users + 1) for group in groups)


def fill_sqlite(users, groups=(1, 2, 3)):
    """A data directory with this many users, each in these groups. It is created once and kept."""
    data = PLACE / f"sqlite-{users}-{len(groups)}"
    if (data / "filled").exists():
        return data
    shutil.rmtree(data, ignore_errors=True)
    subprocess.run([WARDROOM, "init", "--data-dir", data], check=True, stdout=subprocess.DEVNULL)
    database = sqlite3.connect(data / "wardroom.db")
    database.executescript("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;" + GROUPS)
    # Built from all rows at the end, which takes minutes. Row by row it would take hours.
    aside = database.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND "
                             "(type = 'trigger' OR type = 'index' AND tbl_name IN ('users', 'tokens', 'memberships'))").fetchall()
    for kind, name, _ in aside:
        database.execute(f"DROP {kind} {name}")
    marks = lambda columns: ", ".join("?" * (columns.count(",") + 1))
    numbers = range(1, users + 1)
    database.executemany(f"INSERT INTO users ({USER}) VALUES ({marks(USER)})", map(user, numbers))
    database.executemany(f"INSERT INTO tokens ({TOKEN}) VALUES ({marks(TOKEN)})", map(token, numbers))
    database.executemany(f"INSERT INTO memberships ({MEMBERSHIP}) VALUES (?, ?)", memberships(users, groups))
    database.execute("UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id)")
    for _, _, made in aside:
        database.execute(made)
    database.execute("INSERT INTO users_search (users_search) VALUES ('rebuild')")
    database.commit()
    database.close()
    (data / "filled").touch()
    return data


def without_indexes(tables):
    """psql's commands before and after a fill of these tables: their indexes are built from all rows at the end, which is many times faster."""
    named = ", ".join(f"'{table}'" for table in tables)
    before = f"""CREATE TEMP TABLE aside AS SELECT format('DROP INDEX %I', indexname) AS dropped, indexdef AS made FROM pg_indexes
  WHERE schemaname = current_schema() AND tablename IN ({named}) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = format('%I', indexname)::regclass);
SELECT dropped FROM aside \\gexec
"""
    after = """SET maintenance_work_mem = '1GB';
SELECT made FROM aside \\gexec
DROP TABLE aside;
"""
    return before, after


def fill_postgres(psql, users, groups=(1, 2, 3)):
    """Fills an initialised database. `psql` is the command that connects to it."""
    shown = lambda value: "\\N" if value is None else f"\\\\x{value.hex()}" if isinstance(value, bytes) else str(value).lower() if isinstance(value, bool) else str(value)
    child = subprocess.Popen([*psql, "-X", "-q", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE, text=True)
    say = child.stdin.write
    before, after = without_indexes(["users", "tokens", "memberships"])
    say(f"BEGIN; SET session_replication_role = replica; {GROUPS}\n{before}")
    numbers = range(1, users + 1)
    for table, columns, rows in (("users", USER, map(user, numbers)), ("tokens", TOKEN, map(token, numbers)), ("memberships", MEMBERSHIP, memberships(users, groups))):
        say(f"COPY {table} ({columns}) FROM STDIN;\n")
        for row in rows:
            say("\t".join(map(shown, row)) + "\n")
        say("\\.\n")
    say("UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id);\n")
    say("SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users \\g /dev/null\n")
    # What is still to be written to the disk would disturb what is measured next.
    say(f"{after}COMMIT; VACUUM ANALYZE; CHECKPOINT;\n")
    child.stdin.close()
    if child.wait():
        raise SystemExit("bench: PostgreSQL could not be filled")
