"""The data of a training: opened, split, checked at the start."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg import datasets
from edgeseg.datasets import Dataset
from edgeseg.errors import ConfigError
from edgeseg.students.settings import TrainSettings


@dataclass(frozen=True)
class Sources:
    """What a training learns from and what it chooses on.

    Attributes:
        train: Training samples.
        val: Samples that choose the best checkpoint, or None.
        uses_labels: Whether the training reads the labels of ``train``.
    """

    train: Dataset
    val: Dataset | None
    uses_labels: bool

    def require_usable(self) -> None:
        """Raises ``DataError`` where a sample cannot be read; see ``datasets.require_usable``."""
        datasets.require_usable(self.train, labels=self.uses_labels)
        if self.val is not None:
            datasets.require_usable(self.val)


def open_sources(settings: TrainSettings, uses_labels: bool) -> Sources:
    """Opens the datasets, without reading their samples.

    Raises:
        ConfigError: Labels are needed and missing, or the validation data has other classes.
        DataError: A dataset cannot be opened, or is too small to be split.
    """
    data = datasets.open(settings.data)
    if uses_labels and not data.has_labels:
        raise ConfigError(
            f"data {settings.data} has no labels; train on labeled data, or distill with ce_weight=0 and kl_on=all"
        )
    if settings.val is not None and settings.val != "none":
        return Sources(data, _open_val(settings.val, data), uses_labels)
    if settings.val == "none" or not data.has_labels:
        return Sources(data, None, uses_labels)
    train, val = datasets.holdout(data)
    return Sources(train, val, uses_labels)


def _open_val(spec: str, data: Dataset) -> Dataset:
    val = datasets.open(spec)
    if not val.has_labels:
        raise ConfigError(f"val {spec} has no labels; name a labeled set, or none to choose nothing")
    if not val.class_map.same_classes(data.class_map):
        raise ConfigError(
            f"val {spec} has the classes {', '.join(val.class_map.names)}, "
            f"but data {data.spec} has {', '.join(data.class_map.names)}; they must be the same"
        )
    return val
