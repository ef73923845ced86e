"""The coding on label maps of real scenes, blurred into soft labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgeseg import datasets
from edgeseg.softlabels.coding import decode, encode


def test_coding_of_real_scenes(test_data: Path) -> None:
    dataset = datasets.open(f"camvid:{test_data / 'data' / 'camvid'}#train")
    for index in (0, 150, 300):
        label = dataset.label(index)
        logits = np.stack([cv2.GaussianBlur((label == k) * np.float32(15), (0, 0), 3) for k in range(11)]) / 3
        probs = np.exp(logits) / np.exp(logits).sum(axis=0)
        decoded = decode(encode(probs))
        assert (probs * np.log(probs / decoded)).sum(axis=0).mean() <= 1e-4
        assert (probs.argmax(axis=0) == decoded.argmax(axis=0)).mean() >= 0.999
