"""What the selection needs of a record, in few bytes: its regions in one array, its frame in 64 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.records import Record, Region

REGION = np.dtype([("class", "<i2"), ("score", "<f4"), ("clicks", "<u4"), ("area_px", "<u4")])
"""One region; ``class`` is a number of the queue's own table of classes, -1 where the model predicts nothing."""
GRID = 4
"""Cells a side, in which the place of a region in the frame is told."""


def pack_regions(record: Record, number_of: dict[str, int]) -> bytes:
    """A record's regions, in its order, as an array of ``REGION``.

    Args:
        record: The record.
        number_of: Number of every class name in it.
    """
    rows = [(_number(region, number_of), region.score, region.clicks, region.area_px) for region in record.regions]
    return np.array(rows, REGION).tobytes()


def unpack_regions(packed: bytes) -> NDArray[np.void]:
    """(R,) of ``REGION``."""
    return np.frombuffer(packed, REGION)


def focus(record: Record, number_of: dict[str, int]) -> int | None:
    """Number of the class of the most uncertain region that has one."""
    return next((number_of[region.class_name] for region in record.regions if region.class_name is not None), None)


def signature(record: Record) -> int:
    """64 bits as a signed integer, of which frames that look alike differ in few.

    The frame's own hash where the record has one; otherwise one of what its regions are and where they lie.
    """
    bits = int(record.image_hash, 16) if record.image_hash is not None else _sketch(record)
    return bits - 2**64 if bits >= 2**63 else bits


def _number(region: Region, number_of: dict[str, int]) -> int:
    return -1 if region.class_name is None else number_of[region.class_name]


def _sketch(record: Record) -> int:
    """Similarity hash (Charikar, 2002): the signs of 64 random projections of the area by class and cell."""
    total = np.zeros(64)
    for region in record.regions:
        x, y = region.polygons[0][0]
        cell = (y * GRID // record.image.height) * GRID + x * GRID // record.image.width
        seed = [cell, *(region.class_name or "").encode()]
        total += region.area_px * np.random.default_rng(seed).choice((-1.0, 1.0), 64)
    return int.from_bytes(np.packbits(total > 0).tobytes(), "big")
