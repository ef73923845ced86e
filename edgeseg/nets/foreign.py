"""Any network of a user, made to keep the contract of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from edgeseg.errors import ModelError
from edgeseg.nets.base import SegmentationNet


class ForeignNet(SegmentationNet):
    """Wraps a module that returns logits, a sequence that starts with them, or a mapping with ``"out"``.

    Logits of any resolution are upsampled bilinearly to the input's size. Auxiliary outputs are dropped.

    Args:
        module: The user's network; its weights stand under ``module.`` in a checkpoint.
        num_classes: Number of classes that it is expected to give.
    """

    classifier_names: tuple[str, ...] = ()

    def __init__(self, module: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.module = module
        self._num_classes = num_classes

    @property
    def num_classes(self) -> int:
        """Number of classes C of the logits."""
        return self._num_classes

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the base class.

        Raises:
            ModelError: The module gives something else than logits (N, C, h, w).
        """
        logits = self._logits(self.module(images))
        if logits.ndim != 4 or int(logits.shape[1]) != self._num_classes:
            raise ModelError(
                f"{type(self.module).__name__} gave an output of shape {tuple(logits.shape)}; "
                f"logits (N, {self._num_classes}, h, w) were expected: does it have {self._num_classes} classes?"
            )
        return (self.resize(logits, (int(images.shape[2]), int(images.shape[3]))),)

    def reset_head(self, num_classes: int) -> None:
        """Asks the module itself.

        Raises:
            ModelError: The module has no ``reset_head``.
        """
        if not callable(reset := getattr(self.module, "reset_head", None)):
            raise ModelError(
                f"{type(self.module).__name__} has no reset_head(num_classes), so its head cannot be replaced"
            )
        reset(num_classes)
        self._num_classes = num_classes

    def _logits(self, output: object) -> Tensor:
        found = output
        if isinstance(output, Mapping):
            found = output.get("out")
        elif isinstance(output, Sequence) and output:
            found = output[0]
        if not isinstance(found, Tensor):
            raise ModelError(
                f"{type(self.module).__name__} returned a {type(output).__name__} without logits; "
                "it must return a tensor, a tuple that starts with one, or a mapping with 'out'"
            )
        return found
