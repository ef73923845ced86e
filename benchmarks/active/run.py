"""Compares strategies in the simulated labeling loop on CamVid.

    python -m benchmarks.active.run PATH/TO/camvid --file cityscapes-enet=FILE.net
    python -m benchmarks.active.run PATH/TO/camvid --recipe benchmarks/active/reduced.yaml

Run it again after an interruption: finished steps are skipped, the one that was cut off goes on. Started twice, the
two share the work. ``--arm NAME`` leaves the other arms out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.active import tables
from benchmarks.active.recipe import Job, Recipe, read_recipe
from benchmarks.common.job import command_line, places
from benchmarks.common.steps import Figures, Step, Steps
from edgeseg import active
from edgeseg.active.start import Beginning
from edgeseg.active.world import open_world

HERE = Path(__file__).parent


def steps(job: Job) -> list[Step]:
    """Of each arm: the images, then seed by seed the first model, then every strategy."""
    plan = []
    for arm in job.recipe.arms:
        settings = job.settings(arm)
        plan.append(Step(f"{arm}-images", lambda arm=arm: prepare_images(job, arm)))  # type: ignore[misc]
        for seed in settings.seeds:
            start = f"{arm}-start-seed{seed}"
            plan.append(Step(start, lambda key=(arm, seed): train_start(job, *key), (f"{arm}-images",)))  # type: ignore[misc]
            for strategy in settings.strategies:
                key = (arm, strategy, seed)
                plan.append(Step(f"{arm}-{strategy}-seed{seed}", lambda key=key: run_cell(job, *key), (start,)))  # type: ignore[misc]
    return plan


def prepare_images(job: Job, arm: str) -> Figures:
    """Lays the images out that the rounds' trainings read."""
    settings = job.settings(arm)
    return {"images": open_world(settings, job.out / arm, settings.seeds[0]).images.name}


def train_start(job: Job, arm: str, seed: int) -> Figures:
    """Trains the model that all strategies begin with."""
    world = open_world(job.settings(arm), job.out / arm, seed)
    beginning = Beginning(world, world.training())
    beginning.model()
    return {"start": beginning.folder.name}


def run_cell(job: Job, arm: str, strategy: str, seed: int) -> Figures:
    """All rounds of one strategy and seed."""
    settings = replace(job.settings(arm), strategies=(strategy,), seeds=(seed,))
    report = active.run(settings, job.out / arm, resume=True)
    return {"miou": report.rows[-1].miou, "rounds": report.rows[-1].round}


def main() -> None:
    parser = command_line(__doc__, HERE)
    parser.add_argument("--arm", action="append", help="only this arm; repeatable")
    given = parser.parse_args()
    recipe = read_recipe(given.recipe)
    if given.arm:
        recipe = Recipe(recipe.common, {name: recipe.arms[name] for name in given.arm})
    job = Job(recipe, *places(given))
    if not given.tables:
        Steps(job.out).run(steps(job))
    tables.keep(job, given.results)


if __name__ == "__main__":
    main()
