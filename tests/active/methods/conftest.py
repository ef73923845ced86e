from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.active.answers import NOT_ASKED, Answers, write_answer
from edgeseg.active.choices import Budget, Choice
from edgeseg.active.methods import Round
from edgeseg.active.partial import Known
from edgeseg.active.pool import Pool, Unlabeled
from edgeseg.datasets.base import Subset
from edgeseg.datasets.synthetic import SyntheticDataset
from edgeseg.modelinfo import ModelInfo
from edgeseg.preprocess import Preprocess
from edgeseg.students import TrainSettings

NET = (32, 48)


class FakeRunner:
    """A model that says something else of every frame, and the same of one whenever it is asked."""

    backend = "fake"

    def __init__(self, info: ModelInfo) -> None:
        self.info = info

    def infer(self, image: np.ndarray) -> dict[str, Any]:
        classes = self.info.class_map.num_classes
        rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(image).tobytes()))
        # Blocks of 8 pixels, so that regions differ in class and certainty.
        coarse = rng.normal(0, 2, (classes, NET[0] // 8, NET[1] // 8)).repeat(8, 1).repeat(8, 2)
        logits = (coarse + rng.normal(0, 0.2, (classes, *NET))).astype(np.float32)
        probs = np.exp(logits) / np.exp(logits).sum(0)
        entropy = -(probs * np.log(probs)).sum(0) / np.log(classes)
        return {
            "logits": logits,
            "class_map": probs.argmax(0).astype(np.uint8),
            "entropy": np.rint(255 * entropy).astype(np.uint8),
            "top2_probs": -np.sort(-probs, axis=0)[:2],
        }


@pytest.fixture
def make_round(tmp_path: Path) -> Callable[..., Round]:
    """A round on 3 frames of P and some of Q, whose labels nobody can read; what was asked before is given."""

    def make(number: int = 1, budget: Budget | None = None, frames: int = 4, before: Path | None = None) -> Round:
        data = SyntheticDataset(3 + frames)
        pool = Pool(Unlabeled(Subset(data, range(3, 3 + frames))), Answers((before,) if before else ()))
        info = ModelInfo("tiny", data.class_map, Preprocess(*NET))
        folder = tmp_path / f"round-{number}"
        folder.mkdir(exist_ok=True)
        return Round(
            number=number,
            pool=pool,
            labeled=Known(Subset(data, range(3)), pool),
            budget=budget or Budget("pixels", 10**9),
            group=2,
            checkpoint=tmp_path / "none",
            extra_weights=None,
            runner=FakeRunner(info),  # type: ignore[arg-type]
            training=TrainSettings(data="folder:", network="enet", threads=1),
            committee=(),
            prepared=tmp_path / "prepared",
            folder=folder,
            superpixel_px=400,
        )

    return make


@pytest.fixture
def answered(tmp_path: Path) -> Callable[[Round, Sequence[Choice]], Path]:
    """Answers all choices of a round with class 0."""

    def answer(state: Round, choices: Sequence[Choice]) -> Path:
        folder = tmp_path / f"answers-{state.number}"
        for frame in {choice.frame for choice in choices}:
            height, width = state.pool.frames.size(frame)
            found = np.full(height * width, NOT_ASKED, np.uint8)
            for choice in choices:
                if choice.frame == frame:
                    found[choice.pixels] = 0
            write_answer(folder, state.pool.frames.sample_ids[frame], found.reshape(height, width))
        return folder

    return answer
