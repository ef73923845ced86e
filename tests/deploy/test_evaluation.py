"""Against a slow, obvious version: all logits upsampled by torch, softmax in float64, loops over classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseg.deploy.evaluation import evaluate
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import ConfigError, DataError


def upsampled(logits: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    x = torch.from_numpy(logits)[None].double()
    return torch.nn.functional.interpolate(x, shape, mode="bilinear", align_corners=False)[0].numpy()


def slow_figures(runner, dataset, temperature, matrix=None):
    labels, winners, confidences = [], [], []
    for i in range(len(dataset)):
        label = dataset.label(i)
        z = upsampled(runner.infer(dataset.image(i))["logits"], label.shape) / temperature
        probs = np.exp(z) / np.exp(z).sum(0)
        if matrix is not None:
            probs = np.einsum("chw,ck->khw", probs, matrix)
            probs /= probs.sum(0)
        keep = label != 255
        labels.append(label[keep])
        winners.append(probs.argmax(0)[keep])
        confidences.append(probs.max(0)[keep])
    return np.concatenate(labels), np.concatenate(winners), np.concatenate(confidences)


def slow_report(label, winner, confidence, num_classes):
    iou, union_iou = [], []
    for c in range(num_classes):
        either = ((label == c) | (winner == c)).sum()
        both = ((label == c) & (winner == c)).sum()
        iou.append(both / either if (label == c).any() else None)
        if either:
            union_iou.append(both / either)
    ece = 0.0
    for b in range(15):
        inside = (confidence >= b / 15) & ((confidence < (b + 1) / 15) | (b == 14))
        if inside.any():
            ece += inside.mean() * abs((label == winner)[inside].mean() - confidence[inside].mean())
    known = [x for x in iou if x is not None]
    return np.mean(known), np.mean(union_iou), iou, (label == winner).mean(), ece


def test_figures_agree_with_the_slow_version(checkpoint, make_dataset):
    dataset = make_dataset()
    with open_runner(checkpoint) as runner:
        report = evaluate(runner, dataset)
        expected = slow_report(*slow_figures(runner, dataset, 1.7), 5)
    assert report.miou == pytest.approx(expected[0], abs=1e-4)
    assert report.miou_union == pytest.approx(expected[1], abs=1e-4)
    assert list(report.iou.values())[:4] == pytest.approx(expected[2][:4], abs=1e-4)
    assert report.iou["person"] is None and expected[2][4] is None
    assert report.pixel_accuracy == pytest.approx(expected[3], abs=1e-4)
    assert report.ece == pytest.approx(expected[4], abs=1e-4)
    assert report.images == 2
    assert report.upsampled == "logits"


def test_report_has_the_keys_of_the_design(checkpoint, make_dataset):
    with open_runner(checkpoint) as runner:
        plain = evaluate(runner, make_dataset(count=1)).to_dict()
    assert {"miou", "miou_union", "iou", "pixel_accuracy", "ece", "images"} <= plain.keys()


def test_exported_logits_give_the_checkpoints_figures(checkpoint, exported_with_logits, make_dataset):
    dataset = make_dataset()
    with open_runner(checkpoint) as a, open_runner(exported_with_logits) as b:
        first, second = evaluate(a, dataset), evaluate(b, dataset)
    assert second.miou == pytest.approx(first.miou, abs=2e-3)
    assert second.ece == pytest.approx(first.ece, abs=2e-3)


def test_class_map_alone_is_resized_by_nearest_neighbour(exported, make_dataset):
    dataset = make_dataset(shape=(128, 192))
    with open_runner(exported) as runner:
        report = evaluate(runner, dataset)
        hits = total = 0
        for i in range(len(dataset)):
            found = np.kron(runner.infer(dataset.image(i))["class_map"], np.ones((2, 2), np.uint8))
            keep = dataset.label(i) != 255
            hits, total = hits + (found == dataset.label(i))[keep].sum(), total + keep.sum()
    assert report.pixel_accuracy == pytest.approx(hits / total)
    assert report.ece is None
    assert report.upsampled == "class_map"


@pytest.mark.parametrize("resize", ["letterbox", "crop"])
@pytest.mark.parametrize("shape", [(120, 90), (60, 200)])
def test_placement_is_undone(make_checkpoint, make_dataset, resize, shape):
    """A label drawn of the prediction itself, by sampling the logits at each pixel's place, is met."""
    dataset = make_dataset(shape=shape, count=1)
    with open_runner(make_checkpoint(resize=resize)) as runner:
        logits = torch.from_numpy(runner.infer(dataset.image(0))["logits"])[None].double()
        place = runner.info.preprocess.placement(*shape)
        rows = (np.arange(shape[0]) + 0.5) * place.height / shape[0] + place.top
        columns = (np.arange(shape[1]) + 0.5) * place.width / shape[1] + place.left
        grid = torch.tensor(
            np.stack(np.broadcast_arrays(2 * columns[None] / 96 - 1, 2 * rows[:, None] / 64 - 1), -1)[None]
        )
        sampled = torch.nn.functional.grid_sample(logits, grid, align_corners=False, padding_mode="border")
        label = sampled[0].argmax(0).numpy().astype(np.uint8)
        dataset.labels[0] = label
        report = evaluate(runner, dataset)
    inside = ((rows >= 0) & (rows < 64)).mean() * ((columns >= 0) & (columns < 96)).mean()
    # Along the letterbox's border grid_sample looks into the padding, which the restored plane does not.
    assert report.pixel_accuracy > 0.985
    assert report.unseen_share == pytest.approx(1 - inside)
    assert (report.unseen_share > 0) == (resize == "crop")


def test_classes_are_remapped_by_summed_probabilities(checkpoint, make_dataset):
    names = ("vehicle", "street", "nature")
    table = {"road": "street", "car": "vehicle", "tree": "nature", "sky": "nature", "person": None}
    dataset = make_dataset(names=names)
    matrix = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]])
    with open_runner(checkpoint) as runner:
        report = evaluate(runner, dataset, table)
        expected = slow_report(*slow_figures(runner, dataset, 1.7, matrix), 3)
    assert report.miou == pytest.approx(expected[0], abs=1e-4)
    assert report.ece == pytest.approx(expected[4], abs=1e-4)
    assert tuple(report.iou) == names


def test_unmapped_classes_are_listed(checkpoint, make_dataset):
    with open_runner(checkpoint) as runner, pytest.raises(ConfigError, match="tree, sky, person"):
        evaluate(runner, make_dataset(names=("car", "road")))


def test_class_map_remaps_without_logits_unless_a_class_is_dropped(exported, make_dataset):
    dataset = make_dataset(names=("all", "rest"))
    whole = {"road": "all", "car": "rest", "tree": "rest", "sky": "rest", "person": "rest"}
    with open_runner(exported) as runner:
        report = evaluate(runner, dataset, whole)
        found = runner.infer(dataset.image(0))["class_map"]
        assert report.images == 2 and found.max() > 1
        with pytest.raises(ConfigError, match=r"drops sky.*--emit logits"):
            evaluate(runner, dataset, {**whole, "sky": None})


def test_dataset_without_labels_is_refused(exported, make_dataset):
    dataset = make_dataset()
    dataset.has_labels = False
    with open_runner(exported) as runner, pytest.raises(DataError, match="no labels to evaluate on"):
        evaluate(runner, dataset)
