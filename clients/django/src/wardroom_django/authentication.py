"""The authentication class of Django REST Framework."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Optional

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, TokenAuthentication

from . import addresses, service, users
from .conf import settings
from .identity import Identity

SAFE = ("GET", "HEAD", "OPTIONS")
#: The address of the client of this request.
_client: ContextVar[Optional[str]] = ContextVar("wardroom_client", default=None)


class ServiceUnavailable(exceptions.APIException):
    """503: whose the key is could not be found out."""

    status_code = 503
    default_detail = "Service temporarily unavailable, try again later."
    default_code = "service_unavailable"
    #: Seconds, for `Retry-After`.
    wait = 1


class WardroomAuthentication(TokenAuthentication):
    """Django REST Framework's own class, which reads the header, with Wardroom in place of the table of keys."""

    def authenticate(self, request: Any) -> Optional[tuple[Any, Any]]:
        address = addresses.client(request.META, settings())
        _client.set(None if address is None else str(address))
        found = super().authenticate(request)
        if found is None:
            return None
        known: Identity = found[0]
        check(known, request)
        try:
            return users.user(known), known.token
        except users.AnotherAccount:
            raise exceptions.PermissionDenied(users.ANOTHER_ACCOUNT) from None

    def authenticate_credentials(self, key: str) -> tuple[Any, Any]:
        try:
            known = service.whose(key, _client.get())
        except service.Away:
            known, away = None, True
        else:
            away = False
        if away:
            raise ServiceUnavailable
        if known is None:
            raise exceptions.AuthenticationFailed("Invalid token.")
        return known, None


def check(known: Identity, request: Any) -> None:
    """What a narrow token allows this request: where the client is, which Wardroom has compared unless the facts were kept;
    whether this service knows what scopes mean; and whether the request changes something, which only this service knows."""
    token = known.token
    if token is None:
        return
    if token.allowed_networks is not None:
        client = addresses.client(request.META, settings())
        if not addresses.is_within(client, token.allowed_networks):
            raise exceptions.AuthenticationFailed("Invalid token.")
    if known.is_narrow and not settings().accept_scopes:
        raise exceptions.PermissionDenied(users.SCOPES_REFUSED)
    if token.read_only and request.method not in SAFE:
        raise exceptions.PermissionDenied


class ForwardedAuthentication(BaseAuthentication):
    """For views of Django REST Framework behind `RemoteUserMiddleware`: the user that it has set."""

    def authenticate(self, request: Any) -> Optional[tuple[Any, None]]:
        known = getattr(request._request, "wardroom", None)
        return (request._request.user, None) if isinstance(known, Identity) else None

    def authenticate_header(self, _request: Any) -> str:
        return "Token"
