"""The gate: does an ensemble teach more than its best member would?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from edgeseg.errors import CacheError
from edgeseg.progress import warn
from edgeseg.softlabels.reader import SoftLabels

_LISTED: Final = 5


@dataclass(frozen=True)
class Shortfall:
    """A place where the ensemble is worse than one of its members.

    Attributes:
        where: A class, or ``overall`` for the mean over classes.
        ensemble: IoU of the ensemble.
        best: IoU of the best member.
        model: The best member.
    """

    where: str
    ensemble: float
    best: float
    model: str

    def __str__(self) -> str:
        return f"{self.where} {100 * self.ensemble:.1f} against {100 * self.best:.1f} % IoU of {self.model}"


def shortfalls(gate: Mapping[str, Any]) -> list[Shortfall]:
    """Where the ensemble loses to its best member: overall first, then the classes in their order.

    Args:
        gate: ``CacheInfo.gate``: ``teachers``, a list of model, miou, iou; ``ensemble``, miou and iou; {} gives none.
    """
    if not gate:
        return []
    ensemble, teachers = gate["ensemble"], gate["teachers"]
    rows = [("overall", ensemble["miou"], [(t["miou"], t["model"]) for t in teachers])]
    rows += [(name, iou, [(t["iou"][name], t["model"]) for t in teachers]) for name, iou in ensemble["iou"].items()]
    found = []
    for where, own, members in rows:
        best, model = max(((iou, model) for iou, model in members if iou is not None), default=(None, ""))
        if own is not None and best is not None and own < best:
            found.append(Shortfall(where, own, best, model))
    return found


def check_gate(cache: SoftLabels, require_gain: bool = False) -> None:
    """Warns where a cache's ensemble loses to its best member on the labels of its own frames.

    Args:
        cache: About to be distilled from.
        require_gain: Whether to refuse such a cache, and one whose frames have no labels to tell by.

    Raises:
        CacheError: ``require_gain``, and the ensemble loses somewhere or cannot be judged.
    """
    gate = cache.info.gate
    if require_gain and not gate:
        raise CacheError(
            f"{cache.where}: whether its ensemble beats its members is unknown, since its frames have no labels or "
            "its build is unfinished; distil without --require-ensemble-gain, or from a cache of labeled frames"
        )
    lost = shortfalls(gate)
    if not lost:
        return
    more = f" and in {len(lost) - _LISTED} more classes" if len(lost) > _LISTED else ""
    message = f"{cache.where}: the ensemble loses to its best member: {', '.join(map(str, lost[:_LISTED]))}{more}"
    if require_gain:
        raise CacheError(
            f"{message}. Build the cache with better teachers or class weights, or distil without "
            "--require-ensemble-gain"
        )
    warn(message)
