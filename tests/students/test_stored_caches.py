"""Distillation from caches that are named by URL, in an object store or a folder."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edgeseg import config, datasets, softlabels, students
from edgeseg.cli import app
from edgeseg.errors import CacheError
from edgeseg.students import DistillSettings, TrainSettings, distill
from edgeseg.students.semi.settings import SemiSettings

Settings = Callable[..., TrainSettings]


@pytest.fixture
def run() -> Callable[..., str]:
    """Runs a command in this process and gives what it says; ``fails`` where it must not succeed."""

    def call(*words: str | Path, fails: bool = False) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        text = f"{done.output}{done.exception or ''}"
        assert bool(done.exit_code) == fails, text
        return text

    return call


def _write_cache(where: Path | str, spec: str) -> None:
    dataset = datasets.open(spec)
    info = softlabels.CacheInfo(dataset.class_map, (), dataset.sample_ids, dataset.digest())
    with softlabels.CacheWriter(where, info) as writer:
        for index, sample_id in enumerate(dataset.sample_ids):
            label = dataset.label(index)
            soft = 0.89 * np.eye(11, dtype=np.float32)[np.where(label == 255, 0, label)] + 0.01
            writer.put(sample_id, np.ascontiguousarray(soft.transpose(2, 0, 1), np.float32))
        writer.finish({})


def _options(camvid: str) -> list[str]:
    small = ("batch_size=3", "epochs=1", "precision=fp32")
    return ["--data", f"{camvid}#train", "--val", "none", *(word for name in small for word in ("--set", name))]


def _net(out: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(out / "state.pt", weights_only=True)["net"])


def _same(one: Path, other: Path) -> bool:
    mine, theirs = _net(one), _net(other)
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_folder_by_url_is_the_folder(run: Callable[..., str], camvid: str, tiny_net: str, tmp_path: Path) -> None:
    _write_cache(tmp_path / "my cache", f"{camvid}#train")
    url = f"file://{tmp_path}/my%20cache"
    words = ["distill", tiny_net, *_options(camvid), "--cache", url, "--out", str(tmp_path / "a")]
    subprocess.run([sys.executable, "-m", "edgeseg", *words], check=True, capture_output=True)
    run("distill", tiny_net, *_options(camvid), "--cache", tmp_path / "my cache", "--out", tmp_path / "b")
    assert _same(tmp_path / "a", tmp_path / "b")
    assert config.read_mapping(tmp_path / "a" / "config.yaml")["cache"] == url


def test_cache_is_built_verified_and_distilled_from_in_an_object_store(
    run: Callable[..., str], s3: str, camvid: str, tiny_net: str, tmp_path: Path
) -> None:
    run("train", tiny_net, "--out", tmp_path / "teacher", *_options(camvid))
    teacher, data = ("--teacher", f"{tmp_path}/teacher/last.edgeseg:3"), ("--data", f"{camvid}#train")
    for cache in (s3, tmp_path / "soft"):
        run("cache", "build", *teacher, *data, "--out", cache)
        run("cache", "verify", cache, *teacher, *data)
    for out, cache, workers in (("a", s3, 1), ("b", tmp_path / "soft", 0)):
        words = ("--cache", cache, "--out", tmp_path / out, "--set", f"workers={workers}")
        run("distill", tiny_net, *_options(camvid), *words)
    assert _same(tmp_path / "a", tmp_path / "b")
    run("distill", tiny_net, "--cache", s3, "--out", tmp_path / "a", "--resume", *_options(camvid))


def test_unlabeled_frames_learn_from_an_object_store_too(
    s3: str, camvid: str, train_settings: Settings, tmp_path: Path
) -> None:
    spec = f"{camvid}#train"
    for where in (f"{s3}/1", tmp_path / "1"):
        _write_cache(where, f"{spec}@1/2")
    for where in (f"{s3}/2", tmp_path / "2"):
        _write_cache(where, f"{spec}@~1/2")
    semi = SemiSettings(start_epoch=0, known_labels=True, classmix="balanced", tail_classes=("building",))
    changes = {"data": f"{spec}@1/2", "unlabeled": f"{spec}@~1/2", "semi": semi, "batch_size": 2, "epochs": 1}
    for out, caches, workers in (("a", (f"{s3}/1", f"{s3}/2"), 1), ("b", (tmp_path / "1", tmp_path / "2"), 0)):
        plain = vars(train_settings(**changes, workers=workers))
        distill(DistillSettings(**plain, cache=caches[0], unlabeled_cache=caches[1]), tmp_path / out)
    assert _same(tmp_path / "a", tmp_path / "b")


def test_url_where_no_cache_is_and_url_that_is_none(
    run: Callable[..., str], s3: str, camvid: str, tiny_net: str, tmp_path: Path
) -> None:
    words = ("distill", tiny_net, "--out", tmp_path / "run", *_options(camvid), "--cache")
    for url in (s3, "s3://no-such-bucket/cache", f"file://{tmp_path}/none"):
        said = run(*words, url, fails=True)
        assert "is not a soft-label cache (it has no info.json); make one with: edgeseg cache build" in said
        assert url.removeprefix("file://") in said
    assert "nowhere://x: is no object store that can be used" in run(*words, "nowhere://x", fails=True)
    assert not (tmp_path / "run").exists()


def test_memory_of_this_process_is_read_in_it(camvid: str, train_settings: Settings, tmp_path: Path) -> None:
    url = f"memory://{uuid.uuid4()}"
    _write_cache(url, f"{camvid}#train")
    plain = vars(train_settings(epochs=1))
    distill(DistillSettings(**plain, cache=url), tmp_path / "run")
    with pytest.raises(CacheError, match="is in the memory of one process; read it there, with workers=0"):
        distill(DistillSettings(**{**plain, "workers": 1}, cache=url), tmp_path / "other")


@pytest.mark.parametrize("where", ["runs/cache", "./runs/cache/", Path("runs/cache")])
def test_folder_compares_equal_however_it_is_written(
    where: str | Path, train_settings: Settings, tmp_path: Path
) -> None:
    plain = vars(train_settings(unlabeled="folder:u"))
    settings = DistillSettings(**plain, cache=where, unlabeled_cache=where)
    assert settings.cache == settings.unlabeled_cache == Path("runs/cache")
    assert config.to_plain(settings)["cache"] == "runs/cache"
    config.write(settings, tmp_path / "c.yaml")
    assert config.resolve(DistillSettings, tmp_path / "c.yaml") == settings


def test_commands_take_urls_as_they_are(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from edgeseg.students import sweep

    seen: list[Any] = []

    def record(settings: Any, out: Path, resume: bool = False) -> None:
        seen.append(settings)
        raise CacheError("enough")

    monkeypatch.setattr(students, "distill", record)
    monkeypatch.setattr(sweep, "sweep", record)
    (tmp_path / "c.yaml").write_text("{cache: gs://bucket/c1, unlabeled: 'folder:u', unlabeled_cache: az://box/c2}")
    run("distill", "enet", "--data", "camvid:d", "--config", tmp_path / "c.yaml", "--out", "o", fails=True)
    assert (seen[0].cache, seen[0].unlabeled_cache) == ("gs://bucket/c1", "az://box/c2")
    given = ("--cache", "s3://b/c", "--unlabeled", "folder:u", "--unlabeled-cache", "https://h/c")
    run("distill", "enet", "--data", "camvid:d", *given, "--out", "o", fails=True)
    assert (seen[1].cache, seen[1].unlabeled_cache) == ("s3://b/c", "https://h/c")
    (tmp_path / "s.yaml").write_text("{}")
    for cache in ("s3://b/c", "./c/"):
        words = ("sweep", "distill", "enet", "--config", tmp_path / "s.yaml", "--out", "o", "--cache", cache)
        run(*words, fails=True)
    assert [settings.base["cache"] for settings in seen[2:]] == ["s3://b/c", "c"]
