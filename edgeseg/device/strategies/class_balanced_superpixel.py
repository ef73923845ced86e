"""ClassBal on a stream: uncertain superpixels of the classes that the drive has shown least."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.partition import RegionKind
from edgeseg.device.regions import majority_class
from edgeseg.device.strategies.base import FrameScore, StrategyOptions
from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView


class ClassBalancedSuperpixel(Pixelwise):
    """A pixel's uncertainty is p₂ / p₁; a region's is multiplied by exp(−n_c / N) for the class c predicted there.

    N counts the regions of all frames so far, this one too, and n_c those of them that are predicted to be mainly of
    class c: where the paper looks at the whole pool before it chooses, a vehicle knows what it has passed. The frame's
    value, its mean uncertainty, is lowered by as much as its regions' values are in all: a frame of rare classes is
    worth more.

    Cai, Xu, Liew, Foo, "Revisiting Superpixels for Active Learning in Semantic Segmentation With Realistic Annotation
    Costs", CVPR 2021.
    """

    name: ClassVar[str] = "class-balanced-superpixel"
    needs: ClassVar[tuple[str, ...]] = ("class_map", "top2_probs")
    score_name: ClassVar[str] = "frame_class_balanced"
    own_regions: ClassVar[RegionKind] = "superpixel"

    def __init__(self, options: StrategyOptions) -> None:
        super().__init__(options)
        self._counts = np.zeros(0, np.int64)
        self._regions_seen = 0

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """p₂ / p₁, 255 = 1."""
        return view.in_camera_pixels(np.rint(255 * runner_up(view.outputs["top2_probs"])).astype(np.uint8))

    def score(self, view: FrameView) -> FrameScore:
        """Scores the frame and its regions, and counts their classes."""
        found = super().score(view)
        every = np.arange(len(found.region_values), dtype=np.intp)
        mainly = majority_class(found.labels, view.class_map, every)
        classes = np.array([-1 if c is None else c for c in mainly], np.intp)
        self._count(classes, view.info.class_map.num_classes)
        weights = np.append(balancing_weights(self._counts, self._regions_seen), 0.0)
        values = found.region_values * weights[classes]
        share = float(values.sum() / found.region_values.sum()) if found.region_values.any() else 0.0
        return replace(found, value=found.value * share, region_values=values)

    def _count(self, classes: NDArray[np.intp], num_classes: int) -> None:
        if not self._counts.size:
            self._counts = np.zeros(num_classes, np.int64)
        self._counts += np.bincount(classes[classes >= 0], minlength=num_classes)
        self._regions_seen += len(classes)


def runner_up(top2_probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """U = p₂ / p₁ of each pixel, (2, H, W) to (H, W) in [0, 1]; 1 where two classes tie."""
    return np.asarray(top2_probs[1] / top2_probs[0])


def balancing_weights(counts: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """exp(−n_c / N) for (C,) counts n_c of N regions, in [1/e, 1]."""
    return np.asarray(np.exp(-counts / max(1, total)))
