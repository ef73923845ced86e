"""The live view of a running agent, on stderr."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeseg.device.agent.status import Status
from edgeseg.progress import console

BARS = " ▁▂▃▄▅▆▇█"
BINS = 40
REFRESHES_A_SECOND = 4


class Screen:
    """Shows a status until it is closed; messages scroll above it."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._next_s = 0.0
        self._live = Live(draw(status), console=console(), auto_refresh=False)
        self._live.start()

    def update(self) -> None:
        """Draws anew, a few times a second at most."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 1 / REFRESHES_A_SECOND
            self._live.update(draw(self._status), refresh=True)

    def close(self) -> None:
        """Leaves the last state on the terminal."""
        self._live.update(draw(self._status), refresh=True)
        self._live.stop()


def draw(status: Status) -> RenderableType:
    """The view of a status."""
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(status):
        table.add_row(Text(name, style="bold"), Text(value))
    return Group(Text(f"edgeseg score {status.source}"), table)


def histogram(values: list[float]) -> str:
    """Distribution as a line of bars, between the smallest and the largest value."""
    if not values:
        return ""
    counts, edges = np.histogram(values, BINS)
    heights = np.ceil(counts / counts.max() * (len(BARS) - 1)).astype(int)
    return f"{edges[0]:.3g} {''.join(BARS[height] for height in heights)} {edges[-1]:.3g}"


def _rows(status: Status) -> list[tuple[str, str]]:
    total = [report.total_ms for _, report in status.recent]
    latency = f"median {median(total):.0f} ms, worst {max(total):.0f} ms" if total else "–"
    dropped, spool = status.scored - status.kept, status.spool
    troubles = ", ".join(f"{name} {count}" for name, count in sorted(status.troubles.items()) if count)
    return [
        ("model", f"{status.model}, {status.strategy}; {status.swaps} swaps, {status.refused_swaps} refused"),
        ("frames", f"{status.frames_per_s:.1f} a second; {status.scored} scored, {status.late} late"),
        ("latency", latency),
        ("scores", histogram(status.scores)),
        ("decision", f"{status.kept} kept, {dropped} dropped, {status.unfit} unfit"),
        ("spool", f"{spool.items} items, {spool.bytes / 1e6:.1f} MB" if spool else "–"),
        ("upload", f"{spool.pending} wait, {spool.uploaded} uploaded, {spool.evicted} evicted" if spool else "–"),
        ("health", f"{troubles or 'well'}; {status.reconnects} reconnects; {status.rss_mb:.0f} MB resident"),
    ]
