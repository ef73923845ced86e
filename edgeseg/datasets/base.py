"""What a dataset is: named samples, each an image and perhaps a label map of train ids."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import ClassMap
from edgeseg.errors import ConfigError, DataError


class Dataset(ABC):
    """Samples in a fixed order; reading is random access and safe from several threads and processes.

    Attributes:
        spec: What it was opened from, ``"LAYOUT:PATH[#SPLIT]"``.
        class_map: Names, colours and train ids of the labels.
        sample_ids: One unique text per sample: the image's path relative to the dataset's folder,
            without the extension, with ``/`` between the parts.
        has_labels: Whether labels exist; a single missing one is still an error of that sample.
        listing_problems: What was wrong with the tree itself when it was listed, such as a label
            that belongs to no image.
        label_form: Where the layout keeps its labels, for the message that there are none.
    """

    spec: str
    class_map: ClassMap
    sample_ids: tuple[str, ...]
    has_labels: bool
    listing_problems: tuple[str, ...] = ()
    label_form: str = ""

    def __len__(self) -> int:
        return len(self.sample_ids)

    @abstractmethod
    def image(self, index: int) -> NDArray[np.uint8]:
        """Image (H, W, 3) uint8 RGB.

        Raises:
            DataError: The image cannot be read.
        """

    @abstractmethod
    def label(self, index: int) -> NDArray[np.uint8]:
        """Label map (H, W) uint8 of train ids, ``IGNORE_INDEX`` where nothing counts.

        Raises:
            DataError: The label is missing, cannot be read, or holds an unknown value.
        """

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image, in pixels; from the file's header where there is a file.

        Raises:
            DataError: The image cannot be read.
        """
        height, width = self.image(index).shape[:2]
        return height, width

    def files(self, index: int) -> tuple[Path, ...]:
        """Files that the sample is read from, image first; none where it is computed."""
        return ()

    def label_bytes(self, index: int) -> bytes:
        """What identifies the sample's label: the label file's bytes, or the train ids where there is no file."""
        return self.label(index).tobytes() if self.has_labels else b""

    def digest(self) -> str:
        """SHA-256 over sample ids and label bytes, 64 hexadecimal digits."""
        sha = hashlib.sha256()
        for index, sample_id in enumerate(self.sample_ids):
            label = hashlib.sha256(self.label_bytes(index)).hexdigest()
            sha.update(f"{sample_id}\n{label}\n".encode())
        return sha.hexdigest()


class Subset(Dataset):
    """Some samples of another dataset, in the order given."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = tuple(indices)
        self.spec = dataset.spec
        self.class_map = dataset.class_map
        self.sample_ids = tuple(dataset.sample_ids[i] for i in self.indices)
        self.has_labels = dataset.has_labels
        self.listing_problems = dataset.listing_problems
        self.label_form = dataset.label_form

    def image(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.image``."""
        return self.dataset.image(self.indices[index])

    def label(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.label``."""
        return self.dataset.label(self.indices[index])

    def size(self, index: int) -> tuple[int, int]:
        """See ``Dataset.size``."""
        return self.dataset.size(self.indices[index])

    def files(self, index: int) -> tuple[Path, ...]:
        """See ``Dataset.files``."""
        return self.dataset.files(self.indices[index])

    def label_bytes(self, index: int) -> bytes:
        """See ``Dataset.label_bytes``."""
        return self.dataset.label_bytes(self.indices[index])


def holdout(dataset: Dataset, share: float = 0.1) -> tuple[Subset, Subset]:
    """Sets a share of the samples aside, chosen by hash of the sample id.

    The samples with the smallest hashes are set aside, so the choice depends neither on the order of the files
    nor on a seed, and hardly changes when samples are added.

    Args:
        dataset: At least two samples.
        share: Share to set aside, within (0, 1); at least one sample is, and at least one stays.

    Returns:
        ``(train, val)``, both in the dataset's order.

    Raises:
        ConfigError: ``share`` is out of range.
        DataError: There are fewer than two samples.
    """
    if not 0 < share < 1:
        raise ConfigError(f"holdout share must be above 0 and below 1, got {share}")
    if len(dataset) < 2:
        raise DataError(
            f"{dataset.spec} has {len(dataset)} sample(s), too few to set some aside; name a validation set with --val"
        )
    by_hash = sorted(range(len(dataset)), key=lambda i: hashlib.sha256(dataset.sample_ids[i].encode()).digest())
    aside = set(by_hash[: min(max(1, round(share * len(dataset))), len(dataset) - 1)])
    train = [i for i in range(len(dataset)) if i not in aside]
    return Subset(dataset, train), Subset(dataset, sorted(aside))
