"""Trains teachers and students on CamVid, and keeps every figure that came out.

    python -m benchmarks.camvid.run PATH/TO/camvid --file cityscapes-enet=FILE.net --file efficientnet-lite2=FILE.pth

Run it again after an interruption: finished steps are skipped, the one that was cut off goes on. Started twice, the
two share the work: on two cores, two trainings of one thread each are faster than one after the other of two threads.
Only ``#train`` is trained on, nothing is chosen on ``#val``: every checkpoint is the last of its training.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.camvid import results
from benchmarks.camvid.recipe import Job, read_recipe
from benchmarks.common import work
from benchmarks.common.job import command_line, places
from benchmarks.common.steps import Figures, Step, Steps
from edgeseg.deploy import benchmark
from edgeseg.deploy import export as exporting

HERE = Path(__file__).parent


def steps(job: Job) -> list[Step]:
    """Everything that is trained and measured, in order: teachers first."""
    plan = [Step(name, lambda name=name: train_teacher(job, name)) for name in job.recipe.teachers]  # type: ignore[misc]
    if members := tuple(job.recipe.temperatures):
        plan.append(Step("cache-built", lambda: build_cache(job), members))
        plan.append(Step("ensemble", lambda: evaluate_ensemble(job), ("cache-built",)))
    for name, seed in job.recipe.runs:
        distilled = "kl_weight" in job.recipe.cells[name]
        first = job.first_of(name, seed)
        needs = tuple(step for step in ("cache-built" if distilled else None, first) if step)
        run = f"{name}-seed{seed}"
        plan.append(Step(run, lambda name=name, seed=seed: train_cell(job, name, seed), needs))  # type: ignore[misc]
    return plan


def train_teacher(job: Job, name: str) -> Figures:
    """Trains a teacher on labels and evaluates it once, on ``#val``."""
    return work.evaluate(work.train(job.teacher_settings(name), job.out / name), job.spec("val"))


def build_cache(job: Job) -> Figures:
    """Caches the ensemble's soft labels of ``#train``."""
    return work.build_cache(job.cache_settings("train"), job.out / "cache")


def evaluate_ensemble(job: Job) -> Figures:
    """Figures of the ensemble on ``#val``, mixed with the class weights measured on ``#train``."""
    settings = job.cache_settings("val", class_weights=str(job.out / "cache-built.json"))
    return work.evaluate_ensemble(settings, job.out / "cache-val")


def train_cell(job: Job, name: str, seed: int) -> Figures:
    """Trains a student and evaluates it once, on ``#val``."""
    return work.evaluate(work.train(job.cell_settings(name, seed), job.out / f"{name}-seed{seed}"), job.spec("val"))


def deploy(job: Job, run: str) -> Figures:
    """Exports a student, compares the file with its checkpoint, and measures both."""
    folder, model = job.out / f"{run}-export", job.out / run / "last.edgeseg"
    shutil.rmtree(folder, ignore_errors=True)
    report = exporting.export(model, folder, data=job.spec("val"))
    settings = benchmark.BenchSettings(data=job.spec("val"), **job.recipe.bench)
    rows = benchmark.benchmark([report.path, model], settings).to_dict()
    return {"export": report.to_dict(), "bench": rows}


def main() -> None:
    parser = command_line(__doc__, HERE)
    parser.add_argument("--bench", action="store_true", help="measure latencies too, on an otherwise idle machine")
    given = parser.parse_args()
    job = Job(read_recipe(given.recipe), *places(given))
    done = Steps(job.out)
    if not given.tables:
        done.run(steps(job))
    if given.bench:
        first = {name: f"{name}-seed{min(cell['seeds'])}" for name, cell in job.recipe.cells.items()}
        done.run([Step(f"{run}-deployed", lambda run=run: deploy(job, run), (run,)) for run in first.values()])  # type: ignore[misc]
    results.keep(job, done, given.results)


if __name__ == "__main__":
    main()
