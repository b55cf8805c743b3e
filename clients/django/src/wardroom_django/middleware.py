"""For applications behind a proxy that authenticates with `/api/auth/forward`."""

from __future__ import annotations

import re
from typing import Any, Callable, Optional
from urllib.parse import unquote

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponseForbidden

from . import addresses, users
from .conf import settings
from .identity import Identity

ID = re.compile("[1-9][0-9]{0,18}")
SCOPE = re.compile("[a-z_]+|[1-9][0-9]{0,18}")
FLAGS = {"true": True, "false": False}
#: What `Remote-Scopes` says of a token without scopes.
ALL = "*"


class Refused(Exception):
    """The headers are not those of the proxy, or the token is not one that this service accepts."""


class RemoteUserMiddleware:
    """Sets `request.user` from the headers of the proxy. A request from any other peer is a 403: whoever reaches the
    application past the proxy could claim to be anyone."""

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        read = settings()
        if not read.proxies and not read.unix_proxy:
            raise ImproperlyConfigured("WARDROOM['PROXIES'] names no proxy, so every request would be refused.")

    def __call__(self, request: Any) -> Any:
        if not addresses.is_proxy(str(request.META.get("REMOTE_ADDR") or ""), settings()):
            return HttpResponseForbidden(b"This request did not come through the proxy.\n", content_type="text/plain")
        try:
            known = forwarded(request.META)
            user = AnonymousUser() if known is None else self.user(known)
        except Refused as error:
            return HttpResponseForbidden(f"{error}\n".encode(), content_type="text/plain")
        request.wardroom = known
        request.user = user
        return self.get_response(request)

    @staticmethod
    def user(known: Identity) -> Any:
        if known.is_narrow and not settings().accept_scopes:
            raise Refused(users.SCOPES_REFUSED)
        try:
            return users.user(known)
        except users.AnotherAccount:
            raise Refused(users.ANOTHER_ACCOUNT) from None


def forwarded(meta: dict[str, Any]) -> Optional[Identity]:
    """What the headers say. Without a name and an id, which a public path has, it is nobody."""
    name, user_id = header(meta, "USER"), header(meta, "USER_ID")
    if name == "" and user_id == "":
        return None
    # Two headers of one name arrive as one with a comma.
    if name == "" or not ID.fullmatch(user_id):
        raise Refused("The headers Remote-User and Remote-User-Id have to come together, once each.")
    groups = header(meta, "GROUPS")
    if not all(ID.fullmatch(one) for one in groups.split(",") if groups):
        raise Refused("The header Remote-Groups has to have ids.")
    scopes = narrowed(header(meta, "SCOPES"))
    return Identity(
        user_id=int(user_id),
        username=decoded(name),
        email=decoded(header(meta, "EMAIL")),
        is_staff=flag(meta, "STAFF") and scopes is None,
        is_admin=flag(meta, "ADMIN") and scopes is None,
        groups=tuple(int(one) for one in groups.split(",") if one),
        permissions=frozenset(),
        token=None,
        scopes=scopes,
    )


def narrowed(said: str) -> Optional[frozenset[str]]:
    """The scopes, `None` for a token without them. A proxy that does not pass the header on must not make a token wider."""
    if said == ALL:
        return None
    scopes = re.split("[ ,]", decoded(said))
    if not all(SCOPE.fullmatch(one) for one in scopes):
        raise Refused("The header Remote-Scopes has to be there: names of scopes, or * for a token without them.")
    return frozenset(scopes)


def header(meta: dict[str, Any], name: str) -> str:
    return str(meta.get(f"HTTP_REMOTE_{name}", "")).strip(" \t")


def flag(meta: dict[str, Any], name: str) -> bool:
    said = header(meta, name)
    if said not in FLAGS:
        raise Refused(f"The header Remote-{name.title()} has to be true or false, once.")
    return FLAGS[said]


def decoded(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise Refused("A header is not percent-encoded UTF-8.") from None
