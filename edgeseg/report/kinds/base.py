"""What every kind of run gives to a report, and what a kind is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from edgeseg.report.page import Cell, Section

LARGEST_JSON = 256 * 2**20
"""Bytes of a file that is still read to find out what it is."""


@dataclass(frozen=True)
class Course:
    """A figure over the steps of a run.

    Attributes:
        x_label: What is counted, such as ``epoch``.
        y_label: The figure, with its unit.
        x, y: Values.
    """

    x_label: str
    y_label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Run:
    """A run as a report tells it.

    Attributes:
        kind: Name of its kind.
        name: What it is called, as a rule its folder or file.
        lead: One sentence: what was run.
        sections: Tables, plots and frames.
        warnings: What speaks against the figures, one sentence each, with the cure.
        summary: What came out, in plain words.
        facts: On what it ran: data, machine, versions, where they are known.
        basis: What must be the same before figures of two runs may be compared; name → value as text.
        settings: Plain settings, nested; two runs are held against each other by them.
        figures: Name → figure, the most important first.
        courses: What is laid over that of another run.
    """

    kind: str
    name: str
    lead: str
    sections: tuple[Section, ...]
    warnings: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    facts: tuple[tuple[str, Cell], ...] = ()
    basis: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float | int | None] = field(default_factory=dict)
    courses: tuple[Course, ...] = ()


class Found:
    """A file or folder that is to be recognised.

    Args:
        path: It exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """Its name, without the folders above."""
        return self.path.resolve().name

    def has(self, *names: str) -> bool:
        """Whether it is a folder with all these files."""
        return all((self.path / name).is_file() for name in names)

    @cached_property
    def document(self) -> dict[str, Any]:
        """Content of a JSON file that holds a mapping; {} of everything else."""
        if not self.path.is_file() or self.path.suffix != ".json" or self.path.stat().st_size > LARGEST_JSON:
            return {}
        return read_json(self.path)

    def says(self, *keys: str) -> bool:
        """Whether it is a JSON file with all these keys."""
        return all(key in self.document for key in keys)


class Kind(Protocol):
    """One kind of run."""

    name: str
    """As it is called in a report."""
    looks_like: str
    """By what it is recognised, for people."""

    def recognises(self, found: Found) -> bool:
        """Whether this is one; looks at names and keys, and raises nothing."""

    def read(self, found: Found) -> Run:
        """Reads it.

        Raises:
            EdgesegError: It is damaged.
            KeyError, TypeError, ValueError: It has another form after all; the caller tells which file.
        """


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; {} where it holds something else or cannot be read."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) else {}


def flat(plain: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested settings by dotted name: ``{"optimizer": {"kind": "adamw"}}`` → ``{"optimizer.kind": "adamw"}``."""
    found: dict[str, Any] = {}
    for name, value in plain.items():
        inner = flat(value, f"{before}{name}.") if isinstance(value, Mapping) and value else {f"{before}{name}": value}
        found.update(inner)
    return found


def shown(value: Any) -> str:
    """A setting's value as text."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def points(share: float | None) -> str:
    """A share in percent with one decimal: mIoU is told in points."""
    return "–" if share is None else f"{100 * share:.1f} %"


def count_of(number: int, noun: str) -> str:
    """``1 frame``, ``2 frames``, ``2 strategies``."""
    several = f"{noun[:-1]}ies" if noun.endswith("gy") else f"{noun}s"
    return f"{number} {noun if number == 1 else several}"


def unique(names: Sequence[str]) -> list[str]:
    """Names of which no two are the same: those that are get their position."""
    return [f"{name} ({n})" if names.count(name) > 1 else name for n, name in enumerate(names, 1)]


def machine_facts(machine: Mapping[str, Any] | None) -> tuple[tuple[str, Cell], ...]:
    """What ``describe_machine`` said, as far as a report tells it."""
    if not machine:
        return ()
    packages = ", ".join(f"{name} {version}" for name, version in (machine.get("packages") or {}).items())
    gpus = ", ".join(gpu["name"] for gpu in machine.get("gpus") or ())
    entries: Iterable[tuple[str, Cell]] = (
        ("processor", machine.get("cpu")),
        ("cores", machine.get("usable_cores")),
        ("GPU", gpus or None),
        ("memory, MB", machine.get("memory_mb")),
        ("system", machine.get("os")),
        ("Python", machine.get("python")),
        ("edgeseg", machine.get("edgeseg")),
        ("packages", packages or None),
    )
    return tuple((name, value) for name, value in entries if value is not None)
