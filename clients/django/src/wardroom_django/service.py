"""Asks Wardroom about keys. Threads share one client, which keeps its connections."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import OrderedDict
from typing import Any, Optional

from django.core.signals import setting_changed
from wardroom_client import ApiError, Client, ConfigurationError, WardroomError

from .conf import settings, wrong
from .identity import Identity, Malformed, identity

logger = logging.getLogger("wardroom_django")
CACHED_MAX = 10_000
#: For the age of what is cached.
clock = time.monotonic


class Away(Exception):
    """Wardroom did not say whose the key is. That is never an anonymous request."""


class Cache:
    """Facts of valid keys, for the seconds that the setting allows. It knows digests, not keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    def get(self, digest: bytes, now: float, seconds: float) -> Optional[Identity]:
        with self._lock:
            found = self._kept.get(digest)
        if found is None or not 0 <= now - found[0] < seconds:
            return None
        token = found[1].token
        if token is not None and token.expires_at is not None and token.expires_at.timestamp() <= time.time():
            return None
        return found[1]

    def put(self, digest: bytes, now: float, known: Optional[Identity]) -> None:
        with self._lock:
            self._kept.pop(digest, None)
            if known is not None:
                self._kept[digest] = (now, known)
            while len(self._kept) > CACHED_MAX:
                self._kept.popitem(last=False)


_lock = threading.Lock()
_client: Optional[Client] = None
_cache = Cache()


def client() -> Client:
    """The client of this process, with the key of this service."""
    global _client
    with _lock:
        if _client is None:
            read = settings()
            try:
                _client = Client(
                    read.url,
                    read.secret(),
                    timeout=read.timeout,
                    allow_http=read.allow_http,
                    tls=read.tls(),
                    connections=read.connections,
                )
            except ConfigurationError as error:
                raise wrong("URL", f"or the key cannot be used: {error}") from None
        return _client


def forget(*, setting: str = "WARDROOM", **_more: Any) -> None:
    """A test has changed a setting."""
    global _client, _cache
    if setting == "WARDROOM":
        with _lock:
            old, _client, _cache = _client, None, Cache()
        if old is not None:
            old.close()


setting_changed.connect(forget)


def whose(key: str, client_address: Optional[str] = None) -> Optional[Identity]:
    """Whose a key is that a client at this address has sent. `None` is a key that is not valid; no response, or one that is an error, is `Away`."""
    seconds, now = settings().cache_seconds, clock()
    if seconds == 0:
        return introspect(key, client_address)
    digest = hashlib.sha256(key.encode()).digest()
    known = _cache.get(digest, now, seconds)
    if known is None:
        known = introspect(key, client_address)
        _cache.put(digest, now, known)
    return known


def introspect(key: str, client_address: Optional[str] = None) -> Optional[Identity]:
    """Asks now. Without the address of the client, a token that is limited to networks is not valid."""
    form = {"token": key} if client_address is None else {"token": key, "client_address": client_address}
    try:
        exchange = client().request("POST", "/api/auth/introspect", form=form, repeatable=True)
        return identity(json.loads(exchange.read(1 << 20)))
    except ApiError as error:
        why = reason(error)
    except WardroomError as error:
        why = str(error)
    except (Malformed, ValueError):
        why = "its response is not that of an introspection"
    # Outside of the handlers: the frames of the errors have the key.
    logger.error("Wardroom could not be asked whose a key is: %s", why)
    raise Away(why)


def reason(error: ApiError) -> str:
    """Why Wardroom refused the service itself. That is not the fault of the one who sent the key."""
    hints = {401: "the key of this service is not valid", 403: "the key of this service lacks the permission 1282"}
    return f"{hints.get(error.status, 'it answered')} ({error})"
