"""Budgets: so much in such a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeseg.errors import ConfigError

_PERIODS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
_UNITS = {
    "": 1.0,
    "k": 1e3,
    "kb": 1e3,
    "m": 1e6,
    "mb": 1e6,
    "gb": 1e9,
    "kib": 1024.0,
    "mib": 1024.0**2,
    "gib": 1024.0**3,
}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*/\s*(s|min|h|day)", re.IGNORECASE)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """So much in such a time.

    Attributes:
        amount: Of frames, bytes or regions.
        period_s: In any stretch of so many seconds no more than ``amount`` is spent.
    """

    amount: float
    period_s: float

    def __post_init__(self) -> None:
        if not (self.amount > 0 and self.period_s > 0):
            raise ConfigError(f"a budget and its period must be above 0, got {self.amount} in {self.period_s} s")

    @classmethod
    def parse(cls, text: str, option: str) -> Budget:
        """Reads ``200/h`` or ``500MB/day``.

        Raises:
            ConfigError: The text has another form.
        """
        found = _FORM.fullmatch(text.strip())
        if found is None or found[2].lower() not in _UNITS:
            raise ConfigError(
                f"{option} {text!r}: write an amount, a unit for bytes, and /s, /min, /h or /day, "
                "such as 200/h or 500MB/day"
            )
        return cls(float(found[1]) * _UNITS[found[2].lower()], _PERIODS_S[found[3].lower()])


def parse_amount(text: str, option: str) -> float:
    """Reads ``20GB``.

    Raises:
        ConfigError: The text has another form.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2].lower() not in _UNITS:
        raise ConfigError(f"{option} {text!r}: write an amount and a unit, such as 20GB")
    return float(found[1]) * _UNITS[found[2].lower()]


@dataclass(frozen=True)
class Budgets:
    """What may be spent; None where there is no limit.

    Attributes:
        frames: Frames kept.
        bytes: Bytes of the items kept.
        regions: Regions that the kept frames ask labels for.
    """

    frames: Budget | None = None
    bytes: Budget | None = None
    regions: Budget | None = None

    def named(self) -> dict[str, Budget]:
        """Those that are set, by name."""
        return {name: budget for name, budget in vars(self).items() if budget is not None}
