from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgeseg.errors import DataError
from edgeseg.report.pareto import Point, frontier, write_pareto


def point(name, latency, miou, group="cpu"):
    return Point(name, latency, 1.0, miou, group)


def test_frontier_holds_what_nothing_beats():
    rng = np.random.default_rng(0)
    points = [point(str(k), x, x + int(rng.integers(-6, 6))) for k, x in enumerate(rng.integers(0, 12, 60).tolist())]
    found = {(p.latency_ms, p.miou) for p in frontier(points)}
    slow = {
        (p.latency_ms, p.miou)
        for p in points
        if not any(
            q.latency_ms <= p.latency_ms and q.miou >= p.miou and (q.latency_ms, q.miou) != (p.latency_ms, p.miou)
            for q in points
        )
    }
    assert found == slow and 1 < len(found) < 12
    assert all(a.latency_ms < b.latency_ms and a.miou < b.miou for a, b in itertools.pairwise(frontier(points)))


def test_plot_names_its_points_and_axes_and_is_the_same_each_time(tmp_path):
    points = [point("enet", 10.0, 0.5), point("icnet", 30.0, 0.6, "gpu")]
    for name in ("a.svg", "b.svg", "a.png"):
        write_pareto(tmp_path / name, points)
    text = (tmp_path / "a.svg").read_text()
    assert "enet" in text and "mIoU, %" in text and "latency, ms" in text
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "points", "message"),
    [("a.gif", [point("x", 1, 1)], r"--plot .*a.gif: name a .png or .svg"), ("a.png", [], "no row has both")],
)
def test_plot_that_cannot_be_is_refused(tmp_path, name, points, message):
    with pytest.raises(DataError, match=message):
        write_pareto(tmp_path / name, points)
    assert list(tmp_path.iterdir()) == []
