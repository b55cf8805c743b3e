"""What Wardroom says of a key (RFC 7662), as values that cannot be wrong."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from typing import Any, Optional

from .conf import Network


class Malformed(Exception):
    """The response is not one of Wardroom's."""


@dataclass(frozen=True)
class TokenFacts:
    """The token of a request: `request.auth`. The key is not part of it."""

    id: str
    name: str
    issued_at: Optional[datetime.datetime]
    expires_at: Optional[datetime.datetime]
    #: Names of permissions; `None` means all that the owner may do.
    scopes: Optional[frozenset[str]]
    read_only: bool
    #: `None` means from everywhere.
    allowed_networks: Optional[tuple[Network, ...]]


@dataclass(frozen=True)
class Identity:
    """The owner of a token, with the rights that the token has."""

    user_id: int
    username: str
    email: str
    is_staff: bool
    is_admin: bool
    groups: tuple[int, ...]
    permissions: frozenset[int]
    #: `None` behind a proxy that authenticates, which says less.
    token: Optional[TokenFacts]
    #: The scopes of the token; `None` means all that the owner may do.
    scopes: Optional[frozenset[str]] = None

    @property
    def is_narrow(self) -> bool:
        """Whether the rights are less than those of the owner. Then nothing about them may be kept."""
        return self.scopes is not None


def identity(said: Any) -> Optional[Identity]:
    """Reads a response. `None` is a key that is not valid."""
    if not isinstance(said, dict) or not isinstance(said.get("active"), bool):
        raise Malformed
    if not said["active"]:
        return None
    try:
        networks = said.get("allowed_networks")
        facts = TokenFacts(
            id=text(said["jti"]),
            name=text(said["client_id"]),
            issued_at=time(said.get("iat")),
            expires_at=time(said.get("exp")),
            scopes=scopes(said),
            read_only=flag(said.get("read_only", False)),
            allowed_networks=None if networks is None else tuple(ipaddress.ip_network(text(one), strict=False) for one in networks),
        )
        return Identity(
            user_id=number(said["user_id"]),
            username=text(said["username"]),
            email=text(said.get("email") or ""),
            # Wardroom says so, too: the flags are those of a person, and a narrow token is not the whole person.
            is_staff=flag(said["is_staff"]) and facts.scopes is None,
            is_admin=flag(said["is_admin"]) and facts.scopes is None,
            groups=tuple(number(one) for one in said["groups"]),
            permissions=frozenset(number(one) for one in said["permissions"]),
            token=facts,
            scopes=facts.scopes,
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        failure = Malformed()
    raise failure


def scopes(said: dict[str, Any]) -> Optional[frozenset[str]]:
    """The scopes of a token; `None` is a token without them. What says both is not from Wardroom."""
    if flag(said["has_scopes"]):
        return frozenset(text(said["scope"]).split())
    if "scope" in said:
        raise ValueError
    return None


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def time(value: Any) -> Optional[datetime.datetime]:
    if value is None:
        return None
    begin = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    try:
        return begin + datetime.timedelta(seconds=number(value))
    except OverflowError:
        # A token that expires after the year 9999.
        return datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
