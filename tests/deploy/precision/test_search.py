"""The search against costs that are known."""

from __future__ import annotations

import pytest

from edgeseg.deploy.precision.search import Bounds, Loss, choose_layers, in_blocks
from edgeseg.errors import ModelError

LAYERS = [f"/net/stage/stage.{block}/part{part}/Conv" for block in range(6) for part in range(2)]
COST = {0: 0.02, 1: 0.3, 2: 0.01, 3: 0.2, 4: 0.05, 5: 0.03}


def cost(names):
    blocks = {int(name.split("stage.")[1][0]) for name in names}
    points = sum(COST[block] for block in blocks)
    return Loss(points, points, points / 10, 1 - points / 10)


def test_all_layers_where_that_holds():
    choice = choose_layers(LAYERS, cost, cost, Bounds(1.0, 0.5), "int8")
    assert choice.layers == tuple(LAYERS) and choice.kept == {}


@pytest.mark.parametrize(
    ("points", "kept"), [(0.5, [1]), (0.12, [1, 3]), (0.06, [1, 3, 4]), (0.04, [1, 3, 4, 5]), (0.01, [1, 3, 4, 5, 0])]
)
def test_the_fewest_of_the_most_harmful_blocks_stay(points, kept):
    choice = choose_layers(LAYERS, cost, cost, Bounds(points, 0.0), "int8")
    assert list(choice.kept) == [f"stage/stage.{block}" for block in kept]
    assert choice.loss == cost(choice.layers) and choice.loss.miou_points <= points
    assert len(choice.layers) == 2 * (6 - len(kept))


def test_region_overlap_is_a_bound_too():
    choice = choose_layers(LAYERS, cost, cost, Bounds(9.0, 0.98), "int8")
    assert list(choice.kept) == ["stage/stage.1", "stage/stage.3"]


def test_equal_pixels_are_a_bound_too():
    choice = choose_layers(LAYERS, cost, cost, Bounds(9.0, 0.0, 0.98), "fp16")
    assert list(choice.kept) == ["stage/stage.1", "stage/stage.3"]


def test_a_gain_counts_like_a_loss():
    assert Bounds(0.5, 0.9).held_by(Loss(0.4, 0.4, 0.01, 0.95))
    assert Bounds(0.5, 0.9).held_by(Loss(-0.4, 0.4, 0.01, 0.95))
    assert not Bounds(0.5, 0.9).held_by(Loss(-0.6, 0.6, 0.01, 0.95))


def test_classes_that_cancel_in_the_mean_do_not_hold_the_bound():
    assert not Bounds(0.5, 0.9).held_by(Loss(0.0, 2.0, 0.01, 0.95))


def test_no_layer_that_may_be_int8_is_an_error():
    with pytest.raises(
        ModelError, match=r"--precision int8 does not hold 0.001 points .*or allow more with --max-miou-drop"
    ):
        choose_layers(LAYERS, cost, cost, Bounds(0.001, 0.0), "int8")


def test_layers_are_gathered_by_block():
    names = ["/net/down1/reduce/reduce.0/Conv", "/net/down1/expand/Conv", "/net/s/s.0/a/Conv", "/net/s/s.1/a/Conv", "x"]
    assert list(in_blocks(names)) == ["down1", "s/s.0", "s/s.1", "x"]
