from __future__ import annotations

import numpy as np
import pytest

from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.device.rehearsal import rehearsal
from edgeseg.errors import ConfigError, ModelError
from edgeseg.modelinfo import ModelInfo
from edgeseg.preprocess import Preprocess


class Runner:
    info = ModelInfo(
        "enet",
        ClassMap("two", tuple(SegmentationClass(n, (k, k, k), (k,)) for k, n in enumerate("ab"))),
        Preprocess(64, 96),
    )
    output_names = ("class_map", "entropy", "frame_entropy")

    def infer(self, frame):
        raise NotImplementedError  # a rehearsal has its outputs already


OUTPUTS = {
    "class_map": np.zeros((64, 96), np.uint8),
    "entropy": np.full((64, 96), 9, np.uint8),
    "frame_entropy": np.float32(0.1),
}
IMAGE = np.zeros((120, 160, 3), np.uint8)


@pytest.mark.parametrize("strategy", ["entropy", "superpixel", "random"])
def test_a_frame_is_scored_as_often_as_asked(strategy):
    score = rehearsal(strategy, Runner(), IMAGE)
    assert score(OUTPUTS) is None and score(OUTPUTS) is None


def test_model_without_the_strategys_outputs_is_told(monkeypatch):
    monkeypatch.setattr(Runner, "output_names", ("logits",))
    with pytest.raises(ModelError, match=r"strategy entropy needs the model's class_map, .*entropy"):
        rehearsal("entropy", Runner(), IMAGE)


def test_unknown_strategy_is_told():
    with pytest.raises(ConfigError, match="strategy 'guess' is unknown"):
        rehearsal("guess", Runner(), IMAGE)
