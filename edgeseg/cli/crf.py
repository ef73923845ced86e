"""``edgeseg crf``: the CRF that strategies apply on the vehicle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli.common import Config, Json, Overrides, print_json, print_table

app = typer.Typer(help="The CRF that strategies apply on the vehicle.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``fit`` a command of a group while it is the only one."""


@app.command()
def fit(
    model: Annotated[Path, typer.Argument(metavar="M.edgeseg")],
    data: Annotated[str, typer.Option("--data", metavar="D", help="Labeled frames that it was not trained on.")],
    frames: Annotated[int | None, typer.Option("--frames", help="Look at so many of them; default: 100.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="M.edgeseg", help="Write here; default: replace M.")
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Fit the CRF's weights by cross-validation and write them into the checkpoint, and so into every export."""
    from edgeseg import datasets
    from edgeseg.config import resolve
    from edgeseg.deploy.export.fitted import require_checkpoint, store
    from edgeseg.deploy.runners import open_runner
    from edgeseg.device import crf_fit
    from edgeseg.device.crf import CRF_KEY

    require_checkpoint(model, "CRF")
    settings = resolve(crf_fit.CrfFitSettings, config, overrides or (), {"frames": frames})
    dataset = datasets.open(data)
    datasets.require_usable(dataset)
    with open_runner(model) as runner:
        fitted = crf_fit.fit(runner, dataset, settings)
    plain = {"model": str(store(model, out, {CRF_KEY: fitted.to_dict()})), **fitted.to_dict()}
    if as_json:
        print_json(plain)
    else:
        print_table(("key", "value"), list(plain.items()))
