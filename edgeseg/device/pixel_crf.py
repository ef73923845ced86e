"""The fully connected CRF over pixels, by pydensecrf: seconds a frame, for comparison with the one over regions.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NIPS 2011.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.device.crf import CrfWeights, entropy, softmax
from edgeseg.errors import require
from edgeseg.preprocess import Preprocess


def pixel_entropy(
    logits: NDArray[np.float32], image: NDArray[np.uint8], side: float, weights: CrfWeights
) -> NDArray[np.float32]:
    """Entropy of every pixel's probabilities after the CRF.

    Args:
        logits: (C, h, w), already divided by the temperature.
        image: (h, w, 3) uint8 RGB, what the network saw.
        side: Pixels of a region's side at h×w: ``appearance_sides`` counts in it. ``smoothness_sides``, which
            stands for σ_γ, counts in pixels here, as in the thesis.
        weights: Of the kernels.

    Returns:
        (h, w) float32, nats.

    Raises:
        MissingDependencyError: pydensecrf is not installed.
    """
    dense = require("pydensecrf.densecrf", "regions")
    classes, height, width = logits.shape
    probs = softmax(logits.reshape(classes, -1).T)
    crf = dense.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(-np.log(np.maximum(probs, np.float32(1e-6))).T))
    crf.addPairwiseGaussian(sxy=weights.smoothness_sides, compat=weights.smoothness_weight)
    crf.addPairwiseBilateral(
        sxy=weights.appearance_sides * side,
        srgb=weights.appearance_colours,
        rgbim=np.ascontiguousarray(image),
        compat=weights.appearance_weight,
    )
    found = np.asarray(crf.inference(weights.iterations), np.float32)
    return entropy(found.T).reshape(height, width)


def placed(image: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.uint8]:
    """The frame (H, W, 3) as it lies in the network's input, (h, w, 3) uint8 RGB; 0 where a letterbox is empty."""
    place = preprocess.placement(image.shape[0], image.shape[1])
    scaled = cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_LINEAR)
    both = place.within(*preprocess.size)
    canvas = np.zeros((*preprocess.size, 3), np.uint8)
    canvas[both.rows, both.columns] = scaled[both.frame_rows, both.frame_columns]
    return canvas
