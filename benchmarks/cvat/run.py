"""What is written for CVAT, read by datumaro and by CVAT's own SDK: the rasters must be the same.

    python -m benchmarks.cvat.run WORK [--environment FOLDER]

Both are installed into an environment of their own. Three ways: the tasks of ``queue export --to cvat`` (CVAT for
images 1.1) read by datumaro and by the SDK, and drawn labels as "Segmentation mask 1.1" read by datumaro.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.queue.drawing import Labels, draw, fill, fleet_classes
from edgeseg.classes import IGNORE_INDEX
from edgeseg.files import write_atomic
from edgeseg.images import read_label
from edgeseg.progress import say
from edgeseg.queue.database import Database
from edgeseg.queue.exporting import ExportSettings, export_items
from edgeseg.queue.tools import cvat

RESULTS = Path(__file__).parents[1] / "results" / "cvat"
PACKAGES = ("datumaro", "cvat-sdk")


def environment(folder: Path) -> Path:
    """The Python of an environment that has both; made where it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"installing {' and '.join(PACKAGES)} into {folder}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def write(work: Path) -> tuple[Labels, Labels]:
    """Writes all three; label maps of the predictions asked for, and of what was drawn."""
    shutil.rmtree(work, ignore_errors=True)
    with Database(str(work / "queue.db")) as database:
        fill(work, database)
        export_items(ExportSettings("cvat"), fleet_classes(), database, work / "tasks")
        export_items(ExportSettings("folder"), fleet_classes(), database, work / "plain")
    predicted = {path.stem: read_label(path) for path in sorted((work / "plain" / "predictions").glob("*.png"))}
    drawn = draw(list(predicted))
    cvat.write_masks(drawn.items(), fleet_classes(), work / "masks.zip")
    with zipfile.ZipFile(work / "masks.zip") as archive:
        archive.extractall(work / "masks")
    return predicted, drawn


def wrong_pixels(python: Path, kind: str, path: Path, expected: Labels) -> int:
    """Pixels in which a reader's raster differs from what was meant."""
    answer = path.parent / f"{kind}.npz"
    script = Path(__file__).with_name("readers.py")
    subprocess.run([str(python), str(script), kind, str(path), str(answer)], check=True, env={"PATH": "/usr/bin"})
    names, wrong = fleet_classes().names, 0
    with np.load(answer) as found:
        table = np.full(256, IGNORE_INDEX, np.uint8)
        for number, name in enumerate(found["labels"].tolist()):
            table[number] = names.index(name) if name in names else IGNORE_INDEX
        for item, label in expected.items():
            wrong += int((table[found[item]] != label).sum())
    return wrong


def versions(python: Path) -> dict[str, str]:
    """Versions of the readers."""
    code = f"from importlib.metadata import version; print(*map(version, {PACKAGES!r}))"
    told = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(PACKAGES, told, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--environment", type=Path, help="of the readers; default WORK-environment")
    given = parser.parse_args()
    python = environment(given.environment or given.work.with_name(f"{given.work.name}-environment")).absolute()
    predicted, drawn = write(given.work.resolve())
    work = given.work.resolve()
    found: dict[str, Any] = {
        "frames": len(drawn),
        "pixels": sum(label.size for label in drawn.values()),
        "wrong_px": {
            "CVAT for images 1.1, datumaro": wrong_pixels(python, "cvat", work / "tasks", predicted),
            "CVAT for images 1.1, CVAT SDK": wrong_pixels(python, "sdk", work / "tasks" / "annotations.xml", predicted),
            "Segmentation mask 1.1, datumaro": wrong_pixels(python, "voc_segmentation", work / "masks", drawn),
        },
        "versions": versions(python),
        "command": "python -m benchmarks.cvat.run WORK",
    }
    write_atomic(RESULTS / "rasters.json", json.dumps(found, indent=2) + "\n")
    say(json.dumps(found, indent=2))
    if any(found["wrong_px"].values()):
        raise SystemExit("a reader sees other rasters than were written")


if __name__ == "__main__":
    main()
