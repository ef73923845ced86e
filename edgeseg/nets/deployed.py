"""The deployed graph: a camera's frame in, what a vehicle needs out; nothing of size C×h×w crosses unless asked for.

The order of the first steps is fixed by what TensorRT parses: uint8 is cast before anything else
touches it. Every operation here exports at opset 17 or below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgeseg.dropout import MaskedLayer
from edgeseg.errors import ConfigError
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.cells import CellMean
from edgeseg.nets.channel_masks import ChannelMasks
from edgeseg.nets.deployable import last_doubling
from edgeseg.nets.doubling import STEP
from edgeseg.nets.features import CellFeatures
from edgeseg.preprocess import Placement, Preprocess

PROBS_CELL = 8
"""Side in pixels of a cell of ``cell_probs``."""
ENTROPY_CELL = 32
"""Side in pixels of a cell of ``cell_entropy``."""
BASE_OUTPUTS = ("class_map", "entropy", "cell_probs", "cell_entropy", "frame_entropy")
MASKS = "dropout-masks"
EMITTED: dict[str, tuple[str, ...]] = {
    "logits": ("logits",),
    "top2": ("top2_classes", "top2_probs"),
    "features": ("features",),
    MASKS: (),
}
"""What each value of ``--emit`` adds to the outputs; channel masks are an input."""


def output_names(emit: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the graph's outputs in order.

    Raises:
        ConfigError: ``emit`` names something that the graph cannot give, or the same thing twice.
    """
    unknown = [name for name in emit if name not in EMITTED]
    if unknown or len(set(emit)) != len(emit):
        raise ConfigError(f"--emit {','.join(emit)}: choose from {', '.join(EMITTED)}, each at most once")
    return BASE_OUTPUTS + tuple(output for name in emit for output in EMITTED[name])


class FramePreprocess(nn.Module):
    """``Preprocess.apply`` inside the graph: cast, transpose, resize, channel order, normalisation, placement.

    With ``frame`` None the frame's size is read at run time; an exported graph can do so for
    ``stretch`` alone, since the others' placement depends on the frame's shape.
    """

    def __init__(self, preprocess: Preprocess, frame: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.settings = preprocess
        self.frame = frame
        std, mean = torch.tensor(preprocess.std), torch.tensor(preprocess.mean)
        self.register_buffer("gain", (1.0 / (255.0 * std)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("offset", (mean / std).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("bgr", torch.tensor([2, 1, 0]), persistent=False)
        self.gain: Tensor
        self.offset: Tensor
        self.bgr: Tensor

    def forward(self, frame: Tensor) -> Tensor:
        """Makes the network's input (N, 3, h, w) float32 of frames (N, H, W, 3) uint8 RGB."""
        height, width = self.frame or (frame.shape[1], frame.shape[2])
        place = self.settings.placement(height, width)
        x = frame.to(torch.float32).permute(0, 3, 1, 2)
        if self.frame != (place.height, place.width):
            x = F.interpolate(x, size=(place.height, place.width), mode="bilinear", align_corners=False)
        if self.settings.channel_order == "bgr":
            x = x.index_select(1, self.bgr)
        return self._set(x * self.gain - self.offset, place)

    def _set(self, x: Tensor, place: Placement) -> Tensor:
        if self.settings.resize == "stretch":
            return x
        height, width = self.settings.size
        rows, columns, frame_rows, frame_columns = place.within(height, width)
        x = x[:, :, frame_rows, frame_columns]
        return F.pad(x, (columns.start, width - columns.stop, rows.start, height - rows.stop))


class DeployedGraph(nn.Module):
    """Preprocessing, network and summaries as one module.

    Input ``frame`` (N, H, W, 3) uint8 RGB; outputs, with h×w the network's size and C classes:

    - ``class_map`` (N, h, w) uint8: train ids.
    - ``entropy`` (N, h, w) uint8: 255 = log C nats, of softmax(logits / fitted temperature).
    - ``cell_probs`` (N, C, ⌈h/8⌉, ⌈w/8⌉) uint8: mean probability of each 8-pixel cell, 255 = 1.
    - ``cell_entropy`` (N, ⌈h/32⌉, ⌈w/32⌉) float32: mean nats of each 32-pixel cell.
    - ``frame_entropy`` (N,) float32: mean nats over the pixels that show the frame (a letterbox's border is left out).
    - with ``emit`` ``logits``: ``logits`` (N, C, h, w) float32, not divided by the temperature.
    - with ``emit`` ``top2``: ``top2_classes`` (N, 2, h, w) uint8 and ``top2_probs`` (N, 2, h, w) float32 in [0, 1].
    - with ``emit`` ``features``: ``features`` (N, K, ⌈h/8⌉, ⌈w/8⌉) float32: what the last classifying layer is given,
      mean of each 8-pixel cell.

    With ``emit`` ``dropout-masks`` there is a second input, ``dropout_masks`` (N, K) float32: what each channel of each
    layer that drops channels in training is multiplied by, 1 for the network as it is.

    Args:
        net: Gives logits (N, C, h, w) in eval mode.
        info: The model's class map, preprocessing (its size is h×w) and temperature.
        emit: Further outputs, keys of ``EMITTED``.
        frame: The camera's (H, W) where it is fixed, None where it is read at run time.

    Raises:
        ConfigError: ``emit`` names something unknown, features of a network that does not say where they are, or
            masks of one that drops no channels.
    """

    def __init__(
        self, net: nn.Module, info: ModelInfo, emit: tuple[str, ...] = (), frame: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.output_names = output_names(emit)
        self.emit = emit
        self.info = info
        self.preprocess = FramePreprocess(info.preprocess, frame)
        self.net = net
        height, width = info.preprocess.size
        self.entropy_cells = CellMean(height, width, ENTROPY_CELL)
        self.features = CellFeatures(net, info.preprocess.size) if "features" in emit else None
        self.masks = ChannelMasks(net) if MASKS in emit else None
        if self.masks and not self.masks.layers:
            raise ConfigError(
                f"--emit {MASKS}: {info.network} drops no channels in training (enet and erfnet do, unless their "
                f"option dropout is 0); leave {MASKS} out"
            )

    @property
    def mask_layers(self) -> tuple[MaskedLayer, ...]:
        """Layers whose channels the input ``dropout_masks`` masks; empty without it."""
        return self.masks.layers if self.masks else ()

    def forward(self, frame: Tensor, dropout_masks: Tensor | None = None) -> tuple[Tensor, ...]:
        """Computes the outputs in the order of ``output_names``."""
        size = self.preprocess.frame or (frame.shape[1], frame.shape[2])
        with self.masks.applied(dropout_masks) if self.masks else nullcontext():
            logits = self.net(self.preprocess(frame))
        return self.summarise(logits, self.info.preprocess.placement(*size))

    def summarise(self, logits: Tensor, place: Placement) -> tuple[Tensor, ...]:
        """Turns logits (N, C, h, w) of a frame placed at ``place`` into the outputs."""
        blocks, step = self._blocks(logits)
        probs, entropy = self._probs_and_entropy(blocks)
        full_entropy = _spread_out(entropy, step)
        seen = place.within(*self.info.preprocess.size)
        base = (
            _spread_out(blocks.argmax(dim=1).to(torch.float32), step).to(torch.uint8),
            _to_uint8(full_entropy / _log_classes(self.info)),
            _to_uint8(CellMean(int(probs.shape[2]), int(probs.shape[3]), PROBS_CELL // step)(probs) / step**2),
            self.entropy_cells(full_entropy.unsqueeze(1))[:, 0],
            full_entropy[:, seen.rows, seen.columns].mean(dim=(1, 2)),
        )
        return base + self._emitted(logits)

    def _blocks(self, logits: Tensor) -> tuple[Tensor, int]:
        """Logits (N, C, r², h/r, w/r) and r: the r×r pixels of a block side by side, as the last layer wrote them.

        All that is computed of them goes pixel by pixel, so it need not wait until C×h×w values are in their places;
        one class map is put in order instead.
        """
        height, width = self.info.preprocess.size
        last = last_doubling(self.net)
        if last is None or (int(last.blocks.shape[2]) * STEP, int(last.blocks.shape[3]) * STEP) != (height, width):
            return logits.unsqueeze(2), 1
        return last.blocks.reshape(-1, self.info.class_map.num_classes, STEP**2, height // STEP, width // STEP), STEP

    def _probs_and_entropy(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Of (N, C, r², h/r, w/r) logits: probabilities (N, C, h/r, w/r) and entropy (N, r², h/r, w/r) in nats.

        The probabilities are summed over the pixels of a block, the entropy is every pixel's own. With z the
        logits over the temperature, m their maximum, e = exp(z - m) and s = Σ e: p = e / s and
        H = m + log s - Σ e z / s. Plane by plane, since a reduction over the classes walks through
        C×h×w values again each time and onnxruntime's Softmax transposes them, where runtimes fuse what goes
        pixel by pixel, or at least do it on planes that stay in the cache; and C×h×w probabilities are never written,
        but the r² pixels of a block added up at once.
        """
        if self.info.temperature != 1.0:
            logits = logits / self.info.temperature
        pixels = int(logits.shape[2])
        planes = torch.split(logits.flatten(1, 2), 1, dim=1)
        found = [_plane_probs_and_entropy(planes[pixel::pixels]) for pixel in range(pixels)]
        sums = [_total(probs) for probs in zip(*(probs for probs, _ in found), strict=True)]
        return torch.cat(sums, dim=1), torch.cat([entropy for _, entropy in found], dim=1)

    def _emitted(self, logits: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = ()
        for name in self.emit:
            if name == "logits":
                outputs += (logits,)
            elif self.features and name == "features":
                outputs += (self.features.pooled(),)
            elif name == "top2":
                best = F.softmax(logits / self.info.temperature, dim=1).topk(2, dim=1)
                outputs += (best.indices.to(torch.uint8), best.values)
        return outputs


def _spread_out(blocks: Tensor, step: int) -> Tensor:
    """(N, r², h/r, w/r), the r×r pixels of a block side by side, to (N, h, w)."""
    return F.pixel_shuffle(blocks, step)[:, 0] if step > 1 else blocks[:, 0]


def _plane_probs_and_entropy(planes: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Of C logit planes (N, 1, ...): C planes of probabilities, and entropy (N, 1, ...) in nats."""
    highest = reduce(torch.maximum, planes)
    raised = [torch.exp(plane - highest) for plane in planes]
    share = 1.0 / _total(raised)
    expected = _total([e * z for e, z in zip(raised, planes, strict=True)]) * share
    entropy = highest - torch.log(share) - expected
    # Rounding may leave a certain pixel a hair below 0.
    return [e * share for e in raised], entropy.clamp(min=0.0)


def _total(planes: Sequence[Tensor]) -> Tensor:
    return reduce(torch.add, planes)


def _log_classes(info: ModelInfo) -> float:
    # A map of one class has no uncertainty: entropy 0 over any divisor stays 0.
    return math.log(max(info.class_map.num_classes, 2))


def _to_uint8(share: Tensor) -> Tensor:
    return (share * 255.0).round().to(torch.uint8)
