"""A replay as one page: what was kept when, what hindsight would have kept, and how the budgets were spent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeseg.device.policy.candidate import Candidate
from edgeseg.device.policy.replay import Replay
from edgeseg.report.page import Figure, Page, Section, Table
from edgeseg.report.plots import curves, timeline


def replay_page(title: str, candidates: Sequence[Candidate], replay: Replay) -> Page:
    """Makes the page.

    Args:
        title: What was replayed, such as the trace's name.
        candidates: The drive.
        replay: What came out.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    report = replay.report
    regret = "–" if report.regret is None else f"{report.regret:.3f}"
    lead = (
        f"{report.kept} of {report.frames} frames kept in {report.seconds:.0f} s. Regret {regret}: "
        f"the kept frames are worth {report.worth:.3f}, the best choice in hindsight {report.best:.3f}, "
        f"blind choices {report.random:.3f} on average."
    )
    plots = (_worth(candidates, replay), _spending(candidates, replay))
    return Page(
        title, lead, (Section("Timeline", "", plots), Section("Counts", "", (_reasons(replay), _spent(replay))))
    )


def _worth(candidates: Sequence[Candidate], replay: Replay) -> Figure:
    times, worth = [candidate.time_s for candidate in candidates], replay.worth.tolist()
    kept, best = _kept(candidates, replay), sorted(replay.best_frames)
    marks = {
        name: ([times[i] for i in where], [worth[i] for i in where])
        for name, where in (("kept", kept), ("best in hindsight", best))
    }
    alt = f"Worth of each frame over the drive; {len(kept)} kept frames and {len(best)} of the best choice are marked."
    return timeline((times, worth), marks, "time in the drive, s", "worth of the frame", alt)


def _spending(candidates: Sequence[Candidate], replay: Replay) -> Figure:
    """Worth gathered over the drive by what is kept in the end, and by the best choice."""
    times = [candidate.time_s for candidate in candidates]
    series = {}
    for name, where in (("kept", _kept(candidates, replay)), ("best in hindsight", sorted(replay.best_frames))):
        gathered = np.zeros(len(times))
        gathered[where] = replay.worth[where]
        series[name] = (times, gathered.cumsum().tolist())
    series["at an even pace"] = ([times[0], times[-1]], [0.0, replay.report.best])
    alt = "Worth gathered over the drive by the kept frames, by the best choice, and at an even pace."
    return curves(series, "time in the drive, s", "worth gathered", alt)


def _kept(candidates: Sequence[Candidate], replay: Replay) -> list[int]:
    place = {candidate.frame: number for number, candidate in enumerate(candidates)}
    return sorted(place[decision.candidate.frame] for decision in replay.decisions if decision.kept)


def _reasons(replay: Replay) -> Table:
    rows = sorted(replay.report.reasons.items(), key=lambda row: -row[1])
    return Table(("what became of the frames", "frames"), tuple(rows))


def _spent(replay: Replay) -> Table:
    report = replay.report
    rows = tuple((name, round(report.spent[name]), round(allowed)) for name, allowed in report.allowed.items())
    return Table(("budget", "spent", "even pace over the drive"), rows)
