from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseg import datasets
from edgeseg.datasets import Dataset
from edgeseg.errors import DataError
from edgeseg.preprocess import Preprocess
from edgeseg.students.batches import Batch, DecodedFrames, EpochBatches, TrainingSamples, batches_of, make_loader
from edgeseg.students.groups import AugmentSettings


class Counting(Dataset):
    """Passes on and counts what is read."""

    def __init__(self, dataset: Dataset, broken: int | None = None) -> None:
        self.inner, self.broken = dataset, broken
        self.spec, self.class_map = dataset.spec, dataset.class_map
        self.sample_ids, self.has_labels = dataset.sample_ids, dataset.has_labels
        self.reads = [0] * len(dataset)

    def image(self, index: int) -> np.ndarray:  # type: ignore[type-arg]
        self.reads[index] += 1
        return self.inner.image(index)

    def label(self, index: int) -> np.ndarray:  # type: ignore[type-arg]
        if index == self.broken:
            raise DataError(f"label {index} is broken")
        return self.inner.label(index)


def _collect(frames: DecodedFrames, workers: int, epoch: int) -> list[Batch]:
    batches = EpochBatches(len(frames), 3, seed=1)
    samples = TrainingSamples(frames, Preprocess(24, 24), AugmentSettings(), seed=1)
    loader = make_loader(samples, batches, workers, pin=False)
    batches.epoch = epoch
    return list(batches_of(loader))


def test_frames_in_memory_and_beyond_are_the_dataset_s(camvid: str) -> None:
    dataset = datasets.open(f"{camvid}#train")
    frames = DecodedFrames(dataset, memory_mb=3 * 32 * 48 * 4 / 2**20)
    assert frames.memory_mb == pytest.approx(3 * 32 * 48 * 4 / 2**20)
    for index in range(len(dataset)):
        image, label = frames[index]
        assert np.array_equal(image.permute(1, 2, 0).numpy(), dataset.image(index))
        assert np.array_equal(label.numpy(), dataset.label(index))
    for mine, theirs in zip(frames.label_maps(), map(dataset.label, range(len(dataset))), strict=True):
        assert np.array_equal(mine, theirs)


def test_nothing_is_decoded_twice_within_the_bound(camvid: str) -> None:
    dataset = Counting(datasets.open(f"{camvid}#train"))
    before = DecodedFrames(dataset, memory_mb=1)
    opened = list(dataset.reads)
    for epoch in (0, 1):
        _collect(before, 0, epoch)
    assert dataset.reads == opened
    assert sum(opened) <= len(dataset) + 1  # the first frame's size


def test_unlabeled_use_gives_ignored_labels(camvid: str) -> None:
    frames = DecodedFrames(datasets.open(f"{camvid}#train"), 1, labels=False)
    assert bool((frames[0][1] == 255).all())


def test_label_of_another_size_is_refused_by_sample_id(camvid: str) -> None:
    class Cut(Counting):
        def label(self, index: int) -> np.ndarray:  # type: ignore[type-arg]
            return self.inner.label(index)[:-1]

    with pytest.raises(DataError, match=r"train0.*must be of one size"):
        DecodedFrames(Cut(datasets.open(f"{camvid}#train")), 1)


def test_samples_do_not_depend_on_workers(camvid: str) -> None:
    frames = DecodedFrames(datasets.open(f"{camvid}#train"), 1)
    here, there = _collect(frames, 0, 5), _collect(frames, 2, 5)
    assert [b.sample_ids for b in here] == [b.sample_ids for b in there]
    assert all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) for a, b in zip(here, there, strict=True)
    )


def test_epochs_differ_in_order_and_augmentation(camvid: str) -> None:
    frames = DecodedFrames(datasets.open(f"{camvid}#train"), 1)
    first, second = _collect(frames, 0, 0), _collect(frames, 0, 1)
    assert [b.sample_ids for b in first] != [b.sample_ids for b in second]


def test_last_incomplete_batch_is_dropped_unless_it_is_the_only_one() -> None:
    batches = EpochBatches(7, 3, seed=0)
    keys = list(batches)
    assert len(batches) == len(keys) == 2
    assert all(len(batch) == 3 for batch in keys)
    assert sorted(index for _, index in next(iter(EpochBatches(2, 8, seed=0)))) == [0, 1]


def test_processes_split_each_batch() -> None:
    whole = list(EpochBatches(13, 6, seed=0))
    parts = [list(EpochBatches(13, 6, seed=0, rank=rank, world=3)) for rank in range(3)]
    for number, batch in enumerate(whole):
        assert [len(part[number]) for part in parts] == [2, 2, 2]
        assert sorted(key for part in parts for key in part[number]) == sorted(batch)


@pytest.mark.parametrize("workers", [0, 1])
def test_error_of_a_loader_process_arrives_as_it_was(camvid: str, workers: int) -> None:
    dataset = Counting(datasets.open(f"{camvid}#train"))
    frames = DecodedFrames(dataset, memory_mb=0)
    dataset.broken = 2
    with pytest.raises(DataError) as caught:
        for epoch in range(3):  # the broken sample may be the one dropped in an epoch
            _collect(frames, workers, epoch)
    assert str(caught.value) == "label 2 is broken"
