"""From one class map's probabilities to another's, by a table of class names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from edgeseg.classes import ClassMap
from edgeseg.config import read_mapping
from edgeseg.errors import ConfigError

Table = Mapping[str, str | None]
"""Source class name → target class name, or None where the class is dropped on purpose."""


def remap_matrix(source: ClassMap, target: ClassMap, table: Table | None = None) -> NDArray[np.float32]:
    """Makes the matrix that sums a teacher's probabilities into the student's classes.

    ``target_probs = source_probs @ matrix``. Where the table drops classes, the remaining mass sums to
    less than 1 and is for the caller to renormalise.

    Args:
        source: The teacher's classes.
        target: The student's classes.
        table: Target name of every source class; None takes identical names, and where those do not
            cover the source, the shipped table that does.

    Returns:
        (C_source, C_target) float32 of 0 and 1, at most one 1 a row.

    Raises:
        ConfigError: A source class has no entry, an entry names a class that its map does not have, or
            every class is dropped; the message lists the classes.
    """
    chosen = _default_table(source, target) if table is None else table
    _check(chosen, source, target)
    matrix = np.zeros((source.num_classes, target.num_classes), np.float32)
    for row, name in enumerate(source.names):
        into = chosen[name]
        if into is not None:
            matrix[row, target.names.index(into)] = 1.0
    if not matrix.any():
        raise ConfigError(f"the remapping from {source.name!r} to {target.name!r} drops every class; keep at least one")
    return matrix


def load_table(path: Path) -> dict[str, str | None]:
    """Reads a remapping table: a YAML or JSON mapping of source name to target name or null.

    Raises:
        ConfigError: The file is missing or malformed, or an entry is neither a name nor null.
    """
    table = read_mapping(path)
    wrong = [f"{key!r}: {value!r}" for key, value in table.items() if not _is_entry(key, value)]
    if wrong:
        raise ConfigError(f"{path}: each entry must be 'source class: target class' or null, got {', '.join(wrong)}")
    return table


def _is_entry(key: object, value: object) -> bool:
    return isinstance(key, str) and (value is None or isinstance(value, str))


def _default_table(source: ClassMap, target: ClassMap) -> Table:
    same: Table = {name: name for name in source.names if name in target.names}
    if len(same) == source.num_classes:
        return same
    for shipped in _shipped_tables():
        if set(source.names) <= set(shipped) and set(shipped.values()) <= set(target.names):
            return shipped
    return same


@lru_cache(maxsize=1)
def _shipped_tables() -> tuple[Table, ...]:
    folder = resources.files("edgeseg") / "remap_tables"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return tuple(yaml.safe_load(f.read_text(encoding="utf-8")) for f in files)


def _check(table: Table, source: ClassMap, target: ClassMap) -> None:
    unmapped = [name for name in source.names if name not in table]
    if unmapped:
        raise ConfigError(
            f"classes of {source.name!r} without a class in {target.name!r}: {_listed(unmapped)}; "
            f"give a table that maps each to one of {_listed(target.names)}, or to null to drop it"
        )
    values = {table[name] for name in source.names} - {None}
    strangers = [str(value) for value in values if value not in target.names]
    if strangers:
        raise ConfigError(
            f"the remapping names classes that {target.name!r} does not have: {_listed(sorted(strangers))}; "
            f"it has {_listed(target.names)}"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
