"""Times of the day in which something may be sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edgeseg.errors import ConfigError

MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True)
class Windows:
    """Spans of minutes of the day, each (first, end), the end not included; no spans mean any time.

    A span past midnight has its end before its first.
    """

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Windows:
        """Reads ``HH:MM-HH:MM`` texts.

        Raises:
            ConfigError: A text has another form, or its span is empty.
        """
        return cls(tuple(_span(text) for text in texts))

    def wait_s(self, now: datetime) -> float:
        """Seconds until something may be sent, 0 where it may be sent now."""
        minute = now.hour * 60 + now.minute
        if not self.spans or any(_within(minute, span) for span in self.spans):
            return 0.0
        until = min((first - minute) % MINUTES_A_DAY for first, _ in self.spans)
        return until * 60.0 - now.second - now.microsecond / 1e6


def _within(minute: int, span: tuple[int, int]) -> bool:
    first, end = span
    return first <= minute < end if first < end else minute >= first or minute < end


def _span(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", text.strip())
    if found:
        numbers = [int(number) for number in found.groups()]
        first, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if max(numbers[1], numbers[3]) < 60 and first < MINUTES_A_DAY and end <= MINUTES_A_DAY and first != end:
            return first, end
    raise ConfigError(f"window {text!r}: write times of the day as HH:MM-HH:MM, such as 22:00-06:00")
