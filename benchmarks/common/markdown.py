"""Tables as Markdown, and figures over seeds as text."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def percent(value: float | None) -> str:
    """A share in percent with one decimal, "–" where there is none."""
    return "–" if value is None else f"{100 * value:.1f}"


def mean_and_spread(shares: Sequence[float]) -> str:
    """Mean in percent, ± the standard deviation over seeds where there are at least two."""
    if not shares:
        return "–"
    spread = f" ± {100 * statistics.stdev(shares):.1f}" if len(shares) > 1 else ""
    return f"{100 * statistics.mean(shares):.1f}{spread}"


def paired_gain(before: dict[int, float], after: dict[int, float]) -> str:
    """Mean gain in points over the seeds that both have, ± its standard error (of the paired differences)."""
    gains = [after[seed] - before[seed] for seed in sorted(before.keys() & after.keys())]
    if not gains:
        return "–"
    error = f" ± {100 * statistics.stdev(gains) / len(gains) ** 0.5:.1f}" if len(gains) > 1 else ""
    return f"{100 * statistics.mean(gains):+.1f}{error} (n = {len(gains)})"
