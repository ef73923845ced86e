"""What ``edgeseg eval --json`` found: a model on labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeseg.report import plots
from edgeseg.report.kinds.base import Found, Run, points
from edgeseg.report.kinds.examples import dataset_section
from edgeseg.report.page import Section, Table, Tiles

FEW = 20
"""Images below which the mIoU is told to be shaky."""
OFF = 0.1
"""Calibration error from which entropies are told to be off."""


class EvaluationKind:
    """See the module."""

    name = "an evaluation"
    looks_like = "the JSON of edgeseg eval"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.says("miou", "miou_union", "iou", "pixel_accuracy", "images")

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        plain = found.document
        data, digest = plain.get("data"), plain.get("model_digest")
        iou = plain["iou"]
        chart = plots.bars(list(iou), {"IoU": list(iou.values())}, "IoU", "IoU of every class")
        table = Table(("class", "IoU"), tuple(iou.items()))
        return Run(
            kind="evaluation",
            name=found.name.removesuffix(".json"),
            lead=f"{f'Model {digest[:12]}' if digest else 'A model'} on {plain['images']} images"
            f"{f' of {data}' if data else ''}: mIoU {points(plain['miou'])}.",
            sections=(
                Section("Figures", blocks=(Tiles(tuple(_tiles(plain))),)),
                Section("Class by class", "", (chart, table)),
                *((dataset_section(data),) if data else ()),
            ),
            warnings=tuple(_warnings(plain)),
            summary=tuple(_summary(plain)),
            facts=(("data", data), ("model", digest), ("images", plain["images"])),
            basis={"data": str(data), "images": str(plain["images"]), "upsampled": str(plain.get("upsampled"))},
            figures={
                **{key: plain.get(key) for key in ("miou", "miou_union", "pixel_accuracy", "ece")},
                **{f"IoU of {name}": value for name, value in iou.items()},
            },
        )


def _warnings(plain: Mapping[str, Any]) -> Iterator[str]:
    if plain["miou"] is None:
        yield "the data has no labels, so there is no mIoU"
    if plain["images"] < FEW:
        yield f"{plain['images']} images are few: one rare class moves the mIoU by points"
    if unseen := plain.get("unseen_share"):
        yield f"the model crops: {unseen:.1%} of the labeled pixels were never seen, and do not count"
    if plain.get("upsampled") == "class_map":
        yield "class maps were enlarged by nearest neighbour, which costs about 0.2 points against logits"
    if (ece := plain.get("ece")) is not None and ece > OFF:
        yield f"calibration error {ece:.3f}: its confidence is off; edgeseg fit-temperature mends that"


def _summary(plain: Mapping[str, Any]) -> Iterator[str]:
    known = sorted((value, name) for name, value in plain["iou"].items() if value is not None)
    if known:
        yield f"Worst classes: {', '.join(f'{name} {points(value)}' for value, name in known[:3])}."
    if absent := [name for name, value in plain["iou"].items() if value is None]:
        yield f"Without a labeled pixel, and not in the mean: {', '.join(absent)}."


def _tiles(plain: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "mIoU", points(plain["miou"]), f"{plain['images']} images"
    yield "pixel accuracy", points(plain["pixel_accuracy"]), ""
    if (ece := plain.get("ece")) is not None:
        yield "calibration error", f"{ece:.3f}", ""
