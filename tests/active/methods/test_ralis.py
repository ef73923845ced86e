"""RALIS-small: the game it learns from, the labels it is given, and what it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg.active.answers import Answers
from edgeseg.active.choices import Choice
from edgeseg.active.methods import MethodOptions, Round, Start, title
from edgeseg.active.methods.ralis import Ralis
from edgeseg.active.methods.region_dqn.candidates import candidates
from edgeseg.active.methods.region_dqn.game import SegmentationGame
from edgeseg.active.methods.region_dqn.policy import KnownFrames, load_policy
from edgeseg.active.methods.region_dqn.preparation import split
from edgeseg.active.methods.region_dqn.segmenter import GameFrames, Segmenter
from edgeseg.active.methods.region_dqn.settings import RalisSettings
from edgeseg.active.methods.region_dqn.vectors import cell_map
from edgeseg.active.pool import Outside, Pool, Unlabeled
from edgeseg.datasets.base import Subset
from edgeseg.datasets.synthetic import SyntheticDataset
from edgeseg.errors import ConfigError, TrainingError
from edgeseg.students import TrainSettings
from edgeseg.students.hardware import Hardware
from tests.active import tiny

Make = Callable[..., Round]
TINY = {
    "labeled_at_once": 4,
    "pool_size": 3,
    "steps": 2,
    "episodes": 2,
    "state_frames": 2,
    "start_passes": 1,
    "batch_size": 4,
    "memory": 16,
}
CPU = Hardware(torch.device("cpu"), torch.float32, torch.contiguous_format)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    data = SyntheticDataset(14)
    folder = tmp_path / "prepared"
    folder.mkdir()
    training = TrainSettings(data="folder:", network=tiny.NAME, height=32, width=48, batch_size=4, threads=1)
    return Start(
        initial=Subset(data, range(6)),
        pool=Pool(Unlabeled(Subset(data, range(6, 14))), Answers()),
        outside=Outside(lambda index: data.label(6 + index)),
        training=replace(training, precision="fp32"),
        checkpoint=tmp_path / "none",
        folder=folder,
    )


def test_tables_call_it_by_the_reduced_setting() -> None:
    assert title("ralis") == "RALIS-small" and title("vaal") == "vaal"


def test_parts_of_the_data_share_no_frame() -> None:
    parts = split(147, 220, RalisSettings(), seed=3)
    assert [len(x) for x in (parts.begin, parts.asked, parts.known.state, parts.known.reward)] == [20, 40, 10, 30]
    assert len({*parts.begin, *parts.asked}) == 60 and len({*parts.known.state, *parts.known.reward}) == 40
    assert parts == split(147, 220, RalisSettings(), seed=3) != split(147, 220, RalisSettings(), seed=4)


def test_labels_outside_of_the_budget_are_those_of_the_reward_and_are_counted(start: Start) -> None:
    Ralis(MethodOptions(own=TINY)).prepare(start)
    frames = json.loads((start.folder / "policy.json").read_text())
    assert len(frames["reward"]) == 2, "a fourth of Q"
    assert start.outside.pixels == 2 * start.pool.pixels(0)
    assert start.figures["ralis_reward_frames"] == 2
    lines = [json.loads(line) for line in (start.folder / "episodes.jsonl").read_text().splitlines()]
    assert [line["episode"] for line in lines] == [1, 2]


def test_policy_is_read_as_it_was_written(start: Start) -> None:
    Ralis(MethodOptions(own=TINY)).prepare(start)
    classes = start.initial.class_map.num_classes
    first, second = (load_policy(start.folder, classes, 24)[0] for _ in range(2))
    assert not first.training
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())
    assert any(int(b) > 0 for name, b in first.named_buffers() if name.endswith("num_batches_tracked"))


class _Pixels(torch.nn.Module):
    """Two classes by one weight and one bias."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 1)
        torch.nn.init.zeros_(self.layer.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(images)
        return out


def _game(settings: RalisSettings) -> SegmentationGame:
    """Class 1 is bright; a network that starts by saying one class everywhere."""
    chance = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (8, 4, 6), generator=chance).repeat_interleave(8, 1).repeat_interleave(8, 2)
    images = (labels[:, None].float() * 2 - 1).repeat(1, 3, 1, 1)
    frames = [GameFrames(images[a:b], labels[a:b].to(torch.uint8)) for a, b in ((0, 2), (2, 6), (6, 8))]
    frames[1].labels[0, :8, :8] = 255
    settings_of_net = TrainSettings(data="folder:", network="enet", batch_size=4)
    segmenter = Segmenter(_Pixels(), settings_of_net, CPU)
    return SegmentationGame(segmenter, frames[0], frames[1], frames[2].images, frames[2], 2, settings, seed=0)


SMALL = RalisSettings(labeled_at_once=4, pool_size=3, steps=3)


def test_reward_of_a_step_is_the_measured_gain_and_episodes_start_alike() -> None:
    game = _game(SMALL)
    for _ in range(2):
        game.reset()
        before = game.segmenter.miou(game.rewarding, 2)
        _, reward = game.step(torch.zeros(4, dtype=torch.long))
        after = game.segmenter.miou(game.rewarding, 2)
        assert 0.1 < before < 0.5, "one class everywhere is not nothing"
        assert reward == pytest.approx(100 * (after - before))


def test_an_episode_ends_after_its_steps_and_offers_no_region_twice() -> None:
    game = _game(SMALL)
    seen, offered = game.reset(), []
    for step in range(3):
        assert seen is not None and seen.candidates.shape[:2] == (4, 3)
        taken = game._pools[:, 1]
        assert not set(taken.tolist()) & set(offered)
        offered += taken.tolist()
        seen, _ = game.step(torch.ones(4, dtype=torch.long))
        assert (seen is None) == (step == 2)


def test_only_the_chosen_regions_are_trained_on() -> None:
    game = _game(SMALL)
    game.reset()
    chosen = np.array([1, 25, 30])
    trained = game._only(chosen)
    known = trained.labels != 255
    assert len(trained) == 2 and int(known.sum()) == 3 * 64
    cells = cell_map((32, 48), 4, 6)
    assert np.unique(cells[known[0].numpy()]).tolist() == [1]
    assert np.unique(cells[known[1].numpy()]).tolist() == [1, 6]


def test_void_regions_are_offered_like_any_other() -> None:
    game = _game(SMALL)
    offered: set[int] = set()
    for _ in range(40):
        game.reset()
        offered |= set(game._pools.ravel().tolist())
    assert 0 in offered, "region 0 of the first frame is void"


def test_state_changes_with_the_network_and_labels_with_what_was_labeled() -> None:
    game = _game(SMALL)
    first = game.reset()
    second, _ = game.step(torch.zeros(4, dtype=torch.long))
    assert second is not None and not torch.equal(first.state, second.state)
    assert first.state.shape == (2 * 24, 3 + 192)
    assert not torch.equal(first.candidates[..., -64:-32], second.candidates[..., -64:-32])


def test_too_few_regions_are_refused_with_what_to_change() -> None:
    with pytest.raises(ConfigError, match=r"96 regions .* needs 672; raise initial, or lower ralis's labeled_at_once"):
        _game(RalisSettings(steps=19))
    with pytest.raises(ConfigError, match="got 2 and 9; change initial"):
        split(2, 9, RalisSettings(), 0)


@pytest.fixture
def prepared(start: Start) -> Start:
    Ralis(MethodOptions(own=TINY)).prepare(start)
    return start


def test_whole_cells_of_the_grid_are_asked_for_none_twice_and_none_of_the_rewards_frames(
    prepared: Start, make_round: Make, answered: Callable[[Round, Sequence[Choice]], Path]
) -> None:
    method, known = Ralis(MethodOptions(own=TINY)), json.loads((prepared.folder / "policy.json").read_text())
    first = [choice for choice, _ in zip(method.select(make_round(1, frames=8)), range(20), strict=False)]
    state = make_round(2, frames=8, before=answered(make_round(1, frames=8), first))
    rest = list(method.select(state))
    cells = cell_map(state.pool.frames.size(0), 4, 6).ravel()
    asked = [(choice.frame, int(cells[choice.pixels[0]])) for choice in (*first, *rest)]
    assert len(asked) == len(set(asked)) == 6 * 24
    assert not {frame for frame, _ in asked} & set(known["reward"])
    for choice in rest:
        assert np.array_equal(choice.pixels, np.flatnonzero(cells == cells[choice.pixels[0]])) and choice.clicks >= 1
    assert state.figures["ralis_q_high"] > state.figures["ralis_q_low"]


def test_candidates_know_the_labels_of_p_and_of_answered_cells_alone(
    make_round: Make, answered: Callable[[Round, Sequence[Choice]], Path]
) -> None:
    size = make_round(frames=4).pool.frames.size(0)
    cells = cell_map(size, 4, 6).ravel()
    asked = [Choice(2, np.flatnonzero(cells == cell), 1) for cell in (3, 7)]
    state = make_round(2, frames=4, before=answered(make_round(1), asked))
    found = candidates(state, KnownFrames((0,), (3,)), RalisSettings())
    assert found.frames == (0, 1, 2) and found.state.shape[0] == 24
    assert found.labeled.shape == (3 * 24 + 2, found.num_classes + 1)
    assert found.labeled[-2:, 0].tolist() == [1, 1], "both were answered with class 0"
    assert np.flatnonzero(~found.free).tolist() == [2 * 24 + 3, 2 * 24 + 7]


def test_constant_values_end_the_run(prepared: Start, make_round: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "edgeseg.active.methods.ralis.q_values"
    monkeypatch.setattr(module, lambda network, seen: torch.full(seen.candidates.shape[:2], 0.2))
    with pytest.raises(TrainingError, match=r"ralis: the Q-value is constant \(0.200000 .* pools of regions\)"):
        list(Ralis(MethodOptions(own=TINY)).select(make_round(1, frames=8)))
