"""How large the loop is, and on what it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """Data and sizes of one loop.

    Attributes:
        first: Dataset spec of the few frames that are labeled from the beginning.
        drive: Dataset spec of what the vehicle drives through; its labels are the oracle's alone.
        test: Dataset spec that is evaluated on, and nothing else.
        height, width: Network input, in pixels.
        superpixel_px: Pixels of a region.
        regions: Regions that are labeled.
        first_iterations: Of the first student.
        iterations: Of each retraining, whatever its data: who has more labels does not train longer.
        batch_size: Samples an iteration.
        seeds: Of the retrainings; all start from the same first student.
    """

    first: str
    drive: str
    test: str
    height: int
    width: int
    superpixel_px: int
    regions: int
    first_iterations: int
    iterations: int
    batch_size: int = 4
    seeds: tuple[int, ...] = (0, 1, 2)

    @property
    def size(self) -> str:
        """Network input as commands take it."""
        return f"{self.height}x{self.width}"


DRAWN = Plan(
    first="synthetic:8x64x96#first",
    drive="synthetic:80x64x96#drive",
    test="synthetic:40x64x96#test",
    height=64,
    width=96,
    superpixel_px=48,
    regions=600,
    first_iterations=300,
    iterations=120,
)
"""Minutes: eight frames of one drive are labeled, the vehicle goes through four others."""


def camvid(path: Path) -> Plan:
    """CamVid in the SegNet layout: every fortieth frame of ``#train`` is labeled, the others are the drive."""
    return Plan(
        first=f"camvid:{path}#train@1/40",
        drive=f"camvid:{path}#train@~1/40",
        test=f"camvid:{path}#val",
        height=180,
        width=240,
        superpixel_px=256,
        regions=2000,
        first_iterations=600,
        iterations=900,
    )
