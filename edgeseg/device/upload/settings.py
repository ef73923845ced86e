"""How an upload behaves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from edgeseg.config import STRICT
from edgeseg.device.upload.windows import Windows
from edgeseg.errors import ConfigError

Blobs = Literal["all", "on-request"]
UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


@dataclass(frozen=True)
class UploadSettings:
    """How an upload behaves.

    Attributes:
        blobs: ``all`` sends each item whole; ``on-request`` sends records alone, and the blobs of those that were
            asked for.
        bandwidth: Most bytes a second on average, such as ``"500KB/s"``; None for no limit.
        windows: Times of the day, by the machine's clock, in which something may be sent (``"22:00-06:00"``);
            none for any time.
        parallel: Requests under way at once.
        attempts: How often an item is tried in one pass.
        first_wait_s, longest_wait_s: Wait after a first failure, and at most; it doubles in between, and each wait
            is drawn evenly from 0 to that.
        timeout_s: Longest time for one request.
        keep: Leave uploaded items in the spool, where they are the first to give way.
        watch: Go on after the spool is empty, and look again every ``poll_s``.
        poll_s: Seconds.
        seed: Of the waits; None draws it anew, so that vehicles do not knock at once.
    """

    blobs: Blobs = "all"
    bandwidth: str | None = None
    windows: tuple[str, ...] = ()
    parallel: int = 4
    attempts: int = 12
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    timeout_s: float = 120.0
    keep: bool = False
    watch: bool = False
    poll_s: float = 10.0
    seed: int | None = None

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.blobs not in ("all", "on-request"):
            raise ConfigError(f"blobs must be all or on-request, got {self.blobs!r}")
        for name in ("parallel", "attempts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("longest_wait_s", "timeout_s", "poll_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.first_wait_s <= self.longest_wait_s:
            raise ConfigError(
                f"first_wait_s must be 0 to longest_wait_s ({self.longest_wait_s}), got {self.first_wait_s}"
            )
        if self.bandwidth is not None:
            parse_rate(self.bandwidth)
        Windows.parse(self.windows)


def parse_rate(text: str) -> float:
    """Bytes a second of a text such as ``"500KB/s"``, ``"2.5 MB/s"`` or ``"80000"``.

    Raises:
        ConfigError: The text has another form, or the rate is not above 0.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]?)b?(?:/s)?", text.strip().lower())
    rate = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not rate > 0:
        raise ConfigError(f"bandwidth must be bytes a second such as 500KB/s or 2MB/s, got {text!r}")
    return rate
