"""The oracle of the recorded loop sees what a person sees, and what it draws comes back as it was drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.loop.oracle import answer, outlined, predicted
from benchmarks.queue.drawing import SIZE, fill, fleet_classes
from edgeseg.classes import IGNORE_INDEX
from edgeseg.images import read_label
from edgeseg.queue.database import Database
from edgeseg.queue.exporting import ExportSettings, export_items
from edgeseg.queue.importing import ImportSettings, import_labels
from edgeseg.queue.tools.label_studio import ASKED


def test_oracle_draws_the_truth_where_the_tool_asks(tmp_path: Path) -> None:
    classes = fleet_classes()
    truth = np.tile(np.arange(SIZE[1]) // 40 % len(classes.names), (SIZE[0], 1)).astype(np.uint8)
    truth[:10] = IGNORE_INDEX
    with Database(str(tmp_path / "queue.db")) as database:
        fill(tmp_path, database)
        export_items(ExportSettings("label-studio"), classes, database, tmp_path / "tasks")
        tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
        export, drawn, corrected = answer(tasks, lambda item: truth, classes)
        (tmp_path / "export.json").write_text(json.dumps(export))
        settings = ImportSettings("label-studio")
        report = import_labels(settings, tmp_path / "export.json", classes, database, tmp_path / "labels")
    known = truth != IGNORE_INDEX
    insides = {t["data"]["item_id"]: outlined(t["predictions"][0]["result"], SIZE) & known for t in tasks}
    assert drawn == sum(int(inside.sum()) for inside in insides.values()) > 0
    assert 0 < corrected <= drawn and report.labeled_px <= drawn
    for item, inside in insides.items():
        merged = read_label(tmp_path / "labels" / "masks" / f"{item}.png")
        labeled = merged != IGNORE_INDEX
        assert (merged[labeled] == truth[labeled]).all() and not (labeled & ~inside).any()


def test_outlines_are_filled_with_their_border() -> None:
    ring = [[100 * (x + 0.5) / 8, 100 * (y + 0.5) / 6] for x, y in ((1, 1), (4, 1), (4, 3), (1, 3))]
    shape = {"from_name": ASKED, "value": {"points": ring}}
    expected = np.zeros((6, 8), bool)
    expected[1:4, 1:5] = True
    assert (outlined([shape], (6, 8)) == expected).all()
    assert (predicted([shape], (6, 8), fleet_classes()) == IGNORE_INDEX).all()
