"""Reading samples once to learn what is in them and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets.base import Dataset
from edgeseg.errors import DataError
from edgeseg.progress import track


@dataclass(frozen=True)
class SampleFacts:
    """What one sample holds.

    Attributes:
        height: Image height in pixels; 0 where the image cannot be read.
        width: Image width in pixels; 0 where the image cannot be read.
        pixels: (C,) int64, labeled pixels per class; None where the label was not or cannot be read.
        ignored_pixels: Pixels of the label that belong to no class.
        problems: Messages, each naming the file; empty for a good sample.
    """

    height: int
    width: int
    pixels: NDArray[np.int64] | None = None
    ignored_pixels: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelStatistics:
    """Class frequencies of a dataset, as class weighting needs them.

    Attributes:
        pixels: (C,) int64, pixels per class.
        pixels_of_images_with_class: (C,) int64, for each class the labeled pixels (ignored ones left out) of all images
            in which it occurs. Eigen & Fergus (ICCV 2015, sec. 6.3.2): the frequency of a class is ``pixels`` divided
            by this, its weight the median of all frequencies divided by its own.
        images_with_class: (C,) int64, images in which the class occurs.
        ignored_pixels: Pixels of labels that belong to no class.
        images: Images with a label.
    """

    pixels: NDArray[np.int64]
    pixels_of_images_with_class: NDArray[np.int64]
    images_with_class: NDArray[np.int64]
    ignored_pixels: int
    images: int


def inspect_sample(dataset: Dataset, index: int, labels: bool) -> SampleFacts:
    """Reads a sample's image, and its label too if asked; what is wrong becomes a problem, not an error."""
    problems: list[str] = []
    height = width = 0
    try:
        height, width = dataset.image(index).shape[:2]
    except DataError as error:
        problems.append(str(error))
    if not labels:
        return SampleFacts(height, width, problems=tuple(problems))
    try:
        label = dataset.label(index)
    except DataError as error:
        return SampleFacts(height, width, problems=(*problems, str(error)))
    if height and label.shape != (height, width):
        problems.append(_size_mismatch(dataset, index, label.shape, (height, width)))
    counts = np.bincount(label.ravel(), minlength=256)
    pixels = counts[: dataset.class_map.num_classes].astype(np.int64)
    return SampleFacts(height, width, pixels, int(counts[IGNORE_INDEX]), tuple(problems))


def inspect_samples(dataset: Dataset, indices: Iterable[int], labels: bool, what: str) -> Iterator[SampleFacts]:
    """Reads samples in several threads, which image decoding lets run side by side; yields in the order given."""
    wanted = list(indices)
    pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    try:
        results = pool.map(lambda index: inspect_sample(dataset, index, labels), wanted)
        yield from track(results, what, total=len(wanted))
    finally:
        pool.shutdown(cancel_futures=True)


def summarize(facts: Iterable[SampleFacts], num_classes: int) -> LabelStatistics:
    """Adds up the samples whose label was read."""
    rows = [(fact.pixels, fact.ignored_pixels) for fact in facts if fact.pixels is not None]
    pixels = np.array([row for row, _ in rows], np.int64).reshape(-1, num_classes)
    occurs = pixels > 0
    return LabelStatistics(
        pixels=pixels.sum(0),
        pixels_of_images_with_class=(occurs * pixels.sum(1, keepdims=True)).sum(0),
        images_with_class=occurs.sum(0).astype(np.int64),
        ignored_pixels=sum(ignored for _, ignored in rows),
        images=len(rows),
    )


def dataset_problems(dataset: Dataset, statistics: LabelStatistics) -> tuple[str, ...]:
    """What is wrong with the dataset as a whole: its listing, or labels without a single labeled pixel."""
    problems = dataset.listing_problems
    if dataset.has_labels and statistics.images and not statistics.pixels.any():
        problems += (
            f"{dataset.spec}: every pixel of every label is ignored; a benchmark's test labels are not public, "
            "take another split",
        )
    return problems


def _size_mismatch(dataset: Dataset, index: int, label: tuple[int, ...], image: tuple[int, int]) -> str:
    files = dataset.files(index)
    where = files[-1] if files else f"{dataset.spec}, sample {dataset.sample_ids[index]!r}"
    return (
        f"{where}: label is {label[0]}x{label[1]} but its image is {image[0]}x{image[1]} (height x width); "
        "both must have one size"
    )
