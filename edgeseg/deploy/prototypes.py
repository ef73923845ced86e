"""Class prototypes: the mean feature vector of each class's labeled pixels, which travel with a model.

Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", 2019, chapter 3.2: the
class-specific strategy assigns a pixel to the class whose prototype is most similar to its features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets import Dataset
from edgeseg.deploy.runners.base import Runner, require_outputs
from edgeseg.errors import ConfigError, DataError, ModelError
from edgeseg.modelinfo import ModelInfo
from edgeseg.preprocess import Preprocess
from edgeseg.progress import track

PROTOTYPES_KEY = "prototypes"
"""Key in ``ModelInfo.extra``: ``vectors`` (one a class, null where no pixel was labeled), ``pixels``, ``data``."""
FEATURE_CELL = 8
"""Side in network pixels of a cell of the output ``features``."""


class PrototypeSums:
    """Sums of features over the labeled pixels of each class.

    Args:
        classes: Number of classes C.
        channels: Number of features K.

    Attributes:
        pixels: (C,) int64, labeled pixels seen of each class.
    """

    def __init__(self, classes: int, channels: int) -> None:
        self.pixels = np.zeros(classes, np.int64)
        self._sums = np.zeros((classes, channels), np.float64)

    def add(self, features: NDArray[np.float32], label: NDArray[np.uint8], preprocess: Preprocess) -> None:
        """Adds one frame.

        Args:
            features: (K, ⌈h/8⌉, ⌈w/8⌉), the model's output.
            label: (H, W) train ids, of any size with the frame's shape.
            preprocess: The model's, which says where a pixel of the label lands.
        """
        channels, rows, columns = features.shape
        cells = label_cells(label.shape, preprocess, columns)
        counted = (label != IGNORE_INDEX) & (cells >= 0)
        places = label[counted].astype(np.int64) * (rows * columns) + cells[counted]
        counts = np.bincount(places, minlength=len(self.pixels) * rows * columns).reshape(-1, rows * columns)
        self.pixels += counts.sum(1)
        self._sums += counts @ features.reshape(channels, -1).T.astype(np.float64)

    def means(self) -> NDArray[np.float64]:
        """Prototypes (C, K), NaN for classes of which nothing was labeled."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sums / self.pixels[:, None])

    def to_plain(self, data: str) -> dict[str, Any]:
        """What a model carries under ``PROTOTYPES_KEY``; ``data`` describes the dataset."""
        # Seven digits: what a float32 holds.
        vectors = [
            [float(f"{value:.7g}") for value in mean] if count else None
            for mean, count in zip(self.means(), self.pixels, strict=True)
        ]
        return {"vectors": vectors, "pixels": self.pixels.tolist(), "data": data}


def label_cells(shape: tuple[int, ...], preprocess: Preprocess, columns: int) -> NDArray[np.int64]:
    """Index of the cell in which each pixel of a label (H, W) lies, row by row; -1 where a crop cuts it off."""
    place = preprocess.placement(shape[0], shape[1])
    ys = _network_pixels(shape[0], place.height, place.top, preprocess.height) // FEATURE_CELL
    xs = _network_pixels(shape[1], place.width, place.left, preprocess.width) // FEATURE_CELL
    return np.where((ys[:, None] < 0) | (xs[None, :] < 0), -1, ys[:, None] * columns + xs[None, :])


def _network_pixels(length: int, scaled: int, offset: int, limit: int) -> NDArray[np.int64]:
    places = np.floor((np.arange(length) + 0.5) * scaled / length).astype(np.int64) + offset
    return np.where((places < 0) | (places >= limit), -1, places)


def measure(runner: Runner, dataset: Dataset) -> PrototypeSums:
    """Sums a labeled dataset's features by class.

    Raises:
        ConfigError: The dataset's classes are not the model's.
        DataError: No pixel is labeled.
        ModelError: The model gives no features.
    """
    require_outputs(runner, ("features",), "class prototypes")
    if not runner.info.class_map.same_classes(dataset.class_map):
        raise ConfigError(
            f"{dataset.spec}: its classes are not the model's, and prototypes are of the model's own; "
            "use a dataset of the classes that the model was trained on"
        )
    sums: PrototypeSums | None = None
    for index in track(range(len(dataset)), "measuring prototypes"):
        features = runner.infer(dataset.image(index))["features"]
        sums = sums or PrototypeSums(runner.info.class_map.num_classes, len(features))
        sums.add(features, dataset.label(index), runner.info.preprocess)
    if sums is None or not sums.pixels.any():
        raise DataError(f"{dataset.spec}: no pixel is labeled, so there is nothing to average")
    return sums


def class_prototypes(info: ModelInfo, where: str) -> NDArray[np.float32]:
    """A model's prototypes (C, K), NaN for classes that have none.

    Args:
        info: What the model carries.
        where: Its file, for the messages.

    Raises:
        ModelError: It carries none, or something else under their name.
    """
    plain = info.extra.get(PROTOTYPES_KEY)
    if plain is None:
        raise ModelError(
            f"{where}: carries no class prototypes; make them with edgeseg fit-prototypes M.edgeseg --data D, "
            "then export it again with --emit features"
        )
    try:
        known = [vector for vector in plain["vectors"] if vector is not None]
        missing = [float("nan")] * len(known[0])
        vectors = np.asarray([missing if vector is None else vector for vector in plain["vectors"]], np.float32)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"{where}: its class prototypes are malformed ({error!r}); fit them again") from None
    if vectors.ndim != 2 or len(vectors) != info.class_map.num_classes:
        raise ModelError(f"{where}: has {len(vectors)} class prototypes for {info.class_map.num_classes} classes")
    return vectors
