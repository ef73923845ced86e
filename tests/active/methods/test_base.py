from __future__ import annotations

import pytest

from edgeseg.active import methods
from edgeseg.active.methods import MethodOptions, ranked
from edgeseg.errors import ConfigError


def test_own_options_have_defaults_and_unknown_ones_are_refused() -> None:
    assert MethodOptions(own={"weight": 2}).take(weight=1, steps=3) == {"weight": 2, "steps": 3}
    with pytest.raises(ConfigError, match=r"method\.wieght: no such option; the strategy's own are: weight"):
        MethodOptions(own={"wieght": 2}).take(weight=1)


def test_ranked_by_falling_value_then_frame() -> None:
    assert list(ranked([(3, 0.1), (1, 0.5), (0, 0.1)])) == [(1, 0.5), (0, 0.1), (3, 0.1)]


class Own(methods.Method):
    """A user's own."""

    about = methods.About("nothing", "-", "-", "-", "never")

    def select(self, state: methods.Round) -> list[methods.base.Choice]:
        return []


def test_a_users_own_method_or_strategy_is_found_by_its_path() -> None:
    assert isinstance(methods.build("tests.active.methods.test_base:Own", MethodOptions()), Own)
    assert methods.about("tests.active.methods.test_base:Own").use_when == "never"
    strategy = methods.build("edgeseg.device.strategies.entropy:Entropy", MethodOptions())
    assert strategy.needs == ("class_map", "entropy", "frame_entropy")
    with pytest.raises(ConfigError, match="cannot be imported"):
        methods.build("tests.active.methods.test_base:Nowhere", MethodOptions())
