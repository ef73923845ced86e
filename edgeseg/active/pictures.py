"""Pictures of what each strategy asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.active.answers import NOT_ASKED, Answers
from edgeseg.active.methods import title
from edgeseg.active.round import RoundFolder
from edgeseg.active.rows import ActiveReport, Cell
from edgeseg.report.page import Figure, Gallery
from edgeseg.report.pictures import photo

SHOWN = 3
DIMMED = 0.35
"""Brightness of pixels that were not asked for."""


def chosen_gallery(report: ActiveReport, out: Path) -> Gallery:
    """A row of frames for each strategy: the first that it chose in the first round of the first seed."""
    data = datasets.open(report.settings["data"])
    index = {sample_id: i for i, sample_id in enumerate(data.sample_ids)}
    seed = report.rows[0].seed
    rows = []
    for strategy in dict.fromkeys(row.strategy for row in report.rows):
        folder = RoundFolder(Cell(out, seed, strategy).round(1), 1)
        if folder.answers.exists():
            rows.append(_row(title(strategy), Answers((folder.answers,)), data, index))
    return Gallery(tuple(rows))


def _row(strategy: str, answers: Answers, data: datasets.Dataset, index: dict[str, int]) -> tuple[Figure, ...]:
    figures = []
    for sample_id in answers.sample_ids()[:SHOWN]:
        answer = answers.read(sample_id)
        assert answer is not None
        asked = answer != NOT_ASKED
        caption = f"{strategy}, {sample_id}: {100 * asked.mean():.1f} %"
        figures.append(photo(dimmed(data.image(index[sample_id]), asked), f"What {strategy} asked for", caption))
    return tuple(figures)


def dimmed(image: NDArray[np.uint8], asked: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A frame (H, W, 3) that is dark where ``asked`` (H, W) is False."""
    return np.where(asked[..., None], image, (image * DIMMED).astype(np.uint8))
