"""Plots as inline SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from edgeseg.errors import MissingDependencyError
from edgeseg.report import Figure, plots

SERIES = {"teacher <1>": ([1, 2, 3], [0.5, 0.25, 0.2]), "student": ([1, 2, 3], [0.9, 0.6, 0.5])}


def every_plot() -> list[Figure]:
    return [
        plots.curves(SERIES, "epoch", "loss", "Loss by epoch", log=True),
        plots.bars(["road", "car"], {"a": [0.9, None], "b": [0.8, 0.7]}, "IoU", "IoU by class"),
        plots.pareto({"big": (30.0, 0.7), "small": (10.0, 0.6), "bad": (40.0, 0.5)}, "ms", "mIoU", "Cost and gain"),
    ]


def test_plot_is_inline_svg_without_namespaces_or_addresses() -> None:
    for figure in every_plot():
        assert figure.is_svg
        assert "http" not in figure.content and "xmlns" not in figure.content and "<metadata" not in figure.content


def test_plot_is_well_formed_and_says_what_it_shows() -> None:
    for figure in every_plot():
        root = ElementTree.fromstring(figure.content.replace("<svg", '<svg xmlns:xlink="x"', 1))
        assert root.attrib["role"] == "img" and root.attrib["aria-label"] == figure.alt
        assert "viewBox" in root.attrib and "width" not in root.attrib


def test_a_logarithmic_axis_is_marked_in_plain_numbers() -> None:
    figure = plots.curves(SERIES, "epoch", "loss", "Loss by epoch", log=True)
    marks = re.findall(r">(0\.\d+)</text>", figure.content)
    assert {"0.2", "0.5"} <= set(marks) and "$" not in figure.content


def test_names_of_many_lines_stand_beside_the_plot() -> None:
    many = {f"line {n}": ([1, 2, 3], [n, n + 1, n + 2]) for n in range(plots.MOST_INSIDE + 1)}
    figure = plots.curves(many, "epoch", "loss", "Loss by epoch")
    places = re.findall(r' x="([\d.]+)"[^>]*>line \d</text>', figure.content)
    assert len(places) == len(many)
    assert min(map(float, places)) > max(mark.x for mark in figure.marks)


def test_plot_takes_the_pages_text_color() -> None:
    assert all("currentColor" in figure.content and "#010203" not in figure.content for figure in every_plot())


def test_plot_ids_do_not_meet_those_of_another_plot() -> None:
    found = [set(re.findall(r'clipPath id="([^"]+)"', figure.content)) for figure in every_plot()]
    assert all(found) and not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])


def test_plot_groups_have_no_ids_that_another_plot_has_too() -> None:
    assert not any(re.search(r'<g id="', figure.content) for figure in every_plot())


def test_plot_marks_tell_the_values_where_they_are_drawn() -> None:
    figure = plots.curves({"loss": ([1, 2, 3], [0.0, 1.0, 0.5])}, "epoch", "loss", "Loss by epoch")
    assert [mark.text for mark in figure.marks][1] == "loss: epoch 2, loss 1"
    # The line's own path goes through the same places: M x y L x y ...
    path = re.search(r'data-series="0".*?<path d="([^"]+)"', figure.content, re.DOTALL)
    assert path is not None
    drawn = [tuple(map(float, place)) for place in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path.group(1))]
    told = [(mark.x, mark.y) for mark in figure.marks]
    assert told == [pytest.approx(place, abs=0.6) for place in drawn]


def test_plot_of_many_points_marks_evenly_spaced_ones() -> None:
    long = list(map(float, range(9000)))
    assert 1000 < len(plots.curves({"a": (long, long)}, "x", "y", "A long course").marks) <= 2000


def test_plot_marks_leave_out_what_is_not_finite() -> None:
    figure = plots.curves({"a": ([1, 2, 3], [float("nan"), 1.0, float("inf")])}, "epoch", "loss", "Loss")
    assert [mark.text for mark in figure.marks] == ["a: epoch 2, loss 1"]


def test_plot_names_are_text_whatever_signs_they_hold() -> None:
    name = r"$\frac{$ <script>alert(1)</script> & _x"
    for figure in (
        plots.curves({name: ([1, 2], [1, 2]), "b": ([1], [1])}, "epoch", name, "Alt"),
        plots.bars([name], {"a": [1.0], "b": [2.0]}, "IoU", "Alt"),
        plots.pareto({name: (1.0, 1.0)}, "ms", "mIoU", "Alt"),
    ):
        assert "<script" not in figure.content and "&lt;script&gt;" in figure.content


def test_plot_same_input_gives_the_same_file() -> None:
    assert [f.content for f in every_plot()] == [f.content for f in every_plot()]


def test_pareto_front_leaves_out_the_beaten() -> None:
    points = {"a": (1.0, 0.5), "b": (2.0, 0.4), "c": (3.0, 0.7), "d": (3.0, 0.6), "e": (9.0, 0.7)}
    assert plots.pareto_front(points) == ["a", "c"]


def test_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edgeseg\[report\]'"):
        plots.curves(SERIES, "epoch", "loss", "Loss by epoch")
