"""Whether this machine's clock is kept right, as its kernel has it."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from edgeseg.records import ClockState

TIME_ERROR: Final = 5
"""What ``adjtimex`` returns while nothing (NTP, PTP, GPS) keeps the clock; Linux, ``man 2 adjtimex``."""
TIMEX_BYTES: Final = 512
"""More than a ``struct timex`` has anywhere; all zero, it asks and changes nothing."""


def kernel_clock() -> ClockState:
    """``"synchronized"`` where the kernel says that the clock is disciplined, else ``"unverified"``."""
    if not sys.platform.startswith("linux"):
        return "unverified"
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return "unverified"
    return "synchronized" if 0 <= state < TIME_ERROR else "unverified"
