"""ClassBal's scores: uncertain superpixels first, those of classes that are predicted often last.

Cai, Xu, Liew, Foo, "Revisiting Superpixels for Active Learning in Semantic Segmentation With Realistic Annotation
Costs", CVPR 2021.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.strategies.class_balanced_superpixel import balancing_weights


def class_weights(classes: NDArray[np.intp], num_classes: int) -> NDArray[np.float64]:
    """exp(−n_c / N): n_c of all N superpixels are predicted to be mainly of class c.

    Args:
        classes: (N,), -1 for a superpixel of which the model saw nothing.
        num_classes: C.

    Returns:
        (C,) in [1/e, 1].
    """
    counts = np.bincount(classes[classes >= 0], minlength=num_classes)
    return balancing_weights(counts, len(classes))


def balanced_scores(
    uncertainty: NDArray[np.float64], classes: NDArray[np.intp], picked: NDArray[np.bool_], num_classes: int
) -> NDArray[np.float64]:
    """Scores the superpixels of all frames together.

    The uncertainty is stretched to [0, 1] over all of them, set to 0 where a label was paid for, and multiplied by
    the weight of the class that is predicted there.

    Args:
        uncertainty: (N,) mean of u over each superpixel.
        classes: (N,), see ``class_weights``.
        picked: (N,), superpixels that have been clicked on.
        num_classes: C.

    Returns:
        (N,) in [0, 1], 0 where the superpixel was picked or not seen.
    """
    low, high = uncertainty.min(), uncertainty.max()
    stretched = (uncertainty - low) / (high - low) if high > low else np.ones_like(uncertainty)
    weights = np.append(class_weights(classes, num_classes), 0.0)
    return np.asarray(np.where(picked, 0.0, stretched) * weights[classes])


def global_top(scores: NDArray[np.float64], picked: NDArray[np.bool_], number: int) -> NDArray[np.intp]:
    """The superpixels of the highest scores of all frames, best first; equal ones go by their place, none twice."""
    order = np.argsort(-scores, kind="stable")
    return order[~picked[order]][:number]
