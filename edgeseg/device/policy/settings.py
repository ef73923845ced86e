"""Settings of a policy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

from edgeseg.config import STRICT
from edgeseg.device.policy.budgets import Budget, Budgets
from edgeseg.device.policy.candidate import FORMS, Form
from edgeseg.errors import ConfigError
from edgeseg.files import digest_text


@dataclass(frozen=True)
class PolicySettings:
    """When a frame is kept.

    Attributes:
        frames, bytes, regions: Budgets as texts, such as ``200/h`` or ``500MB/day``; None for no limit.
        active_share: Share of a budget's period in which frames come: a vehicle that drives 2 hours a day spends
            its daily budget within them with 0.083.
        spacing_s: Least time between two kept frames; of the frames within it the best is chosen.
        duplicate_bits: A frame whose hash differs in at most so many of 64 bits from a kept one's is left out; -1
            turns this off.
        duplicates_known: Hashes of so many kept frames are remembered, over earlier drives too.
        rarity: How much a class that is hardly ever seen adds to a frame's worth, as a share of it; 0 for nothing.
        forms: Forms in which a frame may be kept; where several are named, what serves the budgets best.
        crops_worth, map_worth: Worth of these forms, as a share of the full frame's.
        recall: Whether a kept frame that still waits in the spool may give way to a better one. Without it, as where
            everything is uploaded at once, a choice is final.
        triggers: What asks for frames from outside, whatever they are worth: ``file:PATH``, ``signal:USR1``, or an
            adapter ``package.module:Class``. Room for one such frame, with those before and after, is left in each
            budget, of which it takes half at most.
        pre_roll_s, post_roll_s: What is kept before and after a frame that was asked for, as far as the budgets go.
        roll_every_s: Least time between frames of these.
        roll_bytes: Most that frames waiting to be a pre-roll may take of the memory.
        frame_rate_hz: Frames a second of a source that does not tell the time.
        memory_s: The stream's sample reaches back about so far.
        sample_size: Candidates in the sample.
    """

    frames: str | None = None
    bytes: str | None = None
    regions: str | None = None
    active_share: float = 1.0
    spacing_s: float = 1.0
    duplicate_bits: int = 3
    duplicates_known: int = 4096
    rarity: float = 0.25
    forms: tuple[Form, ...] = ("full",)
    crops_worth: float = 0.8
    map_worth: float = 0.1
    recall: bool = True
    triggers: tuple[str, ...] = ()
    pre_roll_s: float = 0.0
    post_roll_s: float = 0.0
    roll_every_s: float = 0.5
    roll_bytes: int = 64_000_000
    frame_rate_hz: float = 10.0
    memory_s: float = 4 * 3600.0
    sample_size: int = 1024

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        self.budgets()
        if not 0 < self.active_share <= 1:
            raise ConfigError(f"active_share must be above 0 and at most 1, got {self.active_share}")
        for name, least in (
            ("spacing_s", 0.0),
            ("duplicates_known", 0),
            ("rarity", 0.0),
            ("pre_roll_s", 0.0),
            ("post_roll_s", 0.0),
            ("roll_every_s", 0.0),
            ("roll_bytes", 0),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be {least:g} or more, got {getattr(self, name)}")
        if self.frame_rate_hz <= 0:
            raise ConfigError(f"frame_rate_hz must be above 0, got {self.frame_rate_hz}")
        if not -1 <= self.duplicate_bits <= 63:
            raise ConfigError(f"duplicate_bits must be -1 (off) to 63, got {self.duplicate_bits}")
        if not self.forms or any(form not in FORMS for form in self.forms):
            raise ConfigError(f"forms must name some of {', '.join(FORMS)}, got {self.forms}")
        for name in ("crops_worth", "map_worth"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be above 0 and at most 1, got {getattr(self, name)}")
        if self.memory_s <= 0 or self.sample_size < 16:
            raise ConfigError(
                f"memory_s must be above 0 and sample_size 16 or more, got {self.memory_s} and {self.sample_size}"
            )

    def budgets(self) -> Budgets:
        """The budgets.

        Raises:
            ConfigError: A text has another form.
        """
        texts = {"frames": self.frames, "bytes": self.bytes, "regions": self.regions}
        return Budgets(**{n: t if t is None else Budget.parse(t, f"budget-{n}") for n, t in texts.items()})

    @property
    def chooses(self) -> bool:
        """Whether there is anything to choose by: a budget, or a trigger."""
        return bool(self.budgets().named() or self.triggers)

    @property
    def asked_frames(self) -> float:
        """Frames that a trigger asks for at once, those before and after included; 0 without triggers."""
        every_s = max(self.roll_every_s, 1 / self.frame_rate_hz)
        return 1 + (self.pre_roll_s + self.post_roll_s) / every_s if self.triggers else 0.0

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any of these settings, wherever they were written."""
        return digest_text(json.dumps(asdict(self), sort_keys=True))[:12]

    def form_worth(self, form: Form) -> float:
        """Worth of a form as a share of the full frame's."""
        return {"full": 1.0, "crops": self.crops_worth, "map": self.map_worth}[form]
