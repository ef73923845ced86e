"""Whether a cache fits the dataset that a student is to be trained on."""

from __future__ import annotations

from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError
from edgeseg.softlabels.reader import SoftLabels

_LISTED = 5


def require_fit(cache: SoftLabels, dataset: Dataset) -> None:
    """Checks classes, frames and sizes, from headers alone; the cache may hold more frames than the dataset.

    Raises:
        CacheError: Something does not fit; the message lists everything that does not.
    """
    problems = [*_class_problems(cache, dataset), *_frame_problems(cache, dataset)]
    if problems:
        raise CacheError(
            f"{cache.where}: the cache does not fit {dataset.spec}: {'; '.join(problems)}. "
            "Build a cache of this dataset with edgeseg cache build"
        )


def _class_problems(cache: SoftLabels, dataset: Dataset) -> list[str]:
    cached, wanted = cache.info.class_map, dataset.class_map
    if cached.same_classes(wanted):
        return []
    return [
        f"it has {cached.num_classes} classes ({', '.join(cached.names)}), "
        f"the dataset {wanted.num_classes} ({', '.join(wanted.names)})"
    ]


def _frame_problems(cache: SoftLabels, dataset: Dataset) -> list[str]:
    missing = [sample_id for sample_id in dataset.sample_ids if sample_id not in cache]
    sizes = []
    for index, sample_id in enumerate(dataset.sample_ids):
        if sample_id in cache and (found := cache.shape(sample_id)[1:]) != (size := dataset.size(index)):
            sizes.append(f"{sample_id} is {found[0]}x{found[1]} instead of {size[0]}x{size[1]}")
    problems = []
    if missing:
        unfinished = "" if cache.info.complete else " (the cache is unfinished: continue it with --resume)"
        problems.append(f"{len(missing)} of {len(dataset)} frames are missing{unfinished}: {_some(missing)}")
    if sizes:
        problems.append(f"{len(sizes)} frames have another size: {_some(sizes)}")
    return problems


def _some(items: list[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more
