"""Checking a dataset: everything is read once, and everything that is wrong is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from edgeseg.classes import ClassMap
from edgeseg.datasets.base import Dataset
from edgeseg.datasets.inspection import LabelStatistics, dataset_problems, inspect_samples, summarize
from edgeseg.datasets.memo import Memo


@dataclass(frozen=True)
class CheckReport:
    """What a dataset holds and what is wrong with it.

    Attributes:
        spec: The dataset.
        class_map: Its classes.
        images: Number of images listed.
        sizes: Image size ``"HxW"`` → number of images that can be read, most frequent first.
        has_labels: Whether the dataset has labels.
        statistics: Class frequencies of the labels that could be read.
        problems: One message for each bad file; empty for a dataset that can be used.
    """

    spec: str
    class_map: ClassMap
    images: int
    sizes: dict[str, int]
    has_labels: bool
    statistics: LabelStatistics
    problems: tuple[str, ...]

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """Classes that no label holds; empty where there are no labels."""
        counts = zip(self.class_map.names, self.statistics.pixels, strict=True)
        return tuple(name for name, pixels in counts if self.has_labels and not pixels)

    def to_dict(self) -> dict[str, Any]:
        """Plain form for ``--json``; ``share`` is of the labeled pixels, null where there are none."""
        total = int(self.statistics.pixels.sum())
        rows = zip(self.class_map.names, self.statistics.pixels, self.statistics.images_with_class, strict=True)
        return {
            "spec": self.spec,
            "images": self.images,
            "labels": self.statistics.images,
            "sizes": self.sizes,
            "classes": {
                name: {"pixels": int(pixels), "share": int(pixels) / total if total else None, "images": int(images)}
                for name, pixels, images in rows
            },
            "ignored_pixels": self.statistics.ignored_pixels,
            "absent_classes": list(self.absent_classes),
            "problems": list(self.problems),
        }


def check(dataset: Dataset) -> CheckReport:
    """Reads every image and label once, in several threads.

    Never raises for a bad file: each becomes one of the report's problems. Good files are remembered for
    ``require_usable``.
    """
    indices = range(len(dataset))
    facts = list(inspect_samples(dataset, indices, dataset.has_labels, "checking"))
    Memo(dataset, dataset.has_labels).remember(dict(zip(indices, facts, strict=True)))
    sizes = Counter(f"{fact.height}x{fact.width}" for fact in facts if fact.height)
    statistics = summarize(facts, dataset.class_map.num_classes)
    problems = tuple(problem for fact in facts for problem in fact.problems)
    return CheckReport(
        spec=dataset.spec,
        class_map=dataset.class_map,
        images=len(dataset),
        sizes=dict(sizes.most_common()),
        has_labels=dataset.has_labels,
        statistics=statistics,
        problems=dataset_problems(dataset, statistics) + problems,
    )
