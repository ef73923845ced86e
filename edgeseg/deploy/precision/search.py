"""Which layers may be in a lower precision: all if that holds the bounds, otherwise fewer, the worst left out first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeseg.errors import ModelError
from edgeseg.progress import say, track


@dataclass(frozen=True)
class Loss:
    """What a lower precision costs against the fp32 graph on the same frames.

    Attributes:
        miou_points: Points of mIoU lost; negative where it gained.
        class_points: Mean over the classes of the points of IoU that each lost or gained; at least |miou_points|.
        disagreement: Share of pixels of another class.
        region_overlap: Share of the most uncertain tenth of the cells that both choose.
    """

    miou_points: float
    class_points: float
    disagreement: float
    region_overlap: float

    def __str__(self) -> str:
        return (
            f"{self.miou_points:.3f} points of mIoU lost ({self.class_points:.3f} a class, either way), "
            f"{self.region_overlap:.3f} region overlap, "
            f"{1 - self.disagreement:.3%} equal pixels"
        )


@dataclass(frozen=True)
class Bounds:
    """What a lower precision may cost.

    Attributes:
        miou_points: Most points of IoU that a class may lose or gain on average, and so most points of mIoU too.
        region_overlap: Least overlap of the most uncertain regions.
        agreement: Least share of pixels of the same class.
    """

    miou_points: float
    region_overlap: float
    agreement: float = 0.0

    def held_by(self, loss: Loss) -> bool:
        """Whether a loss is within the bounds; a gain is as much of a difference as a loss.

        One class's gain does not make up for another's loss: on few frames they may happen to cancel, and on the
        next ones they do not.
        """
        return (
            loss.class_points <= self.miou_points
            and loss.region_overlap >= self.region_overlap
            and 1 - loss.disagreement >= self.agreement
        )

    def __str__(self) -> str:
        return (
            f"{self.miou_points:g} points of mIoU, {self.region_overlap:g} region overlap "
            f"and {self.agreement:.2%} equal pixels"
        )


@dataclass(frozen=True)
class Choice:
    """Outcome of the search.

    Attributes:
        layers: Layers in the lower precision.
        kept: Blocks that stay in the higher one, the most harmful first, with the share of pixels that each
            one alone changed.
        loss: What the choice costs.
    """

    layers: tuple[str, ...]
    kept: dict[str, float]
    loss: Loss


def choose_layers(
    layers: Sequence[str],
    measure: Callable[[Sequence[str]], Loss],
    glance: Callable[[Sequence[str]], Loss],
    bounds: Bounds,
    precision: str,
) -> Choice:
    """Finds the most layers that may be in a lower precision.

    Where all of them cost too much, each block is lowered alone and looked at; then as few of the most
    harmful blocks as needed stay as they are, their number found by halving and the result measured itself.

    Args:
        layers: Names of the layers that may be lowered, in order.
        measure: What lowering these layers costs, on all frames.
        glance: The same on few frames.
        bounds: What it may cost.
        precision: The lower precision, for messages.

    Raises:
        ModelError: Not even one block may be lowered.
    """
    loss = measure(layers)
    if bounds.held_by(loss):
        return Choice(tuple(layers), {}, loss)
    blocks = in_blocks(layers)
    say(f"{precision} everywhere does not hold {bounds}: {loss}; looking at each block")
    harm = {block: glance(names).disagreement for block, names in track(blocks.items(), "lowering each block")}
    order = sorted(blocks, key=lambda block: -harm[block])
    tried: dict[int, Loss] = {}

    def left(kept: int) -> list[str]:
        out = set(order[:kept])
        return [name for block, names in blocks.items() if block not in out for name in names]

    low, high = 0, len(order)
    while high - low > 1:
        kept = (low + high) // 2
        tried[kept] = measure(left(kept))
        low, high = (low, kept) if bounds.held_by(tried[kept]) else (kept, high)
    if high == len(order):
        raise ModelError(
            f"--precision {precision} does not hold {bounds}, however few layers are lowered; "
            "take a higher precision, or allow more with --max-miou-drop, --min-region-overlap, --min-agreement"
        )
    return Choice(tuple(left(high)), {block: harm[block] for block in order[:high]}, tried[high])


def in_blocks(layers: Sequence[str]) -> dict[str, list[str]]:
    """Layers by the block that they belong to, as torch names them: ``/net/stage2/stage2.1/...``."""
    blocks: dict[str, list[str]] = {}
    for layer in layers:
        blocks.setdefault(_block(layer), []).append(layer)
    return blocks


def _block(layer: str) -> str:
    parts = layer.removeprefix("/net").strip("/").split("/")
    if len(parts) < 2:
        return layer
    return "/".join(parts[:2]) if parts[1].startswith(f"{parts[0]}.") else parts[0]
