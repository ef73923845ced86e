"""Strategies: what each scores, how they are found, and what a wrong name is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.classes import ClassMap
from edgeseg.device.partition import REGION_KINDS, SMALLEST_PX, RegionKind
from edgeseg.device.regions import areas, choose
from edgeseg.device.strategies import STRATEGIES, StrategyOptions, build, opened
from edgeseg.device.strategies.entropy_edge import CANNY_THRESHOLDS, EntropyEdge
from edgeseg.device.strategies.pixelwise import groups, top_pixels
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, ModelError
from edgeseg.frames import Frame


@pytest.fixture
def view(scene: Callable[[int], NDArray[np.uint8]], runner: Any) -> FrameView:
    image = scene(40)
    frame = Frame(image, "f1", 1, None, "drive")
    return FrameView(frame, runner.infer(image), runner.info, 300, runner.infer, masked=runner)


@pytest.fixture
def masked(view: FrameView) -> FrameView:
    """The view with its lower third unwanted."""
    ignored = np.zeros(view.frame.image.shape[:2], bool)
    ignored[60:] = True
    return FrameView(view.frame, view.outputs, view.info, 300, view.infer, ignored, view.masked)


@pytest.fixture
def opened_members(monkeypatch: pytest.MonkeyPatch, make_runner: Callable[..., Any]) -> list[Any]:
    """Committee members: each file opens as a model that sees the frame's blue channel as its green one."""
    found: list[Any] = []

    class Member(type(make_runner())):  # type: ignore[misc]
        closed = False

        def infer(self, frame: NDArray[np.uint8]) -> Any:
            return super().infer(np.ascontiguousarray(frame[:, :, [0, 2, 1]]))

        def close(self) -> None:
            self.closed = True

    def open_member(path: Path) -> Member:
        found.append(Member())
        return found[-1]

    monkeypatch.setattr("edgeseg.device.strategies.committee.open_runner", open_member)
    return found


OPTIONS = StrategyOptions(committee=(Path("other.onnx"),))
NEVER = {(name, "pixels") for name in ("random", "superpixel-crf", "class-specific")}
CASES = [(name, kind) for name in STRATEGIES for kind in (None, *REGION_KINDS) if (name, kind) not in NEVER]


@pytest.mark.usefixtures("opened_members")
@pytest.mark.parametrize(("name", "regions"), CASES)
def test_regions_cover_ids_without_gaps(view: FrameView, name: str, regions: RegionKind | None) -> None:
    score = build(name, replace(OPTIONS, regions=regions)).score(view)
    assert score.labels.shape == view.frame.image.shape[:2]
    assert len(score.region_values) == score.labels.max() + 1
    assert (areas(score.labels) > 0).all()
    assert math.isfinite(score.value)


@pytest.mark.usefixtures("opened_members")
@pytest.mark.parametrize("name", STRATEGIES)
def test_unwanted_pixels_are_in_no_region(masked: FrameView, name: str) -> None:
    score = build(name, OPTIONS).score(masked)
    assert (score.labels[60:] == -1).all()
    assert (areas(score.labels) > 0).all()
    assert len(score.region_values) == score.labels.max() + 1


def test_unwanted_pixels_leave_the_frames_score(masked: FrameView) -> None:
    expected = masked.entropy[:60].astype(float).sum() / masked.entropy.size * math.log(4) / 255
    assert build("entropy", OPTIONS).score(masked).value == pytest.approx(expected)


@pytest.mark.parametrize(
    "name", ["entropy", "entropy-edge", "superpixel", "superpixel-crf", "margin", "least-confidence"]
)
def test_uncertain_square_is_what_is_chosen(view: FrameView, name: str) -> None:
    score = build(name, StrategyOptions(region_score="mean")).score(view)
    chosen = choose(score.labels, score.region_values, 0.1)
    mask = np.isin(score.labels, chosen)
    square = np.zeros_like(mask)
    square[40:72, 60:100] = True
    assert (mask & square).sum() > 0.95 * square.sum()
    assert mask.sum() <= 0.1 * mask.size


def test_frame_entropy_is_the_graphs_own(view: FrameView) -> None:
    for name in ("entropy", "superpixel"):
        assert build(name, OPTIONS).score(view).value == pytest.approx(view.outputs["frame_entropy"])


def test_edges_count_for_more(view: FrameView) -> None:
    edges = cv2.Canny(cv2.cvtColor(view.frame.image, cv2.COLOR_RGB2GRAY), *CANNY_THRESHOLDS) > 0
    assert edges.any()
    expected = view.entropy * np.where(edges, 2.0, 1.0) * math.log(4) / 255
    strategy = EntropyEdge(StrategyOptions(edge_weight=2.0))
    got = strategy.uncertainty(view) * strategy.step(view)
    assert np.abs(got - expected).max() <= math.log(4) / 255 + 1e-9, "half a step of 2 log C / 255"
    assert strategy.score(view).value == pytest.approx(expected.mean(), abs=math.log(4) / 255)


def test_weight_one_is_plain_entropy(view: FrameView) -> None:
    assert np.array_equal(EntropyEdge(StrategyOptions(edge_weight=1.0)).uncertainty(view), view.entropy)


def test_margin_and_least_confidence_are_their_formulas(view: FrameView) -> None:
    second = cv2.resize(view.outputs["top2_probs"][1], (160, 120), interpolation=cv2.INTER_LINEAR)
    for name, factor in (("margin", 2), ("least-confidence", 1)):
        got = build(name, OPTIONS).uncertainty(view) / 255  # type: ignore[attr-defined]
        assert np.abs(got - factor * second).max() < 1.01 / 255
        assert build(name, OPTIONS).score(view).region_unit == "px"
        assert build(name, replace(OPTIONS, region_score="mean")).score(view).region_unit == ""


def test_flip_consistency_asks_the_mirror(view: FrameView) -> None:
    def asymmetric(image: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        left = np.zeros((60, 80), np.uint8)
        left[10:20, :30] = 2  # in the mirror: the frame's right side
        return {"class_map": left}

    looked = FrameView(view.frame, asymmetric(view.frame.image), view.info, 300, asymmetric)
    got = build("flip-consistency", OPTIONS).uncertainty(looked)  # type: ignore[attr-defined]
    expected = np.zeros((120, 160), np.uint8)
    expected[20:40, :60] = expected[20:40, 100:] = 255
    assert np.array_equal(got, expected)


def test_flip_consistency_of_a_pixelwise_model_is_full(view: FrameView) -> None:
    assert build("flip-consistency", OPTIONS).score(view).value == pytest.approx(0, abs=0.01)


def test_second_look_needs_a_model(view: FrameView) -> None:
    blind = FrameView(view.frame, view.outputs, view.info, 300)
    with pytest.raises(ModelError, match="f1: this strategy runs the model several times"):
        build("flip-consistency", OPTIONS).score(blind)


def test_crf_strategies_join_regions_not_pixels() -> None:
    for name in ("superpixel-crf", "class-specific"):
        with pytest.raises(ConfigError, match="joins regions: take superpixel, grid or component, not pixels"):
            build(name, replace(OPTIONS, regions="pixels"))


def test_committee_disagrees_where_its_models_do(view: FrameView, opened_members: list[Any]) -> None:
    with opened("committee", OPTIONS) as strategy:
        got = strategy.uncertainty(view)  # type: ignore[attr-defined]
    # Inside the square green says class 3, blue class 0; around it both say class 0.
    assert (got[44:68, 64:96] == 255).all()
    assert not got[:38].any()
    assert [member.closed for member in opened_members] == [True]


def test_committee_needs_members_of_the_same_classes(view: FrameView, opened_members: list[Any]) -> None:
    with pytest.raises(ConfigError, match="needs further models: name each with --committee"):
        build("committee", StrategyOptions())
    strategy = build("committee", OPTIONS)
    opened_members[0].info = replace(view.info, class_map=ClassMap("other", view.info.class_map.classes[:2]))
    with pytest.raises(ConfigError, match=r"other\.onnx: its classes are not those of --model"):
        strategy.score(view)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("edge_weight", 0.5, "edge_weight must be 1 or more"),
        ("regions", "superpixels", "regions must be pixels or superpixel or grid or component, got 'superpixels'"),
        ("crf", "dense", "crf must be superpixel or pixel"),
    ],
)
def test_wrong_options_are_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StrategyOptions(**{field: value})


def test_superpixel_sum_is_in_nats(view: FrameView) -> None:
    score = build("superpixel", StrategyOptions()).score(view)
    expected = view.entropy[score.labels == 3].astype(float).sum() * math.log(4) / 255
    assert score.region_values[3] == pytest.approx(expected)
    assert score.region_unit == "nats"
    assert build("superpixel", StrategyOptions(region_score="mean")).score(view).region_unit == "nats/px"


def test_random_repeats_itself_and_follows_seed_and_frame(view: FrameView, runner: Any) -> None:
    first = build("random", StrategyOptions()).score(view)
    assert build("random", StrategyOptions()).score(view).value == first.value
    assert build("random", StrategyOptions(seed=1)).score(view).value != first.value
    other = FrameView(replace(view.frame, id="f2"), view.outputs, runner.info, 300)
    assert build("random", StrategyOptions()).score(other).value != first.value


def test_random_draws_among_the_regions_that_were_named(view: FrameView) -> None:
    # A region of the grid fills its rectangle, others hardly ever do; a component has one class.
    rectangles, classes = {}, {}
    for kind in ("superpixel", "grid", "component"):
        score = build("random", StrategyOptions(regions=kind)).score(view)
        places = [np.nonzero(score.labels == region) for region in range(len(score.region_values))]
        rectangles[kind] = np.mean([len(y) == (np.ptp(y) + 1) * (np.ptp(x) + 1) for y, x in places])
        classes[kind] = max(len(set(view.class_map[place])) for place in places)
        assert len(set(score.region_values)) == len(places), "each region has a number of its own"
    assert rectangles["grid"] == 1 > rectangles["superpixel"]
    assert classes["component"] == 1 < classes["grid"]


def test_random_knows_no_uncertain_pixels() -> None:
    with pytest.raises(ConfigError, match="knows no uncertain pixels: take superpixel, grid or component"):
        build("random", StrategyOptions(regions="pixels"))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 1.0])
def test_top_pixels_agree_with_sorting(share: float) -> None:
    entropy = np.random.default_rng(0).integers(0, 256, (50, 60), np.uint8)
    mask = top_pixels(entropy, share)
    ranked = np.sort(entropy.ravel())[::-1]
    limit = int(share * entropy.size)
    level = next(v for v in range(1, 257) if (ranked >= v).sum() <= limit)
    assert np.array_equal(mask, entropy >= level)


def test_top_pixels_of_a_sure_frame_are_none() -> None:
    assert not top_pixels(np.zeros((5, 5), np.uint8), 0.1).any()


def test_groups_leave_out_what_is_too_small_to_label() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:12, 2:12] = mask[20:30, 20:30] = True
    mask[35, 35] = True
    labels = groups(mask)
    assert labels.max() == 1
    assert areas(labels).tolist() == [100, 100]
    assert labels[35, 35] == -1
    assert SMALLEST_PX <= 100


def test_own_class_is_found_by_its_module() -> None:
    made = build("edgeseg.device.strategies.entropy:Entropy", StrategyOptions())
    assert made.name == "entropy"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("entorpy", r"'entorpy' is unknown; choose from random, entropy, entropy-edge, superpixel"),
        ("no.such.module:Thing", "cannot be made"),
        ("edgeseg.device.strategies.entropy:Thing", "cannot be made"),
        ("pathlib:Path", r"cannot be made|lacks"),
        ("builtins:repr", "lacks name, needs, score"),
    ],
)
def test_wrong_strategy_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(name, StrategyOptions())
