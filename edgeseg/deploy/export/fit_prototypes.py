"""Measures a checkpoint's class prototypes and writes them into it, from where every export takes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeseg import datasets
from edgeseg.datasets import require_usable
from edgeseg.deploy.export.fitted import require_checkpoint, store
from edgeseg.deploy.prototypes import PROTOTYPES_KEY, measure
from edgeseg.files import digest_file
from edgeseg.nets.runner import TorchRunner


@dataclass(frozen=True)
class PrototypeReport:
    """What was measured.

    Attributes:
        model: The checkpoint that now has the prototypes.
        features: Length K of a prototype.
        pixels: Labeled pixels behind each class's, null for classes that have none.
        images: Images they were in.
        data: The dataset's description.
        model_digest: SHA-256 of the checkpoint as written.
    """

    model: str
    features: int
    pixels: dict[str, int | None]
    images: int
    data: str
    model_digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def fit_prototypes(path: Path, data: str, out: Path | None = None) -> PrototypeReport:
    """Averages the features of each class's labeled pixels and writes the means into the checkpoint.

    Args:
        path: The checkpoint.
        data: ``LAYOUT:PATH[#SPLIT]``, labeled; the frames that the model was trained on serve well.
        out: Where the checkpoint with the prototypes is written, None to replace ``path``.

    Raises:
        UsageError: ``path`` is an exported graph, whose metadata is sealed.
        ConfigError: The dataset's classes are not the model's, or the network does not say where its features are.
        DataError: The dataset is empty, unlabeled or damaged.
        ModelError: The checkpoint cannot be read.
        OutputError: The checkpoint cannot be written.
    """
    require_checkpoint(path, "prototypes")
    with TorchRunner(path, emit=("features",)) as runner:
        dataset, class_map = datasets.open(data), runner.info.class_map
        require_usable(dataset)
        sums = measure(runner, dataset)
    target = store(path, out, {PROTOTYPES_KEY: sums.to_plain(dataset.spec)})
    names = [entry.name for entry in class_map.classes]
    return PrototypeReport(
        model=str(target),
        features=int(sums.means().shape[1]),
        pixels={name: int(count) or None for name, count in zip(names, sums.pixels, strict=True)},
        images=len(dataset),
        data=dataset.spec,
        model_digest=digest_file(target),
    )
