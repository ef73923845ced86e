"""What ``edgeseg cache verify --json`` found: is every frame whole, and how accurately is it coded?"""

from __future__ import annotations

from edgeseg.report.kinds.base import Found, Run, count_of
from edgeseg.report.page import Section, Table

FIGURES = ("kl_nats", "kl_p99", "argmax_agreement", "flip_kl_nats")
_MEANING = {
    "kl_nats": "mean KL(fresh ‖ cached) over pixels, nats",
    "kl_p99": "its 99th percentile, nats",
    "argmax_agreement": "share of pixels with the same best class",
    "flip_kl_nats": "mean KL on mirrored frames: what mirrored soft labels cost, nats",
}


class CacheCheckKind:
    """See the module."""

    name = "a check of a soft-label cache"
    looks_like = "the JSON of edgeseg cache verify"

    def recognises(self, found: Found) -> bool:
        """See ``Kind``."""
        return found.says("frames", "bad", *FIGURES)

    def read(self, found: Found) -> Run:
        """See ``Kind``."""
        plain = found.document
        bad, frames = plain["bad"], plain["frames"]
        planned = plain.get("frames_planned", frames)
        rows = tuple((_MEANING[key], plain[key]) for key in FIGURES)
        broken = (Table(("what is wrong",), tuple((why,) for why in bad)),) if bad else ()
        told = f"{count_of(len(bad), 'frame')} missing or damaged; cache build --resume computes them again"
        compared = plain["kl_nats"] is not None
        return Run(
            kind="check of a soft-label cache",
            name=found.name,
            lead=f"{frames} of {count_of(planned, 'frame')} are whole.",
            sections=(Section("Accuracy", blocks=(Table(("figure", "value"), rows, decimals=6), *broken)),),
            warnings=(told,) if bad else (),
            summary=() if compared else ("Held against its checksums alone; give --teacher to compare it afresh.",),
            figures={key: plain[key] for key in FIGURES},
        )
