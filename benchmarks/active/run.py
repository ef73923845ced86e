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
from edgeseg.active.loop import first_model
from edgeseg.active.start import Beginning
from edgeseg.active.world import open_world

HERE = Path(__file__).parent


def steps(job: Job) -> list[Step]:
    """Of each arm, seed by seed: the first models, each before the strategies that begin with it."""
    plan: list[Step] = []
    for arm in job.recipe.arms:
        settings = job.settings(arm)
        for key in ((arm, strategy, seed) for seed in settings.seeds for strategy in settings.strategies):
            start = f"{arm}-{beginning(job, *key).folder.name}-seed{key[2]}"
            if start not in {step.name for step in plan}:
                plan.append(Step(start, lambda key=key: train_start(job, *key)))  # type: ignore[misc]
            plan.append(Step(f"{arm}-{key[1]}-seed{key[2]}", lambda key=key: run_cell(job, *key), (start,)))  # type: ignore[misc]
    return plan


def beginning(job: Job, arm: str, strategy: str, seed: int) -> Beginning:
    """The first model of a strategy, which those that train alike share."""
    return first_model(open_world(job.settings(arm), job.out / arm, seed), strategy)


def train_start(job: Job, arm: str, strategy: str, seed: int) -> Figures:
    """Trains the model that strategies begin with."""
    return {"checkpoint": job.portable(str(beginning(job, arm, strategy, seed).model().checkpoint))}


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
