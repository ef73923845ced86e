"""Settings of a training and of a distillation; every name is also a key of a run's YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError
from edgeseg.stores import folder_or_url
from edgeseg.students.groups import (
    AugmentSettings,
    LossSettings,
    OptimizerSettings,
    PreprocessSettings,
    ScheduleSettings,
    require_within,
)
from edgeseg.students.losses.registry import require_known
from edgeseg.students.semi.settings import SemiSettings

STUDENT_TEMPERATURES = {"enet": 5.0, "icnet": 4.0, "erfnet": 3.0}
"""T_s by network (Kasarla 2019, section 4.2.2); every other network takes ``OTHER_TEMPERATURE``."""
OTHER_TEMPERATURE = 4.0


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """One network trained on labels.

    Attributes:
        data: Dataset spec, ``LAYOUT:PATH[#SPLIT]``.
        val: Spec of the dataset that chooses the best checkpoint; None sets a tenth of ``data`` aside, by hash;
            ``"none"`` chooses nothing, so that the best is the last.
        unlabeled: Spec of further frames, whose labels are not looked at; each iteration learns from some of them.
        semi: How unlabeled frames are learned from.
        network: Registry name or ``package.module:factory``.
        network_options: Further arguments of the network.
        init: Checkpoint whose weights are taken where they fit.
        backbone_weights: File of published backbone weights, or ``published`` to download them.
        height, width: Network input in pixels; None is the size of the first frame.
        preprocess: Normalisation and fitting.
        batch_size: Samples an iteration, of all processes together.
        epochs: Passes over the training samples.
        optimizer, schedule, loss, augment: See their groups.
        ema_decay: Of the exponential moving average of weights and batch-norm statistics that is validated and
            saved; 0 saves the weights themselves.
        precision: ``auto`` is bf16 or fp16 on CUDA, bf16 on processors that are faster with it, else fp32.
        channels_last: Memory layout; None is channels last, but for fp32 on CUDA.
        seed: Of everything random.
        workers: Processes that read samples, for each that trains; None is min(2, processors - 1), 0 reads in the
            training process. Where soft labels lie in an object store, they are not forked but start afresh, in
            seconds, and share decoded frames through ``/dev/shm``.
        memory_mb: Most memory for decoded frames, so that none is decoded twice; of each process that trains. With
            ``workers`` 0 what they leave holds decoded soft labels.
        iterations_per_epoch: Iterations that count as one epoch, however many samples there are: what trainings on
            differently large datasets share when they are to be compared; None is one pass over the samples.
        extra_loss: A further loss, ``package.module:Class`` of a ``students.ExtraLoss``.
        extra_options: Its keyword arguments.
        extra_init: File of weights (``extra.safetensors`` of another run) that it starts from.
        evaluate_every: Epochs between validations; the last epoch is always validated.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: Of the computation on a processor; None is torch's own choice, as many as there are processors.
        compile: Whether the training step runs through ``torch.compile``. It takes minutes at first, seconds later,
            and may gain or lose: on one thread, batches of 4 at 180×240, ENet rises from 9.4 to 14 images/s, ICNet
            on ResNet-18 falls from 10.1 to 7.3. Validation is never compiled.
    """

    __pydantic_config__ = STRICT

    data: str
    network: str
    val: str | None = None
    unlabeled: str | None = None
    semi: SemiSettings = field(default_factory=SemiSettings)
    network_options: dict[str, Any] = field(default_factory=dict)
    init: Path | None = None
    backbone_weights: Path | None = None
    height: int | None = None
    width: int | None = None
    preprocess: PreprocessSettings = field(default_factory=PreprocessSettings)
    batch_size: int = 8
    epochs: int = 100
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    ema_decay: float = 0.99
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    channels_last: bool | None = None
    seed: int = 0
    workers: int | None = None
    memory_mb: int = 1024
    iterations_per_epoch: int | None = None
    extra_loss: str | None = None
    extra_options: dict[str, Any] = field(default_factory=dict)
    extra_init: Path | None = None
    evaluate_every: int = 1
    device: str = "auto"
    threads: int | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        if (self.height is None) != (self.width is None):
            raise ConfigError("height and width must be given together, or neither for the size of the first frame")
        for name in ("height", "width", "batch_size", "epochs", "evaluate_every", "iterations_per_epoch"):
            if getattr(self, name) is not None:
                require_within(name, getattr(self, name), 1, 10**6)
        require_within("ema_decay", self.ema_decay, 0, 0.99999)
        require_within("memory_mb", self.memory_mb, 0, 10**7)
        if self.workers is not None:
            require_within("workers", self.workers, 0, 256)
        if self.threads is not None:
            require_within("threads", self.threads, 1, 1024)


@dataclass(frozen=True, kw_only=True)
class DistillSettings(TrainSettings):
    """One network trained on labels and on a teacher ensemble's cached soft labels.

    Loss = ``ce_weight``·CE + λ·KL (Kasarla 2019, eq. 4.3).

    Attributes:
        cache: The soft-label cache, a folder or the URL of an object store; it also teaches those ``unlabeled``
            frames of the same dataset that it holds.
        unlabeled_cache: A cache, of the same forms, with soft labels of ``unlabeled`` frames, where ``cache`` does not
            hold them.
        student_temperature: T_s, the divisor of the student's logits; None is the network's own default.
        kl_weight: λ, or ``auto``, which holds λ·KL / CE at ``kl_ratio``. The KL term is a mean over pixels of sums
            over classes, times T_s² with ``kl_t_squared``.
        kl_ratio: Target of ``auto``; 1 brings the KL term to the size of CE, as the thesis set its λ.
        kl_schedule: How λ, or the ratio of ``auto``, goes on: ``constant``, or down to 0 in a ``linear`` or
            ``cosine`` way.
        kl_kind: ``forward`` is Σ p_t log(p_t / p_s) (Hinton), ``reverse`` Σ p_s log(p_s / p_t) (the thesis),
            ``class-weighted``, ``cwd`` and ``pairwise`` are their rivals in ``losses``; or ``package.module:Class``.
        kl_options: Options of the kind: ``weighting`` of ``class-weighted`` (``enet``, ``median``, ``reliability``:
            the ensemble's IoU), ``cell`` of ``pairwise``.
        kl_t_squared: Whether the KL term is multiplied by T_s².
        kl_on: ``labeled`` masks the pixels that have no label, ``all`` uses every pixel with a soft label.
        kl_aux: Whether the auxiliary heads learn from soft labels too, with the weights of their cross-entropy.
        require_ensemble_gain: Whether a cache whose ensemble loses to its best member, overall or in a class, is
            refused; otherwise that is a warning.
        ce_weight: 0 is KL alone, which needs no labels with ``kl_on`` ``all``.
    """

    __pydantic_config__ = STRICT

    cache: Path | str
    unlabeled_cache: Path | str | None = None
    student_temperature: float | None = None
    kl_weight: float | Literal["auto"] = 0.2
    kl_ratio: float = 1.0
    kl_schedule: Literal["constant", "linear", "cosine"] = "constant"
    kl_kind: str = "forward"
    kl_options: dict[str, Any] = field(default_factory=dict)
    kl_t_squared: bool = True
    kl_on: Literal["labeled", "all"] = "labeled"
    kl_aux: bool = True
    ce_weight: float = 1.0
    require_ensemble_gain: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("cache", "unlabeled_cache"):
            if (where := getattr(self, name)) is not None:
                object.__setattr__(self, name, folder_or_url(where))
        if self.unlabeled_cache is not None and self.unlabeled is None:
            raise ConfigError("unlabeled_cache is given without unlabeled; name the frames that it holds")
        if self.student_temperature is not None:
            require_within("student_temperature", self.student_temperature, 0, 1000, open_low=True)
        if self.kl_weight != "auto":
            require_within("kl_weight", self.kl_weight, 0, 1e6, open_low=True)
        elif not self.ce_weight:
            raise ConfigError("kl_weight auto compares KL with CE, but ce_weight is 0; give kl_weight as a number")
        require_within("kl_ratio", self.kl_ratio, 0, 1e6, open_low=True)
        require_known(self.kl_kind)
        require_within("ce_weight", self.ce_weight, 0, 1e6)

    @property
    def temperature(self) -> float:
        """T_s, resolved."""
        return self.student_temperature or STUDENT_TEMPERATURES.get(self.network, OTHER_TEMPERATURE)

    @property
    def needs_labels(self) -> bool:
        """Whether the loss reads labels at all."""
        return self.ce_weight > 0 or self.kl_on == "labeled"
