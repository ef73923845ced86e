from __future__ import annotations

from typing import Any

import pytest

from edgeseg.active import ActiveReport, tables
from edgeseg.active.page import lead
from edgeseg.active.rows import Row


def _row(strategy: str, seed: int, number: int, miou: float, **changes: Any) -> Row:
    plain: dict[str, Any] = {
        "frames": 2 * number,
        "queried_pixels": 100 * number,
        "queried_share": 0.05 * number,
        "labeled_pixels": 1000 + 100 * number,
        "labeled_share": 0.4 + 0.01 * number,
        "outside_pixels": 0,
        "clicks": 10 * number,
        "iou": {"road": miou, "car": None},
        "select_seconds": 3.0 if number else None,
        "select_seconds_a_frame": 0.03 if number else None,
        "selection": {"wrong_share": 0.4, "wrong_cap": 0.5, "classes": {"road": 30, "car": 10}} if number else {},
        "figures": {},
    }
    return Row(strategy=strategy, seed=seed, round=number, miou=miou, **(plain | changes))


def _report(*rows: Row) -> ActiveReport:
    return ActiveReport(rows, {"rounds": 1, "val": "synthetic:2", "data": "synthetic:7"}, {"P": 2, "Q": 5, "val": 2})


@pytest.fixture
def report() -> ActiveReport:
    found = {"full": (0.60, 0.50), "random": (0.45, 0.42), "entropy": (0.54, 0.48)}
    return _report(
        *(
            row
            for name, values in found.items()
            for seed, value in enumerate(values)
            for row in (_row(name, seed, 0, 0.4), _row(name, seed, 1, value))
        )
    )


def test_share_of_full_and_gain_over_random_are_paired_by_seed(report: ActiveReport) -> None:
    assert tables.of_full(report, "entropy", 1) == pytest.approx([0.9, 0.96])
    assert tables.gains(report, "entropy", 1) == pytest.approx([0.09, 0.06])
    row = tables.round_table(report).rows[2]
    assert row == ("entropy", "40.0 ± 0.0", "51.0 ± 4.2", "93.0 ± 4.2", "+7.5 ± 2.1")


def test_a_seed_that_full_lacks_is_left_out(report: ActiveReport) -> None:
    more = _report(*report.rows, _row("entropy", 2, 0, 0.4), _row("entropy", 2, 1, 0.9))
    assert tables.of_full(more, "entropy", 1) == pytest.approx([0.9, 0.96])


def test_other_tables(report: ActiveReport) -> None:
    assert tables.label_table(report).rows[1][:4] == ("random", "2 ± 0", "5.0 ± 0.0", "41.0 ± 0.0")
    assert tables.wrong_table(report).rows[0][:3] == ("random", "40.0 ± 0.0", "50.0 ± 0.0")
    assert tables.time_table(report).rows[1:] == (("random", "30", "3", "–"), ("entropy", "30", "3", "–"))
    timed = tables.time_table(_report(*(_row("random", seed, 1, 0.5, train_seconds=70.0 + seed) for seed in (0, 1, 2))))
    assert timed.rows == (("random", "30", "3", "71"),)
    assert tables.class_table(report).rows[2] == ("entropy", "51.0 ± 4.2", "–")
    assert tables.histogram_table(report).rows[2] == ("entropy", "75.0", "25.0")
    by_budget = tables.setting_table({"m = 10 %": report, "m = 20 %": _report(_row("entropy", 0, 1, 0.7))}, "by budget")
    assert by_budget.columns == ("strategy", "m = 10 %", "m = 20 %")
    assert by_budget.rows[1:] == (("random", "43.5 ± 2.1", "–"), ("entropy", "51.0 ± 4.2", "70.0"))
    assert tables.figure_table(report) is None
    told = tables.figure_table(_report(_row("vaal", 0, 1, 0.5, figures={"critic_accuracy": 0.75})))
    assert told is not None and told.rows == (("vaal", "critic_accuracy", "0.7500"),)


def test_best_is_sought_among_those_with_all_seeds(report: ActiveReport) -> None:
    lucky = _report(*report.rows, _row("margin", 0, 1, 0.9))
    assert "Best: entropy with 51.0 % mIoU" in lead(lucky)


def test_strategy_that_has_not_begun_hides_nothing_of_the_others(report: ActiveReport) -> None:
    waiting = _report(*report.rows, _row("margin", 0, 0, 0.3))
    assert tables.label_table(waiting).rows[:-1] == tables.label_table(report).rows
    assert tables.class_table(waiting).rows[:-1] == tables.class_table(report).rows


def test_lead_says_what_came_out_and_warns_first(report: ActiveReport) -> None:
    text = lead(report)
    assert "Best: entropy with 51.0 % mIoU, 93.0 ± 4.2 % of full supervision" in text
    assert "+7.5 points over random, more than the seeds differ" in text
    alone = _report(_row("entropy", 0, 0, 0.4), _row("entropy", 0, 1, 0.5))
    assert lead(alone).startswith("Without full and random there is nothing to compare with.")
