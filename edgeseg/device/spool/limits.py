"""How much of the disk a spool may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError


@dataclass(frozen=True)
class SpoolLimits:
    """Limits that hold by evicting the items of lowest value.

    Attributes:
        quota_bytes: Most that all items together may have; None for no limit.
        min_free_bytes: What must stay free on the disk; None for no limit.
    """

    quota_bytes: int | None = None
    min_free_bytes: int | None = None

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.quota_bytes is not None and self.quota_bytes < 1:
            raise ConfigError(f"quota_bytes must be 1 or more, got {self.quota_bytes}; leave it out for no quota")
        if self.min_free_bytes is not None and self.min_free_bytes < 0:
            raise ConfigError(f"min_free_bytes must be 0 or more, got {self.min_free_bytes}")

    def over_quota(self, stored: int, coming: int) -> int:
        """Bytes above the quota once an item has come; 0 or less where it fits."""
        return 0 if self.quota_bytes is None else stored + coming - self.quota_bytes

    def short_of_disk(self, free: int, coming: int) -> int:
        """Bytes that the disk will lack once an item has come; 0 or less where it fits."""
        return 0 if self.min_free_bytes is None else self.min_free_bytes + coming - free
