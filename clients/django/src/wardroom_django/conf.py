"""The setting `WARDROOM`, a dictionary. Every other file reads it through `settings()`."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
#: What a request over a Unix socket has for an address.
UNIX = "unix"
#: A longer use of old facts is not offered: a revoked token would authenticate for too long.
LONGEST_CACHE = 30

NAMES = ("URL", "KEY", "KEY_FILE", "TIMEOUT", "MODE", "CACHE_SECONDS", "ACCEPT_SCOPES", "PROXIES", "ALLOW_HTTP", "CA_FILE", "CONNECTIONS")


@dataclass(frozen=True)
class Settings:
    url: str
    key: Optional[str]
    key_file: Optional[str]
    timeout: float
    mode: str
    cache_seconds: float
    accept_scopes: bool
    proxies: tuple[Network, ...]
    unix_proxy: bool
    allow_http: bool
    ca_file: Optional[str]
    connections: int

    def __repr__(self) -> str:
        return f"<Settings of {self.url}>"

    def secret(self) -> str:
        """The key of this service."""
        if self.key_file is None:
            return self.key or ""
        try:
            return Path(self.key_file).read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise wrong("KEY_FILE", f"cannot be read: {type(error).__name__}") from None

    def tls(self) -> Optional[ssl.SSLContext]:
        if self.ca_file is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise wrong("CA_FILE", f"cannot be read: {type(error).__name__}") from None


def wrong(name: str, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"WARDROOM['{name}'] {why}")


_read: Optional[Settings] = None


def settings() -> Settings:
    """The settings, checked. They are read once."""
    global _read
    if _read is None:
        _read = _checked(getattr(django_settings, "WARDROOM", None))
    return _read


def forget(*, setting: str = "WARDROOM", **_more: Any) -> None:
    """A test has changed a setting."""
    global _read
    if setting == "WARDROOM":
        _read = None


setting_changed.connect(forget)


def _checked(said: Any) -> Settings:
    if not isinstance(said, dict):
        raise ImproperlyConfigured("The setting WARDROOM is missing: a dictionary with URL, and KEY or KEY_FILE.")
    unknown = sorted(set(said) - set(NAMES))
    if unknown:
        raise ImproperlyConfigured(f"WARDROOM has unknown names: {', '.join(map(str, unknown))}. Known are {', '.join(NAMES)}.")
    if not said.get("URL"):
        raise wrong("URL", "is missing, such as https://accounts.example.com.")
    if bool(said.get("KEY")) == bool(said.get("KEY_FILE")):
        raise ImproperlyConfigured("WARDROOM needs either KEY or KEY_FILE: the key of this service.")
    mode = said.get("MODE", "light")
    if mode not in ("light", "mirror"):
        raise wrong("MODE", "is 'light' or 'mirror'.")
    cache = said.get("CACHE_SECONDS", 0)
    if isinstance(cache, bool) or not isinstance(cache, (int, float)) or not 0 <= cache <= LONGEST_CACHE:
        raise wrong("CACHE_SECONDS", f"is a number from 0 to {LONGEST_CACHE}.")
    timeout = said.get("TIMEOUT", 2.0)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= 60:
        raise wrong("TIMEOUT", "is a number of seconds, at most 60.")
    scopes = said.get("ACCEPT_SCOPES", False)
    if not isinstance(scopes, bool):
        raise wrong("ACCEPT_SCOPES", "is True or False.")
    proxies, unix = _proxies(said.get("PROXIES", ()))
    return Settings(
        url=said["URL"],
        key=said.get("KEY"),
        key_file=said.get("KEY_FILE"),
        timeout=float(timeout),
        mode=mode,
        cache_seconds=float(cache),
        accept_scopes=scopes,
        proxies=proxies,
        unix_proxy=unix,
        allow_http=said.get("ALLOW_HTTP", False) is True,
        ca_file=said.get("CA_FILE"),
        connections=int(said.get("CONNECTIONS", 32)),
    )


def _proxies(said: Any) -> tuple[tuple[Network, ...], bool]:
    if isinstance(said, str):
        raise wrong("PROXIES", "is a list of addresses and networks, not a text.")
    networks: list[Network] = []
    for one in said:
        if one == UNIX:
            continue
        try:
            networks.append(ipaddress.ip_network(one))
        except ValueError:
            raise wrong("PROXIES", f"has {one!r}, which is no address, no network such as 10.0.0.0/8, and not 'unix'.") from None
    return tuple(networks), UNIX in said
