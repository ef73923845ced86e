"""Writes what was fitted on labeled frames into a checkpoint, from where every export takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeseg.errors import UsageError
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint


def require_checkpoint(path: Path, what: str) -> None:
    """Refuses an exported graph.

    Raises:
        UsageError: ``path`` is no checkpoint; what a graph carries is sealed.
    """
    if path.suffix != ".edgeseg":
        raise UsageError(f"{path}: an exported graph is sealed; fit the checkpoint's {what} and export it again")


def store(path: Path, out: Path | None, extra: Mapping[str, Any]) -> Path:
    """Adds plain data to a checkpoint.

    Args:
        path: The checkpoint.
        out: Where it is written with the data, None to replace ``path``.
        extra: Keys and values of ``ModelInfo.extra``.

    Returns:
        The file that has the data now.

    Raises:
        ModelError: The checkpoint cannot be read.
        OutputError: The checkpoint cannot be written.
    """
    checkpoint, target = load_checkpoint(path), out or path
    save_checkpoint(target, checkpoint.net, checkpoint.info.with_extra(**extra))
    return target
