"""Whether an exported graph gives what its checkpoint gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.runners.base import Runner
from edgeseg.errors import ModelError

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Tolerance:
    """How far an fp32 graph may be from its checkpoint.

    Attributes:
        logit: Of the 95th percentile of |Δlogit|, as a share of max(1, max |logit|). Not of the maximum: where
            two pixels of a pooling cell are within rounding of each other, ENet's unpooling may set the value
            at the other one, which moves the logits of that neighbourhood far.
        agreement: Least share of pixels whose class is the same.
        frame_nats: Of the largest |Δ| of a frame's entropy, in nats.
    """

    logit: float = 1e-3
    agreement: float = 0.998
    frame_nats: float = 1e-2


@dataclass(frozen=True)
class Comparison:
    """Outcome over all frames.

    Attributes:
        frames: Frames compared.
        max_abs_logit_error: Largest |Δlogit|.
        p95_abs_logit_error: Largest 95th percentile of a batch's |Δlogit|.
        max_abs_logit: Largest |logit| of the checkpoint, to read the errors by.
        max_abs_prob_error: Largest |Δ| of softmax(logits / fitted temperature).
        argmax_agreement: Share of pixels whose class is the same.
        max_abs_frame_entropy_error: Largest |Δ| of a frame's entropy in nats; 0 for a plain network.
    """

    frames: int
    max_abs_logit_error: float
    p95_abs_logit_error: float
    max_abs_logit: float
    max_abs_prob_error: float
    argmax_agreement: float
    max_abs_frame_entropy_error: float

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)

    def require_within(self, tolerance: Tolerance, where: str) -> None:
        """Refuses a graph that is too far away.

        Raises:
            ModelError: It is, or a figure is not a number; the message gives figure and bound.
        """
        bounds = (
            ("95th percentile of |Δlogit|", self.p95_abs_logit_error, tolerance.logit * max(1.0, self.max_abs_logit)),
            ("share of other classes", 1.0 - self.argmax_agreement, 1.0 - tolerance.agreement),
            ("|Δ| of a frame's entropy in nats", self.max_abs_frame_entropy_error, tolerance.frame_nats),
        )
        broken = [f"{name} is {value:.2g}, allowed {bound:.2g}" for name, value, bound in bounds if not value <= bound]
        if broken:
            raise ModelError(
                f"{where}: the exported graph differs from its checkpoint on {self.frames} frames: "
                f"{'; '.join(broken)}; nothing was written"
            )


def compare(reference: Runner, exported: Runner, batches: Iterable[NDArray[np.uint8]]) -> Comparison:
    """Runs both on batches of frames (N, H, W, 3) uint8 RGB and compares all that both give.

    Both must give ``logits``.
    """
    rows = [
        _compare_batch(reference.infer_batch(frames), exported.infer_batch(frames), reference.info.temperature)
        for frames in batches
    ]
    frames, *errors, agreement = np.asarray(rows, np.float64).T
    logit, p95, largest, prob, entropy = (float(e.max()) for e in errors)
    return Comparison(
        int(frames.sum()), logit, p95, largest, prob, float(np.average(agreement, weights=frames)), entropy
    )


def _compare_batch(a: Arrays, b: Arrays, temperature: float) -> tuple[float, ...]:
    """Frames, then the errors in the order of ``compare``, then the agreement."""
    error = np.abs(a["logits"] - b["logits"])
    classes = [side["class_map"] if "class_map" in side else side["logits"].argmax(1) for side in (a, b)]
    probs = [_softmax(side["logits"] / temperature) for side in (a, b)]
    return (
        len(error),
        float(error.max()),
        float(np.percentile(error, 95)),
        float(np.abs(a["logits"]).max()),
        float(np.abs(probs[0] - probs[1]).max()),
        float(np.abs(a["frame_entropy"] - b["frame_entropy"]).max()) if "frame_entropy" in b else 0.0,
        float((classes[0] == classes[1]).mean()),
    )


def _softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
