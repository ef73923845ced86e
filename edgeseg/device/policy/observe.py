"""A scored frame as a policy's candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX
from edgeseg.device.policy.candidate import Candidate, Form
from edgeseg.device.policy.forms import SizeGuess
from edgeseg.device.strategies import FrameScore
from edgeseg.device.view import FrameView
from edgeseg.images import difference_hash


@dataclass(frozen=True)
class Observed:
    """A scored frame, and the candidate that stands for it.

    Attributes:
        view: The frame and what the model said of it.
        verdict: The strategy's.
        chosen: (K,) ids of the regions worth a label.
        candidate: What the policy sees.
    """

    view: FrameView
    verdict: FrameScore
    chosen: NDArray[np.intp]
    candidate: Candidate


class Observer:
    """Makes candidates of scored frames.

    Args:
        forms: Forms that a frame can be kept in.
        frame_rate_hz: Frames a second of a source that does not tell the time.
    """

    def __init__(self, forms: tuple[Form, ...], frame_rate_hz: float) -> None:
        self._forms = forms
        self._frame_rate_hz = frame_rate_hz
        self._last_s = 0.0
        self._sizes = SizeGuess()

    def learn(self, blobs: Mapping[str, bytes], pixels: int) -> None:
        """Takes notice of what the blobs of a full frame of so many pixels took."""
        image = len(blobs["image"])
        self._sizes.learn(image, sum(map(len, blobs.values())) - image, pixels)

    def observe(self, view: FrameView, verdict: FrameScore, chosen: NDArray[np.intp]) -> Observed:
        """Makes the candidate of a frame; ``chosen`` (K,) are the regions worth a label."""
        frame = view.frame
        time_s = frame.index / self._frame_rate_hz if frame.timestamp_s is None else frame.timestamp_s
        self._last_s = max(self._last_s, time_s)
        candidate = Candidate(
            frame.id,
            frame.index,
            self._last_s,
            verdict.value,
            int(difference_hash(frame.image), 16),
            _class_shares(view),
            self._sizes.offers(self._forms, verdict.labels, chosen),
        )
        return Observed(view, verdict, chosen, candidate)


def _class_shares(view: FrameView) -> dict[str, float]:
    """Share of the model's pixels by predicted class; taken from the network's own map, which is smaller."""
    counts = np.bincount(view.outputs["class_map"].ravel(), minlength=256)
    names = view.info.class_map.names
    total = max(1, int(counts[:IGNORE_INDEX].sum()))
    return {name: float(counts[i]) / total for i, name in enumerate(names) if counts[i]}
