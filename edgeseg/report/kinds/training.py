"""A training or a distillation: its folder, or its ``NAME.metrics.jsonl`` beside ``NAME.config.yaml``."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeseg import config
from edgeseg.report import plots
from edgeseg.report.kinds.base import Course, Found, Run, flat, points, shown
from edgeseg.report.kinds.examples import dataset_section
from edgeseg.report.page import Facts, Figure, Section, Tiles

METRICS, CONFIG = "metrics.jsonl", "config.yaml"
STILL_FALLING = 0.02
"""Share of the loss by which it may fall from the last fifth but one to the last fifth of the epochs."""
FALLEN = 0.01
"""mIoU lost since the best epoch from which that is told."""
PARTS = ("loss", "ce", "kl", "semi")
History = Sequence[Mapping[str, Any]]


class TrainingKind:
    """See the module."""

    name = "a training or distillation"
    looks_like = f"a folder with {METRICS} and {CONFIG}, or NAME.{METRICS}"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.has(METRICS) or (found.path.is_file() and found.name.endswith(METRICS))

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        metrics, settings_file = _files(found.path)
        history = read_history(metrics)
        settings = config.read_mapping(settings_file) if settings_file.is_file() else {}
        kind = "distillation" if "cache" in settings else "training"
        name = found.name.removesuffix(f".{METRICS}")
        network, data = settings.get("network", "a network"), settings.get("data")
        sections = [Section("Figures", blocks=(Tiles(tuple(_tiles(history, settings))),)), _curves(history)]
        sections += [dataset_section(data)] if data else []
        sections.append(Section("Settings", blocks=(_settings(settings),)))
        return Run(
            kind=kind,
            name=name,
            lead=_lead(kind, history, settings),
            sections=tuple(sections),
            warnings=tuple(warnings(history, settings)),
            summary=tuple(_summary(history, settings)),
            facts=(("data", data), ("validated on", settings.get("val")), ("network", network)),
            basis=_basis(settings),
            settings=settings,
            figures=_figures(history),
            courses=tuple(_course(history, key) for key in (*_parts(history), "miou") if course(history, key)[0]),
        )


def read_history(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl``, one an epoch.

    Raises:
        ValueError: A line is no JSON.
    """
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def course(history: History, key: str) -> tuple[list[float], list[float]]:
    """Epochs and values of a figure, where it was measured."""
    known = [(line["epoch"], line[key]) for line in history if line.get(key) is not None]
    return [float(epoch) for epoch, _ in known], [float(value) for _, value in known]


def warnings(history: History, settings: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against a training, one sentence each."""
    planned = settings.get("epochs")
    if not history:
        yield "no epoch was finished; start it again with --resume"
        return
    if planned and history[-1]["epoch"] < planned:
        yield f"only {history[-1]['epoch']} of {planned} epochs are done: it is running, or was killed; see --resume"
    losses = course(history, "loss")[1]
    if any(not math.isfinite(loss) for loss in losses):
        yield "the loss was not finite in some epoch; lower the learning rate"
    elif (fall := _fall(losses)) is not None and fall > STILL_FALLING:
        yield (
            f"the loss still falls: by {fall:.1%} from the last fifth but one of the epochs to the last; more epochs "
            "would give more"
        )
    epochs, miou = course(history, "miou")
    if not miou:
        yield "no mIoU was measured during the training (no validation data); judge the checkpoint by edgeseg eval"
    elif max(miou) - miou[-1] > FALLEN:
        best = epochs[miou.index(max(miou))]
        yield (
            f"validation mIoU fell from {points(max(miou))} in epoch {best:.0f} to {points(miou[-1])} at the end: "
            "it overfits; use best.edgeseg, not last.edgeseg"
        )
    _, rising = course(history, "val_loss")
    if rising and rising[-1] > 1.05 * min(rising):
        yield f"validation loss rose from {min(rising):.3g} to {rising[-1]:.3g}: it overfits"


def _fall(losses: Sequence[float]) -> float | None:
    fifth = len(losses) // 5
    if fifth < 1:
        return None
    before, last = (statistics.fmean(part) for part in (losses[-2 * fifth : -fifth], losses[-fifth:]))
    return (before - last) / before if before > 0 else None


def _files(path: Path) -> tuple[Path, Path]:
    if path.is_dir():
        return path / METRICS, path / CONFIG
    return path, path.with_name(path.name.removesuffix(METRICS) + CONFIG)


def _lead(kind: str, history: History, settings: Mapping[str, Any]) -> str:
    size = f" at {settings['height']}×{settings['width']}" if settings.get("height") else ""
    on = f" on {settings['data']}" if settings.get("data") else ""
    from_soft = f" and the soft labels of {settings['cache']}" if settings.get("cache") else ""
    epochs = f"{len(history)} epochs"
    return f"{kind.capitalize()} of {settings.get('network', 'a network')}{size}{on}{from_soft}: {epochs}."


def _summary(history: History, settings: Mapping[str, Any]) -> Iterator[str]:
    epochs, miou = course(history, "miou")
    if miou:
        best = epochs[miou.index(max(miou))]
        yield (
            f"Best validation mIoU {points(max(miou))}, in epoch {best:.0f}. The checkpoint was chosen by it, so it "
            "is no figure to report."
        )
    losses = course(history, "loss")[1]
    if losses:
        yield f"The loss went from {losses[0]:.3g} to {losses[-1]:.3g}."
    ratios = course(history, "kl_ce_ratio")[1]
    if ratios:
        kl, squared = settings.get("kl_weight"), " (T² inside)" if settings.get("kl_t_squared") else ""
        yield (
            f"λ·KL was {ratios[0]:.2g} times the cross-entropy in the first epoch and {ratios[-1]:.2g} times in the "
            f"last, with λ = {shown(kl)} and T = {shown(settings.get('student_temperature'))}{squared}."
        )


def _tiles(history: History, settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    miou = course(history, "miou")[1]
    if miou:
        yield "best validation mIoU", points(max(miou)), "chosen on"
    losses, rates = course(history, "loss")[1], course(history, "images_per_s")[1]
    if losses:
        yield "loss of the last epoch", f"{losses[-1]:.3g}", ""
    yield "epochs", str(len(history)), f"of {settings['epochs']}" if settings.get("epochs") else ""
    if rates:
        yield "images a second", f"{statistics.median(rates):.1f}", "median"


def _figures(history: History) -> dict[str, float | int | None]:
    miou, losses = course(history, "miou")[1], course(history, "loss")[1]
    rates = course(history, "images_per_s")[1]
    last = {key: course(history, key)[1] for key in ("ce", "kl")}
    return {
        "best validation mIoU": max(miou, default=None),
        "last validation mIoU": miou[-1] if miou else None,
        "loss of the last epoch": losses[-1] if losses else None,
        **{f"{key} of the last epoch": values[-1] for key, values in last.items() if values},
        "epochs": len(history),
        "images a second, median": statistics.median(rates) if rates else None,
    }


def _basis(settings: Mapping[str, Any]) -> dict[str, str]:
    size = f"{settings['height']}x{settings['width']}" if settings.get("height") else "unknown"
    return {"data": shown(settings.get("data")), "validation data": shown(settings.get("val")), "size": size}


def _course(history: History, key: str) -> Course:
    label = {"loss": "loss", "ce": "cross-entropy, nats", "kl": "KL, nats", "miou": "validation mIoU"}.get(key, key)
    return Course("epoch", label, *course(history, key))


def _parts(history: History) -> dict[str, tuple[list[float], list[float]]]:
    """The loss and its parts; the loss alone where it has one part, which it is."""
    parts = {key: found for key in PARTS if (found := course(history, key))[0]}
    return {"loss": parts["loss"]} if len(parts) == 2 and parts.get("loss") == parts.get("ce") else parts


def _curves(history: History) -> Section:
    blocks: list[Figure] = []
    if parts := _parts(history):
        alt = "Loss and its parts by epoch"
        blocks.append(plots.curves(parts, "epoch", "loss", alt, "Loss, mean over the epoch.", whole=True))
    others = {"miou": "validation mIoU", "val_loss": "validation loss", "learning_rate": "learning rate"}
    for key, label in others.items():
        found = course(history, key)
        if found[0]:
            blocks.append(plots.curves({label: found}, "epoch", label, f"{label} by epoch", label, whole=True))
    return Section("Curves", blocks=tuple(blocks))


def _settings(settings: Mapping[str, Any]) -> Facts:
    if not settings:
        return Facts((("settings", f"not known: {CONFIG} is not there"),))
    return Facts(tuple((name, shown(value)) for name, value in flat(settings).items()))
