"""The unlabeled frames of a training: opened, checked, and the soft labels that some of them may have."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets, softlabels
from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError, ConfigError
from edgeseg.progress import say, warn
from edgeseg.softlabels import SoftLabels
from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.sources import Sources


@dataclass(frozen=True)
class Unlabeled:
    """Unlabeled frames and what is known of them.

    Attributes:
        dataset: The frames; none of them is a validation frame.
        soft_labels: Soft labels of at least one of them, or None.
    """

    dataset: Dataset
    soft_labels: HeldWindows | None

    @property
    def facts(self) -> dict[str, Any]:
        """Plain data that a checkpoint carries, and that must be the same when a run goes on."""
        digest = hashlib.sha256("\n".join(self.dataset.sample_ids).encode()).hexdigest()
        facts: dict[str, Any] = {"unlabeled": {"frames": len(self.dataset), "digest": digest}}
        if self.soft_labels is not None:
            facts["unlabeled_soft_labels"] = self.soft_labels.cache.info.fingerprint
        return facts


@dataclass(frozen=True)
class HeldWindows:
    """Reads windows of soft labels, all 0 for a frame that the cache does not hold: the KL term skips it."""

    cache: SoftLabels

    def __call__(
        self, sample_id: str, top: int, left: int, height: int, width: int, size: tuple[int, int]
    ) -> NDArray[np.float32]:
        """(C, h, w) float32 of size (h, w), see ``SoftLabels.window``."""
        if sample_id in self.cache:
            return self.cache.window(sample_id, top, left, height, width, size)
        return np.zeros((self.cache.info.class_map.num_classes, *size), np.float32)


def open_unlabeled(settings: TrainSettings, sources: Sources, cache: SoftLabels | None = None) -> Unlabeled | None:
    """Opens the unlabeled frames, where the settings name some.

    Args:
        settings: Of the training.
        sources: The labeled data.
        cache: Soft labels of ``settings.data``.

    Raises:
        CacheError: The cache for the unlabeled frames has other classes, frame sizes, or none of the frames.
        ConfigError: Settings do not fit together.
        DataError: The frames cannot be opened, or all of them are validation frames.
    """
    if settings.unlabeled is None:
        return None
    _check(settings, sources)
    dataset = _without(datasets.open(settings.unlabeled), sources.val)
    _compare_shapes(dataset, sources.train, settings)
    found = Unlabeled(dataset, _soft_labels(settings, dataset, cache))
    if not settings.semi.weight and found.soft_labels is None:
        raise ConfigError(
            f"nothing can be learned from unlabeled {settings.unlabeled}: semi.weight is 0 and no cache holds soft "
            "labels of its frames; raise semi.weight, or distill with unlabeled_cache"
        )
    return found


def _check(settings: TrainSettings, sources: Sources) -> None:
    semi = settings.semi
    semi.first_epoch(settings.epochs)
    semi.samples(settings.batch_size)
    if semi.classmix == "balanced" and semi.weight and not sources.uses_labels:
        raise ConfigError(
            "semi.classmix=balanced pastes labeled pixels, but this training reads no labels; set semi.classmix to "
            "plain or off"
        )
    if semi.augment is not None and semi.augment.window != settings.augment.window:
        raise ConfigError(
            f"semi.augment.window is {semi.augment.window}, augment.window {settings.augment.window}; labeled and "
            "unlabeled images go through the network together, so give both the same"
        )


def _without(dataset: Dataset, val: Dataset | None) -> Dataset:
    """The frames that are not validation frames: what a checkpoint is chosen on must not be trained on."""
    if val is None:
        return dataset
    known = {_identity(val, index) for index in range(len(val))}
    kept = [index for index in range(len(dataset)) if _identity(dataset, index) not in known]
    if len(kept) == len(dataset):
        return dataset
    if not kept:
        raise ConfigError(f"all frames of unlabeled {dataset.spec} are validation frames; name others")
    say(f"{len(dataset) - len(kept)} of {len(dataset)} unlabeled frames are validation frames and left out")
    return datasets.Subset(dataset, kept)


def _identity(dataset: Dataset, index: int) -> str:
    files = dataset.files(index)
    return str(files[0].resolve()) if files else f"{_place(dataset.spec)} {dataset.sample_ids[index]}"


def _place(spec: str) -> tuple[str, str]:
    layout, path, _ = datasets.parse_spec(spec)
    return layout, str(Path(path).expanduser().resolve())


def _compare_shapes(dataset: Dataset, train: Dataset, settings: TrainSettings) -> None:
    (height, width), (other_height, other_width) = dataset.size(0), train.size(0)
    if settings.preprocess.resize == "stretch" and abs(height * other_width / (width * other_height) - 1) > 0.02:
        warn(
            f"unlabeled frames of {height}x{width} and labeled ones of {other_height}x{other_width} (HxW) are "
            "squeezed differently into the network's input; preprocess.resize=letterbox or crop keeps proportions"
        )


def _soft_labels(settings: TrainSettings, dataset: Dataset, cache: SoftLabels | None) -> HeldWindows | None:
    if not isinstance(settings, DistillSettings) or not settings.semi.cached_labels:
        return None
    if settings.unlabeled_cache is not None:
        cache = softlabels.open(settings.unlabeled_cache)
    elif _place(dataset.spec) != _place(settings.data):
        # Frames of another dataset may have the same ids as those that the cache was made of.
        return None
    assert cache is not None
    held = [index for index in range(len(dataset)) if dataset.sample_ids[index] in cache]
    if not held and settings.unlabeled_cache is None:
        return None
    if not held:
        raise CacheError(
            f"{cache.where}: holds none of the {len(dataset)} frames of unlabeled {dataset.spec}; build a cache of "
            "these frames with edgeseg cache build"
        )
    softlabels.require_fit(cache, datasets.Subset(dataset, held))
    say(f"{len(held)} of {len(dataset)} unlabeled frames have soft labels in {cache.where}")
    return HeldWindows(cache)
