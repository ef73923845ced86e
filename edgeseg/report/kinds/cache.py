"""A soft-label cache: teachers, the gate, how accurately it is coded, example frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg import config, softlabels
from edgeseg.errors import EdgesegError
from edgeseg.report import plots
from edgeseg.report.kinds import examples
from edgeseg.report.kinds.base import Found, Run, count_of, points, read_json, shown, unique
from edgeseg.report.page import Cell, Facts, Gallery, Section, Table, Tiles
from edgeseg.softlabels.info import FORMAT, INFO_NAME, CacheInfo
from edgeseg.softlabels.reader import SoftLabels


class CacheKind:
    """See the module."""

    name = "a soft-label cache"
    looks_like = f"a folder whose {INFO_NAME} says {FORMAT}"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.has(INFO_NAME) and read_json(found.path / INFO_NAME).get("format") == FORMAT

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        cache = softlabels.open(found.path)
        info, data = cache.info, _data(found.path)
        return Run(
            kind="soft-label cache",
            name=found.name,
            lead=f"Soft labels of {count_of(len(info.teachers), 'teacher')} for {count_of(info.frames, 'frame')}"
            f"{f' of {data}' if data else ''}.",
            sections=(
                Section("Figures", blocks=(Tiles(tuple(_tiles(info))),)),
                _gate(info),
                _content(info),
                _frames(cache, data),
            ),
            warnings=tuple(_warnings(info)),
            summary=tuple(_summary(info)),
            facts=(("data", data), ("frames", info.frames), ("fingerprint", info.fingerprint)),
            basis={"data": data or "unknown", "digest of the data": info.data_digest},
            settings={**info.settings, "teachers": [f"{t.model}:{t.temperature:g}" for t in info.teachers]},
            figures=_figures(info),
        )


def _data(path: Path) -> str | None:
    settings = path / "config.yaml"
    data = config.read_mapping(settings).get("data") if settings.is_file() else None
    return str(data) if data else None


def _warnings(info: CacheInfo) -> Iterator[str]:
    if not info.complete:
        yield f"unfinished: {info.frames} of {len(info.sample_ids)} frames are there; go on with cache build --resume"
    lost = softlabels.shortfalls(info.gate)
    if lost:
        places = "; ".join(map(str, lost[:5])) + (f"; and {len(lost) - 5} more" if len(lost) > 5 else "")
        yield (
            f"the ensemble loses to its best member: {places}. A student of that member alone may do better: choose "
            "other teachers or class weights"
        )
    elif not info.gate:
        yield "whether the ensemble beats its members is not known: the frames have no labels, or it is unfinished"


def _summary(info: CacheInfo) -> Iterator[str]:
    if not info.gate:
        return
    own, members = info.gate["ensemble"]["miou"], [t["miou"] for t in info.gate["teachers"]]
    known = [miou for miou in members if miou is not None]
    if own is not None and known:
        yield (
            f"On the labels of these very frames the ensemble has an mIoU of {points(own)}, its best member "
            f"{points(max(known))}: {100 * (own - max(known)):+.1f} points."
        )


def _tiles(info: CacheInfo) -> Iterator[tuple[str, str, str]]:
    if info.gate:
        yield "mIoU of the ensemble", points(info.gate["ensemble"]["miou"]), "on the cached frames"
    yield "frames", str(info.frames), f"of {len(info.sample_ids)}"
    yield "size", f"{info.bytes / 1e6:.1f} MB", ""
    if info.frames:
        yield "a frame", f"{info.bytes / info.frames / 1e3:.1f} kB", ""


def _figures(info: CacheInfo) -> dict[str, float | int | None]:
    return {
        "mIoU of the ensemble": info.gate["ensemble"]["miou"] if info.gate else None,
        "frames": info.frames,
        "kB a frame": info.bytes / info.frames / 1e3 if info.frames else None,
    }


def _gate(info: CacheInfo) -> Section:
    if not info.gate:
        return Section("Ensemble and members", "No figures: the frames have no labels, or the build is unfinished.")
    rows = [*((row["model"], row) for row in info.gate["teachers"]), ("ensemble", info.gate["ensemble"])]
    names = list(info.gate["ensemble"]["iou"])
    table = Table(
        ("class", *(name for name, _ in rows)),
        (
            ("mIoU", *(row["miou"] for _, row in rows)),
            *((name, *(row["iou"][name] for _, row in rows)) for name in names),
        ),
        "IoU on the labels of the cached frames",
        strong=(0,),
    )
    groups = {
        unique_name: [row["iou"][name] for name in names]
        for unique_name, (_, row) in zip(unique([name for name, _ in rows]), rows, strict=True)
    }
    chart = plots.bars(names, groups, "IoU", "IoU of every class for each teacher and the ensemble")
    text = "An ensemble is worth its time where it beats the best of its members, class by class."
    return Section("Ensemble and members", text, (table, chart))


def _content(info: CacheInfo) -> Section:
    teachers: tuple[tuple[Cell, ...], ...] = tuple((t.model, t.temperature, t.digest[:12]) for t in info.teachers)
    blocks: list[Table | Facts] = [Table(("teacher", "temperature", "digest"), teachers)]
    if info.class_weights:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (name, *(weights[index] for weights in info.class_weights))
            for index, name in enumerate(info.class_map.names)
        )
        blocks.append(Table(("weight by class", *(f"teacher {n + 1}" for n in range(len(info.teachers)))), rows))
    coding = tuple((name.replace("_", " "), _short(value)) for name, value in info.settings.items())
    blocks.append(Facts((*coding, ("fingerprint", info.fingerprint))))
    text = (
        "What the soft labels depend on. The coding keeps the mean KL from what the teachers said, and the share of "
        "pixels with the same best class, within the bounds given here; edgeseg cache verify measures both."
    )
    return Section("Teachers, weights and coding", text, tuple(blocks))


def _short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _frames(cache: SoftLabels, data: str | None) -> Section:
    title = "Example frames"
    try:
        rows = [_row(cache, name) for name in _names(cache)]
    except EdgesegError as error:
        return Section(title, f"The soft labels cannot be shown here: {error}")
    text = "The ensemble's best class, and how unsure it is: the brighter, the higher the entropy."
    return Section(title, text, (examples.legend(cache.info.class_map), Gallery(tuple(rows))) if rows else ())


def _names(cache: SoftLabels) -> list[str]:
    there = [name for name in cache.info.sample_ids if name in cache]
    return [there[index] for index in examples.spread(len(there))]


def _row(cache: SoftLabels, name: str) -> tuple[Any, ...]:
    probs = cache[name]
    entropy = -(probs * np.log(np.maximum(probs, 1e-9))).sum(0) / np.log(len(probs))
    best = probs.argmax(0).astype(np.uint8)
    return (
        examples.classes(best, cache.info.class_map, f"Best class of the ensemble for {name}", name),
        examples.heat(np.rint(255 * np.clip(entropy, 0, 1)).astype(np.uint8), f"Entropy of {name}", "entropy"),
    )
