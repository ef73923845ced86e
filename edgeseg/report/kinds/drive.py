"""A drive: the spool's folder, or the report of ``edgeseg score --json``, whose spool is looked into where it is."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeseg.device.spool import SpoolItem, SpoolReader
from edgeseg.errors import EdgesegError
from edgeseg.report import plots
from edgeseg.report.kinds import examples
from edgeseg.report.kinds.base import Found, Run, count_of
from edgeseg.report.kinds.items import classes_of, item_row
from edgeseg.report.page import Block, Figure, Gallery, Section, Table, Tiles

ITEMS = 4
"""Items shown as pictures, the most valuable ones."""
LOSSES = {
    "refused": "were to be kept but found no room in the spool; give it a larger --spool-quota, or upload more often",
    "late": "were not scored since the agent was busy; choose a quicker model or strategy, or a lower --rate",
    "unfit": "were black, frozen or of another size, and not scored",
    "unreadable": "could not be decoded",
}


class DriveKind:
    """See the module."""

    name = "a drive"
    looks_like = "a spool folder, or the JSON of edgeseg score"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.says("frames", "kept", "dropped", "timing_ms", "spool") or _is_spool(found.path)

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        report = found.document
        spool = Path(report["spool"]) if report else found.path
        items = list(SpoolReader(spool).list()) if _is_spool(spool) else []
        sections = [*_figures_section(report), *_items(items), *_timing(report)]
        return Run(
            kind="drive",
            name=found.name.removesuffix(".json"),
            lead=_lead(report, items),
            sections=tuple(sections),
            warnings=tuple(_warnings(report, items, spool)),
            summary=tuple(_summary(report, items)),
            facts=_facts(report, items),
            basis=_basis(report, items),
            figures=_figures(report, items),
        )


def _is_spool(path: Path) -> bool:
    if not path.is_dir():
        return False
    try:
        SpoolReader(path)
    except EdgesegError:
        return False
    return True


def _lead(report: Mapping[str, Any], items: Sequence[SpoolItem]) -> str:
    if report:
        return f"{report['kept']} of {report['frames']} frames kept, by strategy {report['strategy']}."
    return f"A spool of {count_of(len(items), 'item')}, {sum(item.bytes for item in items) / 1e6:.1f} MB."


def _warnings(report: Mapping[str, Any], items: Sequence[SpoolItem], spool: Path) -> Iterator[str]:
    for key, told in LOSSES.items():
        if count := report.get(key):
            yield f"{count_of(count, 'frame')} of {report['frames']} {told}"
    if report.get("interrupted"):
        yield "it was interrupted before the source ended"
    if reconnects := report.get("reconnects"):
        yield f"the camera was lost {count_of(reconnects, 'time')}"
    for trouble, count in (report.get("troubles") or {}).items():
        yield f"{trouble.replace('_', ' ')}: {count}"
    if report and not items:
        yield f"the spool {spool} is not here, or empty: what was kept cannot be shown"
    unknown = sum(item.record.clock == "unknown" for item in items)
    if unknown:
        yield f"{count_of(unknown, 'item')} cannot say when they were captured: the source has no clock"


def _summary(report: Mapping[str, Any], items: Sequence[SpoolItem]) -> Iterator[str]:
    if items:
        regions = sum(len(item.record.regions) for item in items)
        area = sum(region.area_px for item in items for region in item.record.regions)
        whole = sum(item.record.image.height * item.record.image.width for item in items)
        clicks = sum(region.clicks for item in items for region in item.record.regions)
        yield (
            f"The kept frames ask for {count_of(regions, 'region')}, {area / whole:.1%} of their pixels, "
            f"some {count_of(clicks, 'click')}."
        )
        states = Counter(item.state for item in items)
        yield "In the spool: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())) + "."
    timing = {name: ms for name, ms in (report.get("timing_ms") or {}).items() if ms is not None}
    if timing.get("total"):
        yield f"A frame took {timing['total']:.0f} ms (median), so {1000 / timing['total']:.1f} frames a second."


def _facts(report: Mapping[str, Any], items: Sequence[SpoolItem]) -> tuple[tuple[str, str | None], ...]:
    def all_of(name: str) -> str | None:
        return ", ".join(sorted({str(getattr(item.record, name)) for item in items})) or None

    digest = report.get("model_digest")
    return (
        ("vehicle", all_of("vehicle")),
        ("drive", all_of("drive")),
        ("source", all_of("source")),
        ("model", str(digest) if digest else all_of("model_digest")),
        ("strategy", str(report["strategy"]) if report else all_of("strategy")),
        ("policy", all_of("policy")),
    )


def _basis(report: Mapping[str, Any], items: Sequence[SpoolItem]) -> dict[str, str]:
    sizes = sorted({f"{item.record.image.height}x{item.record.image.width}" for item in items})
    sources = sorted({item.record.source for item in items})
    frames = {"frames of the drive": str(report["frames"])} if report else {}
    return {"source": ", ".join(sources), "size of the frames": ", ".join(sizes), **frames}


def _figures(report: Mapping[str, Any], items: Sequence[SpoolItem]) -> dict[str, float | int | None]:
    scores = [item.record.scores[0].value for item in items]
    timing = {f"{name}, ms": ms for name, ms in (report.get("timing_ms") or {}).items()}
    counts = {key: report[key] for key in ("frames", "kept", "dropped", *LOSSES) if key in report}
    return {
        **counts,
        "items": len(items),
        "regions": sum(len(item.record.regions) for item in items),
        "median score of the kept": statistics.median(scores) if scores else None,
        **timing,
    }


def _figures_section(report: Mapping[str, Any]) -> Iterator[Section]:
    if report:
        keys = ("frames", "kept", "dropped", *LOSSES)
        tiles = Tiles(tuple((key, str(report[key]), "") for key in keys if report.get(key) is not None))
        yield Section("What became of the frames", "", (tiles,))


def _items(items: Sequence[SpoolItem]) -> Iterator[Section]:
    if not items:
        return
    classes = classes_of(item.record for item in items)
    try:
        rows = [row for item in items[:ITEMS] if (row := item_row(item, classes))]
    except EdgesegError as error:
        yield Section("Most valuable frames", f"They cannot be shown: {error}")
    else:
        text = "Marked are the regions whose labels are worth the most; beside them what the model took them for."
        yield Section("Most valuable frames", text, (examples.legend(classes), Gallery(tuple(rows))) if rows else ())
    yield Section("What was kept", "", tuple(_plots(items)))


def _plots(items: Sequence[SpoolItem]) -> Iterator[Block]:
    by_number = sorted((i for i in items if i.record.frame_number is not None), key=lambda i: i.record.frame_number)
    if len(by_number) > 1:
        yield _course(by_number)
    pixels = Counter[str]()
    for item in items:
        for region in item.record.regions:
            pixels[region.class_name or "unknown"] += region.area_px
    if pixels:
        names = [name for name, _ in pixels.most_common()]
        shares = {"share": [pixels[name] / pixels.total() for name in names]}
        yield plots.bars(names, shares, "share of the regions' pixels", "Where the regions lie, by predicted class")
    rows = tuple(
        (item.record.frame_id, item.record.scores[0].value, len(item.record.regions), item.bytes / 1e3, item.state)
        for item in items[:50]
    )
    told = "Most valuable first" + (f", 50 of {len(items)}" if len(items) > 50 else "")
    yield Table(("frame", "score", "regions", "kB", "state"), rows, told)


def _course(items: Sequence[SpoolItem]) -> Figure:
    numbers = [float(item.record.frame_number) for item in items]
    scores = [item.record.scores[0].value for item in items]
    first = items[0].record.scores[0]
    label = f"{first.name}, {first.unit}" if first.unit else first.name
    alt = f"Score of each of the {len(items)} kept frames over the drive"
    return plots.timeline((numbers, scores), {"kept": (numbers, scores)}, "frame", label, alt)


def _timing(report: Mapping[str, Any]) -> Iterator[Section]:
    timing = {name: ms for name, ms in (report.get("timing_ms") or {}).items() if ms is not None}
    if timing:
        names = list(timing)
        chart = plots.bars(names, {"ms": [timing[name] for name in names]}, "ms (median)", "Where a frame's time goes")
        yield Section("Where the time went", "spool is the time of a frame that is kept.", (chart,))
