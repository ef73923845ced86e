"""Groups of settings: preprocessing, optimiser, schedule, loss, augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from edgeseg.config import OFF_WORD, STRICT
from edgeseg.errors import ConfigError
from edgeseg.preprocess import Preprocess, ResizeMode


def require_within(name: str, value: float, low: float, high: float, open_low: bool = False) -> None:
    """Raises ``ConfigError`` where a setting is outside [low, high], or with ``open_low`` (low, high]."""
    if not low <= value <= high or (open_low and value == low):
        bound = f"above {low:g}" if open_low else f"at least {low:g}"
        raise ConfigError(f"{name} must be {bound} and at most {high:g}, got {value}")


@dataclass(frozen=True)
class PreprocessSettings:
    """Normalisation and fitting of a frame into the network's input.

    Attributes:
        mean, std: Per RGB channel, in units of 0 to 1; the defaults are ImageNet's.
        resize: How a frame of another shape is fitted.
    """

    __pydantic_config__ = STRICT

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resize: ResizeMode = "stretch"

    def at(self, height: int, width: int) -> Preprocess:
        """The same as a model carries it, for an input of this size."""
        return Preprocess(height, width, self.mean, self.std, "rgb", self.resize)


@dataclass(frozen=True)
class OptimizerSettings:
    """The optimiser; biases, batch norms and PReLU slopes never decay.

    Attributes:
        kind: ``sgd``, ``adamw`` (decoupled decay) or ``adam`` (decay added to the gradient).
        learning_rate: Base rate, reached at the end of the warm-up.
        momentum, nesterov: Of ``sgd`` alone.
        weight_decay: On convolution and linear weights.
        backbone_factor: The backbone learns at this factor of the rate; below 1 for one that starts from
            ImageNet weights, beside a decoder that starts from nothing.
    """

    __pydantic_config__ = STRICT

    kind: Literal["sgd", "adamw", "adam"] = "adamw"
    learning_rate: float = 2e-3
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-2
    backbone_factor: float = 1.0

    def __post_init__(self) -> None:
        require_within("optimizer.learning_rate", self.learning_rate, 0, 100, open_low=True)
        require_within("optimizer.momentum", self.momentum, 0, 0.9999)
        require_within("optimizer.weight_decay", self.weight_decay, 0, 10)
        require_within("optimizer.backbone_factor", self.backbone_factor, 0, 100)
        if self.nesterov and not self.momentum:
            raise ConfigError("optimizer.nesterov needs optimizer.momentum above 0")


@dataclass(frozen=True)
class ScheduleSettings:
    """The learning rate over the iterations.

    Attributes:
        kind: ``poly`` is (1 - progress)^power, ``cosine`` is half a cosine, both down to 0 after the warm-up.
        power: Exponent of ``poly``.
        warmup_epochs: Length of the linear warm-up; fractions are possible.
        warmup_iterations: The same in iterations; where given, it stands instead of ``warmup_epochs``.
    """

    __pydantic_config__ = STRICT

    kind: Literal["poly", "cosine", "constant"] = "poly"
    power: float = 0.9
    warmup_epochs: float = 1.0
    warmup_iterations: int | None = None

    def __post_init__(self) -> None:
        require_within("schedule.power", self.power, 0, 100, open_low=True)
        require_within("schedule.warmup_epochs", self.warmup_epochs, 0, 1e6)
        if self.warmup_iterations is not None:
            require_within("schedule.warmup_iterations", self.warmup_iterations, 0, 1e9)


@dataclass(frozen=True)
class LossSettings:
    """Cross-entropy on labels.

    Attributes:
        class_weighting: ``none``, ``enet`` (1 / ln(1.02 + p)) or ``median`` (median frequency), measured on
            the training samples.
        ohem: Online hard example mining: ``off``; ``share`` keeps the hardest ``ohem_share`` of the labeled
            pixels of a batch; ``threshold`` keeps those whose true class has a probability below
            ``ohem_threshold``, and never fewer than ``share`` would.
        ohem_share: In (0, 1].
        ohem_threshold: In (0, 1].
        label_smoothing: In [0, 1).
    """

    __pydantic_config__ = STRICT

    class_weighting: Literal["none", "enet", "median"] = "enet"
    ohem: Annotated[Literal["off", "share", "threshold"], OFF_WORD] = "off"
    ohem_share: float = 0.25
    ohem_threshold: float = 0.7
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require_within("loss.ohem_share", self.ohem_share, 0, 1, open_low=True)
        require_within("loss.ohem_threshold", self.ohem_threshold, 0, 1, open_low=True)
        require_within("loss.label_smoothing", self.label_smoothing, 0, 0.999)


@dataclass(frozen=True)
class AugmentSettings:
    """Random changes of a training sample.

    Attributes:
        window: [height, width] of a training input in pixels, None for the network's own H×W. A window smaller
            than that is what a network that is deployed at full size can be trained on at a fraction of the cost.
        scale: Lowest and highest zoom; at zoom s a training input of h×w shows h/s × w/s of the frame resized to
            H×W. What lies outside of the frame is mean colour and ignored pixels.
        crop: Where the shown part lies, ``random`` or ``center``.
        flip: Probability of a mirror image, left to right.
        brightness, contrast, saturation: The factor lies in [1 - x, 1 + x].
        hue: Shift in turns of the colour circle, up to 0.5.
    """

    __pydantic_config__ = STRICT

    window: tuple[int, int] | None = None
    scale: tuple[float, float] = (0.75, 2.0)
    crop: Literal["random", "center"] = "random"
    flip: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    hue: float = 0.0

    def __post_init__(self) -> None:
        for side in self.window or ():
            require_within("augment.window", side, 1, 10**6)
        low, high = self.scale
        if not 0.05 <= low <= high <= 20:
            raise ConfigError(f"augment.scale must be [lowest, highest] within 0.05 to 20, got {list(self.scale)}")
        require_within("augment.flip", self.flip, 0, 1)
        for name in ("brightness", "contrast", "saturation"):
            require_within(f"augment.{name}", getattr(self, name), 0, 1)
        require_within("augment.hue", self.hue, 0, 0.5)
