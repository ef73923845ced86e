"""How large the activations of a network get on real frames: what int8 has to represent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.errors import DataError

RangeMethod = Literal["minmax", "percentile"]
PERCENTILE = 99.99
"""Of |value| on one frame; the ranges of several frames are averaged, so that no one frame decides."""
_READ_AT_ONCE = 12
_LOOKED_AT = 1 << 20


def activation_ranges(
    probe: GraphProbe, frames: Iterable[NDArray[np.uint8]], tensors: Sequence[str], method: RangeMethod
) -> dict[str, float]:
    """Largest |value| to represent, by tensor.

    A few tensors are read at a time, so that no frame's activations stand in memory together.

    Args:
        probe: The fp32 graph.
        frames: (H, W, 3) uint8 RGB each.
        tensors: Names of inner tensors.
        method: ``minmax``: the largest |value| of all frames. ``percentile``: the mean over the frames of
            the ``PERCENTILE`` of |value|, which gives up a few outliers for a finer step.

    Raises:
        DataError: There are no frames, or a tensor is zero everywhere or not finite on them.
    """
    rows = [
        [_range(array, method) for part in _parts(tensors) for array in probe.read(frame, part).values()]
        for frame in frames
    ]
    if not rows:
        raise DataError(
            "--calibrate holds no frames; name a dataset with frames of the camera, such as a training split"
        )
    values = np.max(rows, axis=0) if method == "minmax" else np.mean(rows, axis=0)
    ranges = dict(zip(tensors, (float(value) for value in values), strict=True))
    useless = [name for name, value in ranges.items() if not (np.isfinite(value) and value > 0)]
    if useless:
        raise DataError(
            f"--calibrate: the activation {useless[0]} is zero or not finite on all {len(rows)} frames; "
            "these are not frames like the ones that the model was trained on"
        )
    return ranges


def _range(array: NDArray[np.float32], method: RangeMethod) -> float:
    values = np.abs(array).ravel()
    if method == "minmax":
        return float(values.max())
    looked_at = values[:: max(1, values.size // _LOOKED_AT)]
    place = min(looked_at.size - 1, int(np.ceil(PERCENTILE / 100 * looked_at.size)) - 1)
    return float(np.partition(looked_at, place)[place])


def _parts(tensors: Sequence[str]) -> list[Sequence[str]]:
    return [tensors[start : start + _READ_AT_ONCE] for start in range(0, len(tensors), _READ_AT_ONCE)]
