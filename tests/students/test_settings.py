from __future__ import annotations

import re
from typing import Any

import pytest

from edgeseg import config
from edgeseg.errors import ConfigError
from edgeseg.students import DistillSettings, TrainSettings

NEEDED = {"data": "camvid:x#train", "network": "enet"}


def _resolve(*overrides: str, kind: type[Any] = TrainSettings, **more: Any) -> Any:
    return config.resolve(kind, None, overrides, {**NEEDED, **more})


def test_groups_are_reached_by_dotted_names() -> None:
    settings = _resolve("optimizer.kind=sgd", "augment.scale=[0.5, 2]", "schedule.kind=cosine")
    assert settings.optimizer.kind == "sgd"
    assert settings.augment.scale == (0.5, 2.0)
    assert settings.schedule.kind == "cosine"


def test_settings_survive_the_way_through_plain_data() -> None:
    settings = _resolve("init=a/b.edgeseg", "cache=c", kind=DistillSettings)
    assert config.resolve(DistillSettings, None, (), config.to_plain(settings)) == settings


def test_what_must_be_given_is_named() -> None:
    with pytest.raises(
        ConfigError, match="data is not given, and has no default; give it as an option, or in --config"
    ):
        config.resolve(TrainSettings, None, (), {"network": "enet"})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rate=0", "optimizer.learning_rate must be above 0"),
        ("optimizer.momentum=1", "optimizer.momentum must be at least 0"),
        ("schedule.power=-1", "schedule.power must be above 0"),
        ("schedule.warmup_iterations=-1", "schedule.warmup_iterations must be at least 0"),
        ("loss.ohem_share=0", "loss.ohem_share must be above 0"),
        ("loss.label_smoothing=1", "loss.label_smoothing must be at least 0"),
        ("augment.scale=[2, 1]", "augment.scale must be [lowest, highest]"),
        ("augment.flip=1.5", "augment.flip must be at least 0"),
        ("ema_decay=1", "ema_decay must be at least 0"),
        ("batch_size=0", "batch_size must be at least 1"),
        ("epochs=0", "epochs must be at least 1"),
        ("threads=0", "threads must be at least 1"),
        ("height=100", "height and width must be given together"),
        ("optimiser.kind=sgd", "optimiser"),
        ("augment.zoom=2", "augment.zoom"),
        ("precision=fp8", "precision"),
    ],
)
def test_bad_setting_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        _resolve(override)


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ConfigError, match=r"nesterov needs optimizer\.momentum"):
        _resolve("optimizer.nesterov=true", "optimizer.momentum=0")


@pytest.mark.parametrize(
    "override",
    ["student_temperature=0", "kl_weight=0", "kl_weight=much", "kl_ratio=0", "kl_schedule=poly", "ce_weight=-1"],
)
def test_bad_setting_of_a_distillation_is_named(override: str) -> None:
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        _resolve(override, kind=DistillSettings, cache="c")


def test_unknown_loss_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigError, match="unknown kl_kind 'hinton'; there are forward, reverse"):
        _resolve("kl_kind=hinton", kind=DistillSettings, cache="c")


def test_auto_weight_needs_a_cross_entropy() -> None:
    assert _resolve("kl_weight=auto", kind=DistillSettings, cache="c").kl_weight == "auto"
    with pytest.raises(ConfigError, match="kl_weight auto compares KL with CE, but ce_weight is 0"):
        _resolve("kl_weight=auto", "ce_weight=0", kind=DistillSettings, cache="c")


@pytest.mark.parametrize(("network", "expected"), [("enet", 5), ("icnet", 4), ("erfnet", 3), ("my.own:net", 4)])
def test_student_temperature_is_the_network_s_own_unless_given(network: str, expected: float) -> None:
    assert _resolve(kind=DistillSettings, cache="c", network=network).temperature == expected
    assert _resolve(kind=DistillSettings, cache="c", network=network, student_temperature=2).temperature == 2


@pytest.mark.parametrize(("ce_weight", "kl_on", "needed"), [(1, "all", True), (0, "labeled", True), (0, "all", False)])
def test_labels_are_needed_unless_kl_alone_runs_on_all_pixels(ce_weight: float, kl_on: str, needed: bool) -> None:
    assert _resolve(kind=DistillSettings, cache="c", ce_weight=ce_weight, kl_on=kl_on).needs_labels is needed
