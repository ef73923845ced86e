"""Serving the page until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from edgeseg.errors import UsageError
from edgeseg.progress import warn
from edgeseg.queue.database import Database
from edgeseg.queue.page.app import create_app
from edgeseg.queue.page.settings import PageSettings

MAX_CONNECTIONS = 200
IDLE_CONNECTION_S = 5


def serve(settings: PageSettings, database: Database, on_ready: Callable[[str], None]) -> None:
    """Serves the page until the process is interrupted.

    Args:
        settings: Where, and for whom.
        database: The queue.
        on_ready: Told the page's address as soon as it can be opened.

    Raises:
        UsageError: The address cannot be listened on.
        DataError: The file of classes cannot be used.
    """
    server = make_server(settings, database)
    listening = listen(settings)
    if not settings.is_local:
        warn("token and frames travel unencrypted; beyond a trusted network put a proxy with TLS in front")
    on_ready(address(settings, listening))
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()


def make_server(settings: PageSettings, database: Database) -> uvicorn.Server:
    """The server, not yet started; no header of a proxy is believed."""
    config = uvicorn.Config(
        create_app(settings, database),
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_CONNECTION_S,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def listen(settings: PageSettings) -> socket.socket:
    """Opens the address, so that what is told has its port already.

    Raises:
        UsageError: It is another program's, or none of this machine's.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        # With the protocol left open, asyncio would not send at once (TCP_NODELAY), and each answer take 40 ms more.
        opened = socket.socket(*found[:3])
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(found[4])
    except OSError as error:
        raise UsageError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}; name another --host "
            "or --port (0: any free one)"
        ) from None
    return opened


def address(settings: PageSettings, listening: socket.socket) -> str:
    """Where the page is opened."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listening.getsockname()[1]}/"
