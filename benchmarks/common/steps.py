"""Steps of a long recipe: each is done once, by whichever process comes first, and keeps its figures as JSON."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.files import write_atomic
from edgeseg.progress import say

Figures = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One piece of a recipe.

    Attributes:
        name: Unique; the figures are kept under it.
        work: What is done; it must go on where an interrupted call of it stopped.
        needs: Steps that must be done before.
    """

    name: str
    work: Callable[[], Figures]
    needs: tuple[str, ...] = ()


class Steps:
    """The figures of finished steps, in a folder.

    Args:
        folder: Where ``NAME.json`` lie; several processes may share it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def figures(self, name: str) -> Figures | None:
        """Figures of a finished step, or None."""
        path = self._path(name)
        return json.loads(path.read_text()) if path.exists() else None

    def run(self, steps: list[Step]) -> None:
        """Does every step that no other process has done or is at, in order of the list.

        Ends where all that is left is under way elsewhere, or waits for such a step.
        """
        while ready := [s for s in steps if self.figures(s.name) is None and self._ready(s)]:
            if not any(self._try(step) for step in ready):
                say(f"the rest is under way in another process: {', '.join(s.name for s in ready)}")
                return

    def _ready(self, step: Step) -> bool:
        return all(self.figures(name) is not None for name in step.needs)

    def _try(self, step: Step) -> bool:
        with self._claim(step.name) as claimed:
            if not claimed or self.figures(step.name) is not None:
                return claimed
            say(f"{step.name} ...")
            start = time.perf_counter()
            figures = {**step.work(), "seconds": round(time.perf_counter() - start, 1)}
            write_atomic(self._path(step.name), json.dumps(figures, indent=2) + "\n")
            say(f"{step.name}: {figures.get('miou', 'done')} in {figures['seconds']:.0f} s")
        return True

    @contextmanager
    def _claim(self, name: str) -> Iterator[bool]:
        handle = os.open(self.folder / f".{name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(handle)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def merge(base: Figures, extra: Figures) -> Figures:
    """``base`` with the entries of ``extra``, nested mappings merged."""
    merged = dict(base)
    for key, value in extra.items():
        inner = merged.get(key)
        merged[key] = merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
