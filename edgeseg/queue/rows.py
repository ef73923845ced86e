"""A record → its row in the database. What needs no database comes first, so that other processes can do it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from edgeseg.queue.packing import focus, pack_regions, signature, unpack_regions
from edgeseg.records import Location, Record

PLACE_DEG = 0.01
"""Side of a place's cell: 1.1 km from south to north, and as much or less from west to east."""


@dataclass(frozen=True)
class Draft:
    """A row whose classes have no numbers yet.

    Attributes:
        row: Columns of ``Item``; in ``regions`` and ``focus`` a class is told by its position in ``names``.
        names: The classes that the record's regions name, each once.
    """

    row: dict[str, Any]
    names: tuple[str, ...]

    @property
    def item_id(self) -> str:
        """The record's item id."""
        return str(self.row["item_id"])

    def numbered(self, numbers: dict[str, int]) -> dict[str, Any]:
        """The row, with the queue's numbers of its classes.

        Args:
            numbers: Number of each of ``names``, and perhaps of others.
        """
        # The last one stands for the position -1, of regions that the model predicts nothing for.
        table = np.array([*(numbers[name] for name in self.names), -1], np.int16)
        regions = unpack_regions(self.row["regions"]).copy()
        regions["class"] = table[regions["class"]]
        place = self.row["focus"]
        return {**self.row, "regions": regions.tobytes(), "focus": None if place is None else int(table[place])}


def draft(record: Record, bucket: str) -> Draft:
    """The row of a record that is new, as far as the record tells it."""
    now = datetime.now(timezone.utc)
    same = ("item_id", "vehicle", "drive", "captured_at", "source", "frame_id", "frame_number")
    also = ("model_digest", "policy", "policy_version", "strategy")
    # In the order in which the regions name them, each once.
    names = tuple(dict.fromkeys(region.class_name for region in record.regions if region.class_name is not None))
    places = {name: place for place, name in enumerate(names)}
    row = {
        **{name: getattr(record, name) for name in (*same, *also)},
        "bucket": bucket,
        "place": place_cell(record.place),
        "arrived_at": now,
        "height": record.image.height,
        "width": record.image.width,
        "score": record.scores[0].value,
        "unit": record.scores[0].unit,
        "focus": focus(record, places),
        "signature": signature(record),
        "regions": pack_regions(record, places),
        "clicks": sum(region.clicks for region in record.regions),
        "area_px": sum(region.area_px for region in record.regions),
        "state": "flagged",
        "priority": 0,
        "changed_at": now,
    }
    return Draft(row, names)


def place_cell(place: Location | None) -> str | None:
    """Name of the cell that a place lies in, such as ``"4881,229"``; None where the place is unknown."""
    if place is None:
        return None
    return f"{math.floor(place.latitude_deg / PLACE_DEG)},{math.floor(place.longitude_deg / PLACE_DEG)}"
