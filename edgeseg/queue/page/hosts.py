"""Which names the page answers to: a foreign page that has its name resolve to this machine gets nothing.

Such DNS rebinding makes a browser send a foreign name as Host. An address in its place cannot be rebound.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from edgeseg.queue.page.settings import LOOPBACK_NAMES, PageSettings


def known_names(settings: PageSettings) -> frozenset[str]:
    """Names that a request's Host may have, in lower case, without ports."""
    own = () if settings.is_local else (settings.host, socket.gethostname(), socket.getfqdn())
    return frozenset(name.lower() for name in (*LOOPBACK_NAMES, *own, *settings.allowed_hosts))


def is_known_host(host: str, settings: PageSettings, names: frozenset[str]) -> bool:
    """Whether a request's Host is one of the page's own.

    Args:
        host: The header's value, with or without a port.
        settings: Beyond this machine any address will do, since the machine may have several.
        names: What ``known_names`` gave.
    """
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if name is None or "@" in host or "/" in host:
        return False
    return name in names or (not settings.is_local and _is_address(name))


def is_own_origin(origin: str | None, host: str) -> bool:
    """Whether a form was sent by a page of this server: its Origin's host and port are the Host's."""
    return origin is not None and origin.partition("://")[2] == host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
