"""Writes groups, people, memberships, tokens and files into the migrated, empty project, and reports them."""

import hashlib
import json
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management.color import no_style
from django.db import connection, transaction
from knox.models import AuthToken
from rest_framework.authtoken.models import Token

from . import groups, hashes
from .people import MISSING_AVATARS, people

User = get_user_model()
MODEL = "custom" if settings.CUSTOM else "plain"
# The plain model's names for fields that are called differently here.
PLAIN_NAMES = {"created_at": "date_joined"}


def moment(value):
    """RFC 3339 with six digits, always."""
    return value and value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def columns(person):
    """Selects the fields for which this user model has a column."""
    known = {field.name for field in User._meta.concrete_fields}
    named = person if settings.CUSTOM else {PLAIN_NAMES.get(name, name): value for name, value in person.items()}
    found = {name: value for name, value in named.items() if name in known}
    if not settings.CUSTOM:
        found["email"] = found["email"] or ""
    return found


def hex_key(about, length):
    return hashlib.sha256(about.encode()).hexdigest()[:length]


def write_groups():
    Group.objects.bulk_create(Group(id=id, name=name) for id, name, _ in groups.GROUPS)
    if settings.CUSTOM:
        from people.models import GroupProfile

        GroupProfile.objects.bulk_create(
            GroupProfile(group_id=id, notes=notes, created_at=groups.created_at(id), updated_at=groups.updated_at(id))
            for id, _, notes in groups.GROUPS
            if notes is not None
        )


def write_people(found):
    User.objects.bulk_create(User(**columns(person)) for person in found)
    if settings.CUSTOM:
        # Django writes '' if a file is None; real databases have both.
        User.objects.filter(id__in=[person["id"] for person in found if person["avatar"] is None]).update(avatar=None)
    Membership = User.groups.through
    owner = f"{User._meta.model_name}_id"
    Membership.objects.bulk_create(
        Membership(**{owner: person["id"], "group_id": group}) for person in found for group in person["groups"]
    )
    # Wardroom ignores Django's permissions, but a project has some.
    permission = Permission.objects.get(content_type__app_label="auth", codename="change_group")
    Group.objects.get(name="Billing").permissions.add(permission)
    User.objects.get(username="alex_thompson").user_permissions.add(permission)


def write_drf_tokens(found):
    """Key and creation time are given for every token."""
    for person in found:
        person["drf_key"] = hex_key(f"drf {person['username']}", 40) if person["drf"] else None
    made = Token.objects.bulk_create(
        Token(key=person["drf_key"], user_id=person["id"]) for person in found if person["drf_key"]
    )
    created_at = {person["id"]: person["created_at"] for person in found}
    for token in made:
        token.created = created_at[token.user_id]
    Token.objects.bulk_update(made, ["created"])


def write_knox_tokens(found):
    """Knox itself makes them; only the random numbers are given, and afterwards the times."""
    for person in found:
        ends, person["knox"] = person["knox"], []
        for place, end in enumerate(ends):
            random = hex_key(f"knox {person['username']} {place}", 64)
            with mock.patch("knox.crypto.create_token_string", return_value=random):
                made, key = AuthToken.objects.create(User(id=person["id"]), expiry=None)
            AuthToken.objects.filter(digest=made.digest).update(created=person["created_at"], expiry=end)
            person["knox"].append(
                {
                    "key": key,
                    "digest": made.digest,
                    "token_key": made.token_key,
                    "created_at": moment(person["created_at"]),
                    "expires_at": moment(end),
                }
            )


def write_media(found):
    Path(settings.MEDIA_ROOT).mkdir(parents=True, exist_ok=True)
    for name in {person["avatar"] for person in found if person["avatar"]} - MISSING_AVATARS:
        path = Path(settings.MEDIA_ROOT) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # The start of a picture, and something that distinguishes it from the others.
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())


def count_ids_on():
    """Rows with ids of their own do not move PostgreSQL's sequences."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [Group, User]):
            cursor.execute(statement)


def told(person, row):
    """A person as the tests read it: the row, then the secrets that only the owner knows."""
    if not settings.CUSTOM:
        row |= {"mobile_number": None, "avatar": None, "gender": None, "created_at": row["date_joined"]}
    names = "id username mobile_number email avatar first_name last_name gender is_active is_staff is_superuser".split()
    times = {name: moment(row.get(name)) for name in ("last_login", "created_at", "updated_at")}
    secrets = {name: person[name] for name in ("hasher", "password", "encoded", "drf_key", "knox")}
    return {name: row[name] for name in names} | times | {"groups": sorted(person["groups"])} | secrets


def told_group(group, found):
    id, name, notes = group
    profile = settings.CUSTOM and notes is not None
    return {
        "id": id,
        "name": name,
        "notes": notes if profile else None,
        "created_at": moment(groups.created_at(id)) if profile else None,
        "updated_at": moment(groups.updated_at(id)) if profile else None,
        "members": [person["id"] for person in found if id in person["groups"]],
    }


def fill(report):
    """Fills the project and writes `report`, a JSON file."""
    found = people(MODEL)
    for person in found:
        person["encoded"], person["password"] = hashes.encode(person)
    with transaction.atomic():
        write_groups()
        write_people([person | {"password": person["encoded"]} for person in found])
        write_drf_tokens(found)
        write_knox_tokens(found)
        count_ids_on()
    write_media(found if settings.CUSTOM else [])
    rows = {row["id"]: row for row in User.objects.values()}
    written = {
        "user_table": User._meta.db_table,
        "groups": [told_group(group, found) for group in groups.GROUPS],
        "people": [told(person, rows[person["id"]]) for person in found],
    }
    Path(report).write_text(json.dumps(written, indent=1, ensure_ascii=False), encoding="utf-8")
