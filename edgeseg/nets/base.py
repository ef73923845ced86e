"""What every network has in common: any input size, auxiliary outputs in training, a replaceable head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.errors import ConfigError

Classifier = nn.Conv2d | nn.ConvTranspose2d


class SegmentationNet(nn.Module, ABC):
    """Base of the networks.

    Fresh weights are torch's own draw, uniform within 1/√fan_in, as Torch7's was for ENet: behind batch norms the scale
    matters to the optimiser alone, and Adam takes longer to turn the larger weights of He's draw.

    Attributes:
        stride: Height and width inside the network are multiples of it; other inputs are padded at the
            bottom and right by repeating the border, and the logits are cropped again.
        aux_weights: Weights in the training loss of the outputs after the first; empty without auxiliary heads.
        align_corners: Of every bilinear interpolation in the network.
        classifier_names: Dotted names of the layers whose outputs are classes, the main one last.
        backbone_path: Dotted name of the backbone, "" where there is none.
        backbone_name: Torchvision's name of it.
    """

    stride: int = 1
    aux_weights: tuple[float, ...] = ()
    align_corners: bool = False
    classifier_names: tuple[str, ...] = ("classifier",)
    backbone_path: str = ""
    backbone_name: str = ""

    @abstractmethod
    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits of a padded batch.

        Args:
            images: (N, 3, H, W) float, H and W multiples of ``stride``.

        Returns:
            Logits (N, C, H, W); in training mode followed by one (N, C, h, w) per entry of
            ``aux_weights``, h and w being H and W over some whole number.
        """

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits at the input's size.

        Args:
            images: (N, 3, H, W) float, normalised as the model's preprocessing says.

        Returns:
            In evaluation mode logits (N, C, H, W). In training mode the same where the network has no
            auxiliary heads, otherwise a tuple: these logits, then those of each head at its own, lower
            resolution, where a label is to be resized down by nearest neighbour (heads of a padded input
            are upsampled instead, because their cells do not divide the label).
        """
        height, width = int(images.shape[2]), int(images.shape[3])
        bottom, right = -height % self.stride, -width % self.stride
        padded = bool(bottom or right)
        if padded:
            images = functional.pad(images, (0, right, 0, bottom), mode="replicate")
        found = self.outputs(images)
        if padded:
            full = (height + bottom, width + right)
            found = tuple(self.resize(logits, full)[:, :, :height, :width] for logits in found)
        return found if self.training and self.aux_weights else found[0]

    def resize(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Interpolates (N, C, H, W) bilinearly to ``size`` (height, width)."""
        if (int(features.shape[2]), int(features.shape[3])) == size:
            return features
        return functional.interpolate(features, size, mode="bilinear", align_corners=self.align_corners)

    @property
    def num_classes(self) -> int:
        """Number of classes C of the logits."""
        return self._classifier(self.classifier_names[-1]).out_channels

    def reset_head(self, num_classes: int) -> None:
        """Replaces the classifying layers by new ones of another class count, for fine-tuning.

        Raises:
            ConfigError: ``num_classes`` is below 1.
        """
        check_num_classes(num_classes)
        for name in self.classifier_names:
            parent, _, leaf = name.rpartition(".")
            setattr(self.get_submodule(parent), leaf, _with_outputs(self._classifier(name), num_classes))

    def keep_outputs(self, outputs: Sequence[int]) -> None:
        """Drops all outputs but these, and puts these in the order given.

        Args:
            outputs: Indices into the present classes.
        """
        for name in self.classifier_names:
            old, index = self._classifier(name), torch.tensor(outputs, device=self._classifier(name).weight.device)
            parent, _, leaf = name.rpartition(".")
            new = _with_outputs(old, len(outputs))
            axis = 1 if isinstance(old, nn.ConvTranspose2d) else 0
            new.weight.data = old.weight.data.index_select(axis, index)
            if old.bias is not None and new.bias is not None:
                new.bias.data = old.bias.data.index_select(0, index)
            setattr(self.get_submodule(parent), leaf, new)

    def _classifier(self, name: str) -> Classifier:
        layer = self.get_submodule(name)
        assert isinstance(layer, Classifier)
        return layer


def check_num_classes(num_classes: int) -> None:
    """Raises ``ConfigError`` where a network cannot have so many classes (1 to 255 can be told apart)."""
    if not 1 <= num_classes <= 255:
        raise ConfigError(f"num_classes must be 1 to 255, got {num_classes}")


def check_batch(net: nn.Module, images: Tensor) -> None:
    """Raises ``ConfigError`` for one image in training, where image-level pooling leaves its batch norm one value."""
    if net.training and int(images.shape[0]) < 2:
        raise ConfigError(
            f"{type(net).__name__} cannot train on a batch of one image, since it normalises image-level "
            "features over the batch; take a batch size of 2 or more and drop a last batch of one"
        )


def _with_outputs(layer: Classifier, num_classes: int) -> Classifier:
    fresh = type(layer)(
        layer.in_channels,
        num_classes,
        kernel_size=layer.kernel_size,  # type: ignore[arg-type]
        stride=layer.stride,  # type: ignore[arg-type]
        padding=layer.padding,  # type: ignore[arg-type]
        bias=layer.bias is not None,
    )
    fresh.output_padding = layer.output_padding
    return fresh.to(layer.weight)
