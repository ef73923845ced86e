"""``edgeseg sweep``: searching the settings of ``train`` and ``distill``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli.common import Json, Overrides, Resume, print_json, print_table
from edgeseg.cli.training import Cache, Data, Network, Val
from edgeseg.stores import folder_or_url

if TYPE_CHECKING:
    from edgeseg.students.sweep import SweepResult

app = typer.Typer(help="Search settings over seeds, on data held out of the training.", no_args_is_help=True)

SweepConfig = Annotated[
    Path, typer.Option("--config", help="YAML with space, trials, seeds, base (settings that all trials share).")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for trials.csv, .md, .json, sweep.png and best.yaml.")]
Trials = Annotated[int | None, typer.Option("--trials", help="Combinations to try; more may be asked for later.")]


@app.command()
def train(
    network: Network,
    config: SweepConfig,
    out: Out,
    data: Data = None,
    val: Val = None,
    trials: Trials = None,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Search the settings of a training on labels."""
    options = _options("train", network, data, val, trials)
    _sweep(config, overrides, options, out, resume, as_json)


@app.command()
def distill(
    network: Network,
    config: SweepConfig,
    out: Out,
    data: Data = None,
    cache: Cache = None,
    val: Val = None,
    trials: Trials = None,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Search the settings of a distillation, such as student_temperature and kl_weight."""
    options = _options("distill", network, data, val, trials)
    options |= {"base.cache": cache and str(folder_or_url(cache))}
    _sweep(config, overrides, options, out, resume, as_json)


def _options(method: str, network: str, data: str | None, val: str | None, trials: int | None) -> dict[str, Any]:
    return {"method": method, "base.network": network, "base.data": data, "base.val": val, "trials": trials}


def _sweep(
    config: Path, overrides: list[str] | None, options: dict[str, Any], out: Path, resume: bool, as_json: bool
) -> None:
    from edgeseg.config import resolve
    from edgeseg.students.sweep import SweepSettings, sweep

    result = sweep(resolve(SweepSettings, config, overrides or (), options), out, resume)
    if as_json:
        print_json(result.to_dict())
    else:
        _print(result)


def _print(result: SweepResult) -> None:
    assert result.best is not None
    names = list(result.best.settings)
    rows = sorted(result.rows, key=lambda row: row.miou or -1.0, reverse=True)
    cells = [[row.trial, *(row.settings[name] for name in names), row.miou, row.spread] for row in rows]
    print_table(["trial", *names, "mIoU", "spread"], cells, f"{len(rows)} trials")
    typer.echo(f"best settings: {result.out}/best.yaml")
