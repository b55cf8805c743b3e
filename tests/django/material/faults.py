"""Damages a project as real ones are damaged: an import must notice and report this before it writes anything.

Each fault adds rows of its own, with ids from 500000. Existing users are not changed.
"""

from datetime import datetime, timezone
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection

from .people import person

User = get_user_model()
TABLE = connection.ops.quote_name(User._meta.db_table)
CREATED = "created_at" if settings.CUSTOM else "date_joined"
MISSING = 999999


def add(id, username, **told):
    from .fill import columns

    User.objects.create(**columns(person(id, username, **told)) | {"password": "!"})


def execute(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def only_custom(fault):
    if not settings.CUSTOM:
        raise SystemExit(f"{fault}: the plain user model has no such column")


def duplicate_emails():
    add(500000, "twin-1", email="twin@example.com")
    add(500001, "twin-2", email="twin@example.com")
    # A different text, but for most mail servers the same address.
    add(500002, "twin-3", email="Twin@example.com")
    add(500003, "second-alex", email="alex.thompson@techcorp.com")


def duplicate_mobile_numbers():
    only_custom("duplicate-mobile-numbers")
    add(500010, "shared-phone-1", mobile_number="+98 912 555 0000")
    add(500011, "shared-phone-2", mobile_number="+98 912 555 0000")


def broken_references():
    """Rows that refer to nothing, as foreign keys that are off allow: a bad restore, a manual change."""
    owner = f"{User._meta.model_name}_id"
    memberships = connection.ops.quote_name(User.groups.through._meta.db_table)
    now = datetime(2024, 3, 15, tzinfo=timezone.utc)
    add(500020, "in-no-group")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA foreign_keys = OFF")
        else:
            cursor.execute("SET session_replication_role = replica")
    execute(f"INSERT INTO {memberships} ({owner}, group_id) VALUES (%s, %s)", MISSING, 1)
    execute(f"INSERT INTO {memberships} ({owner}, group_id) VALUES (%s, %s)", 500020, MISSING)
    token = "INSERT INTO authtoken_token (key, user_id, created) VALUES (%s, %s, %s)"
    execute(token, "f" * 40, MISSING, now)
    token = "INSERT INTO knox_authtoken (digest, token_key, user_id, created, expiry) VALUES (%s, %s, %s, %s, NULL)"
    execute(token, "f" * 128, "f" * 8, MISSING, now)
    if settings.CUSTOM:
        profile = "INSERT INTO people_groupprofile (group_id, notes, created_at, updated_at) VALUES (%s, '', %s, %s)"
        execute(profile, MISSING, now, now)


def invalid_text():
    """Only SQLite stores such text, because it does not check it."""
    if connection.vendor != "sqlite":
        raise SystemExit("invalid-text: PostgreSQL takes nothing but valid UTF-8")
    add(500030, "latin-1")
    add(500031, "nul")
    execute(f"UPDATE {TABLE} SET first_name = CAST(X'4AFC7267656E' AS TEXT) WHERE id = 500030")
    execute(f"UPDATE {TABLE} SET first_name = CAST(X'4E0055004C00' AS TEXT) WHERE id = 500031")


def odd_times():
    """The latest time that Django supports, and values that other programs write."""
    add(500040, "never-ends", last_login=datetime(9999, 12, 31, 23, 59, 59, 999999, timezone.utc))
    if connection.vendor == "sqlite":
        texts = ["2024-03-15T09:30:00Z", "2024-03-15 13:00:00+03:30", "2024-03-15 09:30:00.5", "2024-03-15", "", "soon"]
    else:
        texts = ["infinity", "-infinity"]
    for id, text in enumerate(texts, 500041):
        add(id, f"odd-time-{id}")
        execute(f"UPDATE {TABLE} SET {CREATED} = %s WHERE id = {id}", text)


def odd_ids():
    """Django assigns neither, and stores both."""
    add(0, "zero")
    add(-5, "minus-five")


def escaping_avatars():
    """Names that lead out of the directory of uploads, and a link in it that does so."""
    only_custom("escaping-avatars")
    add(500060, "climber", avatar="../secret.txt")
    add(500061, "deep-climber", avatar="avatars/../../secret.txt")
    add(500062, "absolute", avatar="/etc/hostname")
    add(500063, "linked", avatar="avatars/link.png")
    add(500064, "directory", avatar="avatars")
    media = Path(settings.MEDIA_ROOT)
    secret = media.parent / "secret.txt"
    secret.write_text("not a picture")
    (media / "avatars" / "link.png").symlink_to(secret)


FAULTS = {
    fault.__name__.replace("_", "-"): fault
    for fault in [
        duplicate_emails,
        duplicate_mobile_numbers,
        broken_references,
        invalid_text,
        odd_times,
        odd_ids,
        escaping_avatars,
    ]
}


def spoil(names):
    if unknown := [name for name in names if name not in FAULTS]:
        raise SystemExit(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    for name in names:
        FAULTS[name]()
