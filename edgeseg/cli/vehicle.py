"""``edgeseg score`` and ``edgeseg spool``: what runs on the vehicle."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from edgeseg.cli.common import Config, Json, Overrides, print_json, print_table

spool_app = typer.Typer(help="Look into the folder where flagged frames wait for upload.", no_args_is_help=True)


class ChannelOrder(str, Enum):
    """Order of a source's channels."""

    rgb = "rgb"
    bgr = "bgr"


class Drop(str, Enum):
    """Which frame goes when there is no time for it."""

    oldest = "oldest"
    newest = "newest"


class Form(str, Enum):
    """How much of a frame is kept."""

    full = "full"
    crops = "crops"
    map = "map"


SpoolPath = Annotated[Path, typer.Argument(metavar="DIR")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    app.command()(score)
    app.add_typer(spool_app, name="spool")


def score(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Image, folder, video, camera:0, rtsp:..., or LAYOUT:PATH[#SPLIT]."),
    ],
    model: Annotated[Path, typer.Option("--model", metavar="M", help=".onnx (needs no torch) or .edgeseg")],
    spool: Annotated[Path, typer.Option("--spool", metavar="DIR", help="Folder for flagged frames.")],
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            metavar="S",
            help="random, entropy, entropy-edge, superpixel, superpixel-crf, class-specific, margin, least-confidence, "
            "flip-consistency, mc-dropout, committee, class-balanced-superpixel, or package.module:Class.",
        ),
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option("--regions", help="pixels, superpixel, grid or component; default: the strategy's own."),
    ] = None,
    committee: Annotated[
        list[Path] | None, typer.Option("--committee", metavar="M", help="A further model that votes; repeatable.")
    ] = None,
    ignore_mask: Annotated[
        Path | None,
        typer.Option("--ignore-mask", metavar="FILE", help="Image of the camera's size, not 0 where nothing counts."),
    ] = None,
    budget_frames: Annotated[
        str | None,
        typer.Option("--budget-frames", help="N: the best N of this run; or at an even pace, such as 200/h."),
    ] = None,
    budget_bytes: Annotated[
        str | None, typer.Option("--budget-bytes", metavar="N/TIME", help="Such as 500MB/day.")
    ] = None,
    budget_regions: Annotated[
        str | None, typer.Option("--budget-regions", metavar="N/TIME", help="Such as 5000/day.")
    ] = None,
    form: Annotated[
        list[Form] | None, typer.Option("--form", help="Forms a frame may be kept in; repeatable, the best is taken.")
    ] = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option("--trigger", help="file:PATH, signal:USR1 or package.module:Class asks for frames; repeatable."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="YAML of the policy; replaced, it is read again.")
    ] = None,
    pre_roll: Annotated[float | None, typer.Option("--pre-roll", help="Seconds kept before a trigger.")] = None,
    post_roll: Annotated[float | None, typer.Option("--post-roll", help="Seconds kept after a trigger.")] = None,
    spool_quota: Annotated[
        str | None, typer.Option("--spool-quota", metavar="BYTES", help="Most that the spool takes, such as 20GB.")
    ] = None,
    min_free: Annotated[
        str | None, typer.Option("--min-free", metavar="BYTES", help="What stays free on its disk, such as 2GB.")
    ] = None,
    every: Annotated[int, typer.Option("--every", help="Take every N-th frame.")] = 1,
    rotation: Annotated[int, typer.Option("--rotation", help="Degrees clockwise that set the frames upright.")] = 0,
    channel_order: Annotated[
        ChannelOrder, typer.Option("--channel-order", help="As the source delivers.")
    ] = ChannelOrder.rgb,
    fit_ms: Annotated[
        float | None,
        typer.Option("--fit-ms", help="Step down from the strategy where a frame takes longer than N ms."),
    ] = None,
    trace: Annotated[Path | None, typer.Option("--trace", help="File for edgeseg policy replay.")] = None,
    ranking: Annotated[
        Path | None, typer.Option("--ranking", help="File for all frames by score, as JSON lines.")
    ] = None,
    vehicle: Annotated[str | None, typer.Option("--vehicle", metavar="ID")] = None,
    drive: Annotated[str | None, typer.Option("--drive", metavar="ID")] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="C", help="File or package.module:Class: vehicle, drive, place, clock."),
    ] = None,
    place: Annotated[str | None, typer.Option("--place", help="LATITUDE,LONGITUDE[,METRES] of a fixed place.")] = None,
    blur: Annotated[
        list[str] | None, typer.Option("--blur", metavar="CLASS", help="Blur person, or car:box; repeatable.")
    ] = None,
    allow_models: Annotated[
        list[str] | None, typer.Option("--allow-models", help="SHA-256 of a model that may run, or a file of them.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Play a recorded source at N frames a second.")] = None,
    drop: Annotated[Drop | None, typer.Option("--drop", help="Which frame goes while the agent is busy.")] = None,
    drop_unfit: Annotated[bool, typer.Option("--drop-unfit", help="Leave black and frozen frames out.")] = False,
    reconnect: Annotated[bool, typer.Option("--reconnect", help="Open a lost camera again, for ever.")] = False,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="[HOST:]PORT", help="Serve metrics for Prometheus.")
    ] = None,
    log: Annotated[str | None, typer.Option("--log", metavar="FILE", help="Structured log; - for stderr.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Show what the agent does.")] = False,
    backend: Annotated[str | None, typer.Option("--backend", help="Runtime; default: by the file's kind.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Score frames and regions by uncertainty and keep the flagged ones in a spool."""
    from contextlib import closing

    from edgeseg.config import resolve
    from edgeseg.deploy.runners import Runner, open_runner
    from edgeseg.device import score as scoring
    from edgeseg.device.agent.models import AllowedModels, ModelSlot
    from edgeseg.device.score_settings import ScoreSettings
    from edgeseg.device.spool import Spool, SpoolLimits
    from edgeseg.frames import open_source

    options = {
        "strategy": strategy,
        "regions": regions,
        "committee": committee or None,
        "ignore_mask": ignore_mask,
        **_budgets(budget_frames, budget_bytes, budget_regions),
        "policy.forms": [one.value for one in form] if form else None,
        "policy.triggers": trigger or None,
        "policy_file": policy,
        "policy.pre_roll_s": pre_roll,
        "policy.post_roll_s": post_roll,
        "fit_ms": fit_ms,
        "trace": trace,
        "vehicle": vehicle,
        "drive": drive,
        "ranking": ranking,
        "agent.context": context,
        "agent.place": place,
        "agent.blur": blur,
        "agent.allow_models": allow_models,
        "agent.intake.rate": rate,
        "agent.intake.drop": drop.value if drop else None,
        "agent.intake.reconnect": reconnect or None,
        "agent.health.drop_unfit": drop_unfit or None,
        "agent.metrics": metrics,
        "agent.log": log,
        "agent.live": live or None,
    }
    settings = resolve(ScoreSettings, config, overrides or (), options)
    order: Literal["rgb", "bgr"] = "bgr" if channel_order is ChannelOrder.bgr else "rgb"
    # One damaged image must not end a drive: it is skipped, told and counted.
    frames = open_source(
        source,
        every=every,
        rotation=rotation,
        channel_order=order,
        skip_broken=True,
        reconnect=settings.agent.intake.reconnect,
    )
    limits = SpoolLimits(_bytes(spool_quota, "--spool-quota"), _bytes(min_free, "--min-free"))
    allowed = AllowedModels.parse(settings.agent.allow_models)
    for path in settings.committee:
        allowed.check(path)

    def opened(path: Path) -> Runner:
        allowed.check(path)
        return open_runner(path, backend)

    with closing(ModelSlot(model, opened)) as slot, Spool(spool, limits) as items:
        report = scoring.score(settings, frames, slot, items)
    if as_json:
        print_json(report.to_dict())
    else:
        print_table(("key", "value"), list(report.to_dict().items()))


def _budgets(frames: str | None, size: str | None, regions: str | None) -> dict[str, Any]:
    """Settings of the budgets; a plain number of frames is of one run."""
    if frames is not None and frames.isdecimal():
        return {"budget_frames": int(frames), "policy.bytes": size, "policy.regions": regions}
    return {"policy.frames": frames, "policy.bytes": size, "policy.regions": regions}


def _bytes(text: str | None, option: str) -> int | None:
    from edgeseg.device.policy.budgets import parse_amount

    return None if text is None else int(parse_amount(text, option))


@spool_app.command("list")
def list_items(spool: SpoolPath, as_json: Json = False) -> None:
    """List the items, most valuable first."""
    from edgeseg.device.spool import SpoolReader

    items = [item.to_dict() for item in SpoolReader(spool).list()]
    if as_json:
        print_json({"items": items})
    else:
        print_table(
            ("id", "frame", "score", "state", "regions", "bytes"),
            [(i["id"], i["frame"], i["score"], i["state"], i["regions"], i["bytes"]) for i in items],
        )


@spool_app.command()
def info(spool: SpoolPath, as_json: Json = False) -> None:
    """Count items and bytes."""
    from edgeseg.device.spool import SpoolReader

    plain = SpoolReader(spool).info().to_dict()
    if as_json:
        print_json(plain)
    else:
        print_table(("key", "value"), list(plain.items()))


@spool_app.command()
def verify(spool: SpoolPath, as_json: Json = False) -> None:
    """Check every item's blobs against their checksums."""
    from edgeseg.device.spool import SpoolReader

    report = SpoolReader(spool).verify()
    if as_json:
        print_json(report.to_dict())
    else:
        typer.echo(report.summary())
    if report.problems:
        raise typer.Exit(1)


@spool_app.command()
def repair(spool: SpoolPath, as_json: Json = False) -> None:
    """Move damaged items aside and make the index agree with the items."""
    from edgeseg.device.spool import Spool, SpoolReader

    SpoolReader(spool)
    with Spool(spool) as opened:
        report = opened.repair()
    if as_json:
        print_json(report.to_dict())
    else:
        typer.echo(report.summary())
