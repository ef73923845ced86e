"""The YAML beside this file, as settings of the loops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.job import CamvidJob, read_yaml
from benchmarks.common.steps import Figures, merge
from edgeseg import config
from edgeseg.active import ActiveSettings


@dataclass(frozen=True)
class Recipe:
    """What is simulated.

    Attributes:
        common: Settings that all arms share.
        arms: Name → settings of one loop.
    """

    common: Figures
    arms: dict[str, Figures]


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe."""
    return Recipe(**read_yaml(path))


class Job(CamvidJob[Recipe]):
    """The recipe as settings of what it starts."""

    def settings(self, arm: str) -> ActiveSettings:
        """Of an arm's loop."""
        own = {"data": self.spec("train"), "val": self.spec("val")}
        merged = merge(merge(self.recipe.common, own), self.recipe.arms[arm])
        return config.resolve(ActiveSettings, options=self.files.resolved(merged))
