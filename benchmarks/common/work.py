"""What recipes do again and again; each goes on where an interrupted call of it stopped."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common.steps import Figures
from edgeseg import datasets, students, teachers
from edgeseg.deploy import evaluation
from edgeseg.deploy.runners import open_runner
from edgeseg.students import DistillSettings, TrainSettings
from edgeseg.teachers import CacheSettings


def train(settings: TrainSettings, folder: Path) -> Path:
    """Trains or distils, by the kind of the settings; the checkpoint of the last epoch."""
    if isinstance(settings, DistillSettings):
        return students.distill(settings, folder, resume=folder.exists()).last
    return students.train(settings, folder, resume=folder.exists()).last


def evaluate(model: Path, data: str) -> Figures:
    """Figures of a model on a dataset."""
    with open_runner(model) as runner:
        return evaluation.evaluate(runner, datasets.open(data)).to_dict()


def build_cache(settings: CacheSettings, out: Path) -> Figures:
    """Caches an ensemble's soft labels."""
    return teachers.build_cache(settings, out, resume=out.exists()).to_dict()


def evaluate_ensemble(settings: CacheSettings, out: Path) -> Figures:
    """Figures of an ensemble on the labels of ``settings.data``, and its members' beside them."""
    gate = build_cache(settings, out)["gate"]
    return {**gate["ensemble"], "gate": gate}
