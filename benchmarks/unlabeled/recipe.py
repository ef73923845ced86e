"""The YAML beside this file, as settings of trainings and of the caches."""

from __future__ import annotations

from dataclasses import dataclass
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
        shares: Share of the frames that is labeled, ``K/N`` → its ``seeds``, its ``epochs``, and the ``start_epoch`` of
            unlabeled frames.
        tail: Names of the rare classes, for the tables.
        arms: Row of the table → settings; ``unlabeled: rest`` stands for the frames that are not labeled, and those
            with ``kl_weight`` are distilled.
        teachers: Name → settings of the ensemble's members.
        temperatures: Teacher → T.
        cache: Settings of the caches.
        reading: How the rows are to be read, above the table.
    """

    common: Figures
    shares: dict[str, Figures]
    tail: tuple[str, ...]
    arms: dict[str, Figures]
    teachers: dict[str, Figures]
    temperatures: dict[str, float]
    cache: Figures
    reading: str = "each row adds one part to the row above"

    @property
    def runs(self) -> list[tuple[str, str, int]]:
        """(share, arm, seed): each share seed by seed, so that what is there is always paired."""
        return [
            (share, arm, seed) for share in self.shares for seed in self.shares[share]["seeds"] for arm in self.arms
        ]

    def distilled(self, arm: str) -> bool:
        """Whether an arm learns from the ensemble."""
        return "kl_weight" in self.arms[arm]


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe."""
    return Recipe(**read_yaml(path))


def folder_of(share: str, name: str) -> str:
    """Name of a run's folder and step: ``1-8-mean-teacher-seed0``."""
    return f"{share.replace('/', '-')}-{name}"


class Job(CamvidJob[Recipe]):
    """The recipe as settings of what it starts."""

    def arm_settings(self, share: str, arm: str, seed: int) -> students.TrainSettings:
        """Of a student's training."""
        extra = {**self.recipe.arms[arm], "seed": seed}
        if "unlabeled" in extra:
            extra["unlabeled"] = self.spec(f"train@~{share}")
            extra["semi"] = {"start_epoch": self.recipe.shares[share]["start_epoch"], **extra["semi"]}
        if not self.recipe.distilled(arm):
            return self._training(students.TrainSettings, share, extra)
        cache = str(self.out / folder_of(share, "cache"))
        return self._training(students.DistillSettings, share, {**extra, "cache": cache})

    def teacher_settings(self, share: str, name: str) -> students.TrainSettings:
        """Of a teacher's training on the labeled share."""
        return self._training(students.TrainSettings, share, self.recipe.teachers[name])

    def cache_settings(self, share: str, split: str, class_weights: str) -> teachers.CacheSettings:
        """Of the soft labels of the ensemble that learned from a share."""
        models = {name: self.out / folder_of(share, name) / "last.edgeseg" for name in self.recipe.temperatures}
        specs = [f"{models[name]}:{t:g}" for name, t in self.recipe.temperatures.items()]
        options = {"teachers": specs, "data": self.spec(split), "class_weights": class_weights}
        return config.resolve(teachers.CacheSettings, options={**self.recipe.cache, **options})

    def _training(
        self, kind: type[students.TrainSettings], share: str, extra: dict[str, Any]
    ) -> students.TrainSettings:
        own = {"data": self.spec(f"train@{share}"), "val": "none", "epochs": self.recipe.shares[share]["epochs"]}
        return config.resolve(kind, options=self.files.resolved(merge(merge(self.recipe.common, own), extra)))
