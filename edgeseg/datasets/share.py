"""An evenly spaced share of a dataset's frames, and the rest: ``#train@1/8`` and ``#train@~1/8``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeseg.datasets.base import Dataset, Subset
from edgeseg.errors import DataError, UsageError

_SHARE = re.compile(r"(~?)(\d+)/(\d+)")


@dataclass(frozen=True)
class Share:
    """Which frames are taken.

    Frame i, counted from 0, is in the share where i·taken mod parts < taken: the frames are spread evenly over the
    drive, no seed is needed, and a share of 1/8 lies within one of 1/4.

    Attributes:
        taken, parts: The share taken / parts, above 0 and below 1.
        rest: Whether the frames that are not in the share are meant.
    """

    taken: int
    parts: int
    rest: bool = False

    def of(self, dataset: Dataset, spec: str) -> Subset:
        """Takes the share; sample ids stay as they are.

        Args:
            dataset: All frames, in a fixed order.
            spec: What the user wrote, for messages.

        Raises:
            DataError: No frame is left.
        """
        taken = [i for i in range(len(dataset)) if (i * self.taken % self.parts < self.taken) != self.rest]
        if not taken:
            raise DataError(f"{spec}: of {len(dataset)} frames none is left; take another share")
        subset = Subset(dataset, taken)
        subset.spec = spec
        return subset


def split_share(split: str | None, spec: str) -> tuple[str | None, Share | None]:
    """Takes ``SPLIT@K/N`` or ``SPLIT@~K/N`` apart; without a share, the split is returned as it is.

    Args:
        split: What stands behind the ``#`` of a spec, or None.
        spec: The whole spec, for messages.

    Returns:
        ``(split, share)``; split is None where all splits are meant.

    Raises:
        UsageError: Behind the ``@`` stands something that begins like a share but is none.
    """
    name, at, text = (split or "").rpartition("@")
    if not at or not re.match(r"[~\d]", text):
        return split, None
    found = _SHARE.fullmatch(text)
    if not found or not 0 < int(found[2]) < int(found[3]):
        raise UsageError(
            f"dataset {spec!r}: the share {text!r} must be K/N or ~K/N with 0 < K < N, such as #train@1/8 for every "
            "eighth frame and #train@~1/8 for all others"
        )
    return name or None, Share(int(found[2]), int(found[3]), bool(found[1]))
