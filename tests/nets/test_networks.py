"""One body of checks for every network: what SegmentationNet promises."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from edgeseg import nets
from edgeseg.errors import ConfigError

VARIANTS = [
    pytest.param("enet", {}, id="enet"),
    pytest.param("enet", {"layout": "davidtvs"}, id="enet-davidtvs"),
    pytest.param("erfnet", {}, id="erfnet"),
    pytest.param("icnet", {"backbone": "resnet18"}, id="icnet-resnet18"),
    pytest.param("icnet", {"backbone": "resnet18", "align_corners": True}, id="icnet-corners"),
    pytest.param("deeplabv3", {"backbone": "mobilenet_v3_large", "aux": True}, id="deeplabv3"),
    pytest.param("deeplabv3plus", {}, id="deeplabv3plus-mobilenetv2"),
    pytest.param(
        "deeplabv3plus", {"backbone": "efficientnet_lite0", "separable": True}, id="deeplabv3plus-efficientnet-lite0"
    ),
    pytest.param("deeplabv3plus", {"pad_first": True, "output_stride": 8}, id="deeplabv3plus-pad-first"),
]


def calm(net: nn.Module) -> nn.Module:
    """Gives batch norms statistics that keep an untrained network's logits near 1."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # averages over all batches seen
    with torch.no_grad():
        net.train()(torch.rand(2, 3, 64, 64))
    return net.eval()


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_logits_have_the_size_of_an_input_that_the_stride_does_not_divide(name: str, options: dict[str, Any]) -> None:
    net = nets.build(name, 5, **options).eval()
    with torch.no_grad():
        logits = net(torch.rand(1, 3, 45, 61))
    assert logits.shape == (1, 5, 45, 61)
    assert logits.isfinite().all()


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_training_gives_one_output_per_auxiliary_weight_and_gradients_everywhere(
    name: str, options: dict[str, Any]
) -> None:
    net = nets.build(name, 5, **options).train()
    found = net(torch.rand(2, 3, 64, 96))
    outputs = found if isinstance(found, tuple) else (found,)
    assert len(outputs) == 1 + len(net.aux_weights)
    assert outputs[0].shape == (2, 5, 64, 96)
    for aux in outputs[1:]:
        assert 64 % aux.shape[2] == 0
        assert 64 // aux.shape[2] == 96 // aux.shape[3]
    sum((logits.square().mean() for logits in outputs), torch.zeros(())).backward()
    assert [key for key, weight in net.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_training_of_a_padded_input_gives_every_output_at_its_size(name: str, options: dict[str, Any]) -> None:
    found = nets.build(name, 5, **options).train()(torch.rand(2, 3, 45, 61))
    for logits in found if isinstance(found, tuple) else (found,):
        assert logits.shape == (2, 5, 45, 61)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_mixed_precision_on_channels_last_trains(name: str, options: dict[str, Any]) -> None:
    net = nets.build(name, 3, **options).train().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found = net(torch.rand(2, 3, 64, 64).to(memory_format=torch.channels_last))
    logits = found[0] if isinstance(found, tuple) else found
    logits.float().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_head_is_replaced_for_other_classes(name: str, options: dict[str, Any]) -> None:
    net = nets.build(name, 5, **options)
    body = {key for key in net.state_dict() if not key.startswith(tuple(net.classifier_names))}
    before = {key: net.state_dict()[key].clone() for key in body}
    net.reset_head(7)
    assert net.num_classes == 7
    assert net.eval()(torch.rand(1, 3, 32, 32)).shape == (1, 7, 32, 32)
    assert all(torch.equal(net.state_dict()[key], value) for key, value in before.items())


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_kept_outputs_are_those_of_the_whole_network(name: str, options: dict[str, Any]) -> None:
    net, images = nets.build(name, 5, **options).eval(), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        whole = net(images)
        net.keep_outputs([3, 1])
        torch.testing.assert_close(net(images), whole[:, [3, 1]])


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_export_of_any_batch_has_no_unpooling_and_gives_the_same_logits(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    net, images, path = calm(nets.build(name, 5, **options)), torch.rand(2, 3, 64, 96), tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (images[:1],),
            path,
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
        )
    nodes = onnx.load(path).graph.node
    assert not [node for node in nodes if node.op_type == "MaxUnpool" or "Scatter" in node.op_type]
    assert not [node for node in nodes if node.op_type == "MaxPool" and len(node.output) > 1]
    exported = onnxruntime.InferenceSession(path).run(None, {"images": images.numpy()})[0]
    with torch.no_grad():
        expected = net(images).numpy()
    np.testing.assert_allclose(exported, expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_untrained_logits_start_near_unit_size(name: str, options: dict[str, Any]) -> None:
    net = nets.build(name, 19, **options).train()
    found = net(torch.rand(2, 3, 64, 64))
    for logits in found if isinstance(found, tuple) else (found,):
        assert 0.01 < float(logits.detach().std()) < 5


@pytest.mark.parametrize("name", nets.names())
@pytest.mark.parametrize("count", [0, 256])
def test_class_count_out_of_range_is_refused(name: str, count: int) -> None:
    with pytest.raises(ConfigError, match=f"num_classes must be 1 to 255, got {count}"):
        nets.build(name, count)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("enet", {"layout": "caffe"}, "layout must be one of authors, davidtvs, got 'caffe'"),
        ("icnet", {"backbone": "vgg"}, "backbone must be resnet50 or resnet18, got 'vgg'"),
        ("icnet", {"backbone": "resnet18", "deep_stem": True}, "deep_stem goes with resnet50 only"),
        ("deeplabv3", {"backbone": "vgg"}, "deeplabv3: backbone must be one of"),
        ("deeplabv3plus", {"backbone": "vgg"}, "deeplabv3plus: backbone must be one of"),
        ("deeplabv3plus", {"output_stride": 4}, "output_stride must be 16 or 8, got 4"),
    ],
)
def test_option_out_of_range_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        nets.build(name, 5, **options)


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus"])
def test_deeplab_refuses_to_train_on_one_image(name: str) -> None:
    net = nets.build(name, 3, backbone="mobilenetv2" if name == "deeplabv3plus" else "mobilenet_v3_large").train()
    with pytest.raises(ConfigError, match="cannot train on a batch of one image"):
        net(torch.rand(1, 3, 64, 64))
