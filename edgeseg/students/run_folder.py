"""The folder of a run: checkpoints, metrics, settings, and the state from which it goes on after being killed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from edgeseg.errors import ConfigError, OutputError, TrainingError
from edgeseg.files import atomic_path, locked, write_atomic

FREE_SETTINGS = ("workers", "memory_mb", "threads", "compile")
"""Settings without influence on the result but for rounding, which may differ when a run goes on."""
EXTRA_WEIGHTS = "extra.safetensors"
"""Weights of the extra loss that go with ``last.edgeseg``, where it has any."""


@dataclass
class RunState:
    """Everything that the rest of a run depends on, after some epochs.

    Attributes:
        settings: Plain settings of the run.
        data_digest: Digest of the training data.
        epoch: Epochs done.
        best_miou: Best so far, None before the first validation.
        history: One plain line of figures an epoch.
        net, ema, teacher, optimizer, scaler, objective: State dicts; ``ema`` None without averaging, ``teacher`` None
            without a mean teacher.
        extra: State of the extra loss, None without one.
    """

    settings: dict[str, Any]
    data_digest: str
    epoch: int = 0
    best_miou: float | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    net: dict[str, Tensor] = field(default_factory=dict)
    ema: dict[str, Tensor] | None = None
    teacher: dict[str, Tensor] | None = None
    optimizer: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Tensor] = field(default_factory=dict)
    extra: dict[str, dict[str, Tensor]] | None = None


class RunFolder:
    """Names and files of a run's folder.

    Args:
        path: The folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best, self.last = path / "best.edgeseg", path / "last.edgeseg"
        self.metrics, self.config, self.state = path / "metrics.jsonl", path / "config.yaml", path / "state.pt"
        self.extra = path / EXTRA_WEIGHTS

    @contextmanager
    def claimed(self, resume: bool) -> Iterator[None]:
        """Keeps the folder for this process's run alone.

        Args:
            resume: Whether a run in it may be gone on with.

        Raises:
            OutputError: Another process trains there, or the folder holds a run but ``resume`` is False.
        """
        busy = f"{self.path}: another process trains in this folder; wait for it, or name another --out"
        with locked(self.path, busy):
            if resume:
                self.sweep()
            else:
                self.require_free()
            yield

    def require_free(self) -> None:
        """Refuses a folder with the results of a run.

        Raises:
            OutputError: There are some.
        """
        if found := [p.name for p in (self.state, self.best, self.last, self.metrics) if p.exists()]:
            raise OutputError(
                f"{self.path} holds a run ({', '.join(found)}); go on with it by --resume, or name another --out"
            )

    def sweep(self) -> None:
        """Removes the temporary files of a run that was killed while it wrote."""
        for partial in self.path.glob(".*.partial"):
            partial.unlink(missing_ok=True)

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Writes one JSON line an epoch, the whole file at once."""
        write_atomic(self.metrics, "".join(json.dumps(line) + "\n" for line in history))

    def write_extra(self, weights: dict[str, Tensor]) -> None:
        """Writes the weights of the extra loss, whole or not at all; nothing where it has none."""
        if weights:
            with atomic_path(self.extra) as partial:
                save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, partial)

    def write_state(self, state: RunState) -> None:
        """Writes the state, whole or not at all.

        Raises:
            OutputError: The place cannot be written.
        """
        with atomic_path(self.state) as partial:
            try:
                torch.save(vars(state), partial)
            except RuntimeError as error:  # torch's own writer reports a full disk like this
                raise OutputError(f"cannot write {self.state}: {error}; check that the disk has space") from error

    def read_state(
        self, settings: dict[str, Any], data_digest: str, defaults: dict[str, Any] | None = None
    ) -> RunState | None:
        """Reads the state of an earlier run with the same settings and data.

        Args:
            settings: Plain settings of now.
            data_digest: Digest of the training data of now.
            defaults: What settings were that the run does not know, since it was begun by an earlier version.

        Returns:
            The state, or None where no epoch was finished.

        Raises:
            ConfigError: Settings or data changed; the message lists how.
            TrainingError: The state cannot be read.
        """
        if not self.state.exists():
            return None
        try:
            state = RunState(**torch.load(self.state, map_location="cpu", weights_only=True))
        except (RuntimeError, EOFError, TypeError, ValueError, OSError, pickle.UnpicklingError) as error:
            raise TrainingError(f"{self.state}: cannot be read ({error}); start again in another folder") from None
        state.settings = filled(state.settings, defaults or {})
        if lines := changed(state.settings, settings, FREE_SETTINGS):
            raise ConfigError(
                f"{self.path}: settings changed since the run began: {'; '.join(lines)}; "
                "resume with the same ones, or start again in another folder"
            )
        if state.data_digest != data_digest:
            raise ConfigError(
                f"{self.path}: the training data changed since the run began; start again in another folder"
            )
        return state


def filled(plain: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Plain settings, nested, with a default where one is missing."""
    groups = {
        name: filled(value, defaults[name])
        for name, value in plain.items()
        if isinstance(value, dict) and isinstance(defaults.get(name), dict)
    }
    return {**defaults, **plain, **groups}


def changed(before: dict[str, Any], after: dict[str, Any], free: Sequence[str] = ()) -> list[str]:
    """Lists how plain settings differ, by dotted name: ``"optimizer.learning_rate: 0.001, now 0.01"``.

    Args:
        before: Plain settings, nested.
        after: The same, later.
        free: Top-level names that may differ.
    """
    told = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if name in free or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            told += [f"{name}.{line}" for line in changed(old, new)]
        else:
            told.append(f"{name}: {old!r}, now {new!r}")
    return told
