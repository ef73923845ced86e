"""Frames of Q scored on a cluster: the same choice as here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg import active
from edgeseg.active import ActiveSettings
from edgeseg.active.scoring.worker import RoundModel, ScoreWorker
from edgeseg.device.strategies import StrategyOptions
from edgeseg.errors import ClusterError, ConfigError
from tests.two_nodes import two_nodes

Make = Callable[..., ActiveSettings]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster of two nodes."""
    with two_nodes(tmp_path_factory.mktemp("code")) as address:
        yield address


def _told(out: Path) -> dict[str, bytes]:
    """The oracle's answers by file: what was asked, and what it said."""
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*.png")) if "answers" in p.parts}


@pytest.mark.parametrize("strategy", ["superpixel", "class-specific"])
def test_a_cluster_chooses_what_one_machine_chooses(
    cluster: str, make_settings: Make, tmp_path: Path, strategy: str
) -> None:
    here = make_settings(strategy)
    active.run(here, tmp_path / "here")
    active.run(replace(here, engine="ray", address=cluster), tmp_path / "there")
    assert _told(tmp_path / "here")
    assert _told(tmp_path / "there") == _told(tmp_path / "here")


def test_a_cluster_that_does_not_answer_is_told_before_anything_is_trained(make_settings: Make, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    settings = replace(make_settings("entropy"), engine="ray", address="127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"--address 127\.0\.0\.1:9: no Ray cluster answers"):
        active.run(settings, tmp_path / "run")
    assert not (tmp_path / "run" / "seed-0").exists()


def test_an_address_without_an_engine_is_refused(make_settings: Make) -> None:
    with pytest.raises(ConfigError, match="names a Ray cluster; it goes with --engine ray"):
        replace(make_settings("entropy"), address="127.0.0.1:6379")


def test_a_node_without_the_round_s_model_says_so(tmp_path: Path) -> None:
    model = RoundModel("synthetic:4", (0, 1), tmp_path / "model.edgeseg", "0" * 64, (), {}, 400)
    with pytest.raises(ClusterError, match=r"on node .*model\.edgeseg is missing or another file here; give --out"):
        ScoreWorker(model, "entropy", StrategyOptions()).load()


def test_a_node_with_another_version_says_so(tmp_path: Path) -> None:
    model = RoundModel("synthetic:4", (0, 1), tmp_path / "model.edgeseg", "0" * 64, (), {}, 400)
    with pytest.raises(ClusterError, match=r"on node .*: edgeseg .* instead of 99\.0; install the same"):
        ScoreWorker(model, "entropy", StrategyOptions(), version="99.0").load()
