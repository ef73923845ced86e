"""Trains students on CamVid with few labels, one part of the semi-supervision after another.

    python -m benchmarks.unlabeled.run PATH/TO/camvid --file cityscapes-enet=FILE.net --file efficientnet-lite2=FILE.pth

Run it again after an interruption: finished steps are skipped, the one that was cut off goes on. Started twice, the
two share the work. ``--without-ensemble`` leaves out the teachers, whom the files are for.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.common import work
from benchmarks.common.job import command_line, places
from benchmarks.common.steps import Figures, Step, Steps
from benchmarks.unlabeled import tables
from benchmarks.unlabeled.recipe import Job, Recipe, folder_of, read_recipe

HERE = Path(__file__).parent


def steps(job: Job) -> list[Step]:
    """Everything that is trained and measured; the teachers of a share come before its first distillation."""
    plan: list[Step] = []
    for share, arm, seed in job.recipe.runs:
        needs: tuple[str, ...] = ()
        if job.recipe.distilled(arm):
            needs = (folder_of(share, "cache-built"),)
            plan += [step for step in ensemble_steps(job, share) if step.name not in {s.name for s in plan}]
        name = folder_of(share, f"{arm}-seed{seed}")
        plan.append(Step(name, lambda key=(share, arm, seed): train_arm(job, *key), needs))  # type: ignore[misc]
    return plan


def ensemble_steps(job: Job, share: str) -> list[Step]:
    """The teachers of a share, their soft labels of all frames, and what they are worth on ``#val``."""
    members = job.recipe.temperatures
    trained = [Step(folder_of(share, name), lambda name=name: train_teacher(job, share, name)) for name in members]  # type: ignore[misc]
    built = folder_of(share, "cache-built")
    return [
        *trained,
        Step(built, lambda: build_cache(job, share), tuple(step.name for step in trained)),
        Step(folder_of(share, "ensemble"), lambda: evaluate_ensemble(job, share), (built,)),
    ]


def train_arm(job: Job, share: str, arm: str, seed: int) -> Figures:
    """Trains a student and evaluates it once, on ``#val``."""
    folder = job.out / folder_of(share, f"{arm}-seed{seed}")
    return work.evaluate(work.train(job.arm_settings(share, arm, seed), folder), job.spec("val"))


def train_teacher(job: Job, share: str, name: str) -> Figures:
    """Trains a teacher on the labeled share and evaluates it once, on ``#val``."""
    folder = job.out / folder_of(share, name)
    return work.evaluate(work.train(job.teacher_settings(share, name), folder), job.spec("val"))


def build_cache(job: Job, share: str) -> Figures:
    """Caches the soft labels of all of ``#train``; each class's weights are measured on the labeled share."""
    settings = job.cache_settings(share, "train", class_weights=job.spec(f"train@{share}"))
    return work.build_cache(settings, job.out / folder_of(share, "cache"))


def evaluate_ensemble(job: Job, share: str) -> Figures:
    """Figures of the ensemble on ``#val``, mixed with the same class weights."""
    weights = job.out / f"{folder_of(share, 'cache-built')}.json"
    settings = job.cache_settings(share, "val", class_weights=str(weights))
    return work.evaluate_ensemble(settings, job.out / folder_of(share, "cache-val"))


def without_ensemble(recipe: Recipe) -> Recipe:
    """The recipe without the arms that need teachers."""
    return replace(recipe, arms={name: arm for name, arm in recipe.arms.items() if not recipe.distilled(name)})


def main() -> None:
    parser = command_line(__doc__, HERE)
    parser.add_argument("--without-ensemble", action="store_true", help="leave out teachers and distillation")
    given = parser.parse_args()
    recipe = read_recipe(given.recipe)
    if given.without_ensemble:
        recipe = without_ensemble(recipe)
    job = Job(recipe, *places(given))
    done = Steps(job.out)
    if not given.tables:
        done.run(steps(job))
    tables.keep(job, done, given.results)


if __name__ == "__main__":
    main()
