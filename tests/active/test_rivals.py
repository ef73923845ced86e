"""The rivals through the whole loop, on a drive that the package draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg import active
from edgeseg.active import ActiveSettings, methods
from tests.active.quick import QUICK

RIVALS = ("class-balanced-superpixel", "pixelpick", "ralis", "vaal", "random-frames")


@pytest.mark.parametrize("strategy", RIVALS)
def test_two_rounds_give_rows_within_the_budget(
    strategy: str, make_settings: Callable[..., ActiveSettings], tmp_path: Path
) -> None:
    settings = make_settings(
        strategy, data="synthetic:12", initial=4, rounds=2, share=0.5, method={strategy: QUICK.get(strategy, {})}
    )
    rows = active.run(settings, tmp_path / "run").rows
    assert [row.round for row in rows] == [0, 1, 2] and all(row.miou is not None for row in rows)
    pixels = [row.queried_pixels for row in rows]
    assert pixels[0] == 0 < pixels[1] < pixels[2] and pixels[2] <= 2 * 0.5 * settings.group * 128 * 192
    assert (rows[-1].outside_pixels > 0) == (strategy == "ralis")


@pytest.mark.parametrize("strategy", RIVALS)
def test_what_is_told_of_them_is_complete(strategy: str) -> None:
    about = methods.about(strategy)
    assert all((about.selects, about.needs, about.costs, about.source, about.use_when))
