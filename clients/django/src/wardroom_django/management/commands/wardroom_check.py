"""`manage.py wardroom_check`: what is misconfigured, and what to do about it."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import stat
import time
from collections.abc import Iterator
from typing import Any, Optional

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from wardroom_client import ApiError, Client, ConnectionFailed, WardroomError
from wardroom_django import __version__, service, users
from wardroom_django.conf import Settings, settings
from wardroom_django.identity import Identity, Malformed, identity

AUTHENTICATION = "wardroom_django.authentication.WardroomAuthentication"
FORWARDED = "wardroom_django.authentication.ForwardedAuthentication"
MIDDLEWARE = "wardroom_django.middleware.RemoteUserMiddleware"
PERMISSIONS = "wardroom_django.users.WardroomPermissions"
SOON = datetime.timedelta(days=14)
#: Rows that a finding names; the others are counted.
NAMED_MAX = 20
#: The same of rows that are Django's own.
UNMARKED_MAX = 10
#: Users of a request, and rows of a query.
PAGE = 500

#: `ok`, `note`, `warning` or `error`, and a text.
Finding = tuple[str, str]


class Command(BaseCommand):
    help = "Says what is misconfigured in this project, and whether Wardroom answers. Ends with 1 if there is an error."
    requires_system_checks: list[str] = []

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        errors = 0
        for kind, text in findings():
            self.stdout.write(f"{kind}: {text}")
            errors += kind == "error"
        if errors:
            raise CommandError(f"{errors} error{'s' if errors > 1 else ''}", returncode=1)


def findings() -> Iterator[Finding]:
    try:
        read = settings()
        client = service.client()
    except ImproperlyConfigured as error:
        yield "error", str(error)
        return
    yield from of_the_key(read)
    yield from of_the_server(client, read)
    yield from of_the_framework()
    yield from of_the_middleware()
    yield from of_the_users(read)
    if read.mode == "mirror":
        yield from of_the_rows(client)
    if read.accept_scopes:
        yield "note", "tokens with scopes are accepted: views have to decide by has_perm, because the groups are those of the owner (ACCEPT_SCOPES)."
    if read.cache_seconds:
        yield "note", f"a revoked token can authenticate for {read.cache_seconds:g} seconds more (CACHE_SECONDS)."


def of_the_key(read: Settings) -> Iterator[Finding]:
    if read.key_file is not None and stat.S_IMODE(os.stat(read.key_file).st_mode) & 0o077:
        yield "warning", f"other users of this machine can read {read.key_file}: chmod 600 {read.key_file}."


def of_the_server(client: Client, read: Settings) -> Iterator[Finding]:
    begun = time.monotonic()
    try:
        said = json.loads(client.request("POST", "/api/auth/introspect", form={"token": read.secret()}).read(1 << 20))
        own = identity(said)
    except ApiError as error:
        yield "error", refusal(error)
        return
    except ConnectionFailed as error:
        yield "error", f"{read.url} does not answer: {error}. Check URL, CA_FILE and TIMEOUT."
        return
    except (WardroomError, Malformed, ValueError):
        yield "error", f"{read.url} answers, but not as Wardroom does. Check URL, and that the server is not older than this package."
        return
    taken = time.monotonic() - begun
    yield "ok", f"{read.url} answered in {taken * 1000:.0f} ms."
    if own is not None:
        yield from of_the_service(own)
    else:
        yield "note", (
            "the key of this service is valid, but what it may do is not shown: it is limited to networks, or has scopes without "
            "user_read and me_read."
        )
    yield from of_the_version(client)


def refusal(error: ApiError) -> str:
    if error.status == 401:
        return f"the key of this service is not valid ({error.detail}). Issue one: wardroom token issue USER --name django."
    if error.status == 403:
        return "the user of this service lacks the permission 1282, to introspect tokens."
    if error.status == 404:
        return "there is no /api/auth/introspect. URL names another server, or one that is older than this package."
    return f"Wardroom refused: {error}."


def of_the_service(own: Identity) -> Iterator[Finding]:
    if own.is_admin:
        yield "warning", "the key of this service can do everything. A staff user with 1222 and 1282 is enough."
    elif 1222 not in own.permissions:
        yield "error", "the user of this service lacks the permission 1222, to read users: the tokens of all others are invalid for it."
    else:
        yield "ok", f"the key of this service belongs to {own.username} and has the permissions that it needs."
    expires: Optional[datetime.datetime] = own.token.expires_at if own.token else None
    if expires is not None and expires - datetime.datetime.now(datetime.timezone.utc) < SOON:
        yield "warning", f"the key of this service expires at {expires:%Y-%m-%d %H:%M} UTC. Then every request is a 503."


def of_the_version(client: Client) -> Iterator[Finding]:
    try:
        version = json.loads(client.request("GET", "/api/openapi.json").read(8 << 20))["info"]["version"]
    except (WardroomError, ValueError, KeyError, TypeError):
        yield "note", "the version of the server could not be read."
        return
    if version == __version__:
        yield "ok", f"server and package have the same version, {version}."
    else:
        yield "warning", f"the server has version {version}, and this package {__version__}."


def of_the_framework() -> Iterator[Finding]:
    classes = list(getattr(django_settings, "REST_FRAMEWORK", {}).get("DEFAULT_AUTHENTICATION_CLASSES", ()))
    forwarded = MIDDLEWARE in django_settings.MIDDLEWARE
    if AUTHENTICATION in classes:
        yield "ok", "views of Django REST Framework authenticate with Wardroom."
    elif not (forwarded and FORWARDED in classes):
        yield "error", f"DEFAULT_AUTHENTICATION_CLASSES of REST_FRAMEWORK lacks '{AUTHENTICATION}'."
    if forwarded and FORWARDED not in classes:
        yield "warning", f"views of Django REST Framework do not see the user of the proxy without '{FORWARDED}'."
    for one in classes:
        if one in ("rest_framework.authentication.TokenAuthentication", "knox.auth.TokenAuthentication"):
            yield "error", f"'{one}' is still listed: a token that is revoked in Wardroom still works there. Remove it."


def of_the_middleware() -> Iterator[Finding]:
    listed = list(django_settings.MIDDLEWARE)
    if MIDDLEWARE not in listed:
        return
    try:
        read = settings()
    except ImproperlyConfigured:
        return
    if not read.proxies and not read.unix_proxy:
        yield "error", "PROXIES names no proxy, so RemoteUserMiddleware does not start."
    elif any(network.num_addresses > 1 << 16 for network in read.proxies):
        yield "warning", "PROXIES has a very large network: everyone in it can claim to be anyone."
    own = "django.contrib.auth.middleware.AuthenticationMiddleware"
    if own in listed and listed.index(own) > listed.index(MIDDLEWARE):
        yield "error", f"'{own}' comes after RemoteUserMiddleware and replaces the user that it has set. Swap them."


def of_the_users(read: Settings) -> Iterator[Finding]:
    model = get_user_model()
    backends = list(django_settings.AUTHENTICATION_BACKENDS)
    if read.mode == "mirror":
        if backends[:1] != [PERMISSIONS]:
            yield "warning", f"without '{PERMISSIONS}' at the beginning of AUTHENTICATION_BACKENDS, has_perm knows no codes."
        if model._meta.pk.get_internal_type() == "AutoField":
            yield "note", "ids of this user model have 32 bits. Wardroom's have more only if they were imported."
    if "django.contrib.auth.backends.ModelBackend" not in backends or not users.has_passwords():
        return
    try:
        rows = model._default_manager.exclude(password="").exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
        rows = rows.filter(is_active=True).order_by("pk")
        count, some = rows.count(), [row.get_username() for row in rows[:NAMED_MAX]]
    except (DatabaseError, LookupError, TypeError, ValueError):
        return
    if count:
        yield "warning", (
            f"{count} users can sign in to Django with a password that Django has, also after Wardroom has disabled them: "
            f"{listed(some, count)}."
        )


def listed(some: list[str], count: int) -> str:
    return ", ".join(some) + (f", and {count - len(some)} more" if count > len(some) else "")


def of_the_rows(client: Client) -> Iterator[Finding]:
    """Rows that are Django's own, so that the users of Wardroom with their ids are refused."""
    if not users.has_passwords():
        yield "error", "the user model has no column for passwords, so no row can be marked as Wardroom's, and everyone is refused. Use MODE light."
        return
    try:
        rows = unmarked().order_by("pk")
        count, some = rows.count(), [f"{row.pk} {row.get_username()!r}" for row in rows[:UNMARKED_MAX]]
        if count:
            yield "warning", (
                f"{count} row{'s are' if count > 1 else ' is'} Django's own: a user of Wardroom who has or gets such an id is refused: "
                f"{listed(some, count)}. Hand over those of the users of Wardroom: manage.py wardroom_hand_over."
            )
        others = [
            f"{row.pk} is {row.get_username()!r} here and {username!r} in Wardroom"
            for row, username in pairs(client)
            if row.get_username() not in (username, users.apart(username, row.pk))
        ]
    except (WardroomError, DatabaseError, KeyError, TypeError, ValueError) as error:
        yield "note", f"the rows could not be compared with the users of Wardroom: {type(error).__name__}."
        return
    if others:
        yield "warning", (
            "these rows of Django's own may be other people than the users of Wardroom with their ids. Do not hand them over before "
            f"you know: {listed(others[:UNMARKED_MAX], len(others))}."
        )


def unmarked() -> Any:
    """The rows that are not marked as Wardroom's, and whose ids are possible in Wardroom."""
    return get_user_model()._default_manager.filter(pk__gt=0).exclude(password__startswith=users.MARK)


def pairs(client: Client) -> Iterator[tuple[Any, str]]:
    """The rows of Django's own whose id a user of Wardroom has, with the username there."""
    rows = unmarked()
    names: dict[int, str] = {}
    for user in itertools.chain(client.users_iterate(fields="id,username", limit=PAGE), [None]):
        if user is not None:
            names[user["id"]] = user["username"]
        if user is None or len(names) == PAGE:
            yield from ((row, names[row.pk]) for row in rows.filter(pk__in=list(names)).order_by("pk"))
            names.clear()
