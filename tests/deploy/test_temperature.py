"""Against a known temperature, a closed form and a grid; and the sample against a slow upsampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseg.deploy import temperature
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.temperature import PixelSample, ece, fit, nll, sample_pixels
from edgeseg.errors import ConfigError, DataError, ModelError


def drawn(true_temperature: float, count: int = 200_000, classes: int = 6) -> PixelSample:
    """Labels drawn from softmax(z / T), by the Gumbel trick."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (count, classes)).astype(np.float32)
    noise = rng.gumbel(size=logits.shape)
    return PixelSample(logits, (logits / true_temperature + noise).argmax(1).astype(np.uint8), 1)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_fit_finds_the_temperature_that_drew_the_labels(true_temperature):
    sample = drawn(true_temperature)
    fitted = fit(sample)
    assert fitted == pytest.approx(true_temperature, rel=0.02)
    assert ece(sample, fitted) < 0.01
    assert ece(sample, 2 * fitted) > 5 * ece(sample, fitted)


def test_two_classes_agree_with_the_closed_form():
    # logits (a, 0) everywhere and a share q of label 0: softmax(a / T)_0 = q, so T = a / log(q / (1 - q)).
    labels = np.repeat(np.array([0, 1], np.uint8), [800, 200])
    sample = PixelSample(np.tile(np.array([[3.0, 0.0]], np.float32), (1000, 1)), labels, 1)
    best = 3.0 / np.log(0.8 / 0.2)
    assert fit(sample) == pytest.approx(best, rel=1e-4)
    assert nll(sample, best) == pytest.approx(-0.8 * np.log(0.8) - 0.2 * np.log(0.2), rel=1e-6)
    assert ece(sample, best) == pytest.approx(0.0, abs=1e-6)
    assert ece(sample, 1.0) == pytest.approx(1 / (1 + np.exp(-3.0)) - 0.8, rel=1e-5)


def test_no_temperature_of_a_grid_does_better():
    sample = drawn(2.2, count=5000)
    grid = np.geomspace(0.2, 10, 400)
    losses = [
        torch.nn.functional.cross_entropy(torch.from_numpy(sample.logits) / t, torch.from_numpy(sample.labels).long())
        for t in grid
    ]
    assert nll(sample, fit(sample)) <= min(float(x) for x in losses) + 1e-6
    assert fit(sample) == pytest.approx(grid[int(np.argmin(losses))], rel=0.02)


@pytest.mark.parametrize("labels", [0, 1], ids=["always right", "always wrong"])
def test_a_model_that_no_temperature_fits_is_refused(labels):
    sample = PixelSample(np.tile(np.array([[3.0, 0.0]], np.float32), (9, 1)), np.full(9, labels, np.uint8), 1)
    with pytest.raises(DataError, match=r"no temperature between 0.05 and 20 .*validation split"):
        fit(sample)


def test_sample_holds_upsampled_logits_of_labeled_pixels(checkpoint, make_dataset):
    dataset = make_dataset()
    with open_runner(checkpoint) as runner:
        everything = sample_pixels(runner, dataset, 10**6)
        expected = []
        for index in range(len(dataset)):
            z = torch.from_numpy(runner.infer(dataset.image(index))["logits"])[None]
            z = torch.nn.functional.interpolate(z, dataset.label(index).shape, mode="bilinear", align_corners=False)[0]
            label = torch.from_numpy(dataset.label(index))
            expected.append(z[:, label != 255].T.numpy())
    expected = np.concatenate(expected)
    assert everything.frames == 2 and everything.labels.max() < 5
    assert everything.logits.shape == expected.shape
    assert np.sort(everything.logits, 0) == pytest.approx(np.sort(expected, 0), abs=1e-3)


def test_sample_is_bounded_even_and_the_same_every_time(checkpoint, make_dataset, monkeypatch):
    dataset = make_dataset()
    with open_runner(checkpoint) as runner:
        first, again = (sample_pixels(runner, dataset, 401) for _ in range(2))
    assert len(first.labels) == 400
    assert np.array_equal(first.logits, again.logits) and np.array_equal(first.labels, again.labels)
    monkeypatch.setattr(temperature, "_BLOCK", 64)
    blocks = nll(first, 1.3), ece(first, 1.3)
    monkeypatch.setattr(temperature, "_BLOCK", 10**6)
    assert blocks == pytest.approx((nll(first, 1.3), ece(first, 1.3)))


def test_what_cannot_be_sampled_is_refused(checkpoint, exported, make_dataset):
    dataset = make_dataset()
    with open_runner(checkpoint) as runner:
        with pytest.raises(ConfigError, match=r"classes are not the model's"):
            sample_pixels(runner, make_dataset(names=("a", "b")), 100)
        with pytest.raises(ConfigError, match=r"--pixels 1 is fewer than the dataset's 2 frames"):
            sample_pixels(runner, dataset, 1)
        for label in dataset.labels:
            label[:] = 255
        with pytest.raises(DataError, match="no pixel is labeled"):
            sample_pixels(runner, dataset, 100)
    with open_runner(exported) as runner, pytest.raises(ModelError, match="--emit logits"):
        sample_pixels(runner, dataset, 100)
