"""Files that are not what the format says."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from edgeseg.errors import ConfigError, ModelError
from edgeseg.nets import published
from edgeseg.nets.weights import read_state_dict

STATE_DICT_FORMATS = sorted(set(published.FORMATS) - {"enet-torch7"})


@pytest.fixture(scope="module")
def state_dict() -> dict[str, torch.Tensor]:
    """A file of torchvision's DeepLabv3 on MobileNetV3."""
    factory = torchvision.models.segmentation.deeplabv3_mobilenet_v3_large
    net = factory(weights=None, weights_backbone=None, num_classes=4)
    return dict(net.state_dict())


def load(content: Any, folder: Path, format: str = "deeplab-torchvision") -> torch.nn.Module:
    torch.save(content, folder / "net.pth")
    return published.load(folder / "net.pth", format)


def test_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown format 'caffe'; edgeseg reads erfnet-eromera, enet-davidtvs"):
        published.load(tmp_path / "net.pth", "caffe")


@pytest.mark.parametrize("format", published.FORMATS)
def test_missing_file_is_named(format: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"net\.pth: no such file"):
        published.load(tmp_path / "net.pth", format)


@pytest.mark.parametrize("format", STATE_DICT_FORMATS)
def test_other_networks_file_is_refused(format: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"so it is not {format}; it holds some\.weight.*Check --format"):
        load({"some.weight": torch.zeros(2)}, tmp_path, format)


def test_missing_unexpected_and_misshaped_entries_are_listed(
    state_dict: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    changed = {key: value for key, value in state_dict.items() if key != "classifier.1.weight"}
    changed["classifier.2.weight"] = torch.zeros(3)
    changed["classifier.9.weight"] = torch.zeros(3)
    with pytest.raises(ModelError) as caught:
        load(changed, tmp_path)
    message = str(caught.value)
    assert "1 missing: net.classifier.1.weight" in message
    assert "1 unexpected: net.classifier.9.weight" in message
    assert "1 of another shape: net.classifier.2.weight is 3 instead of 256" in message


def test_classifier_of_inconsistent_count_is_refused(state_dict: dict[str, torch.Tensor], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"classifier\.4\.bias is 5 instead of 4"):
        load({**state_dict, "classifier.4.bias": torch.zeros(5)}, tmp_path)


def test_training_checkpoint_of_a_parallel_run_is_read(state_dict: dict[str, torch.Tensor], tmp_path: Path) -> None:
    wrapped = {f"module.{key}": value for key, value in state_dict.items()}
    net = load({"cur_itrs": 3, "model_state": wrapped, "best_score": np.float64(0.7)}, tmp_path)
    assert torch.equal(net.state_dict()["net.classifier.4.bias"], state_dict["classifier.4.bias"])


def test_entries_that_old_torch_did_not_write_may_lack(state_dict: dict[str, torch.Tensor], tmp_path: Path) -> None:
    load({key: value for key, value in state_dict.items() if not key.endswith("num_batches_tracked")}, tmp_path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "executed")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("format", STATE_DICT_FORMATS)
def test_code_in_a_file_is_refused_and_not_executed(format: str, legacy: bool, tmp_path: Path) -> None:
    path, trace = tmp_path / "net.pth", tmp_path / "trace"
    if legacy:
        path.write_bytes(pickle.dumps({"weight": Trap(trace)}))
    else:
        torch.save({"weight": Trap(trace)}, path)
    with pytest.raises(ModelError, match="files that hold Python objects are refused"):
        published.load(path, format)
    assert not trace.exists()


def test_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Save the network's state_dict\(\)"):
        load(torch.nn.Linear(1, 1), tmp_path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [([torch.zeros(1)], "a list"), ({"epoch": 3}, "a mapping with epoch"), ({}, "an empty mapping")],
)
def test_file_without_a_state_dict_is_refused(content: Any, kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"holds {kind}, not tensors by name"):
        load(content, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.99])
def test_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ModelError, match=r"net\.pth: "):
        read_state_dict(path)


def test_truncated_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"\x20\x00\x00\x00\x00\x00\x00\x00{")
    with pytest.raises(ModelError, match="is not a whole safetensors file"):
        read_state_dict(tmp_path / "net.safetensors")
