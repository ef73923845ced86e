"""Class maps: what the numbers in a label image mean, and how the classes of one map become another's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ConfigError, DataError

IGNORE_INDEX = 255
"""Train id of pixels without loss or metric."""


@dataclass(frozen=True)
class SegmentationClass:
    """One row of a class map; its position in the map is its train id.

    Attributes:
        name: The class's name, lower case, unique in the map.
        color: RGB, each 0 to 255.
        ids: Values in the dataset's own label images that mean this class.
    """

    name: str
    color: tuple[int, int, int]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class ClassMap:
    """Table of name, dataset id, train id and colour.

    Attributes:
        name: Name of the map, such as ``"cityscapes"``.
        classes: Rows in train-id order; at most 255.
        ignored_ids: Label values that are read as ``IGNORE_INDEX``. Every value that is neither here
            nor in a row is unknown, and a label image that holds one is refused.
    """

    name: str
    classes: tuple[SegmentationClass, ...]
    ignored_ids: tuple[int, ...] = (IGNORE_INDEX,)

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) <= 255:
            raise ConfigError(f"class map {self.name!r} has {len(self.classes)} classes; 1 to 255 are possible")
        names = [row.name for row in self.classes]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ConfigError(f"class map {self.name!r} names these classes twice: {', '.join(twice)}")
        ids = [i for row in self.classes for i in row.ids] + list(self.ignored_ids)
        if len(set(ids)) != len(ids) or any(not 0 <= i <= 255 for i in ids):
            raise ConfigError(f"class map {self.name!r}: label ids must be unique and within 0 to 255, got {ids}")

    @property
    def num_classes(self) -> int:
        """Number of classes C; train ids are 0 to C - 1."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in train-id order."""
        return tuple(row.name for row in self.classes)

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """Colours (256, 3) uint8 RGB, indexed by train id; unused rows and 255 are black."""
        colors = np.zeros((256, 3), np.uint8)
        colors[: self.num_classes] = [row.color for row in self.classes]
        return colors

    @cached_property
    def _train_id_of(self) -> NDArray[np.int16]:
        table = np.full(256, -1, np.int16)
        for train_id, row in enumerate(self.classes):
            table[list(row.ids)] = train_id
        table[list(self.ignored_ids)] = IGNORE_INDEX
        return table

    def encode(self, label: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
        """Turns a dataset's label image into train ids.

        Args:
            label: (H, W) uint8 of dataset ids.
            where: File name for the error message.

        Returns:
            (H, W) uint8 of train ids, ``IGNORE_INDEX`` where nothing counts.

        Raises:
            DataError: The image holds a value that the map does not know.
        """
        encoded = self._train_id_of[label]
        if encoded.size and encoded.min() < 0:
            unknown = np.unique(label[encoded < 0])
            raise DataError(
                f"{where}: label values {unknown.tolist()} are unknown to class map {self.name!r}; "
                "is this the right layout, and does the file hold class indices rather than colours?"
            )
        return encoded.astype(np.uint8)

    def colorize(self, label: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paints train ids (H, W) uint8 as RGB (H, W, 3) uint8."""
        painted: NDArray[np.uint8] = self.palette[label]
        return painted

    def same_classes(self, other: ClassMap) -> bool:
        """Whether both maps give the same names the same train ids."""
        return self.names == other.names

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON and YAML; ``from_dict`` is its inverse."""
        rows = [{"name": r.name, "color": list(r.color), "ids": list(r.ids)} for r in self.classes]
        return {"name": self.name, "classes": rows, "ignored_ids": list(self.ignored_ids)}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> ClassMap:
        """Reads the plain form.

        Raises:
            ConfigError: A key is missing or of the wrong kind.
        """
        try:
            rows = tuple(
                SegmentationClass(
                    str(r["name"]),
                    (int(r["color"][0]), int(r["color"][1]), int(r["color"][2])),
                    tuple(int(i) for i in r["ids"]),
                )
                for r in plain["classes"]
            )
            ignored = tuple(int(i) for i in plain.get("ignored_ids", (IGNORE_INDEX,)))
            return cls(str(plain["name"]), rows, ignored)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ConfigError(
                f"class map is malformed ({error!r}); it needs name and classes: name, color, ids"
            ) from None


def voc_color(number: int) -> tuple[int, int, int]:
    """Colour RGB of PASCAL VOC's list: the bits of the number, dealt in turn to the high bits of red, green and blue.

    Args:
        number: 0 to 255; 0 is black, and neighbours differ.
    """
    bits = [number >> bit & 1 for bit in range(8)]
    red, green, blue = (sum(bit << (7 - place) for place, bit in enumerate(bits[channel::3])) for channel in range(3))
    return red, green, blue
