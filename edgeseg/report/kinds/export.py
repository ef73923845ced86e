"""The report that ``edgeseg export`` writes beside a graph: what it is, and how far it is from the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeseg.report.kinds.base import Found, Run, flat, shown
from edgeseg.report.page import Cell, Facts, Section, Table, Tiles

OUTLIER = 0.999
"""Share of equal pixels below which an fp32 export is told to be off."""


class ExportKind:
    """See the module."""

    name = "an export"
    looks_like = "the JSON that edgeseg export writes beside a graph"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.says("path", "digest", "precision", "source_digest", "parity")

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        plain = found.document
        parity = plain["parity"]
        named = {key: value for key, value in plain.items() if key not in ("parity", "report")}
        return Run(
            kind="export",
            name=found.name.removesuffix(".json"),
            lead=f"A graph in {plain['precision']}, {plain['bytes'] / 1e6:.2f} MB, from the checkpoint "
            f"{plain['source_digest'][:12]}.",
            sections=(
                Section("Figures", blocks=(Tiles(tuple(_tiles(plain))),)),
                Section("Held against the checkpoint", _compared(parity), (_table(parity),)),
                Section("The graph", blocks=(Facts(tuple((key, _text(value)) for key, value in named.items())),)),
            ),
            warnings=tuple(_warnings(plain)),
            summary=tuple(_summary(plain)),
            facts=(("network's size", plain.get("size")), ("frames compared on", parity.get("frames_from"))),
            basis={"checkpoint": plain["source_digest"], "size": shown(plain.get("size"))},
            settings=named,
            figures={name: value for name, value in flat(parity).items() if isinstance(value, int | float)},
        )


def _warnings(plain: Mapping[str, Any]) -> Iterator[str]:
    parity = plain["parity"]
    agreement = parity.get("argmax_agreement")
    if agreement is not None and agreement < OUTLIER:
        yield f"only {agreement:.2%} of the pixels have the checkpoint's class; find where by edgeseg parity"
    if not parity:
        yield "it was not compared with the checkpoint; edgeseg parity does"
    if str(parity.get("frames_from", "")).startswith("drawn"):
        yield "compared on drawn frames alone; give --data with frames like the camera's"
    if kept := parity.get("kept_fp32"):
        yield f"to keep its bounds, {len(kept)} parts stay in fp32 ({', '.join(kept)}): it gains less speed"


def _summary(plain: Mapping[str, Any]) -> Iterator[str]:
    cost = plain["parity"].get("precision_cost")
    if cost:
        yield (
            f"{plain['precision']} costs {cost['miou_points']:.3f} points of mIoU and changes the class of "
            f"{cost['disagreement']:.2%} of the pixels, measured on {plain['parity'].get('measured_frames')} frames of "
            f"{plain['parity'].get('measured_on')} against {plain['parity'].get('cost_against')}."
        )
    yield "How fast it is, is not told here: edgeseg bench measures that on the machine where it will run."


def _tiles(plain: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    parity = plain["parity"]
    yield "precision", str(plain["precision"]), ""
    if (agreement := parity.get("argmax_agreement")) is not None:
        yield "pixels of the same class", f"{agreement:.3%}", "before the precision was lowered"
    if cost := parity.get("precision_cost"):
        yield "cost of the precision", f"{cost['miou_points']:.3f}", "points of mIoU"
    yield "file", f"{plain['bytes'] / 1e6:.2f} MB", ""


def _compared(parity: Mapping[str, Any]) -> str:
    return f"On {parity.get('frames', 'no')} frames from {parity.get('frames_from', 'nowhere')}."


def _table(parity: Mapping[str, Any]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple((name, _text(value)) for name, value in flat(parity).items())
    return Table(("figure", "value"), rows)


def _text(value: Any) -> str:
    return ", ".join(map(shown, value)) if isinstance(value, list) else shown(value)
