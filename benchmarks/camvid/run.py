"""Trains teachers and students on CamVid, and keeps every figure that came out.

    python -m benchmarks.camvid.run PATH/TO/camvid --out runs/camvid --results benchmarks/results/camvid

Run it again after an interruption: finished steps are skipped, the one that was cut off goes on. Only
``#train`` is trained on, nothing is chosen on ``#val``: every checkpoint is the last of its training.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.camvid import tables
from edgeseg import config, datasets, students, teachers
from edgeseg.deploy import benchmark, evaluation
from edgeseg.deploy import export as exporting
from edgeseg.deploy.machine import describe_machine
from edgeseg.deploy.runners import open_runner
from edgeseg.files import write_atomic
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint
from edgeseg.progress import say

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Recipe:
    """The YAML beside this file: settings that all trainings share, and what each adds."""

    common: dict[str, Any]
    teachers: dict[str, dict[str, Any]]
    temperatures: dict[str, float]
    cache: dict[str, Any]
    students: dict[str, dict[str, Any]]
    bench: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run of the recipe on one copy of the data."""

    recipe: Recipe
    data: Path
    out: Path

    @property
    def train_spec(self) -> str:
        """What is trained on."""
        return f"camvid:{self.data}#train"

    def once(self, name: str, step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Result of a step: read where an earlier run finished it, else made, timed and written."""
        path = self.out / f"{name}.json"
        if path.exists():
            known: dict[str, Any] = json.loads(path.read_text())
            return known
        say(f"{name} ...")
        start = time.perf_counter()
        result = {**step(), "seconds": round(time.perf_counter() - start, 1)}
        write_atomic(path, json.dumps(result, indent=2) + "\n")
        say(f"{name}: {result.get('miou', '')} in {result['seconds']:.0f} s")
        return result

    def train(self, name: str, extra: dict[str, Any]) -> dict[str, Any]:
        """Trains one network on labels alone and evaluates it on ``#val``."""
        settings = self._settings(students.TrainSettings, extra)
        folder = self.out / name
        return self._evaluated(students.train(settings, folder, resume=folder.exists()).last)

    def distill(self, name: str, extra: dict[str, Any]) -> dict[str, Any]:
        """Trains one network on labels and the cache, and evaluates it on ``#val``."""
        settings = self._settings(students.DistillSettings, {**extra, "cache": str(self.out / "cache")})
        folder = self.out / name
        return self._evaluated(students.distill(settings, folder, resume=folder.exists()).last)

    def build_cache(self) -> dict[str, Any]:
        """Caches the ensemble's soft labels of ``#train``; evaluates the ensemble on ``#val``."""
        out = self.out / "cache"
        info = teachers.build_cache(self._cache_settings("train"), out, resume=out.exists())
        return info.to_dict()

    def ensemble(self) -> dict[str, Any]:
        """Figures of the ensemble on ``#val``, mixed with the class weights measured on ``#train``."""
        weights = self.out / "cache-built.json"
        settings = self._cache_settings("val", class_weights=str(weights))
        out = self.out / "cache-val"
        return dict(teachers.build_cache(settings, out, resume=out.exists()).gate["ensemble"])

    def deploy(self, name: str) -> dict[str, Any]:
        """Exports a student, compares it with its checkpoint, evaluates the very file, and measures both."""
        folder = self.out / f"{name}-export"
        shutil.rmtree(folder, ignore_errors=True)
        report = exporting.export(self.out / name / "last.edgeseg", folder, data=f"camvid:{self.data}#val")
        settings = benchmark.BenchSettings(data=f"camvid:{self.data}#val", **self.recipe.bench)
        rows = benchmark.benchmark([report.path, self.out / name / "last.edgeseg"], settings).to_dict()
        return {"export": report.to_dict(), "bench": rows}

    def portable(self, text: str) -> str:
        """The text without this machine's paths."""
        return text.replace(str(self.data), "CAMVID").replace(str(self.out), "RUN")

    def epochs(self, name: str) -> int:
        """Epochs of a training."""
        merged = {**self.recipe.common, **{**self.recipe.teachers, **self.recipe.students}[name]}
        return int(merged["epochs"])

    def _settings(self, kind: Any, extra: dict[str, Any]) -> Any:
        merged = _merge(_merge(self.recipe.common, {"data": self.train_spec, "val": "none"}), extra)
        return config.resolve(kind, options=merged)

    def _cache_settings(self, split: str, **extra: Any) -> teachers.CacheSettings:
        specs = [f"{self.out / name / 'last.edgeseg'}:{t:g}" for name, t in self.recipe.temperatures.items()]
        options = {**self.recipe.cache, "teachers": specs, "data": f"camvid:{self.data}#{split}", **extra}
        return config.resolve(teachers.CacheSettings, options=options)

    def _evaluated(self, model: Path) -> dict[str, Any]:
        with open_runner(model) as runner:
            return evaluation.evaluate(runner, datasets.open(f"camvid:{self.data}#val")).to_dict()


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in extra.items():
        inner = merged.get(key)
        merged[key] = _merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def run(recipe: Recipe, data: Path, out: Path, results: Path) -> None:
    """All steps in order, then the tables."""
    job = Run(recipe, data, out)
    done: dict[str, dict[str, Any]] = {}
    for name, extra in recipe.students.items():
        if "kl_weight" not in extra:
            done[name] = job.once(name, lambda name=name, extra=extra: job.train(name, extra))  # type: ignore[misc]
    for name, extra in recipe.teachers.items():
        done[name] = job.once(name, lambda name=name, extra=extra: job.train(name, extra))  # type: ignore[misc]
    done["cache"] = job.once("cache-built", job.build_cache)
    done["ensemble"] = job.once("ensemble", job.ensemble)
    for name, extra in recipe.students.items():
        if "kl_weight" in extra:
            done[name] = job.once(name, lambda name=name, extra=extra: job.distill(name, extra))  # type: ignore[misc]
    for name in recipe.students:
        done[f"{name} deployed"] = job.once(f"{name}-deployed", lambda name=name: job.deploy(name))  # type: ignore[misc]
    keep(job, done, results)


def keep(job: Run, done: dict[str, dict[str, Any]], results: Path) -> None:
    """Copies settings, curves and the students' checkpoints beside one JSON of all figures."""
    results.mkdir(parents=True, exist_ok=True)
    summary = {"machine": describe_machine(), "steps": done}
    text = job.portable(json.dumps(summary, indent=2))
    write_atomic(results / "summary.json", text + "\n")
    seed = job.recipe.common.get("seed", 0)
    for name in (*job.recipe.teachers, *job.recipe.students):
        for kind in ("metrics.jsonl", "config.yaml"):
            write_atomic(results / f"{name}-seed{seed}.{kind}", job.portable((job.out / name / kind).read_text()))
    epochs = {name: job.epochs(name) for name in (*job.recipe.students, *job.recipe.teachers)}
    tables.write(results, done, epochs)
    for name in job.recipe.students:
        found = load_checkpoint(job.out / name / "last.edgeseg")
        info = ModelInfo.from_json(job.portable(found.info.to_json()), name)
        save_checkpoint(results / f"{name}-seed{seed}.edgeseg", found.net, info)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="CamVid in the SegNet layout")
    parser.add_argument("--recipe", type=Path, default=HERE / "recipe.yaml")
    parser.add_argument("--out", type=Path, default=Path("runs/camvid"))
    parser.add_argument("--results", type=Path, default=HERE.parent / "results" / "camvid")
    given = parser.parse_args()
    recipe = Recipe(**yaml.safe_load(given.recipe.read_text()))
    run(recipe, given.data.resolve(), given.out.resolve(), given.results)


if __name__ == "__main__":
    main()
