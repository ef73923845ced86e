"""The whole loop once through the real parts: mIoU before and after, beside as many labels drawn by lot.

    python -m benchmarks.loop.run [--data CAMVID] [--seeds 3] [--out FOLDER] [--results FOLDER]

A student is trained on few labeled frames and exported. ``edgeseg score`` takes it on a drive, ``edgeseg upload`` sends
the spool to a SeaweedFS server (S3), ``queue ingest``, ``select`` and ``export --to label-studio`` ask for regions, an
oracle fills them from ground truth in Label Studio's own form, ``queue import`` takes them back, and the student is
trained on with them. Beside it, from the same student, for as many iterations: no new labels, random regions and random
frames with at least as many labeled pixels. Started again it goes on after the last finished step. Without ``--data``
the drive is drawn, which takes minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.common.steps import Figures, Step, Steps
from benchmarks.loop import labels, oracle
from benchmarks.loop.command import Commands
from benchmarks.loop.page import write_loop_page
from benchmarks.loop.plan import DRAWN, Plan, camvid
from benchmarks.upload.server import BUCKET, S3Server
from edgeseg import datasets
from edgeseg.datasets.folder import CLASSES_FILE
from edgeseg.datasets.labeled import write_classes
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.progress import say

RESULTS = Path(__file__).parents[1] / "results" / "loop"
ARMS = ("no new labels", "random frames", "random regions", "chosen regions")
"""What the student is trained on with; the last is what the loop asked for."""


@dataclass
class Loop:
    """One loop in a folder.

    Attributes:
        plan: Data and sizes.
        out: Folder of the run.
        edgeseg: The command line.
    """

    plan: Plan
    out: Path
    edgeseg: Commands = field(default_factory=Commands)

    def steps(self) -> list[Step]:
        """In order; each goes on from the files of those before."""
        retrained = [Step(f"{arm}, seed {s}", self._retraining(arm, s)) for s in self.plan.seeds for arm in ARMS]
        return [Step("first student", self._first), Step("labels come back", self._labels), *retrained]

    def _first(self) -> Figures:
        first = datasets.open(self.plan.first)
        shutil.rmtree(self.out / "first-labels", ignore_errors=True)
        pixels = labels.write_frames(first, list(range(len(first))), self.out / "first-labels")
        model = self._train("first-labels", "first", self.plan.first_iterations, 0)
        shutil.rmtree(self.out / "deploy", ignore_errors=True)
        exported = self.edgeseg("export", model, "--out", self.out / "deploy")["path"]
        on_drive = self._evaluate(Path(exported), self.plan.drive)
        return {
            **self._evaluate(model, self.plan.test),
            "frames": len(first),
            "labeled_px": pixels,
            "exported": exported,
            "wrong_on_drive": 1 - on_drive["pixel_accuracy"],
            **self._typed(),
        }

    def _labels(self) -> Figures:
        """Score, upload, ingest, select, export, label, import; from the start again where it was interrupted."""
        work = self.out / "fleet"
        shutil.rmtree(work, ignore_errors=True)
        drive = datasets.open(self.plan.drive)
        write_classes(drive.class_map, work)
        with S3Server() as server:
            self.edgeseg.environment = server.environment()
            scored = self._score("superpixel", work / "spool")
            uploaded = self.edgeseg("upload", work / "spool", "--to", f"s3://{BUCKET}/loop")
            db = ("--db", work / "queue.db")
            ingested = self.edgeseg("queue", "ingest", f"s3://{BUCKET}/loop", *db)
            selected = self.edgeseg("queue", "select", "--budget-regions", self.plan.regions, "--batch", "round-1", *db)
            classes = ("--classes", work / CLASSES_FILE)
            exported = self.edgeseg("queue", "export", "--to", "label-studio", "--out", work / "tasks", *classes, *db)
            listed = self.edgeseg("queue", "list", "--batch", "round-1", "--limit", len(drive), *db)["items"]
            drawn = self._label(work, drive, {row["id"]: row["frame"] for row in listed})
            way_back = ("--from", "label-studio", "--out", work / "labels", *classes, *db)
            imported = self.edgeseg("queue", "import", work / "export.json", *way_back)
            stats = self.edgeseg("queue", "stats", *db)
        chance = self._score("random", work / "random-spool")
        drive_px = sum(drive.label(i).size for i in range(len(drive)))
        found = {"scored": scored, "uploaded": uploaded, "ingested": ingested, "selected": selected}
        found |= {"exported": exported, "drawn": drawn, "imported": imported, "stats": stats, "random": chance}
        return {**found, "labeled_share": imported["labeled_px"] / drive_px, **self._typed()}

    def _score(self, strategy: str, spool: Path) -> Figures:
        model = next((self.out / "deploy").glob("*.onnx"))
        named = ("--vehicle", "car-1", "--drive", "drive-1", "--spool", spool)
        size = ("--set", f"superpixel_px={self.plan.superpixel_px}")
        return self.edgeseg("score", self.plan.drive, "--model", model, "--strategy", strategy, *named, *size)

    def _label(self, work: Path, drive: datasets.Dataset, frame_of: dict[str, str]) -> Figures:
        place = {name: index for index, name in enumerate(drive.sample_ids)}
        tasks = json.loads((work / "tasks" / "tasks.json").read_text())
        export, drawn, corrected = oracle.answer(
            tasks, lambda item: drive.label(place[frame_of[item]]), drive.class_map
        )
        write_atomic(work / "export.json", json.dumps(export))
        return {"tasks": len(tasks), "drawn_px": drawn, "corrected_px": corrected}

    def _retraining(self, arm: str, seed: int) -> Any:
        def run() -> Figures:
            name = f"{arm.replace(' ', '-')}-{seed}"
            folder = self.out / f"{name}-labels"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self.out / "first-labels", folder)
            added = self._add(arm, seed, folder)
            model = self._train(folder.name, name, self.plan.iterations, seed + 1, self.out / "first" / "last.edgeseg")
            return {**self._evaluate(model, self.plan.test), "arm": arm, "seed": seed, **added, **self._typed()}

        return run

    def _add(self, arm: str, seed: int, folder: Path) -> Figures:
        fleet = self.out / "fleet"
        chosen = Steps(self.out / "steps").figures("labels come back")
        assert chosen is not None, "it comes before the retrainings"
        enough = chosen["imported"]["labeled_px"]
        if arm == "chosen regions":
            return {"added": chosen["selected"]["regions"], "added_px": labels.add(fleet / "labels", folder)}
        if arm == "random frames":
            added, pixels = labels.random_frames(self.plan.drive, enough, seed, folder)
        elif arm == "random regions":
            added, pixels = labels.random_regions(fleet / "random-spool", self.plan.drive, enough, seed, folder)
        else:
            added, pixels = 0, 0
        return {"added": added, "added_px": pixels}

    def _train(self, data: str, out: str, iterations: int, seed: int, init: Path | None = None) -> Path:
        """Trains for as many iterations, whatever the number of frames."""
        spec = f"folder:{self.out / data}"
        epochs = math.ceil(iterations / math.ceil(len(datasets.open(spec)) / self.plan.batch_size))
        told = ("--size", self.plan.size, "--epochs", epochs, "--batch-size", self.plan.batch_size, "--seed", seed)
        start = ("--init", init) if init else ()
        # Few iterations leave no time for windows of very different scales.
        fixed = ("--val", "none", "--set", "workers=0", "--set", "augment.scale=[0.9,1.3]", "--resume")
        report = self.edgeseg("train", "enet", "--data", spec, "--out", self.out / out, *told, *start, *fixed)
        return Path(report["last"])

    def _evaluate(self, model: Path, data: str) -> Figures:
        return self.edgeseg("eval", model, "--data", data)

    def _typed(self) -> Figures:
        typed, self.edgeseg.typed = self.edgeseg.typed, []
        return {"commands": typed}


def keep(loop: Loop, steps: Steps, command: str, data: Path | None, results: Path) -> dict[str, Any]:
    """Writes the figures and the page of a finished loop."""
    done = {step.name: steps.figures(step.name) for step in loop.steps()}
    report = {"command": command, "machine": describe_machine(), "plan": asdict(loop.plan), "steps": done}
    text = json.dumps(report, indent=1).replace(str(loop.out), "RUN")
    text = text if data is None else text.replace(str(data), "CAMVID")
    write_atomic(results / "loop.json", text + "\n")
    write_loop_page(json.loads(text), loop.out, loop.plan, results / "loop.html")
    return dict(json.loads(text))


def main() -> None:
    """Parses, runs, keeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, metavar="CAMVID", help="CamVid in the SegNet layout; default: a drawn drive"
    )
    parser.add_argument("--seeds", type=int, default=3, help="how often each retraining is repeated")
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    data = given.data.resolve() if given.data else None
    plan = replace(camvid(data) if data else DRAWN, seeds=tuple(range(given.seeds)))
    loop = Loop(plan, given.out.resolve())
    steps = Steps(loop.out / "steps")
    steps.run(loop.steps())
    if all(steps.figures(step.name) for step in loop.steps()):
        options = f"{' --data CAMVID' if data else ''} --seeds {given.seeds}"
        keep(loop, steps, f"python -m benchmarks.loop.run{options}", data, given.results)
        say(f"{given.results / 'loop.html'}")


if __name__ == "__main__":
    main()
