"""``edgeseg active``: the loop against an oracle, and what can be compared in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli.common import ClusterAddress, Config, Json, Overrides, Resume, parse_size, print_json, print_table

app = typer.Typer(help="Simulate the labeling loop: an oracle answers from ground truth.", no_args_is_help=True)


@app.command()
def run(
    out: Annotated[Path, typer.Option("--out", help="Folder for rows.json, report.html and every round's files.")],
    data: Annotated[
        str | None, typer.Option("--data", metavar="D", help="Labeled data, split into P (labeled at first) and Q.")
    ] = None,
    val: Annotated[
        str | None, typer.Option("--val", metavar="D2", help="Data that is reported on; nothing is chosen on it.")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", metavar="S", help="Of 'active strategies', or package.module:Class; repeatable."),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option("--seed", help="Repeatable.")] = None,
    network: Annotated[str | None, typer.Option("--network", metavar="NET", help="Default: enet.")] = None,
    init: Annotated[Path | None, typer.Option("--init", metavar="M", help="Checkpoint to start from.")] = None,
    initial: Annotated[
        float | None, typer.Option("--initial", help="P: a share of D below 1, or a number of frames.")
    ] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", help="How often the oracle is asked.")] = None,
    group: Annotated[int | None, typer.Option("--group", help="Frames of a round; default: Q shared out.")] = None,
    share: Annotated[float | None, typer.Option("--share", help="Share of a frame's pixels that is labeled.")] = None,
    budget_clicks: Annotated[
        int | None, typer.Option("--budget-clicks", help="Clicks of a round, instead of group x share in pixels.")
    ] = None,
    rest: Annotated[
        str | None, typer.Option("--rest", help="Label of a frame's other pixels: ignore (default) or prediction.")
    ] = None,
    rest_confidence: Annotated[
        float | None, typer.Option("--rest-confidence", help="From which a prediction counts, 0 to 1; default: 0.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="finetune goes on from the last model, scratch begins anew.")
    ] = None,
    semi: Annotated[
        bool | None, typer.Option("--semi/--no-semi", help="Learn from all frames of Q without their labels too.")
    ] = None,
    size: Annotated[str | None, typer.Option("--size", metavar="HxW", help="Training input, height first.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Of a round's training.")] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="local|ray", help="Where the vehicle's strategies score Q.")
    ] = None,
    address: ClusterAddress = None,
    config: Config = None,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run the loop for strategies and seeds: select, ask, retrain, evaluate; then write tables and a page.

    With --engine ray, the workers of a Ray cluster score the frames, each with the round's model; every node must find
    D and --out under the same absolute paths. --set launcher=[torchrun,...] starts the trainings.
    """
    from edgeseg import active
    from edgeseg.config import resolve

    height_width = parse_size(size, "--size")
    options: dict[str, Any] = {
        "data": data,
        "val": val,
        "strategies": strategy and tuple(strategy),
        "seeds": seed and tuple(seed),
        "init": init,
        "initial": initial,
        "rounds": rounds,
        "group": group,
        "share": share,
        "budget_clicks": budget_clicks,
        "rest": rest,
        "rest_confidence": rest_confidence,
        "start": start,
        "semi": semi,
        "epochs": epochs,
        "engine": engine,
        "address": address,
        "training.network": network,
        "training.height": height_width and height_width[0],
        "training.width": height_width and height_width[1],
    }
    settings = resolve(active.ActiveSettings, config, overrides or (), options)
    report = active.run(settings, out, resume)
    page = active.write_report(report, out)
    if as_json:
        print_json(report.to_dict())
        return
    table = active.round_table(report)
    print_table(table.columns, table.rows, table.caption)
    typer.echo(f"page: {page}")


@app.command()
def strategies(as_json: Json = False) -> None:
    """List the strategies: what each selects, what it needs and costs, its source, when to use it."""
    from dataclasses import asdict

    from edgeseg.active import methods

    known = {name: asdict(methods.about(name)) for name in methods.names()}
    if as_json:
        print_json({"strategies": [{"name": name, **about} for name, about in known.items()]})
        return
    for name, about in known.items():
        typer.echo(name)
        for key, value in about.items():
            typer.echo(f"  {key.replace('_', ' '):<9} {value}")
