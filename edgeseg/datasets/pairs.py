"""Datasets that lie in a folder as image files and, beside them, label files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import ClassMap
from edgeseg.datasets.base import Dataset
from edgeseg.errors import DataError
from edgeseg.images import IMAGE_SUFFIXES, image_size, read_image, read_label


@dataclass(frozen=True)
class Pair:
    """One sample's files.

    Attributes:
        image: The image file.
        label: Where the label file is, or would be.
    """

    image: Path
    label: Path


@dataclass(frozen=True)
class Layout:
    """What the readers of one kind of tree have in common.

    Attributes:
        name: Name in the spec, such as ``"camvid"``.
        root: The dataset's folder; sample ids are relative to it.
        class_map: Meaning of the values in the label files.
        label_form: Where labels lie, for messages.
    """

    name: str
    root: Path
    class_map: ClassMap
    label_form: str


@dataclass(frozen=True)
class Listing:
    """What one split of a layout holds.

    Attributes:
        split: Name of the split, or None in layouts without splits.
        images: Folder that the images lie in, for messages.
        pairs: Image and label files, sorted by image.
        orphans: Label files without an image.
    """

    split: str | None
    images: Path
    pairs: tuple[Pair, ...]
    orphans: tuple[Path, ...] = ()

    @property
    def has_labels(self) -> bool:
        """Whether any sample has its label."""
        return any(pair.label.is_file() for pair in self.pairs)


class FileDataset(Dataset):
    """Images and label images read from files.

    Args:
        layout: Kind of tree, its folder and its classes.
        listings: The splits to join.
        split: The split asked for, for the spec.

    Raises:
        DataError: There is no image, or two images would share a sample id.
    """

    def __init__(self, layout: Layout, listings: Sequence[Listing], split: str | None) -> None:
        self.spec = f"{layout.name}:{layout.root}" + (f"#{split}" if split else "")
        self.class_map = layout.class_map
        self.label_form = layout.label_form
        self.pairs = tuple(pair for listing in listings for pair in listing.pairs)
        if not self.pairs:
            folders = ", ".join(str(listing.images) for listing in listings)
            raise DataError(f"{self.spec}: no images in {folders}; check the path, the layout and the split")
        self.sample_ids = tuple(pair.image.relative_to(layout.root).with_suffix("").as_posix() for pair in self.pairs)
        _refuse_twins(self.spec, self.sample_ids)
        self.has_labels = any(listing.has_labels for listing in listings)
        self.listing_problems = tuple(
            f"{orphan}: label without an image; remove it or restore the image"
            for listing in listings
            for orphan in listing.orphans
        )

    def image(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.image``."""
        return read_image(self.pairs[index].image)

    def label(self, index: int) -> NDArray[np.uint8]:
        """See ``Dataset.label``."""
        path = self._label_path(index)
        return self.class_map.encode(read_label(path), str(path))

    def size(self, index: int) -> tuple[int, int]:
        """See ``Dataset.size``."""
        return image_size(self.pairs[index].image)

    def files(self, index: int) -> tuple[Path, ...]:
        """Image file, and the label file where the dataset has labels (it may be missing)."""
        pair = self.pairs[index]
        return (pair.image, pair.label) if self.has_labels else (pair.image,)

    def label_bytes(self, index: int) -> bytes:
        """See ``Dataset.label_bytes``."""
        return self._label_path(index).read_bytes() if self.has_labels else b""

    def _label_path(self, index: int) -> Path:
        path = self.pairs[index].label
        if not path.is_file():
            sample_id = self.sample_ids[index]
            raise DataError(f"{path}: label of sample {sample_id!r} is missing; restore it or remove the image")
        return path


def image_files(folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES, recursive: bool = False) -> list[Path]:
    """Image files in a folder, sorted by path; hidden files are left out."""
    allowed = tuple(suffixes)
    found = folder.rglob("*") if recursive else folder.glob("*")
    return sorted(p for p in found if p.suffix.lower() in allowed and not p.name.startswith(".") and p.is_file())


def pair_files(
    split: str | None, folder: Path, images: Sequence[Path], labels: Sequence[Path], label_of: Callable[[Path], Path]
) -> Listing:
    """Finds each image's label.

    Args:
        split: Name of the split.
        folder: Folder that the images lie in.
        images: Image files.
        labels: Label files that exist.
        label_of: Where an image's label must lie.
    """
    pairs = tuple(Pair(image, label_of(image)) for image in images)
    wanted = {pair.label for pair in pairs}
    return Listing(split, folder, pairs, tuple(path for path in labels if path not in wanted))


def open_splits(
    layout: Layout, split: str | None, present: Sequence[str], list_split: Callable[[str], Listing]
) -> FileDataset:
    """Opens one split, or without a name every split that has labels (all, where none has).

    Args:
        layout: Kind of tree, its folder and its classes.
        split: The split asked for.
        present: Splits that the folder holds.
        list_split: Lists one split.

    Raises:
        DataError: The folder has another form, the split is not there, or it is empty.
    """
    where = f"{layout.name}:{layout.root}"
    if not present:
        raise DataError(f"{where} has no split of the {layout.name} layout; check the path and the layout")
    if split is not None and split not in present:
        raise DataError(f"{where} has no split {split!r}; splits there: {', '.join(present)}")
    if split is not None:
        return FileDataset(layout, [list_split(split)], split)
    listings = [list_split(name) for name in present]
    labeled = [listing for listing in listings if listing.has_labels]
    return FileDataset(layout, labeled or listings, None)


def existing_folder(layout: str, path: str) -> Path:
    """The dataset's folder as a path.

    Raises:
        DataError: It does not exist, is no folder, or cannot be read.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "no such folder"
        raise DataError(f"{layout}:{path}: {what}; write LAYOUT:PATH[#SPLIT] with the dataset's own folder")
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError(f"{layout}:{path}: the folder cannot be read; its access rights do not allow it")
    return root


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted, hidden ones left out; none where the folder does not exist."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _refuse_twins(spec: str, sample_ids: Sequence[str]) -> None:
    twins = [sample_id for sample_id, count in Counter(sample_ids).items() if count > 1]
    if twins:
        raise DataError(
            f"{spec}: several images differ only in their extension, such as {twins[0]!r}; remove all but one of each"
        )
