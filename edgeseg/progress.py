"""Progress bars and messages, always on stderr, so that stdout holds the report alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")


@lru_cache(maxsize=1)
def console() -> Console:
    """The console that messages go to."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


_LISTENERS: list[Callable[[str, str], None]] = []


@contextmanager
def listening(listener: Callable[[str, str], None]) -> Iterator[None]:
    """Inside, every message also goes to a listener, as its level (``"info"`` or ``"warning"``) and its text."""
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


def say(message: str) -> None:
    """Prints one line for the person at the terminal."""
    console().print(message, markup=False)
    for listener in _LISTENERS:
        listener("info", message)


def warn(message: str) -> None:
    """Prints one warning line."""
    console().print(f"warning: {message}", style="yellow", markup=False)
    for listener in _LISTENERS:
        listener("warning", message)


@contextmanager
def silenced(silent: bool = True) -> Iterator[None]:
    """Inside, nothing of this module is printed; with ``silent`` False, all is as outside."""
    before = console().quiet
    console().quiet = before or silent
    try:
        yield
    finally:
        console().quiet = before


def track(items: Iterable[Item], what: str, total: int | None = None, done: int = 0) -> Iterator[Item]:
    """Yields the items beneath a progress bar; a terminal sees it move, a log file sees nothing.

    Args:
        items: What to go through.
        what: Short description, such as ``"caching soft labels"``.
        total: Number of items where ``len(items)`` does not tell.
        done: Items finished by an earlier, resumed run.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    if total is None:
        total = len(items) if hasattr(items, "__len__") else None  # type: ignore[arg-type]
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *times)
    with Progress(*columns, console=console(), transient=True) as bar:
        task = bar.add_task(what, total=None if total is None else total + done, completed=done)
        for item in items:
            yield item
            bar.advance(task)
