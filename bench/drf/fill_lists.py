"""Fills the database of the service's lists: this many users who differ as those of the benchmark do."""

import sys

import app  # noqa: F401
from django.core.management import call_command
from django.db import connection

users, last_login, key, joined = sys.argv[1:]
call_command("migrate", verbosity=0)
is_sqlite = connection.vendor == "sqlite"
if is_sqlite:
    # Django keeps times as text there.
    times = f"strftime('%Y-%m-%d %H:%M:%f000', ({last_login}) / 1000000.0, 'unixepoch'), datetime({joined}, 'unixepoch')"
else:
    times = f"to_timestamp(({last_login}) / 1000000.0), to_timestamp({joined})"
numbers = f"WITH RECURSIVE n (i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {users}) "
with connection.cursor() as cursor:
    if is_sqlite:
        cursor.execute("PRAGMA synchronous = OFF")
    cursor.execute("INSERT INTO auth_group (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    cursor.execute(
        f"INSERT INTO auth_user (id, username, email, first_name, last_name, password, is_active, is_staff, is_superuser, last_login, date_joined) {numbers}"
        f"SELECT i, 'user' || i, 'user' || i || '@example.com', 'Ann', CASE WHEN i % 7 = 0 THEN 'Karimi' ELSE 'Lee' END, '!', i % 10 <> 0, i % 51 = 0 OR i = 1, i = 1, "
        f"{times} FROM n".replace("%", "%%"), [])
    cursor.execute("INSERT INTO auth_user_groups (user_id, group_id) SELECT id, 3 FROM auth_user WHERE id %% 3 = 0", [])
    cursor.execute("INSERT INTO auth_user_groups (user_id, group_id) SELECT id, 1 FROM auth_user WHERE id %% 2 = 0", [])
    made = "lower(hex(randomblob(20)))" if is_sqlite else "md5(id::text) || substr(md5('x' || id), 1, 8)"
    cursor.execute(f"INSERT INTO authtoken_token (user_id, key, created) SELECT id, {made}, date_joined FROM auth_user WHERE id %% 5 <> 0 AND id <> 1", [])
    cursor.execute("INSERT INTO authtoken_token (user_id, key, created) SELECT 1, %s, date_joined FROM auth_user WHERE id = 1", [key])
    cursor.execute("ANALYZE" if is_sqlite else "VACUUM ANALYZE")
