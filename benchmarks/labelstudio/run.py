"""The whole way through a running Label Studio: out of a queue, drawn there, exported, merged, pixel for pixel.

    python -m benchmarks.labelstudio.run WORK [--environment FOLDER]

Installs Label Studio into an environment of its own, starts it on 127.0.0.1, makes a project, imports the tasks that
``queue export`` wrote and those of a second export (there must be none), reads the predictions back, writes annotations
whose brushes Label Studio's own library encoded, exports them, and merges the export: the label maps must be the same.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelstudio.server import LabelStudio, environment
from benchmarks.queue.drawing import ITEMS, SIZE, Labels, draw, fill, fleet_classes
from benchmarks.queue.fleet import CLASSES
from edgeseg.classes import IGNORE_INDEX
from edgeseg.errors import UsageError
from edgeseg.files import write_atomic
from edgeseg.images import read_label
from edgeseg.progress import say
from edgeseg.queue.database import Database
from edgeseg.queue.exporting import ExportSettings, export_items
from edgeseg.queue.importing import ImportSettings, import_labels

RESULTS = Path(__file__).parents[1] / "results" / "labelstudio"


def import_tasks(server: LabelStudio, project: int, tasks: list[dict[str, Any]]) -> int:
    """Imports tasks as they are; how many the project has more."""
    before = len(_tasks(server, project))
    if tasks:
        server.request("POST", f"/api/projects/{project}/import", tasks)
    return len(_tasks(server, project)) - before


def next_export(database: Database, out: Path) -> list[dict[str, Any]]:
    """Tasks of another export, though nothing was selected since."""
    try:
        export_items(ExportSettings("label-studio"), fleet_classes(), database, out)
    except UsageError:
        return []
    return list(json.loads((out / "tasks.json").read_text()))


def annotate(server: LabelStudio, project: int, labels: Labels, programs: Path, work: Path) -> None:
    """Writes each label map as an annotation, its brushes encoded by Label Studio's own library."""
    masks = {f"{item}|{cls}": labels[item] == cls for item in labels for cls in np.unique(labels[item]).tolist()}
    masks = {name: mask for name, mask in masks.items() if not name.endswith(f"|{IGNORE_INDEX}")}
    np.savez_compressed(work / "masks.npz", **masks)
    _other_python(programs, "encode", work / "masks.npz")
    encoded = json.loads((work / "answer.json").read_text())
    for task in _tasks(server, project):
        item = task["data"]["item_id"]
        result = [
            {
                "id": f"drawn-{name.split('|')[1]}", "type": "brushlabels", "from_name": "brush", "to_name": "image",
                "original_width": SIZE[1], "original_height": SIZE[0], "image_rotation": 0,
                "value": {"format": "rle", "rle": rle, "brushlabels": [CLASSES[int(name.split("|")[1])]]},
            }
            for name, rle in encoded.items() if name.startswith(f"{item}|")
        ]  # fmt: skip
        server.request("POST", f"/api/tasks/{task['id']}/annotations/", {"result": result})


def predictions_differ(
    server: LabelStudio, project: int, tasks: list[dict[str, Any]], programs: Path, work: Path
) -> int:
    """Pixels in which the predictions, decoded by Label Studio's library, differ from the model's map where asked."""
    stored = {task["data"]["item_id"]: task["predictions"][0]["result"] for task in _tasks(server, project)}
    brushes = {
        f"{item}|{shape['id']}|{shape['value']['brushlabels'][0]}": {
            "rle": shape["value"]["rle"], "height": SIZE[0], "width": SIZE[1],
        }
        for item, shapes in stored.items() for shape in shapes if shape["type"] == "brushlabels"
    }  # fmt: skip
    write_atomic(work / "brushes.json", json.dumps(brushes))
    _other_python(programs, "decode", work / "brushes.json")
    painted = {item: np.full(SIZE, IGNORE_INDEX, np.uint8) for item in stored}
    with np.load(work / "answer.npz") as masks:
        for name in masks.files:
            item, _, label = name.split("|")
            painted[item][masks[name] > 0] = CLASSES.index(label)
    expected = {task["data"]["item_id"]: read_label(work / "plain" / "predictions" / f"{task['data']['item_id']}.png")
                for task in tasks}  # fmt: skip
    return sum(int((painted[item] != expected[item]).sum()) for item in expected)


def run(work: Path, programs: Path) -> dict[str, Any]:
    """The whole way; figures of it."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with Database(str(work / "queue.db")) as database:
        fill(work, database)
        export_items(ExportSettings("label-studio"), fleet_classes(), database, work / "tasks")
        export_items(ExportSettings("folder"), fleet_classes(), database, work / "plain")
        tasks = json.loads((work / "tasks" / "tasks.json").read_text())
        second = next_export(database, work / "again")
        labels = draw([task["data"]["item_id"] for task in tasks])
        with LabelStudio(programs, work / "server", work / "tasks") as server:
            say("Label Studio answers")
            found = through(server, work, (tasks, second), labels, programs)
        report = import_labels(
            ImportSettings("label-studio"), work / "export.json", fleet_classes(), database, work / "labels"
        )
    merged = {item: read_label(work / "labels" / "masks" / f"{item}.png") for item in labels}
    wrong = sum(int((merged[item] != labels[item]).sum()) for item in labels)
    drawn = sum(int((label != IGNORE_INDEX).sum()) for label in labels.values())
    return {**found, "items": report.items, "drawn_px": drawn, "merged_px": report.labeled_px, "wrong_px": wrong}


def through(
    server: LabelStudio, work: Path, exports: tuple[list[dict[str, Any]], ...], labels: Labels, programs: Path
) -> dict[str, Any]:
    """What happens while the server runs; the export lies in the work folder afterwards."""
    tasks = exports[0]
    version = server.request("GET", "/api/version")["label-studio-os-package"]["version"]
    config = (work / "tasks" / "labeling.xml").read_text()
    project = server.request("POST", "/api/projects", {"title": "regions", "label_config": config})["id"]
    local = {"project": project, "path": str((work / "tasks" / "images").resolve()), "use_blob_urls": True}
    server.request("POST", "/api/storages/localfiles", local)
    first, again = (import_tasks(server, project, export) for export in exports)
    different = predictions_differ(server, project, tasks, programs, work)
    pictures = sum(
        server.request("GET", task["data"]["image"]) == (work / "tasks" / "images" / f"{item}.png").read_bytes()
        for task in tasks
        if (item := task["data"]["item_id"])
    )
    annotate(server, project, labels, programs, work)
    exported = server.request("GET", f"/api/projects/{project}/export?exportType=JSON")
    write_atomic(work / "export.json", json.dumps(exported))
    return {
        "label_studio": version,
        "imported": first,
        "imported_again": again,
        "images_served": pictures,
        "prediction_wrong_px": different,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--environment", type=Path, help="of Label Studio; default WORK-environment")
    given = parser.parse_args()
    programs = environment(given.environment or given.work.with_name(f"{given.work.name}-environment"))
    found = run(given.work.resolve(), programs.resolve())
    found["command"] = "python -m benchmarks.labelstudio.run WORK"
    write_atomic(RESULTS / "roundtrip.json", json.dumps(found, indent=2) + "\n")
    say(json.dumps(found, indent=2))
    if found["wrong_px"] or found["prediction_wrong_px"] or found["imported_again"] or found["items"] != ITEMS:
        raise SystemExit("what came back is not what was drawn")


def _tasks(server: LabelStudio, project: int) -> list[dict[str, Any]]:
    answer = server.request("GET", f"/api/tasks?project={project}&fields=all&page_size=1000")
    tasks: list[dict[str, Any]] = answer["tasks"]
    return tasks


def _other_python(programs: Path, action: str, path: Path) -> None:
    script = Path(__file__).with_name("brushes.py")
    subprocess.run([str(programs / "python"), str(script), action, str(path)], check=True, env={"PATH": "/usr/bin"})


if __name__ == "__main__":
    main()
