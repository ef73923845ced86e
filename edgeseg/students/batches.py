"""From dataset to batches: decoded frames kept in memory, samples drawn by seed, epoch and id, a loader."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets import Dataset
from edgeseg.errors import DataError, EdgesegError
from edgeseg.preprocess import Preprocess
from edgeseg.students import augment
from edgeseg.students.groups import AugmentSettings
from edgeseg.students.semi.unlabeled import UnlabeledBatch, UnlabeledKey, join_unlabeled

SampleKey = tuple[int, int]
"""(epoch, index in the dataset)."""
WindowReader = Callable[[str, int, int, int, int, tuple[int, int]], NDArray[np.float32]]
"""(sample id, top, left, height, width, (h, w)) → soft labels (C, h, w), as ``SoftLabels.window``."""


@dataclass(frozen=True)
class Batch:
    """N training samples.

    Attributes:
        images: (N, 3, H, W) float32, normalised.
        labels: (N, H, W) uint8 train ids, 255 ignored.
        soft_labels: (N, C, H, W) float32 probabilities, all 0 where there are none; None in a training on labels.
        sample_ids: N texts.
        unlabeled: Samples without labels beside them, or None.
    """

    images: Tensor
    labels: Tensor
    soft_labels: Tensor | None
    sample_ids: tuple[str, ...]
    unlabeled: UnlabeledBatch | None = None

    def pin_memory(self) -> Batch:
        """The same in memory from which tensors move to a GPU without waiting; the loader asks for it."""
        soft = None if self.soft_labels is None else self.soft_labels.pin_memory()
        unlabeled = None if self.unlabeled is None else self.unlabeled.pin_memory()
        images, labels = self.images.pin_memory(), self.labels.pin_memory()
        return replace(self, images=images, labels=labels, soft_labels=soft, unlabeled=unlabeled)


Loaded = Batch | EdgesegError
"""What travels from a loader process: an exception raised there would arrive wrapped in its traceback."""


class DecodedFrames:
    """Frames and labels of a dataset, decoded once and kept in memory as far as the bound allows.

    Everything lies in one block, so that loader processes share it with the process that they come from.
    Samples beyond the bound are read when they are asked for.

    Args:
        dataset: What to read.
        memory_mb: Bound in MiB.
        labels: Whether labels are wanted; without, every label is all ignored.

    Raises:
        DataError: A sample cannot be read, or its label has another size than its image.
    """

    def __init__(self, dataset: Dataset, memory_mb: float, labels: bool = True) -> None:
        self.dataset, self.labels = dataset, labels and dataset.has_labels
        height, width = dataset.size(0)
        self._start: list[int] = []
        self._sizes: list[tuple[int, int]] = []
        self._block = torch.empty(min(int(memory_mb * 2**20), len(dataset) * height * width * 4), dtype=torch.uint8)
        self._fill()

    @property
    def memory_mb(self) -> float:
        """What the frames take, in MiB."""
        return self._block.numel() / 2**20

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Image (3, H, W) uint8 RGB and label (H, W) uint8 train ids."""
        if index >= len(self._start):
            image, label = self._read(index)
            return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(label)
        height, width = self._sizes[index]
        start, pixels = self._start[index], height * width
        image_part = self._block[start : start + 3 * pixels].view(height, width, 3)
        return image_part.permute(2, 0, 1), self._block[start + 3 * pixels : start + 4 * pixels].view(height, width)

    def label_maps(self) -> Iterator[NDArray[np.uint8]]:
        """Label maps (H, W) uint8 of all samples, in order."""
        for index in range(len(self)):
            yield self[index][1].numpy() if index < len(self._start) else self.dataset.label(index)

    def _fill(self) -> None:
        end = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for chunk in _chunks(len(self.dataset), 32):
                for image, label in pool.map(self._read, chunk):
                    content = torch.from_numpy(np.concatenate((image.reshape(-1), label.reshape(-1))))
                    if end + content.numel() > self._block.numel():
                        return
                    self._block[end : end + content.numel()] = content
                    self._start.append(end)
                    self._sizes.append((label.shape[0], label.shape[1]))
                    end += content.numel()

    def _read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image = self.dataset.image(index)
        label = self.dataset.label(index) if self.labels else np.full(image.shape[:2], IGNORE_INDEX, np.uint8)
        if label.shape != image.shape[:2]:
            raise DataError(
                f"{self.dataset.spec}, sample {self.dataset.sample_ids[index]}: the label is {label.shape}, "
                f"the image {image.shape[:2]} (height, width); they must be of one size"
            )
        return np.array(image, order="C"), np.array(label, order="C")


class TrainingSamples(TorchDataset[Loaded]):
    """Augmented samples by (epoch, index); equal keys give equal samples.

    Args:
        frames: Where frames and labels come from.
        preprocess: The network's input.
        settings: Random changes.
        seed: Of the training.
        soft_window: Where soft labels come from, or None.
        unlabeled: Where unlabeled samples come from, or None.
        forkable: Whether processes that are forked from this one can draw them (``SoftLabels.forkable``).
    """

    def __init__(
        self,
        frames: DecodedFrames,
        preprocess: Preprocess,
        settings: AugmentSettings,
        seed: int,
        soft_window: WindowReader | None = None,
        unlabeled: Callable[[UnlabeledKey], UnlabeledBatch] | None = None,
        forkable: bool = True,
    ) -> None:
        self.frames, self.preprocess, self.settings, self.seed = frames, preprocess, settings, seed
        self.soft_window, self.unlabeled, self.forkable = soft_window, unlabeled, forkable
        self._color = augment.jitter(settings)

    def __getitem__(self, key: SampleKey | UnlabeledKey) -> Loaded:
        """One sample, as a batch of one, or the error that kept it from being read."""
        try:
            if isinstance(key, UnlabeledKey):
                return self._draw_unlabeled(key)
            epoch, index = key
            return self._draw(epoch, index, self.frames.dataset.sample_ids[index])
        except EdgesegError as error:
            return error

    def _draw_unlabeled(self, key: UnlabeledKey) -> Batch:
        assert self.unlabeled is not None
        found = self.unlabeled(key)
        images = found.student_images[:0]
        return Batch(images, images[:, 0].to(torch.uint8), None, (), found)

    def _draw(self, epoch: int, index: int, sample_id: str) -> Batch:
        image, label = self.frames[index]
        with augment.sample_randomness(self.seed, epoch, sample_id):
            view = augment.draw_view(self.settings, self.preprocess, label.shape[0], label.shape[1])
            shown = augment.view_image(image, view, self.preprocess, self._color)
        soft = self._soft_labels(sample_id, view) if self.soft_window else None
        shown_label = augment.view_label(label, view)
        return Batch(shown[None], shown_label[None], soft, (sample_id,))

    def _soft_labels(self, sample_id: str, view: augment.View) -> Tensor:
        assert self.soft_window is not None
        size = view.place.height, view.place.width
        window = self.soft_window(sample_id, view.top, view.left, view.height, view.width, size)
        return augment.view_soft_labels(torch.from_numpy(window), view)[None]


class EpochBatches(Sampler[list[SampleKey | UnlabeledKey]]):
    """Shuffled batches of keys; the order is a function of seed and epoch.

    The last incomplete batch is dropped unless it is the only one. With ``iterations`` given, one order follows
    another until there are as many batches, and none is incomplete.

    Args:
        samples: Number of samples.
        batch_size: Samples a batch.
        seed: Of the training.
        unlabeled: (epoch, iteration of the whole training) → keys of unlabeled samples that are added; or None.
        rank, world: Of this process among those that split each batch, which must divide both its parts.
        iterations: Batches of an epoch; None for one pass over the samples.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        seed: int,
        unlabeled: Callable[[int, int], list[UnlabeledKey]] | None = None,
        rank: int = 0,
        world: int = 1,
        iterations: int | None = None,
    ) -> None:
        self.samples, self.batch_size, self.seed = samples, min(batch_size, samples), seed
        self.iterations = iterations or samples // self.batch_size
        self.unlabeled = unlabeled
        self.rank, self.world = rank, world
        self.epoch = 0

    def __len__(self) -> int:
        return self.iterations

    def __iter__(self) -> Iterator[list[SampleKey | UnlabeledKey]]:
        generator = torch.Generator().manual_seed(augment.seed_of(self.seed, self.epoch))
        passes = -(-len(self) * self.batch_size // self.samples)
        # A pass within an epoch counts as one of its own, so that each shows other views of the samples.
        order = [
            (self.epoch * passes + number, index)
            for number in range(passes)
            for index in torch.randperm(self.samples, generator=generator).tolist()
        ]
        for number in range(len(self)):
            start = number * self.batch_size
            labeled = order[start : start + self.batch_size]
            added = self.unlabeled(self.epoch, self.epoch * len(self) + number) if self.unlabeled else []
            yield [*labeled[self.rank :: self.world], *added[self.rank :: self.world]]


def make_loader(samples: TrainingSamples, batches: EpochBatches, workers: int | None, pin: bool) -> DataLoader[Loaded]:
    """Makes the loader; set ``batches.epoch`` before each pass.

    Args:
        samples: What to load.
        batches: Which samples, in what order.
        workers: Processes; None is min(2, processors - 1).
        pin: Whether batches are put in memory from which they move to a GPU without waiting.
    """
    if workers is None:
        workers = min(2, (os.cpu_count() or 1) - 1)
    return DataLoader(
        samples,
        batch_sampler=batches,
        num_workers=workers,
        multiprocessing_context="spawn" if workers and not samples.forkable else None,
        persistent_workers=workers > 0,
        collate_fn=join,
        pin_memory=pin,
        generator=torch.Generator(),  # its own, or each pass would draw from the one that dropout uses
    )


def batches_of(loader: DataLoader[Loaded]) -> Iterator[Batch]:
    """Goes through a loader once.

    Raises:
        EdgesegError: A sample could not be read.
    """
    for loaded in loader:
        if isinstance(loaded, EdgesegError):
            raise loaded
        yield loaded


def join(loaded: list[Loaded]) -> Loaded:
    """Joins batches along N; an error stands for all."""
    if errors := [part for part in loaded if isinstance(part, EdgesegError)]:
        return errors[0]
    parts = [part for part in loaded if isinstance(part, Batch)]
    soft = [part.soft_labels for part in parts if part.soft_labels is not None]
    return Batch(
        torch.cat([part.images for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat(soft) if soft else None,
        tuple(sample_id for part in parts for sample_id in part.sample_ids),
        join_unlabeled([part.unlabeled for part in parts if part.unlabeled is not None]),
    )


def _chunks(total: int, size: int) -> Iterator[range]:
    # Bounds what is decoded ahead: pool.map alone would decode everything at once.
    return (range(start, min(start + size, total)) for start in range(0, total, size))
