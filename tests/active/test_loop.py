"""The whole loop: every strategy, budgets, resumption, what is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgeseg import active
from edgeseg.active import ActiveReport, ActiveSettings, methods
from edgeseg.active.answers import NOT_ASKED, Answers
from edgeseg.active.round import Turn
from edgeseg.active.world import World, open_world
from edgeseg.datasets.synthetic import SyntheticDataset
from edgeseg.errors import ConfigError, DataError, OutputError
from edgeseg.images import read_label
from edgeseg.nets.runner import TorchRunner
from edgeseg.students.run import Run
from tests.active.untimed import untimed

Make = Callable[..., ActiveSettings]
OWN = ("random", "entropy", "entropy-edge", "superpixel", "superpixel-crf", "class-specific", "margin")
REST = ("least-confidence", "flip-consistency", "committee", "full")


@pytest.fixture(scope="module")
def every(make_settings: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[ActiveReport, Path]:
    """One round of every strategy of the vehicle and of full supervision, on one first model."""
    out = tmp_path_factory.mktemp("every") / "run"
    report = active.run(make_settings(*OWN, *REST), out)
    active.write_report(report, out)
    return report, out


@pytest.fixture(scope="module")
def two_rounds(make_settings: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[ActiveSettings, ActiveReport]:
    """A run that nothing interrupted."""
    settings = make_settings("superpixel", rounds=2, epochs=2)
    return settings, active.run(settings, tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize("strategy", [*OWN, *REST])
def test_every_strategy_spends_its_budget_and_no_more(every: tuple[ActiveReport, Path], strategy: str) -> None:
    report, out = every
    first, last = [row for row in report.rows if row.strategy == strategy]
    assert (first.round, first.queried_pixels, first.clicks) == (0, 0, 0)
    size = open_world(ActiveSettings(**{**report.settings, "strategies": (strategy,), "seeds": (0,)}), out, 0)
    frame = size.pool_pixels // 5
    if strategy == "full":
        assert last.queried_pixels == 2 * frame
    else:
        assert 0.75 * 0.1 * 2 * frame <= last.queried_pixels <= 0.1 * 2 * frame
    assert last.queried_share == pytest.approx(last.queried_pixels / (5 * frame))
    assert last.labeled_share == pytest.approx((last.queried_pixels + 2 * frame) / (7 * frame))
    assert last.frames == 2 and last.clicks > 0 and last.miou is not None
    assert 0 <= last.selection["wrong_of_cap"] <= 1
    counted = last.queried_pixels * (1 - last.selection["void_share"])
    assert sum(last.selection["classes"].values()) == pytest.approx(counted)


def test_all_strategies_begin_with_the_same_model(every: tuple[ActiveReport, Path]) -> None:
    report, out = every
    assert len({row.miou for row in report.rows if row.round == 0}) == 1
    assert [path.name for path in (out / "seed-0").glob("start*")] == ["start"]


def test_trainings_of_a_round_have_the_same_iterations(every: tuple[ActiveReport, Path]) -> None:
    _, out = every
    configs = [path.read_text() for path in (out / "seed-0").glob("*/round-1/train/config.yaml")]
    assert len(configs) == 11
    assert all("iterations_per_epoch: 3\n" in text and "epochs: 1\n" in text for text in configs)


def test_page_stands_alone_and_shows_every_strategy(every: tuple[ActiveReport, Path]) -> None:
    _, out = every
    text = (out / "report.html").read_text()
    assert all(name in text for name in (*OWN, *REST)) and "://" not in text.replace("http://www.w3.org", "")
    assert text.count("data:image/jpeg") == 2 * 11


@pytest.mark.parametrize("rest", ["prediction", "ignore"])
def test_pixels_not_asked_for_are_predicted_or_ignored(make_settings: Make, tmp_path: Path, rest: str) -> None:
    settings = make_settings("superpixel", rest=rest)
    active.run(settings, tmp_path / "run")
    world = open_world(settings, tmp_path / "run", 0)
    folder = world.folder / "superpixel" / "round-1"
    answers = Answers((folder / "answers",))
    for sample_id in answers.sample_ids():
        number = world.data.sample_ids.index(sample_id)
        answer, truth = answers.read(sample_id), world.data.label(number)
        label = read_label(folder / "data" / "masks" / f"{number:05d}.png")
        assert answer is not None
        asked = answer != NOT_ASKED
        np.testing.assert_array_equal(label[asked], truth[asked])
        assert (label[~asked] == 255).all() if rest == "ignore" else (label[~asked] < 11).all()
    for number in world.initial:
        whole = read_label(folder / "data" / "masks" / f"{number:05d}.png")
        np.testing.assert_array_equal(whole, world.data.label(number))


def test_a_prediction_counts_from_the_given_confidence(make_settings: Make, tmp_path: Path) -> None:
    least = 0.11
    settings = make_settings("superpixel", rest="prediction", rest_confidence=least)
    active.run(settings, tmp_path / "run")
    world = open_world(settings, tmp_path / "run", 0)
    folder = world.folder / "superpixel" / "round-1"
    answers, unsure, sure_of = Answers((folder / "answers",)), 0, 0
    with TorchRunner(world.folder / "start" / "train" / "last.edgeseg", 1) as runner:
        for sample_id in answers.sample_ids():
            number, answer = world.data.sample_ids.index(sample_id), answers.read(sample_id)
            assert answer is not None
            logits = torch.from_numpy(runner.infer(world.data.image(number))["logits"])[None]
            full = torch.nn.functional.interpolate(logits, answer.shape, mode="bilinear")
            top, winner = (full / runner.info.temperature).softmax(1)[0].max(0)
            label = read_label(folder / "data" / "masks" / f"{number:05d}.png")
            rest = answer == NOT_ASKED
            sure, clear = (top >= least).numpy(), ((top - least).abs() > 1e-4).numpy()
            assert (label[rest & clear & ~sure] == 255).all()
            agree = label[rest & clear & sure] == winner.numpy()[rest & clear & sure]
            assert agree.mean() > 0.999  # ties of classes may fall either way
            unsure, sure_of = unsure + int((rest & ~sure).sum()), sure_of + agree.size
    assert unsure and sure_of


class _Killed(BaseException):
    pass


def _kill(*_: object, **__: object) -> None:
    raise _Killed


@pytest.mark.parametrize(
    ("owner", "name", "passes"),
    [
        (Turn, "_answer", 1),
        (Turn, "_complete", 0),
        (Run, "_close_epoch", 3),
        ("edgeseg.active.training", "evaluate", 1),
    ],
)
def test_resumed_run_gives_the_same_rows(
    two_rounds: tuple[ActiveSettings, ActiveReport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    passes: int,
) -> None:
    settings, whole = two_rounds
    owner = __import__(owner, fromlist=[name]) if isinstance(owner, str) else owner
    real, count = getattr(owner, name), iter(range(100))

    def sometimes(*given: Any, **named: Any) -> Any:
        return _kill() if next(count) == passes else real(*given, **named)

    monkeypatch.setattr(owner, name, sometimes)
    with pytest.raises(_Killed):
        active.run(settings, tmp_path / "parts")
    monkeypatch.setattr(owner, name, real)
    assert untimed(active.run(settings, tmp_path / "parts", resume=True)) == untimed(whole)


def test_finished_run_is_not_done_again(make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings("entropy")
    first = active.run(settings, tmp_path / "run")
    monkeypatch.setattr("edgeseg.active.training.train", _kill)
    monkeypatch.setattr(Turn, "ask", _kill)
    assert active.run(settings, tmp_path / "run", resume=True) == first
    assert ActiveReport.from_dict(json.loads((tmp_path / "run" / "rows.json").read_text())) == first


@pytest.mark.parametrize("strategy", ["random", "entropy", "superpixel-crf", "class-specific", "committee", "full"])
def test_selection_reads_no_label_of_the_pool(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    settings = make_settings(strategy, committee=1)
    pool = set(open_world(settings, tmp_path, 0).asked)
    real, answer, asking = SyntheticDataset.label, Turn._answer, []

    def guarded(self: SyntheticDataset, index: int) -> Any:
        assert len(self) != 7 or index not in pool or asking, f"label of frame {index} of Q is read in scoring"
        return real(self, index)

    def answering(*given: Any) -> None:
        asking.append(True)
        answer(*given)

    world = open_world(settings, tmp_path, 0)
    monkeypatch.setattr(SyntheticDataset, "label", guarded)
    monkeypatch.setattr(Turn, "_answer", answering)
    monkeypatch.setattr("edgeseg.active.loop.open_world", lambda *_: world)
    monkeypatch.setattr("edgeseg.active.loop.collect", lambda *_: ActiveReport((), {}, {}))
    active.run(settings, tmp_path / "run")
    assert asking


def test_frames_of_the_pool_have_no_label_for_anyone(make_settings: Make, tmp_path: Path) -> None:
    world: World = open_world(make_settings("random"), tmp_path, 0)
    with pytest.raises(PermissionError, match="without the oracle"):
        world.frames.label(0)


@pytest.mark.parametrize("strategy", ["superpixel", "entropy", "random"])
def test_budget_in_clicks_is_never_exceeded(make_settings: Make, tmp_path: Path, strategy: str) -> None:
    cells = {"entropy": {"regions": "grid"}}
    report = active.run(make_settings(strategy, budget_clicks=60, group=3, method=cells), tmp_path / "run")
    assert 0 < report.rows[-1].clicks <= 60


def test_budget_that_buys_nothing_is_told(make_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing was selected within 1 clicks; raise share or budget_clicks"):
        active.run(make_settings("superpixel", budget_clicks=1), tmp_path / "run")


def test_semi_supervision_and_scratch_and_seeds(make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings("random", semi=True, start="scratch", seeds=(0, 1), training={"semi": {"start_epoch": 0}})
    report = active.run(settings, tmp_path / "run")
    assert [(row.seed, row.round) for row in report.rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    line = json.loads((tmp_path / "run/seed-0/random/round-1/train/metrics.jsonl").read_text())
    assert "pseudo_ce" in line
    assert report.rows[0].miou != report.rows[2].miou


def test_one_cell_at_a_time_gives_what_all_give(make_settings: Make, tmp_path: Path) -> None:
    whole = active.run(make_settings("random", "full"), tmp_path / "whole")
    for strategy in ("random", "full"):
        active.run(make_settings(strategy), tmp_path / "parts", resume=True)
    assert untimed(active.collect(make_settings("random", "full"), tmp_path / "parts")) == untimed(whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial": 7}, "leaves 0 for 1 rounds of 2; lower initial, rounds or group"),
        ({"share": 0.0}, "share must be above 0"),
        ({"rest_confidence": 1.5}, "rest_confidence must be at least 0 and at most 1"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"seeds": (1, 1)}, "seeds must name one or more, each once"),
        ({"training": {"data": "x"}}, "training.data: set by the loop itself"),
        ({"training": {"bathc_size": 2}}, "bathc_size"),
        ({"method": {"superpixel": {"edge": 2}}}, "method.edge: no such option; the strategy's own are: region_score"),
        ({"method": {"superpixel": 3}}, "method.superpixel must be a mapping of options"),
        ({"val": "synthetic:1"}, None),
    ],
)
def test_settings_that_cannot_be_used(
    make_settings: Make, tmp_path: Path, changes: dict[str, Any], message: str | None
) -> None:
    if message is None:
        active.run(make_settings("superpixel", **changes), tmp_path / "run")
        return
    with pytest.raises(ConfigError, match=message):
        active.run(make_settings("superpixel", **changes), tmp_path / "run")


def test_unknown_strategy_names_the_known_ones(make_settings: Make) -> None:
    with pytest.raises(ConfigError, match=r"strategy 'entrpy' is unknown; choose from random, entropy"):
        make_settings("entrpy")


def test_other_settings_do_not_go_on_with_a_run(make_settings: Make, tmp_path: Path) -> None:
    active.run(make_settings("random"), tmp_path / "run")
    with pytest.raises(OutputError, match="holds a run; go on with it by --resume"):
        active.run(make_settings("random"), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"settings changed since the run began: share: 0\.1, now 0\.2"):
        active.run(make_settings("random", share=0.2), tmp_path / "run", resume=True)


def test_a_run_that_an_earlier_version_began_goes_on(make_settings: Make, tmp_path: Path) -> None:
    rows = active.run(make_settings("random"), tmp_path / "run").rows
    config = tmp_path / "run" / "config.yaml"
    config.write_text("".join(line for line in config.open() if not line.startswith("rest_confidence:")))
    assert active.run(make_settings("random"), tmp_path / "run", resume=True).rows == rows
    with pytest.raises(ConfigError, match=r"settings changed since the run began: rest_confidence: 0\.0, now 0\.5"):
        active.run(make_settings("random", rest_confidence=0.5), tmp_path / "run", resume=True)


def test_names_and_what_is_told_of_each() -> None:
    for name in methods.names():
        about = methods.about(name)
        assert all((about.selects, about.needs, about.costs, about.source, about.use_when)), name


def test_monte_carlo_dropout_asks_of_a_network_that_drops_channels(make_settings: Make, tmp_path: Path) -> None:
    training = {"network": "enet", "height": 64, "width": 96}
    rows = active.run(make_settings("mc-dropout", training=training), tmp_path / "run").to_dict()["rows"]
    assert rows[-1]["labeled_pixels"] > rows[0]["labeled_pixels"]


def test_monte_carlo_dropout_of_a_network_without_is_refused(make_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="drops none in training; take a network with dropout, such as enet"):
        active.run(make_settings("mc-dropout"), tmp_path / "run")
