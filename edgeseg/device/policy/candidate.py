"""What a policy sees of a frame: its score, what it shows, and what it would cost to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Form = Literal["full", "crops", "map"]
"""How much of a frame is kept: all of it, the chosen regions with context, or the maps without the image."""
FORMS: tuple[Form, ...] = ("full", "crops", "map")


@dataclass(frozen=True)
class Offer:
    """One form in which a frame can be kept.

    Attributes:
        form: How much of the frame is kept.
        bytes: What it takes, known or estimated.
        regions: Regions that it asks labels for.
    """

    form: Form
    bytes: float
    regions: int


@dataclass(frozen=True)
class Candidate:
    """One frame before the choice.

    Attributes:
        frame: Its id.
        index: Its number in the source.
        time_s: When in the drive; never falls.
        score: The strategy's score; higher is worth more, below 0 counts as 0.
        image_hash: 64 bits; frames that look alike differ in few.
        classes: Share of its pixels by predicted class name.
        offers: Forms that it can be kept in.
    """

    frame: str
    index: int
    time_s: float
    score: float
    image_hash: int
    classes: dict[str, float]
    offers: tuple[Offer, ...]

    @property
    def asked(self) -> Offer:
        """The form in which it is kept where something outside asks for it: in full, if that is among its forms."""
        return next((offer for offer in self.offers if offer.form == "full"), self.offers[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain form, as a trace holds it."""
        return {
            "frame": self.frame,
            "index": self.index,
            "time_s": round(self.time_s, 4),
            "score": self.score,
            "image_hash": f"{self.image_hash:016x}",
            "classes": {name: round(share, 5) for name, share in self.classes.items()},
            "offers": [[offer.form, round(offer.bytes), offer.regions] for offer in self.offers],
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Candidate:
        """Inverse of ``to_dict``.

        Raises:
            KeyError: A field is missing.
            ValueError: A field cannot be used.
            TypeError: A field has another type.
        """
        offers = tuple(Offer(_form(form), float(size), int(regions)) for form, size, regions in plain["offers"])
        if not offers:
            raise ValueError("offers is empty")
        classes = {str(name): float(share) for name, share in plain["classes"].items()}
        return cls(
            str(plain["frame"]),
            int(plain["index"]),
            float(plain["time_s"]),
            float(plain["score"]),
            int(plain["image_hash"], 16),
            classes,
            offers,
        )


def _form(text: Any) -> Form:
    if text not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, got {text!r}")
    return text  # type: ignore[no-any-return]
