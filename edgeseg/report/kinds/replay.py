"""What ``edgeseg policy replay --json`` found: a recorded drive under a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeseg.report import plots
from edgeseg.report.kinds.base import Found, Run, count_of
from edgeseg.report.page import Cell, Section, Table, Tiles

MUCH = 0.3
"""Regret from which a policy is told to leave much behind."""


class ReplayKind:
    """See the module."""

    name = "a policy's replay"
    looks_like = "the JSON of edgeseg policy replay"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.says("regret", "worth", "best", "random", "reasons", "spent", "allowed")

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        plain = found.document
        spent: tuple[tuple[Cell, ...], ...] = tuple(
            (name, plain["spent"][name], allowed) for name, allowed in plain["allowed"].items()
        )
        reasons = tuple(sorted(plain["reasons"].items(), key=lambda row: -row[1]))
        worth = {"worth": [plain["worth"], plain["best"], plain["random"]]}
        names = ["kept by the policy", "best in hindsight", "chance"]
        chart = plots.bars(names, worth, "worth", "Worth of what was kept, beside the best choice and chance")
        return Run(
            kind="replay",
            name=found.name.removesuffix(".json"),
            lead=f"A drive of {count_of(plain['frames'], 'frame')} in {plain['seconds']:.0f} s under a policy: "
            f"{plain['kept']} kept.",
            sections=(
                Section("Figures", "", (Tiles(tuple(_tiles(plain))), chart)),
                Section("Frames", "", (Table(("what became of them", "frames"), reasons),)),
                Section("Budgets", "", (Table(("budget", "spent", "even pace over the drive"), spent, decimals=0),)),
            ),
            warnings=tuple(_warnings(plain)),
            summary=tuple(_summary(plain)),
            facts=(("frames", plain["frames"]), ("seconds", round(plain["seconds"], 1))),
            basis={"frames": str(plain["frames"]), "seconds": f"{plain['seconds']:.1f}", **_budgets(plain)},
            figures={key: plain[key] for key in ("regret", "kept", "worth", "best", "random")},
        )


def _budgets(plain: Mapping[str, Any]) -> dict[str, str]:
    return {f"budget of {name}": f"{allowed:.4g}" for name, allowed in plain["allowed"].items()}


def _warnings(plain: Mapping[str, Any]) -> Iterator[str]:
    regret = plain["regret"]
    if regret is not None and regret > MUCH:
        nearer = "it is nearer to chance than to hindsight" if regret > 0.5 else "much of the worth was left behind"
        yield f"regret {regret:.2f}: {nearer}; try another budget's period, spacing or pre-roll"
    if not plain["kept"]:
        yield "nothing was kept; the budget may be below one frame of this drive"
    for name, allowed in plain["allowed"].items():
        if plain["spent"][name] > 1.05 * allowed + 1:
            yield f"it spent ahead of the pace: {plain['spent'][name]:.0f} {name} where {allowed:.0f} are even"


def _summary(plain: Mapping[str, Any]) -> Iterator[str]:
    if plain["regret"] is None:
        yield "All choices are worth the same on this drive, so it says nothing about the policy."
    else:
        yield f"Regret {plain['regret']:.3f}, where 0 is as good as hindsight and 1 as good as chance."


def _tiles(plain: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "regret", "–" if plain["regret"] is None else f"{plain['regret']:.3f}", "0 hindsight, 1 chance"
    yield "kept", str(plain["kept"]), f"of {plain['frames']}"
    yield "worth", f"{plain['worth']:.3g}", f"best {plain['best']:.3g}"
