"""A Django service that asks Wardroom about each key, with authlib. Executed by tests/judges/introspection.py.

`@require_token()` in front of a view refuses requests without a valid key; the view reads `request.oauth_token`, which
has the members that docs/introspection.md lists. It also refuses tokens with scopes (403): the view would not know what they
may do. `@require_token(["user_read"])` asks for a scope, which only narrow tokens have; a service that decides by the
rights of users reads `permissions`.

A token that may only read is refused for methods that may change something (403). A token that is limited to networks needs
a client in one of them (401).
"""

import contextvars
import json
import os
import urllib.parse
import urllib.request

from authlib.integrations.django_oauth2 import ResourceProtector
from authlib.oauth2.rfc6750 import InsufficientScopeError
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

ACCOUNTS = os.environ.get("ACCOUNTS", "https://accounts.example.com")
# The key of the service itself, whose user has the permission introspection_read.
INTROSPECTION_KEY = os.environ.get("INTROSPECTION_KEY", "")
# Methods that change nothing.
SAFE = ("GET", "HEAD", "OPTIONS")
# The address of the client of this request.
client_address = contextvars.ContextVar("client_address")


class WardroomTokens(IntrospectTokenValidator):
    """Keys that are sent as `Bearer`. Nothing is cached: a revoked key is refused at once."""

    def introspect_token(self, token_string):
        request = urllib.request.Request(
            f"{ACCOUNTS}/api/auth/introspect",
            data=urllib.parse.urlencode({"token": token_string, "client_address": client_address.get()}).encode(),
            headers={"Authorization": f"Token {INTROSPECTION_KEY}"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def validate_token(self, token, scopes, request, **more):
        super().validate_token(token, scopes, request, **more)
        if token["has_scopes"] and not scopes:
            raise InsufficientScopeError()
        if token["read_only"] and request.method not in SAFE:
            raise InsufficientScopeError()


class WardroomTokensAsToken(WardroomTokens):
    """Keys that are sent as `Token`."""

    TOKEN_TYPE = "token"


class Protector(ResourceProtector):
    """Behind a proxy, REMOTE_ADDR is the proxy. Then take the address from the header that your proxy sets."""

    def acquire_token(self, request, *arguments, **more):
        client_address.set(request.META["REMOTE_ADDR"])
        return super().acquire_token(request, *arguments, **more)


require_token = Protector()
require_token.register_token_validator(WardroomTokens())
require_token.register_token_validator(WardroomTokensAsToken())
