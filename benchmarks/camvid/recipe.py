"""The YAML beside this file, as settings of trainings and of the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.common.job import CamvidJob, read_yaml
from benchmarks.common.steps import Figures, merge
from edgeseg import config, students, teachers


@dataclass(frozen=True)
class Recipe:
    """What is trained.

    Attributes:
        common: Settings that all trainings share.
        teachers: Name → settings; ``file:NAME`` stands for a file given on the command line.
        temperatures: Teacher → T.
        cache: Settings of the cache.
        cells: Student's cell of the table → settings, beside ``seeds``; those with ``kl_weight`` are distilled, and one
            whose ``init`` is ``cell:NAME`` goes on from that cell's checkpoint of the same seed.
        bench: Settings of the latency report.
    """

    common: Figures
    teachers: dict[str, Figures]
    temperatures: dict[str, float]
    cache: Figures
    cells: dict[str, Figures]
    bench: Figures = field(default_factory=dict)

    @property
    def runs(self) -> list[tuple[str, int]]:
        """(cell, seed): one student after the other, each seed by seed, so that what is there is always paired."""
        return [
            (name, seed)
            for student in dict.fromkeys(map(student_of, self.cells))
            for seed in sorted({seed for cell in self.cells.values() for seed in cell["seeds"]})
            for name, cell in self.cells.items()
            if student_of(name) == student and seed in cell["seeds"]
        ]


def student_of(cell: str) -> str:
    """``STUDENT-KIND`` → ``STUDENT``."""
    return cell.rpartition("-")[0]


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe."""
    return Recipe(**read_yaml(path))


class Job(CamvidJob[Recipe]):
    """The recipe as settings of what it starts."""

    def teacher_settings(self, name: str) -> students.TrainSettings:
        """Of a teacher's training; nothing is chosen on ``#val``."""
        return self._training(students.TrainSettings, self.recipe.teachers[name])

    def cell_settings(self, name: str, seed: int) -> students.TrainSettings:
        """Of a student's training."""
        cell = {key: value for key, value in self.recipe.cells[name].items() if key != "seeds"}
        distilled = "kl_weight" in cell
        extra = {**cell, "seed": seed, **({"cache": str(self.out / "cache")} if distilled else {})}
        if first := self.first_of(name, seed):
            extra["init"] = str(self.out / first / "last.edgeseg")
        kind = students.DistillSettings if distilled else students.TrainSettings
        return self._training(kind, extra)

    def first_of(self, name: str, seed: int) -> str | None:
        """The run that a student's training goes on from, None where it begins anew."""
        init = str(self.recipe.cells[name].get("init", ""))
        return f"{init.removeprefix('cell:')}-seed{seed}" if init.startswith("cell:") else None

    def cache_settings(self, split: str, **extra: Any) -> teachers.CacheSettings:
        """Of the ensemble's soft labels."""
        specs = [f"{self.out / name / 'last.edgeseg'}:{t:g}" for name, t in self.recipe.temperatures.items()]
        options = {**self.recipe.cache, "teachers": specs, "data": self.spec(split), **extra}
        return config.resolve(teachers.CacheSettings, options=options)

    def _training(self, kind: type[students.TrainSettings], extra: Figures) -> students.TrainSettings:
        merged = merge(merge(self.recipe.common, {"data": self.spec("train"), "val": "none"}), extra)
        return config.resolve(kind, options=self.files.resolved(merged))
