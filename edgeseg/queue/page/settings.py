"""How the page is served; what would leave it open to strangers is refused here."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from edgeseg.errors import ConfigError

MIN_TOKEN = 16
"""Characters of a token; as many random ones cannot be guessed."""
TOKEN_VARIABLE = "EDGESEG_QUEUE_TOKEN"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class PageSettings:
    """Where the page is reached, and by whom.

    Attributes:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        token: What whoever opens the page must know; None: everybody on this machine may.
        allowed_hosts: Names by which the page is reached, beside addresses and this machine's own names, such as a
            proxy's.
        classes: A ``classes.yaml`` with names and colours of the train ids; None: names from the records.
        progress: Files that ``edgeseg active run`` wrote, or folders with such files.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    classes: Path | None = None
    progress: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port {self.port}: a port is within 0 to 65535")
        if self.token is not None and (len(self.token) < MIN_TOKEN or not self.token.isascii()):
            raise ConfigError(
                f"--token must have at least {MIN_TOKEN} characters of ASCII, got {len(self.token)}; "
                "make one with: openssl rand -hex 16"
            )
        if not self.is_local and self.token is None:
            raise ConfigError(
                f"--host {self.host} can be reached from other machines, so a token is needed: set {TOKEN_VARIABLE} "
                "or --token, or leave --host out to serve this machine alone"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
