"""Pictures of what a model says: class map, colours and entropy of every frame of a source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.deploy.fullsize import FullSize, predict_full_size
from edgeseg.deploy.runners.base import Runner, require_outputs
from edgeseg.frames import Frame, open_source
from edgeseg.images import write_png
from edgeseg.progress import track

KINDS = ("classes", "color", "entropy")


@dataclass(frozen=True)
class PredictReport:
    """What was written.

    Attributes:
        out: The folder.
        names: Frame id → NAME of its files ``NAME_classes.png``, ``NAME_color.png``, ``NAME_entropy.png``.
        model_digest: SHA-256 of the model file.
    """

    out: Path
    names: dict[str, str]
    model_digest: str

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.names)

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "out": str(self.out),
            "frames": self.frames,
            "model_digest": self.model_digest,
            "names": self.names,
        }


def predict(runner: Runner, source: str | Iterable[Frame], out: Path) -> PredictReport:
    """Writes three pictures of every frame, all at the frame's own size.

    - ``NAME_classes.png``: train ids; of the logits, upsampled bilinearly, where the model gives them,
      otherwise the class map by nearest neighbour. 255 where a model that crops did not look.
    - ``NAME_color.png``: the same in the class map's colours.
    - ``NAME_entropy.png``: 255 = log C nats, upsampled bilinearly; 0 where the model did not look.

    NAME is the last part of the frame's id, or the whole id with ``_`` between its parts, numbered if need
    be, where an earlier frame of the source took that name.

    Raises:
        DataError: A frame cannot be read.
        ModelError: The model does not give class map and entropy.
        OutputError: The folder cannot be written.
    """
    require_outputs(runner, ("class_map", "entropy"), "prediction")
    frames = open_source(source) if isinstance(source, str) else source
    names: dict[str, str] = {}
    taken: set[str] = set()
    for frame in track(frames, "predicting", total=getattr(frames, "length", None)):
        name = names[frame.id] = _free_name(frame.id, taken)
        taken.add(name)
        for kind, picture in zip(KINDS, draw(runner, frame.image), strict=True):
            write_png(out / f"{name}_{kind}.png", picture)
    return PredictReport(out, names, runner.digest)


def draw(runner: Runner, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Class map (H, W), colours (H, W, 3) RGB and entropy (H, W) of a frame (H, W, 3) uint8 RGB, all uint8."""
    outputs = runner.infer(image)
    full = FullSize(runner.info.preprocess, (image.shape[0], image.shape[1]), image.shape[0], image.shape[1])
    classes = predict_full_size(outputs, full, runner.info.temperature).classes
    entropy = np.rint(full.plane(outputs["entropy"].astype(np.float32))).astype(np.uint8)
    seen = full.seen()
    if seen is not None:
        classes, entropy = np.where(seen, classes, np.uint8(IGNORE_INDEX)), np.where(seen, entropy, np.uint8(0))
    return classes, runner.info.class_map.colorize(classes), entropy


def _free_name(frame_id: str, taken: set[str]) -> str:
    parts = [part for part in frame_id.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    whole = "_".join(parts) or "frame"
    for name in (parts[-1] if parts else whole, whole):
        if name not in taken:
            return name
    number = 2
    while f"{whole}-{number}" in taken:
        number += 1
    return f"{whole}-{number}"
