"""Who sent a request: the peer, and the client behind the named proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Optional, Union

from .conf import Network, Settings

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def parsed(text: str) -> Optional[Address]:
    """An address; IPv4 in IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_within(address: Optional[Address], networks: Iterable[Network]) -> bool:
    return address is not None and any(address.version == network.version and address in network for network in networks)


def is_proxy(peer: str, settings: Settings) -> bool:
    """Whether the peer of a connection is one of the named proxies."""
    if peer == "":
        return settings.unix_proxy
    return is_within(parsed(peer), settings.proxies)


def client(meta: dict[str, Any], settings: Settings) -> Optional[Address]:
    """The address of the client. `X-Forwarded-For` counts only from the named proxies, from the right. The address of a proxy is
    never that of a client: if the proxies name none, it is not known."""
    peer = str(meta.get("REMOTE_ADDR") or "")
    if not is_proxy(peer, settings):
        return parsed(peer)
    for hop in reversed(str(meta.get("HTTP_X_FORWARDED_FOR") or "").split(",")):
        address = parsed(hop)
        if address is None or not is_within(address, settings.proxies):
            return address
    return None
