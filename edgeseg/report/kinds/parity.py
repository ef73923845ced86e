"""What ``edgeseg parity --json`` found: two models on the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeseg.report import plots
from edgeseg.report.kinds.base import Found, Run
from edgeseg.report.kinds.examples import dataset_section
from edgeseg.report.page import Cell, Facts, Section, Table, Tiles

_BOUND_OF = {
    "argmax_agreement": "agreement",
    "delta_miou": "delta_miou",
    "frame_rank_correlation": "rank_correlation",
    "region_overlap": "region_overlap",
}
_MEANING = {
    "argmax_agreement": "pixels of the same class, share",
    "delta_miou": "change of mIoU, share",
    "frame_rank_correlation": "Spearman's ρ of the frames' entropies",
    "region_overlap": "overlap of the most uncertain tenth of the cells",
    "max_abs_logit_error": "largest |Δlogit|",
    "mean_abs_logit_error": "mean |Δlogit|",
    "mean_abs_logit": "mean |logit| of the first",
    "miou_a": "mIoU of the first",
    "miou_b": "mIoU of the second",
}


class ParityKind:
    """See the module."""

    name = "a parity report"
    looks_like = "the JSON of edgeseg parity"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.says("verdict", "argmax_agreement", "region_overlap", "models")

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        plain = found.document
        a, b = plain["models"]
        names = [f"{Path(m['path']).name} ({m['precision']}, {m['run']})" for m in (a, b)]
        return Run(
            kind="parity",
            name=found.name.removesuffix(".json"),
            lead=f"{names[1]} held against {names[0]} on {plain['frames']} frames of {plain['data']} at "
            f"{plain['size']}: {plain['verdict']}.",
            sections=(
                Section("Figures", blocks=(Tiles(tuple(_tiles(plain))), _table(plain))),
                _by_class(plain),
                Section("Models", blocks=(Facts(tuple(_facts(plain["models"]))),)),
                dataset_section(plain["data"]),
            ),
            warnings=tuple(_warnings(plain)),
            summary=tuple(_summary(plain)),
            facts=(("data", plain["data"]), ("size", plain["size"]), ("frames", plain["frames"])),
            basis={key: str(plain[key]) for key in ("data", "size", "frames")} | {"reference": a["digest"]},
            settings={"models": {"a": a, "b": b}, "tolerance": plain["tolerance"]},
            figures={_MEANING[key]: plain[key] for key in _MEANING},
        )


def _warnings(plain: Mapping[str, Any]) -> Iterator[str]:
    if plain["verdict"] != "pass":
        yield f"parity failed: {'; '.join(plain['broken'])}"
    if where := plain["parted_at"]:
        yield f"they part at {where['what']} ({where['stage']}): {where['detail']}"
    if plain["frames"] < 10:
        yield f"{plain['frames']} frames are few: one rare class moves the mIoU by tenths of a point"


def _summary(plain: Mapping[str, Any]) -> Iterator[str]:
    yield f"{plain['argmax_agreement']:.3%} of the pixels have the same class."
    if plain["delta_miou"] is not None:
        yield f"mIoU changes by {100 * plain['delta_miou']:+.3f} points."
    if any(model["run"] == "as written" for model in plain["models"]):
        yield "Lower precisions were run as the graph is written; a GPU fuses and rounds otherwise, so repeat it there."


def _tiles(plain: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "verdict", str(plain["verdict"]), ""
    yield "pixels of the same class", f"{plain['argmax_agreement']:.3%}", ""
    if plain["delta_miou"] is not None:
        yield "change of mIoU", f"{100 * plain['delta_miou']:+.3f}", "points"
    yield "region overlap", f"{plain['region_overlap']:.3f}", ""


def _table(plain: Mapping[str, Any]) -> Table:
    bounds = plain["tolerance"]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (meaning, plain[key], bounds.get(_BOUND_OF.get(key, ""))) for key, meaning in _MEANING.items()
    )
    return Table(("figure", "value", "bound"), rows, decimals=5)


def _by_class(plain: Mapping[str, Any]) -> Section:
    known = {name: 100 * value for name, value in plain["delta_iou"].items() if value is not None}
    if not known:
        return Section("Class by class", "No labels of the model's classes, so no IoU.")
    chart = plots.bars(list(known), {"ΔIoU": list(known.values())}, "change of IoU, points", "Change of IoU by class")
    return Section("Class by class", "", (chart,))


def _facts(models: list[Mapping[str, Any]]) -> Iterator[tuple[str, Cell]]:
    for place, model in zip(("first", "second"), models, strict=True):
        for key, value in model.items():
            yield f"{place}: {key}", str(value)
