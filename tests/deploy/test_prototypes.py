from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseg import nets
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.deploy.export import export
from edgeseg.deploy.export.fit_prototypes import fit_prototypes
from edgeseg.deploy.prototypes import PrototypeSums, class_prototypes
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import ConfigError, ModelError, UsageError
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import read_info
from edgeseg.nets.deployed import DeployedGraph
from edgeseg.preprocess import Preprocess

TWO = ClassMap("two", tuple(SegmentationClass(f"c{i}", (i, i, i), (i,)) for i in range(2)))


@pytest.mark.parametrize(("resize", "shape"), [("stretch", (50, 70)), ("letterbox", (30, 90)), ("crop", (90, 50))])
def test_prototypes_are_means_over_labeled_pixels(resize, shape):
    preprocess = Preprocess(32, 48, resize=resize)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3, 4, 6)).astype(np.float32)
    label = rng.choice(np.array([0, 1, 255], np.uint8), shape)
    sums = PrototypeSums(2, 3)
    sums.add(features, label, preprocess)
    place = preprocess.placement(*shape)
    for train_id in range(2):
        seen = []
        for y, x in zip(*np.nonzero(label == train_id), strict=True):
            row = int((y + 0.5) * place.height / shape[0]) + place.top
            column = int((x + 0.5) * place.width / shape[1]) + place.left
            if 0 <= row < 32 and 0 <= column < 48:
                seen.append(features[:, row // 8, column // 8])
        assert sums.pixels[train_id] == len(seen)
        np.testing.assert_allclose(sums.means()[train_id], np.mean(seen, 0), atol=1e-5)


def test_prototypes_travel_from_the_checkpoint_into_the_graph(checkpoint, make_dataset, tmp_path, monkeypatch):
    data = make_dataset()
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: data)
    report = fit_prototypes(checkpoint, "memory:2", tmp_path / "fitted.edgeseg")
    assert report.features == 16 and report.pixels["person"] is None and report.pixels["road"] > 0
    graph = export(tmp_path / "fitted.edgeseg", tmp_path, emit=("features",)).path
    with open_runner(graph) as runner:
        vectors = class_prototypes(runner.info, "graph")
        features = [runner.infer(image)["features"] for image in data.images]
    assert vectors.shape == (5, 16) and np.isnan(vectors[4]).all()
    sums = PrototypeSums(5, 16)
    for feature, label in zip(features, data.labels, strict=True):
        sums.add(feature, label, runner.info.preprocess)
    np.testing.assert_allclose(vectors[:4], sums.means()[:4], atol=1e-3)


def test_a_model_without_prototypes_is_refused(checkpoint):
    with pytest.raises(ModelError, match=r"no class prototypes.*fit-prototypes.*--emit features"):
        class_prototypes(read_info(checkpoint), "m.edgeseg")


@pytest.mark.parametrize(
    ("plain", "message"), [({}, "malformed"), ({"vectors": [[1.0]]}, "1 class prototypes for 2 classes")]
)
def test_other_prototypes_are_refused(plain, message):
    info = ModelInfo("any", TWO, Preprocess(8, 8), extra={"prototypes": plain})
    with pytest.raises(ModelError, match=message):
        class_prototypes(info, "m.edgeseg")


def test_an_exported_graph_is_refused(exported):
    with pytest.raises(UsageError, match="sealed"):
        fit_prototypes(exported, "memory:2")


def test_other_classes_are_refused(checkpoint, make_dataset, monkeypatch):
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: make_dataset(names=("a", "b")))
    with pytest.raises(ConfigError, match="not the model's"):
        fit_prototypes(checkpoint, "memory:2")


def test_unlabeled_data_is_refused(checkpoint, make_dataset, monkeypatch):
    data = make_dataset()
    for label in data.labels:
        label[:] = 255
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: data)
    with pytest.raises(Exception, match="label"):
        fit_prototypes(checkpoint, "memory:2")


@pytest.mark.parametrize(
    ("name", "options"),
    [("enet", {}), ("icnet", {"backbone": "resnet18"}), ("deeplabv3", {"backbone": "mobilenet_v3_large"})],
)
def test_features_are_the_classifiers_input_averaged_by_cell(name, options):
    torch.manual_seed(0)
    net = nets.build(name, 2, **options).eval()
    info = ModelInfo(name, TWO, Preprocess(50, 70))
    graph = DeployedGraph(net, info, ("features",)).eval()
    seen = []
    net.get_submodule(net.classifier_names[-1]).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        outputs = dict(
            zip(graph.output_names, graph(torch.randint(0, 256, (1, 50, 70, 3), dtype=torch.uint8)), strict=True)
        )
    step = {"enet": 2, "icnet": 8, "deeplabv3": 16}[name]
    full = seen[0].repeat_interleave(step, 2).repeat_interleave(step, 3)
    # Cells at the border average what the network computed for them, whole steps.
    height, width = -(-50 // min(step, 8)) * min(step, 8), -(-70 // min(step, 8)) * min(step, 8)
    for row, column in ((0, 0), (3, 4), (6, 8)):
        cell = full[0, :, :height, :width][:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        torch.testing.assert_close(outputs["features"][0, :, row, column], cell.mean((1, 2)), rtol=1e-4, atol=1e-5)
