"""Monte-Carlo dropout: what a network says when it is asked with channels missing."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.strategies.base import StrategyOptions
from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView
from edgeseg.dropout import MASKS_INPUT, draw_masks
from edgeseg.errors import ModelError

_SMALLEST = 1e-12


class McDropout(Pixelwise):
    """A pixel by the entropy of its mean probabilities p̄ over T passes, each with other channels dropped.

    H(p̄) = −Σ_c p̄_c log p̄_c, or the passes' mutual information H(p̄) − 1/T Σ_t H(p_t), which is 0 where all passes
    agree however uncertain each is. Every frame meets the same T draws, so that frames can be compared.

    Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016; Kendall et al., "Bayesian SegNet", BMVC 2017;
    mutual information: Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning", 2011.
    Every pass costs a run of the model.
    """

    name: ClassVar[str] = "mc-dropout"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "logits", MASKS_INPUT)
    score_name: ClassVar[str] = "frame_dropout_uncertainty"
    unit: ClassVar[str] = "nats"

    def __init__(self, options: StrategyOptions) -> None:
        super().__init__(options)
        self.by_information = options.dropout_score == "mutual-information"

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """Entropy of the mean, or mutual information, in steps of ``step``; more than 255 of them count as 255."""
        nats = self._nats(view)
        steps = np.minimum(np.rint(nats / np.float32(self.step(view))), 255).astype(np.uint8)
        return view.in_camera_pixels(steps)

    def step(self, view: FrameView) -> float:
        """Nats of one step: the entropy map's own, an eighth of it for mutual information, which is far smaller."""
        return view.nats_per_step / (8 if self.by_information else 1)

    def _nats(self, view: FrameView) -> NDArray[np.float32]:
        """(h, w) float32."""
        if view.masked is None:
            raise ModelError(f"frame {view.frame.id}: strategy {self.name} sets channel masks; give the view masked")
        passes = self.options.dropout_passes
        total: Any = np.float32(0)
        own: Any = np.float32(0)
        for masks in draw_masks(view.masked.mask_layers, passes, self.options.seed):
            logits = view.masked.infer_masked(view.frame.image, masks)["logits"]
            probs = softmax_of_classes(logits, view.info.temperature)
            total = total + probs
            if self.by_information:
                own = own + entropy_of_classes(probs)
        nats = entropy_of_classes(total / np.float32(passes))
        # Rounding may leave passes that agree a hair below 0.
        return np.maximum(nats - own / np.float32(passes), 0) if self.by_information else nats


def softmax_of_classes(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (C, h, w) float32 of logits (C, h, w) over the temperature."""
    raised: NDArray[np.float32] = np.subtract(logits, logits.max(0))
    raised /= np.float32(temperature)
    np.exp(raised, out=raised)
    raised /= raised.sum(0)
    return raised


def entropy_of_classes(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """−Σ_c p_c log p_c in nats, (h, w) float32, of probabilities (C, h, w)."""
    nats = np.zeros(probs.shape[1:], np.float32)
    for plane in probs:
        nats -= plane * np.log(np.maximum(plane, np.float32(_SMALLEST)))
    return nats
