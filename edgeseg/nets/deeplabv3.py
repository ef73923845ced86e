"""DeepLabv3 (Chen et al. 2017, arXiv 1706.05587), torchvision's."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torchvision.models import segmentation

from edgeseg.errors import ConfigError
from edgeseg.nets.base import SegmentationNet, check_batch, check_num_classes

_FACTORIES = {
    "resnet50": segmentation.deeplabv3_resnet50,
    "resnet101": segmentation.deeplabv3_resnet101,
    "mobilenet_v3_large": segmentation.deeplabv3_mobilenet_v3_large,
}


class DeepLabV3(SegmentationNet):
    """Torchvision's network and initialisation, output stride 8 (MobileNetV3: 16); any size as it is, unpadded.

    Args:
        num_classes: Number of classes C.
        backbone: ``"resnet50"``, ``"resnet101"`` or ``"mobilenet_v3_large"``.
        aux: Whether training has an auxiliary head on the last stage but one, weighted 0.5.

    Raises:
        ConfigError: An option is out of range.
    """

    backbone_path = "net.backbone"

    def __init__(
        self,
        num_classes: int,
        backbone: Literal["resnet50", "resnet101", "mobilenet_v3_large"] = "resnet50",
        aux: bool = False,
    ) -> None:
        super().__init__()
        check_num_classes(num_classes)
        if backbone not in _FACTORIES:
            raise ConfigError(f"deeplabv3: backbone must be one of {', '.join(_FACTORIES)}, got {backbone!r}")
        self.net = _FACTORIES[backbone](weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=aux)
        self.backbone_name = backbone
        self.aux_weights = (0.5,) if aux else ()
        self.classifier_names = (*(("net.aux_classifier.4",) if aux else ()), "net.classifier.4")

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the base class; torchvision upsamples the auxiliary logits too.

        Raises:
            ConfigError: The network is in training mode and the batch has one image.
        """
        check_batch(self, images)
        features = self.net.backbone(images)
        size = int(images.shape[2]), int(images.shape[3])
        logits = self.resize(self.net.classifier(features["out"]), size)
        if not (self.training and self.aux_weights):
            return (logits,)
        return logits, self.resize(self.net.aux_classifier(features["aux"]), size)
