"""Remembering which files were found good, so that a second start need not read them again.

One JSON file a dataset, in the user's cache folder. It maps the sample's files to their size and time of change and to
what they held; a changed file no longer matches and is read again. The memory is a convenience: where the folder cannot
be written or a file of it is damaged, everything is simply read again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.datasets.base import Dataset
from edgeseg.datasets.inspection import SampleFacts
from edgeseg.errors import OutputError
from edgeseg.files import digest_text, write_atomic

_FORM = 1


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/edgeseg``, or ``~/.cache/edgeseg``."""
    base = os.environ.get("XDG_CACHE_HOME")
    # Without a home, expanduser leaves the tilde; the path then cannot be absolute and nothing is remembered.
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "edgeseg"  # noqa: PTH111


class Memo:
    """Good samples of one dataset and class map, as remembered in the cache folder.

    Args:
        dataset: What is remembered; a subset shares its dataset's memory.
        labels: Whether samples were read with their labels.
    """

    def __init__(self, dataset: Dataset, labels: bool) -> None:
        self._dataset = dataset
        self._labels = labels
        key = json.dumps([_FORM, dataset.spec, dataset.class_map.to_dict(), labels])
        self._path = cache_folder() / "checked" / f"{digest_text(key)}.json"
        self._entries = _load(self._path)

    def recall(self, index: int) -> SampleFacts | None:
        """What the sample was found to hold, or None where it is unknown or its files changed."""
        stamp = self._stamp(index)
        entry = self._entries.get(self._key(index))
        if stamp is None or not isinstance(entry, dict) or entry.get("stamp") != stamp:
            return None
        try:
            pixels = None if entry["pixels"] is None else np.array(entry["pixels"], np.int64)
            height, width, ignored = int(entry["height"]), int(entry["width"]), int(entry["ignored"])
        except (KeyError, TypeError, ValueError):
            return None
        if self._labels and (pixels is None or pixels.shape != (self._dataset.class_map.num_classes,)):
            return None
        return SampleFacts(height, width, pixels, ignored)

    def remember(self, facts: Mapping[int, SampleFacts]) -> None:
        """Stores good samples by index; does nothing where the folder cannot be written."""
        for index, fact in facts.items():
            stamp = self._stamp(index)
            if stamp is not None and not fact.problems:
                pixels = None if fact.pixels is None else fact.pixels.tolist()
                self._entries[self._key(index)] = {
                    "stamp": stamp,
                    "height": fact.height,
                    "width": fact.width,
                    "pixels": pixels,
                    "ignored": fact.ignored_pixels,
                }
        if not self._entries or not self._path.is_absolute():
            return
        try:
            write_atomic(self._path, json.dumps(self._entries, separators=(",", ":")))
        except OutputError:
            return

    def _files(self, index: int) -> tuple[Path, ...]:
        files = self._dataset.files(index)
        return files if self._labels else files[:1]

    def _key(self, index: int) -> str:
        return str(self._files(index)[0].absolute()) if self._files(index) else ""

    def _stamp(self, index: int) -> list[list[Any]] | None:
        try:
            stats = [(path, path.stat()) for path in self._files(index)]
        except OSError:
            return None
        return [[str(path.absolute()), stat.st_size, stat.st_mtime_ns] for path, stat in stats] or None


def _load(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}
