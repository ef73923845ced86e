"""The loop itself, step by step, by the same functions that the commands call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from edgeseg import datasets, teachers
from edgeseg.demo.page import Material, write_demo_page
from edgeseg.demo.plan import FULL, QUICK, Plan, TeacherPlan
from edgeseg.demo.results import DemoReport, Step
from edgeseg.deploy.benchmark import BenchSettings, benchmark
from edgeseg.deploy.evaluation import EvalReport, evaluate
from edgeseg.deploy.export import export
from edgeseg.deploy.machine import describe_machine
from edgeseg.deploy.runners import open_runner
from edgeseg.device.score import score
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool
from edgeseg.frames import open_source
from edgeseg.metrics import ConfusionMatrix
from edgeseg.nets.checkpoint import load_checkpoint
from edgeseg.progress import say, track
from edgeseg.softlabels import CacheInfo
from edgeseg.students import DistillSettings, TrainSettings, distill, train
from edgeseg.students.groups import AugmentSettings

EXPORTED = "exported graph"
ALONE, DISTILLED = "student alone", "student distilled"


def run(out: Path, seed: int = 0, resume: bool = False, quick: bool = False) -> DemoReport:
    """Runs the whole loop once and writes ``out/demo.html``.

    Trains the teachers, caches their soft labels, trains the student alone and distilled for equally many epochs,
    evaluates all of them on a drive that nothing was trained or chosen on, exports the distilled student,
    evaluates and times the graph, and lets it score a drive and flag frames into a spool.

    Args:
        out: Folder for models, cache, spool and the page.
        seed: Of the drawn worlds and of every training.
        resume: Whether to go on with an interrupted run in ``out``.
        quick: Whether every step is as small as it goes, for a test of the path alone.

    Raises:
        OutputError: ``out`` holds a run and ``resume`` is False, or cannot be written.
        ConfigError: ``resume``, and the run in ``out`` was begun with another seed or size.
    """
    return _Loop(out, QUICK if quick else FULL, seed, resume).run()


@dataclass
class _Loop:
    out: Path
    plan: Plan
    seed: int
    resume: bool
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> DemoReport:
        with self._step("teachers"):
            models = {t.name: self._train_teacher(t) for t in self.plan.teachers}
        with self._step("soft labels"):
            cache = self._build_cache(models)
        with self._step(ALONE):
            models[ALONE] = self._train(self._settings("enet", self.plan.student_epochs), "student-alone")
        with self._step(DISTILLED):
            models[DISTILLED] = self._distill()
        with self._step("export"):
            models[EXPORTED] = export(models[DISTILLED], self.out / "export", data=self._data("test")).path
        with self._step("evaluation"):
            steps = self._evaluate(models, cache)
        with self._step("benchmark"):
            steps = self._time(models, steps)
        with self._step("vehicle"):
            scored = self._score(models[EXPORTED])
        return self._finish(models, cache, steps, scored)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        say(f"— {name}")
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 1)

    def _data(self, drive: str) -> str:
        return self.plan.data(drive, getattr(self.plan, f"{drive}_frames"), self.seed)

    def _settings(self, network: str, epochs: int, options: dict[str, Any] | None = None) -> TrainSettings:
        return TrainSettings(
            data=self._data("train"),
            val=self._data("val"),
            network=network,
            network_options=options or {},
            epochs=epochs,
            batch_size=self.plan.batch_size,
            augment=AugmentSettings(scale=(0.9, 1.3)),
            seed=self.seed,
            # Drawn frames stay in this process's memory; another process would draw them again.
            workers=0,
        )

    def _train(self, settings: TrainSettings, folder: str) -> Path:
        return train(settings, self.out / folder, self.resume).best

    def _train_teacher(self, teacher: TeacherPlan) -> Path:
        settings = self._settings(teacher.network, teacher.epochs, teacher.options)
        return self._train(settings, f"teacher-{teacher.name}")

    def _specs(self, models: dict[str, Path]) -> tuple[str, ...]:
        return tuple(f"{models[t.name]}:{t.temperature:g}" for t in self.plan.teachers)

    def _build_cache(self, models: dict[str, Path]) -> CacheInfo:
        settings = teachers.CacheSettings(teachers=self._specs(models), data=self._data("train"))
        return teachers.build_cache(settings, self.out / "cache", self.resume)

    def _distill(self) -> Path:
        alone = self._settings("enet", self.plan.student_epochs)
        settings = DistillSettings(**{**vars(alone), "cache": self.out / "cache"})
        return distill(settings, self.out / "student-distilled", self.resume).best

    def _evaluate(self, models: dict[str, Path], cache: CacheInfo) -> list[Step]:
        test = datasets.open(self._data("test"))
        steps = []
        for name, model in models.items():
            if name == ALONE:
                steps.append(self._evaluate_ensemble(models, cache, test))
            with open_runner(model) as runner:
                found = evaluate(runner, test)
            title = f"teacher {name}" if model.parent.name.startswith("teacher-") else name
            steps.append(_as_step(title, found, None if name == EXPORTED else _parameters(model)))
        return steps

    def _evaluate_ensemble(self, models: dict[str, Path], cache: CacheInfo, test: datasets.Dataset) -> Step:
        specs = [teachers.parse_spec(text) for text in self._specs(models)]
        members = [teachers.load_teacher(spec, test.class_map) for spec in specs]
        weights = torch.tensor(cache.class_weights)
        confusion = ConfusionMatrix(test.class_map.num_classes)
        for index in track(range(len(test)), "evaluating the ensemble"):
            label, image = test.label(index), test.image(index)
            with torch.inference_mode():
                mixed = teachers.combine([m.probs(image, *label.shape) for m in members], weights)
            confusion.update(label, mixed.argmax(0).byte().cpu().numpy())
        iou = {name: _known(float(x)) for name, x in zip(test.class_map.names, confusion.iou(), strict=True)}
        return Step("ensemble", _known(confusion.miou()), iou, confusion.pixel_accuracy())

    def _time(self, models: dict[str, Path], steps: list[Step]) -> list[Step]:
        timed = models if self.plan.bench_all else {EXPORTED: models[EXPORTED]}
        settings = BenchSettings(
            frame=(self.plan.height, self.plan.width),
            iterations=self.plan.bench_iterations,
            warm_up=3,
            # These networks take milliseconds, and whoever runs a demo does not leave the machine alone for it.
            warm_up_limit_s=2.0,
        )
        rows = dict(zip(timed, benchmark(list(timed.values()), settings).rows, strict=True))
        return [_with_latency(step, rows.get(step.name.removeprefix("teacher "))) for step in steps]

    def _score(self, model: Path) -> ScoreReport:
        settings = ScoreSettings(
            budget_frames=self.plan.flagged,
            superpixel_px=self.plan.superpixel_px,
            vehicle="demo",
            drive=f"drive-{self.seed}",
            seed=self.seed,
        )
        with open_runner(model) as runner, Spool(self.out / "spool") as spool:
            return score(settings, open_source(self._data("drive")), runner, spool)

    def _finish(self, models: dict[str, Path], cache: CacheInfo, steps: list[Step], scored: ScoreReport) -> DemoReport:
        report = DemoReport(
            steps=tuple(steps),
            page=self.out / "demo.html",
            seconds=self.seconds,
            flagged=scored.kept,
            cache_bytes=cache.bytes,
            machine=describe_machine(),
        )
        runs = {**{f"teacher {t.name}": f"teacher-{t.name}" for t in self.plan.teachers}}
        runs |= {ALONE: "student-alone", DISTILLED: "student-distilled"}
        material = Material(
            report=report,
            plan=self.plan,
            train=self._data("train"),
            test=self._data("test"),
            metrics={name: self.out / folder / "metrics.jsonl" for name, folder in runs.items()},
            alone=models[ALONE],
            exported=models[EXPORTED],
            cache=self.out / "cache",
            spool=self.out / "spool",
            scored=scored,
        )
        write_demo_page(material)
        return report


def _as_step(name: str, found: EvalReport, parameters: int | None) -> Step:
    return Step(name, found.miou, found.iou, found.pixel_accuracy, found.ece, parameters)


def _with_latency(step: Step, row: dict[str, Any] | None) -> Step:
    return step if row is None else replace(step, latency_ms=row["latency_ms"], backend=row["backend"])


def _parameters(model: Path) -> int:
    return sum(weights.numel() for weights in load_checkpoint(model).net.parameters())


def _known(value: float) -> float | None:
    return None if value != value else value
