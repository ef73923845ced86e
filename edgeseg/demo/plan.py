"""How large the demonstration is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TeacherPlan:
    """One teacher of the demonstration.

    Attributes:
        name: Name in tables and of its folder.
        network: Registry name.
        temperature: Divisor of its logits in the ensemble, the method's for that network.
        epochs: Passes over the training drive.
        options: Further arguments of the network.
    """

    name: str
    network: str
    temperature: float
    epochs: int
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Sizes of one demonstration.

    Attributes:
        height, width: Of frames and network input, in pixels.
        train_frames, val_frames, test_frames, drive_frames: Frames of each drive; only the training drive
            trains, only the validation drive chooses checkpoints, only the test drive is reported on.
        teachers: The ensemble.
        student_epochs: Of each student, alone and distilled.
        batch_size: Samples an iteration.
        bench_all: Whether teachers and both students are timed, or the exported graph alone.
        bench_iterations: Measured calls for each model.
        flagged: Frames that the vehicle may keep.
        superpixel_px: Pixels of one region.
    """

    height: int = 80
    width: int = 128
    train_frames: int = 100
    val_frames: int = 20
    test_frames: int = 60
    drive_frames: int = 40
    teachers: tuple[TeacherPlan, ...] = (
        TeacherPlan("erfnet", "erfnet", 3.0, 8),
        TeacherPlan("icnet", "icnet", 4.0, 8, {"backbone": "resnet18"}),
    )
    student_epochs: int = 16
    batch_size: int = 4
    bench_all: bool = True
    bench_iterations: int = 30
    flagged: int = 6
    superpixel_px: int = 64

    def data(self, drive: str, frames: int, seed: int) -> str:
        """Spec of one drive; another seed is another world."""
        return f"synthetic:{frames}x{self.height}x{self.width}#{drive}-{seed}"


FULL = Plan()
"""Some minutes on two cores."""

QUICK = Plan(
    height=64,
    width=96,
    train_frames=8,
    val_frames=4,
    test_frames=4,
    drive_frames=4,
    teachers=(
        TeacherPlan("erfnet", "erfnet", 3.0, 1),
        TeacherPlan("icnet", "icnet", 4.0, 1, {"backbone": "resnet18"}),
    ),
    student_epochs=2,
    batch_size=4,
    bench_all=False,
    bench_iterations=2,
    flagged=2,
)
"""Every step once, as small as it goes; the figures mean nothing."""
