"""How large the activations of a network get on real frames: what int8 has to represent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.precision.entropy import MagnitudeHistogram
from edgeseg.errors import DataError

RangeMethod = Literal["percentile", "entropy", "minmax"]
MethodChoice = Literal["auto", "percentile", "entropy", "minmax"]
PERCENTILE = 99.99
"""Of |value| on one frame; the ranges of several frames are averaged, so that no one frame decides."""
_READ_AT_ONCE = 12
_LOOKED_AT = 1 << 20


@dataclass
class _Seen:
    """What one tensor's magnitudes were on the frames so far."""

    largest: float = 0.0
    percentiles: list[float] = field(default_factory=list)
    histogram: MagnitudeHistogram = field(default_factory=MagnitudeHistogram)

    def add(self, array: NDArray[np.float32]) -> None:
        values = np.abs(array).ravel()
        self.largest = float(np.maximum(self.largest, values.max()))  # keeps what is not a number
        looked_at = values[:: max(1, values.size // _LOOKED_AT)]
        place = min(looked_at.size - 1, int(np.ceil(PERCENTILE / 100 * looked_at.size)) - 1)
        self.percentiles.append(float(np.partition(looked_at, place)[place]))
        self.histogram.add(looked_at)

    def range(self, method: RangeMethod) -> float:
        if method == "entropy":
            return self.histogram.range()
        return self.largest if method == "minmax" else float(np.mean(self.percentiles))


def activation_ranges(
    probe: GraphProbe, frames: Iterable[NDArray[np.uint8]], tensors: Sequence[str], method: MethodChoice
) -> dict[str, dict[str, float]]:
    """Largest |value| to represent: method → tensor → range.

    A few tensors are read at a time, so that no frame's activations stand in memory together.

    Args:
        probe: The fp32 graph.
        frames: (H, W, 3) uint8 RGB each.
        tensors: Names of inner tensors.
        method: ``minmax``: the largest |value| of all frames. ``percentile``: the mean over the frames of
            the ``PERCENTILE`` of |value|, which gives up a few outliers for a finer step. ``entropy``: where
            cutting off costs the distribution the least information. ``auto``: all three.

    Raises:
        DataError: There are no frames, or a tensor is zero everywhere or not finite on them.
    """
    seen = {name: _Seen() for name in tensors}
    count = 0
    for frame in frames:
        count += 1
        for part in _parts(tensors):
            for name, array in probe.read(frame, part).items():
                seen[name].add(array)
    if not count:
        raise DataError(
            "--calibrate holds no frames; name a dataset with frames of the camera, such as a training split"
        )
    useless = [name for name in tensors if not (np.isfinite(seen[name].largest) and seen[name].largest > 0)]
    if useless:
        raise DataError(
            f"--calibrate: the activation {useless[0]} is zero or not finite on all {count} frames; "
            "these are not frames like the ones that the model was trained on"
        )
    methods = get_args(RangeMethod) if method == "auto" else (method,)
    return {chosen: {name: _positive(seen[name], chosen) for name in tensors} for chosen in methods}


def _positive(seen: _Seen, method: RangeMethod) -> float:
    """A range may be 0 where all but a few values are: then those few are what there is."""
    return seen.range(method) or seen.largest


def _parts(tensors: Sequence[str]) -> list[Sequence[str]]:
    return [tensors[start : start + _READ_AT_ONCE] for start in range(0, len(tensors), _READ_AT_ONCE)]
