"""``edgeseg policy``: what a policy would have kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli.common import Config, Json, Overrides, print_json, print_table
from edgeseg.errors import UsageError

app = typer.Typer(help="Policies: when a frame is worth keeping.", no_args_is_help=True)

BudgetFrames = Annotated[str | None, typer.Option("--budget-frames", metavar="N/TIME", help="Such as 200/h.")]
BudgetBytes = Annotated[str | None, typer.Option("--budget-bytes", metavar="N/TIME", help="Such as 500MB/day.")]
BudgetRegions = Annotated[str | None, typer.Option("--budget-regions", metavar="N/TIME", help="Such as 5000/day.")]


@app.callback()
def _group() -> None:
    """Policies: when a frame is worth keeping."""


@app.command()
def replay(
    drive: Annotated[
        str, typer.Argument(metavar="DRIVE", help="Trace of score --trace, or with --model a SOURCE as score takes it.")
    ],
    budget_frames: BudgetFrames = None,
    budget_bytes: BudgetBytes = None,
    budget_regions: BudgetRegions = None,
    model: Annotated[Path | None, typer.Option("--model", metavar="M", help="Score SOURCE by it first.")] = None,
    strategy: Annotated[str, typer.Option("--strategy", metavar="S", help="With --model.")] = "superpixel",
    frame_rate: Annotated[float, typer.Option("--frame-rate", help="Of a SOURCE that does not tell the time.")] = 1.0,
    trace: Annotated[Path | None, typer.Option("--trace", help="With --model: keep what was scored.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="PAGE", help="HTML page with the timeline.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Run a recorded drive under a policy: what it would have kept, and the regret against hindsight."""
    from edgeseg.config import resolve
    from edgeseg.device.policy import PolicySettings
    from edgeseg.device.policy.replay import replay as run
    from edgeseg.device.policy.timeline import replay_page
    from edgeseg.device.policy.trace import read_trace
    from edgeseg.report.page import write_page

    budgets = {"frames": budget_frames, "bytes": budget_bytes, "regions": budget_regions}
    settings = resolve(PolicySettings, config, overrides or (), budgets)
    if model is not None:
        candidates = _scored(drive, model, strategy, frame_rate, trace)
    elif trace is not None:
        raise UsageError("--trace goes with --model; without it DRIVE is a trace already")
    else:
        candidates = read_trace(Path(drive))
    found = run(candidates, settings)
    if out is not None:
        write_page(replay_page(f"Replay of {Path(drive).name}", candidates, found), out)
    if as_json:
        print_json(found.report.to_dict())
    else:
        print_table(("key", "value"), list(found.report.to_dict().items()))


def _scored(spec: str, model: Path, strategy: str, frame_rate: float, trace: Path | None) -> list[Any]:
    from edgeseg.deploy.runners import open_runner
    from edgeseg.device.policy.recording import record_drive
    from edgeseg.device.policy.trace import TraceWriter
    from edgeseg.frames import open_source

    if frame_rate <= 0:
        raise UsageError(f"--frame-rate must be above 0, got {frame_rate}")
    source = open_source(spec, skip_broken=True)
    with open_runner(model) as runner:
        candidates = list(record_drive(source, runner, strategy, frame_rate))
    if trace is not None:
        writer = TraceWriter(trace)
        for candidate in candidates:
            writer.add(candidate)
        writer.close()
    return candidates
