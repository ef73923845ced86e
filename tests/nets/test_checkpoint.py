from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edgeseg import nets
from edgeseg.classes import ClassMap
from edgeseg.errors import ModelError, OutputError
from edgeseg.files import digest_file
from edgeseg.modelinfo import METADATA_KEY, ModelInfo

InfoOf = Callable[..., ModelInfo]


def test_saved_network_comes_back_with_weights_and_info(tmp_path: Path, info_of: InfoOf) -> None:
    path, net = tmp_path / "a.edgeseg", nets.build("enet", 5, layout="davidtvs")
    net.to(memory_format=torch.channels_last)
    info = info_of("enet", 5, layout="davidtvs")
    nets.save_checkpoint(path, net, info)
    found = nets.load_checkpoint(path)
    assert found.info == info
    assert nets.read_info(path) == info
    assert found.digest == digest_file(path)
    assert not found.net.training
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in found.net.state_dict().items())
    assert list(tmp_path.iterdir()) == [path]


def test_place_that_cannot_be_written_is_named(tmp_path: Path, info_of: InfoOf) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        nets.save_checkpoint(tmp_path / "file" / "a.edgeseg", nets.build("enet", 5), info_of("enet", 5))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.edgeseg: no such file"):
        nets.load_checkpoint(tmp_path / "a.edgeseg")


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(nets.build("enet", 5).state_dict(), path)
    with pytest.raises(ModelError, match=r"is not a whole edgeseg checkpoint.*edgeseg import"):
        nets.load_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_checkpoint_is_refused(share: float, tmp_path: Path, info_of: InfoOf) -> None:
    path = tmp_path / "a.edgeseg"
    nets.save_checkpoint(path, nets.build("enet", 5), info_of("enet", 5))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match="is not a whole edgeseg checkpoint"):
        nets.load_checkpoint(path)


def test_safetensors_without_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(nets.build("enet", 5).state_dict(), path)
    with pytest.raises(ModelError, match="has no edgeseg metadata"):
        nets.load_checkpoint(path)


def test_malformed_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.edgeseg"
    save_file({"x": torch.zeros(1)}, path, {METADATA_KEY: "{}"})
    with pytest.raises(ModelError, match="metadata is malformed"):
        nets.load_checkpoint(path)


def test_class_map_of_another_count_is_refused(tmp_path: Path, info_of: InfoOf) -> None:
    path = tmp_path / "a.edgeseg"
    nets.save_checkpoint(path, nets.build("enet", 5), info_of("enet", 7))
    with pytest.raises(ModelError, match=r"2 of another shape: classifier\.weight is 16x5x2x2 instead of 16x7x2x2"):
        nets.load_checkpoint(path)


def test_weights_of_another_network_are_listed(tmp_path: Path, info_of: InfoOf) -> None:
    path = tmp_path / "a.edgeseg"
    nets.save_checkpoint(path, nets.build("enet", 5), info_of("erfnet", 5))
    with pytest.raises(ModelError, match=r"does not fit ERFNet: \d+ missing: encoder.*; \d+ unexpected: .*"):
        nets.load_checkpoint(path)


def test_network_that_cannot_be_built_is_named(tmp_path: Path, info_of: InfoOf) -> None:
    path = tmp_path / "a.edgeseg"
    nets.save_checkpoint(path, nets.build("enet", 5), info_of("their_package:net", 5))
    with pytest.raises(ModelError, match=r"its network cannot be built: .*their_package"):
        nets.load_checkpoint(path)


def test_initialize_takes_all_where_the_classes_agree(
    tmp_path: Path, info_of: InfoOf, class_map_of: Callable[[int], ClassMap]
) -> None:
    path, source, net = tmp_path / "a.edgeseg", nets.build("enet", 5), nets.build("enet", 5)
    nets.save_checkpoint(path, source, info_of("enet", 5))
    assert nets.initialize(net, path, class_map_of(5)) == []
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in source.state_dict().items())


def test_initialize_leaves_a_head_of_another_count_and_names_it(tmp_path: Path, info_of: InfoOf) -> None:
    path, source, net = tmp_path / "a.edgeseg", nets.build("icnet", 5, backbone="resnet18"), None
    nets.save_checkpoint(path, source, info_of("icnet", 5, backbone="resnet18"))
    net = nets.build("icnet", 7, backbone="resnet18")
    assert nets.initialize(net, path) == [
        "fusion_quarter.guide.weight",
        "fusion_half.guide.weight",
        "classifier.weight",
    ]
    assert torch.equal(net.state_dict()["detail.0.0.weight"], source.state_dict()["detail.0.0.weight"])


def test_initialize_leaves_a_head_of_other_classes_of_the_same_count(
    tmp_path: Path, info_of: InfoOf, class_map_of: Callable[[int], ClassMap]
) -> None:
    path = tmp_path / "a.edgeseg"
    nets.save_checkpoint(path, nets.build("enet", 5), info_of("enet", 5))
    others = class_map_of(5)
    renamed = replace(others, classes=(replace(others.classes[0], name="other"), *others.classes[1:]))
    assert nets.initialize(nets.build("enet", 5), path, renamed) == ["classifier.weight", "classifier.bias"]


def test_initialize_from_another_network_lists_what_differs(tmp_path: Path, info_of: InfoOf) -> None:
    path, net = tmp_path / "a.edgeseg", nets.build("enet", 5)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    nets.save_checkpoint(path, nets.build("enet", 5, layout="davidtvs"), info_of("enet", 5, layout="davidtvs"))
    with pytest.raises(ModelError, match=r"missing: .*unexpected: .*another shape: .*only the classifier may differ"):
        nets.initialize(net, path)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
