"""Whether two models' networks are fed the same, and if not, what of the preprocessing differs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.preprocess import Preprocess

Planes = NDArray[np.float32]
GREY_LEVEL_LIMIT = 0.5
"""Largest mean difference of two inputs that counts as rounding, in steps of 1/255 of the frame's range."""
_GAIN_LIMIT = 2e-3


@dataclass(frozen=True)
class InputDifference:
    """What of the preprocessing differs.

    Attributes:
        stage: ``preprocessing`` or ``resize``.
        what: ``mean``, ``std``, ``channel order``, ``resize`` or ``border``.
        detail: Both sides' values.
    """

    stage: str
    what: str
    detail: str


def compare_inputs(a: Planes, b: Planes, settings: Preprocess, frame_size: tuple[int, int]) -> InputDifference | None:
    """Names what makes two networks' inputs of one frame different, None where they are the same.

    Mean and standard deviation are read off the straight line through corresponding values; what no
    line explains, in either channel order, comes from other places of the frame: the resize.

    Args:
        a: (3, h, w) float32, the first network's input.
        b: The second's.
        settings: The first model's preprocessing, which gives the values their unit.
        frame_size: (H, W) of the frame; a letterbox's border, 0 whatever the normalisation, lies on no line.
    """
    if a.shape != b.shape:
        return InputDifference("resize", "resize", f"inputs are {a.shape[1:]} and {b.shape[1:]} (h, w)")
    unit = 1.0 / (255.0 * np.asarray(settings.std, np.float64))
    if _levels(a, b, unit) <= GREY_LEVEL_LIMIT:
        return None
    a, b = (_shown(x, settings, frame_size) for x in (a, b))
    if _levels(a, b, unit) <= GREY_LEVEL_LIMIT:
        return InputDifference("resize", "border", "the networks see the frame alike, and beside it something else")
    gain, offset = _line(a, b)
    if _levels(a * gain + offset, b, unit * gain.ravel()) <= GREY_LEVEL_LIMIT:
        return _normalisation(settings, gain.ravel(), offset.ravel())
    turned = a[::-1]
    gain, offset = _line(turned, b)
    if _levels(turned * gain + offset, b, unit * gain.ravel()) <= GREY_LEVEL_LIMIT:
        other = "bgr" if settings.channel_order == "rgb" else "rgb"
        return InputDifference("preprocessing", "channel order", f"{settings.channel_order} and {other}")
    return InputDifference("resize", "resize", _shift(a, b))


def _shown(planes: Planes, settings: Preprocess, frame_size: tuple[int, int]) -> Planes:
    """The part that shows the frame."""
    seen = settings.placement(*frame_size).within(*settings.size)
    return planes[:, seen.rows, seen.columns]


def _levels(a: Planes, b: Planes, unit: NDArray[np.float64]) -> float:
    """Mean |a - b| of the worst channel, in grey levels."""
    return float((np.abs(a - b).mean((1, 2)) / np.maximum(np.abs(unit), 1e-12)).max())


def _line(a: Planes, b: Planes) -> tuple[Planes, Planes]:
    """Gain and offset (3, 1, 1) of the least-squares line from a's values to b's, per channel."""
    mean_a, mean_b = (x.mean((1, 2), keepdims=True) for x in (a, b))
    spread = ((a - mean_a) ** 2).mean((1, 2), keepdims=True)
    together = ((a - mean_a) * (b - mean_b)).mean((1, 2), keepdims=True)
    gain = np.where(spread > 1e-12, together / np.maximum(spread, 1e-12), 1.0)
    return gain.astype(np.float32), (mean_b - gain * mean_a).astype(np.float32)


def _normalisation(settings: Preprocess, gain: Planes, offset: Planes) -> InputDifference:
    """Reads b's mean and std off the line: (v - m_a) / s_a · gain + offset = (v - m_b) / s_b."""
    std = np.asarray(settings.std) / gain
    mean = np.asarray(settings.mean) - offset * std
    if np.abs(gain - 1).max() > _GAIN_LIMIT:
        return InputDifference("preprocessing", "std", f"{_triple(settings.std)} and {_triple(std)}")
    return InputDifference("preprocessing", "mean", f"{_triple(settings.mean)} and {_triple(mean)}")


def _shift(a: Planes, b: Planes) -> str:
    window = cv2.createHanningWindow((a.shape[2], a.shape[1]), cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(np.ascontiguousarray(a[1]), np.ascontiguousarray(b[1]), window)
    return f"the second network sees the frame about {down:.2f} px lower and {right:.2f} px further right"


def _triple(values: tuple[float, ...] | NDArray[np.floating]) -> str:
    return "({})".format(", ".join(f"{float(value):.4g}" for value in values))
