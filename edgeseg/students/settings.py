"""Settings of a training and of a distillation, in groups; every name is also a key of a run's YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError
from edgeseg.preprocess import Preprocess, ResizeMode

STUDENT_TEMPERATURES = {"enet": 5.0, "icnet": 4.0, "erfnet": 3.0}
"""T_s by network (Kasarla 2019, section 4.2.2); every other network takes ``OTHER_TEMPERATURE``."""
OTHER_TEMPERATURE = 4.0


def _within(name: str, value: float, low: float, high: float, open_low: bool = False) -> None:
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
    """

    __pydantic_config__ = STRICT

    kind: Literal["sgd", "adamw", "adam"] = "adamw"
    learning_rate: float = 2e-3
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        _within("optimizer.learning_rate", self.learning_rate, 0, 100, open_low=True)
        _within("optimizer.momentum", self.momentum, 0, 0.9999)
        _within("optimizer.weight_decay", self.weight_decay, 0, 10)
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
        _within("schedule.power", self.power, 0, 100, open_low=True)
        _within("schedule.warmup_epochs", self.warmup_epochs, 0, 1e6)
        if self.warmup_iterations is not None:
            _within("schedule.warmup_iterations", self.warmup_iterations, 0, 1e9)


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
    ohem: Literal["off", "share", "threshold"] = "off"
    ohem_share: float = 0.25
    ohem_threshold: float = 0.7
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _within("loss.ohem_share", self.ohem_share, 0, 1, open_low=True)
        _within("loss.ohem_threshold", self.ohem_threshold, 0, 1, open_low=True)
        _within("loss.label_smoothing", self.label_smoothing, 0, 0.999)


@dataclass(frozen=True)
class AugmentSettings:
    """Random changes of a training sample.

    Attributes:
        scale: Lowest and highest zoom; at zoom s the input shows H/s × W/s of the frame resized to H×W.
            Below 1 the frame is surrounded by mean colour and ignored pixels.
        crop: Where the shown part lies, ``random`` or ``center``.
        flip: Probability of a mirror image, left to right.
        brightness, contrast, saturation: The factor lies in [1 - x, 1 + x].
        hue: Shift in turns of the colour circle, up to 0.5.
    """

    __pydantic_config__ = STRICT

    scale: tuple[float, float] = (0.75, 2.0)
    crop: Literal["random", "center"] = "random"
    flip: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    hue: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 0.05 <= low <= high <= 20:
            raise ConfigError(f"augment.scale must be [lowest, highest] within 0.05 to 20, got {list(self.scale)}")
        _within("augment.flip", self.flip, 0, 1)
        for name in ("brightness", "contrast", "saturation"):
            _within(f"augment.{name}", getattr(self, name), 0, 1)
        _within("augment.hue", self.hue, 0, 0.5)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """One network trained on labels.

    Attributes:
        data: Dataset spec, ``LAYOUT:PATH[#SPLIT]``.
        val: Spec of the dataset that chooses the best checkpoint; None sets a tenth of ``data`` aside, by hash;
            ``"none"`` chooses nothing, so that the best is the last.
        network: Registry name or ``package.module:factory``.
        network_options: Further arguments of the network.
        init: Checkpoint whose weights are taken where they fit.
        backbone_weights: File of published backbone weights.
        height, width: Network input in pixels; None is the size of the first frame.
        preprocess: Normalisation and fitting.
        batch_size: Samples an iteration.
        epochs: Passes over the training samples.
        optimizer, schedule, loss, augment: See their groups.
        ema_decay: Of the exponential moving average of weights and batch-norm statistics that is validated and
            saved; 0 saves the weights themselves.
        precision: ``auto`` is bf16 or fp16 on CUDA, bf16 on processors that compute it natively, else fp32.
        channels_last: Memory layout; None decides by the precision.
        seed: Of everything random.
        workers: Processes that read samples; None is min(2, processors - 1), 0 reads in the main process.
        memory_mb: Most memory for decoded frames, so that none is decoded twice.
        evaluate_every: Epochs between validations; the last epoch is always validated.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    __pydantic_config__ = STRICT

    data: str
    network: str
    val: str | None = None
    network_options: dict[str, Any] = field(default_factory=dict)
    init: Path | None = None
    backbone_weights: Path | None = None
    height: int | None = None
    width: int | None = None
    preprocess: PreprocessSettings = PreprocessSettings()
    batch_size: int = 8
    epochs: int = 100
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    loss: LossSettings = LossSettings()
    augment: AugmentSettings = AugmentSettings()
    ema_decay: float = 0.99
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    channels_last: bool | None = None
    seed: int = 0
    workers: int | None = None
    memory_mb: int = 1024
    evaluate_every: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        if (self.height is None) != (self.width is None):
            raise ConfigError("height and width must be given together, or neither for the size of the first frame")
        for name in ("height", "width", "batch_size", "epochs", "evaluate_every"):
            if getattr(self, name) is not None:
                _within(name, getattr(self, name), 1, 10**6)
        _within("ema_decay", self.ema_decay, 0, 0.99999)
        _within("memory_mb", self.memory_mb, 0, 10**7)
        if self.workers is not None:
            _within("workers", self.workers, 0, 256)


@dataclass(frozen=True, kw_only=True)
class DistillSettings(TrainSettings):
    """One network trained on labels and on a teacher ensemble's cached soft labels.

    Loss = ``ce_weight``·CE + ``kl_weight``·KL (Kasarla 2019, eq. 4.3).

    Attributes:
        cache: Path of the soft-label cache.
        student_temperature: T_s, the divisor of the student's logits; None is the network's own default.
        kl_weight: λ. The KL term is a mean over pixels of sums over classes, times T_s² with ``kl_t_squared``.
        kl_direction: ``forward`` is Σ p_t log(p_t / p_s) (Hinton), ``reverse`` Σ p_s log(p_s / p_t) (the thesis).
        kl_t_squared: Whether the KL term is multiplied by T_s².
        kl_on: ``labeled`` masks the pixels that have no label, ``all`` uses every pixel with a soft label.
        ce_weight: 0 is KL alone, which needs no labels with ``kl_on`` ``all``.
    """

    __pydantic_config__ = STRICT

    cache: Path
    student_temperature: float | None = None
    kl_weight: float = 0.2
    kl_direction: Literal["forward", "reverse"] = "forward"
    kl_t_squared: bool = True
    kl_on: Literal["labeled", "all"] = "labeled"
    ce_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.student_temperature is not None:
            _within("student_temperature", self.student_temperature, 0, 1000, open_low=True)
        _within("kl_weight", self.kl_weight, 0, 1e6, open_low=True)
        _within("ce_weight", self.ce_weight, 0, 1e6)

    @property
    def temperature(self) -> float:
        """T_s, resolved."""
        return self.student_temperature or STUDENT_TEMPERATURES.get(self.network, OTHER_TEMPERATURE)

    @property
    def needs_labels(self) -> bool:
        """Whether the loss reads labels at all."""
        return self.ce_weight > 0 or self.kl_on == "labeled"


def changed(before: dict[str, Any], after: dict[str, Any], free: Sequence[str] = ()) -> list[str]:
    """Lists how plain settings differ, by dotted name: ``"optimizer.learning_rate: 0.001, now 0.01"``.

    Args:
        before, after: Plain settings, nested.
        free: Top-level names that may differ.
    """
    told = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if name in free or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            told += [f"{name}.{line}" for line in changed(old, new)]
        else:
            told.append(f"{name}: {old!r}, now {new!r}")
    return told
