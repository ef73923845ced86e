"""All frames of a run by score, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeseg.files import write_atomic
from edgeseg.frames import Frame


@dataclass(frozen=True)
class _Ranked:
    """One line of the ranking; ``item_id`` is None where the frame was not spooled."""

    frame: str
    index: int
    timestamp_s: float | None
    score: float
    item_id: str | None


class Ranking:
    """The list of all frames, held in memory until the run ends.

    Args:
        path: Where it is written (JSON lines), None for no list.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: list[_Ranked] = []
        self._displaced: set[str] = set()

    def add(self, frame: Frame, score: float, item_id: str | None) -> None:
        """Enters a frame, with its item's id where it was kept."""
        if self._path is not None:
            self._rows.append(_Ranked(frame.id, frame.index, frame.timestamp_s, score, item_id))

    def displace(self, item_id: str) -> None:
        """Notes that an item gave way to a later frame's."""
        self._displaced.add(item_id)

    def write(self, items: Mapping[str, str] | None) -> None:
        """Writes the list, highest score first, where it was asked for.

        Args:
            items: Frame id → item id of what is kept at the end, where that is decided after a frame was entered.

        Raises:
            OutputError: The file cannot be written.
        """
        if self._path is not None:
            rows = sorted(self._rows, key=lambda row: (-row.score, row.index))
            write_atomic(self._path, "".join(json.dumps(self._line(row, items)) + "\n" for row in rows))

    def _line(self, row: _Ranked, items: Mapping[str, str] | None) -> dict[str, Any]:
        if items is not None:
            item_id = items.get(row.frame)
        else:
            item_id = row.item_id if row.item_id not in self._displaced else None
        return {**asdict(row), "item_id": item_id, "kept": item_id is not None}
