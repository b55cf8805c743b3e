"""A Django service that asks Wardroom about each key, with authlib. Executed by tests/judges/introspection.py.

`@require_token()` in front of a view refuses requests without a valid key; the view reads `request.oauth_token`, which
has the members that docs/introspection.md lists. `@require_token(["user_read"])` asks for a scope, which only narrow
tokens have; a service that decides by the rights of users reads `permissions`.
"""

import json
import os
import urllib.parse
import urllib.request

from authlib.integrations.django_oauth2 import ResourceProtector
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

ACCOUNTS = os.environ.get("ACCOUNTS", "https://accounts.example.com")
# The key of the service itself, whose user has the permission introspection_read.
INTROSPECTION_KEY = os.environ.get("INTROSPECTION_KEY", "")


class WardroomTokens(IntrospectTokenValidator):
    """Keys that are sent as `Bearer`. Nothing is cached: a revoked key is refused at once."""

    def introspect_token(self, token_string):
        request = urllib.request.Request(
            f"{ACCOUNTS}/api/auth/introspect",
            data=urllib.parse.urlencode({"token": token_string}).encode(),
            headers={"Authorization": f"Token {INTROSPECTION_KEY}"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


class WardroomTokensAsToken(WardroomTokens):
    """Keys that are sent as `Token`."""

    TOKEN_TYPE = "token"


require_token = ResourceProtector()
require_token.register_token_validator(WardroomTokens())
require_token.register_token_validator(WardroomTokensAsToken())
