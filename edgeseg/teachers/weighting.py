"""Where the class weights come from, settled before any teacher runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeseg import datasets
from edgeseg.datasets import Dataset
from edgeseg.errors import ConfigError
from edgeseg.files import digest_file
from edgeseg.progress import say
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.weights import ClassWeights, equal_weights, read_weights


@dataclass(frozen=True)
class Weighting:
    """A choice of class weights.

    Attributes:
        identity: What the fingerprint says of it.
        fixed: The (M, C) weights, or None where they are to be measured.
        measured_on: Labeled dataset to measure them on, or None where they are fixed.
    """

    identity: str
    fixed: ClassWeights | None = None
    measured_on: Dataset | None = None


def settle(settings: CacheSettings, dataset: Dataset) -> Weighting:
    """Reads ``settings.class_weights``.

    Args:
        settings: The build's settings.
        dataset: The frames to cache; measured on itself where ``class_weights`` is ``data`` or its spec.

    Raises:
        ConfigError: The choice is nothing of what it may be, or the file or dataset does not fit.
        DataError: The dataset to measure on cannot be used.
    """
    choice, teachers = settings.class_weights, len(settings.teachers)
    equal = Weighting("equal", fixed=equal_weights(teachers, dataset.class_map.num_classes))
    if choice == "equal":
        return equal
    if choice in ("data", settings.data):
        if dataset.has_labels:
            return Weighting("data", measured_on=dataset)
        say(f"{dataset.spec} has no labels: all teachers get equal class weights")
        return equal
    if Path(choice).suffix.lower() in (".yaml", ".yml", ".json"):
        weights = read_weights(Path(choice), teachers, dataset.class_map)
        return Weighting(f"file {digest_file(Path(choice))}", fixed=weights)
    other = _labeled(choice, dataset)
    return Weighting(f"dataset {other.digest()}", measured_on=other)


def _labeled(spec: str, dataset: Dataset) -> Dataset:
    if ":" not in spec:
        raise ConfigError(
            f"--class-weights {spec}: must be a dataset LAYOUT:PATH, a .yaml or .json file, data, or equal"
        )
    other = datasets.open(spec)
    datasets.require_usable(other)
    if not other.class_map.same_classes(dataset.class_map):
        raise ConfigError(
            f"--class-weights {spec}: must have the classes of {dataset.spec}, but has {other.class_map.name}'s"
        )
    return other
