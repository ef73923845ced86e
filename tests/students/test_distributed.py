"""Two processes that train together against one that trains alone, on the processor, by gloo.

Equal means: losses of every epoch to 1e-5, weights and batch-norm statistics to 1e-4, mIoU to 1e-3; with unlabeled
frames a hundredfold of it, since rounding may turn a pixel's pseudo-label over. Dropout is left out, since each process
drops channels of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgeseg import config, datasets, softlabels
from edgeseg.images import read_label, write_png
from edgeseg.students import DistillSettings, TrainSettings, distill, train
from edgeseg.students.groups import LossSettings, OptimizerSettings
from edgeseg.students.run_folder import RunFolder, RunState
from edgeseg.students.semi.settings import SemiSettings

NET = '''
from torch import nn

class Plain(nn.Sequential):
    """No dropout; no bias before a batch norm, whose gradient is rounding alone; a parameter that nothing uses."""

    def __init__(self, num_classes):
        super().__init__(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8),
            nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, num_classes, 3, padding=1),
        )
        self[0].unused = nn.Parameter(self[0].weight.detach().clone())
'''
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
TORCHRUN += ["--nproc-per-node", "2"]


@pytest.fixture
def settings(camvid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Of a tiny network on unevenly labeled frames, one for each process; subprocesses find it too."""
    for number in (0, 2, 5):
        path = Path(camvid.partition(":")[2]) / "trainannot" / f"train{number}.png"
        label = read_label(path).copy()
        label[: 6 * number] = 11  # void
        write_png(path, label)
    (tmp_path / "plain_net_of_students.py").write_text(NET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path)]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return {
        "data": f"{camvid}#train",
        "val": f"{camvid}#val",
        "network": "plain_net_of_students:Plain",
        "batch_size": 2,
        "epochs": 3,
        "workers": 0,
        "precision": "fp32",
        "device": "cpu",
        "optimizer": OptimizerSettings("sgd", 0.05),
        "loss": LossSettings(class_weighting="enet"),
    }


def _run_together(program: list[str], settings: TrainSettings, out: Path, *more: str) -> str:
    """What two processes print on stderr."""
    path = out.with_suffix(".yaml")
    config.write(settings, path)
    words = [*program, settings.network, "--config", str(path), "--out", str(out), *more]
    done = subprocess.run([*TORCHRUN, *words], capture_output=True, text=True, timeout=300)
    assert (done.returncode == 0) == (out / "last.edgeseg").exists(), done.stderr
    return done.stderr


def _lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def _require_equal(one: Path, two: Path, tolerance: float) -> None:
    for mine, theirs in zip(_lines(one), _lines(two), strict=True):
        assert mine.keys() == theirs.keys()
        for name in mine.keys() & {"loss", "ce", "kl", "kl_ce_ratio", "pseudo_ce", "confidence"}:
            assert mine[name] == pytest.approx(theirs[name], rel=tolerance), name
        assert mine.get("pasted") == theirs.get("pasted")  # of every class, with unlabeled frames
        assert mine["miou"] == pytest.approx(theirs["miou"], abs=1e-3)
    states = [torch.load(out / "state.pt", weights_only=True) for out in (one, two)]
    for part in ("net", "ema", "teacher"):
        mine, theirs = (state[part] or {} for state in states)
        assert mine.keys() == theirs.keys()
        for name, tensor in mine.items():
            worst = (tensor.double() - theirs[name].double()).abs().max().item()
            assert worst < 10 * tolerance, f"{part} {name}: {worst}"


def test_two_processes_finish_the_run_that_one_began(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlabeled = {"unlabeled": settings["data"], "semi": SemiSettings(start_epoch=1, threshold=0.2)}
    whole = TrainSettings(**settings, **unlabeled)
    train(whole, tmp_path / "alone")
    write = RunFolder.write_state

    def interrupted(self: RunFolder, state: RunState) -> None:
        write(self, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunFolder, "write_state", interrupted)
        train(whole, tmp_path / "together")
    told = _run_together(["-m", "edgeseg", "train"], whole, tmp_path / "together", "--resume")
    assert [told.count(f"epoch {n}/3: ") for n in (1, 2, 3)] == [0, 1, 1]
    _require_equal(tmp_path / "alone", tmp_path / "together", 1e-3)


DIGESTS = """
import hashlib, os, sys
from pathlib import Path
from edgeseg.cli import main
from edgeseg.students.ema import MovingAverage
from edgeseg.students.run import Run

finish = Run.finish

def told(self):
    finish(self)
    digest = hashlib.sha256()
    for net in (self.learner.net, self.learner.result):
        for tensor in net.state_dict().values():
            digest.update(tensor.numpy().tobytes())
    Path(sys.argv[0]).with_name(f"rank{os.environ['RANK']}").write_text(digest.hexdigest())

Run.finish = told
main()
"""


def test_two_processes_distill_as_one_and_have_one_network(settings: dict[str, Any], tmp_path: Path) -> None:
    _write_cache(tmp_path / "cache", datasets.open(settings["data"]))
    whole = DistillSettings(**settings, cache=tmp_path / "cache", kl_weight="auto")
    distill(whole, tmp_path / "alone")
    (tmp_path / "digests.py").write_text(DIGESTS)
    _run_together([str(tmp_path / "digests.py"), "distill"], whole, tmp_path / "together")
    _require_equal(tmp_path / "alone", tmp_path / "together", 1e-5)
    assert (tmp_path / "rank0").read_text() == (tmp_path / "rank1").read_text()


def _write_cache(folder: Path, dataset: datasets.Dataset) -> None:
    info = softlabels.CacheInfo(
        class_map=dataset.class_map,
        teachers=(softlabels.TeacherRecord("t.edgeseg", 3.0, "1" * 64),),
        sample_ids=dataset.sample_ids,
        data_digest=dataset.digest(),
    )
    with softlabels.CacheWriter(folder, info) as writer:
        for index, sample_id in enumerate(dataset.sample_ids):
            known = np.where(dataset.label(index) == 255, 0, dataset.label(index))
            writer.put(sample_id, (0.89 * np.eye(11)[known] + 0.01).transpose(2, 0, 1).astype(np.float32))
        writer.finish({})


FAILING = """
import os, torch
from edgeseg.cli import main
from edgeseg.students.loop import Learner

step, steps = Learner._step, []

def fail(self, batch, progress):
    steps.append(batch)
    if os.environ["RANK"] == "1" and len(steps) == 2:
        raise torch.OutOfMemoryError
    return step(self, batch, progress)

Learner._step = fail
main()
"""


def test_failure_of_one_process_ends_both_with_one_message(settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    out = tmp_path / "together"
    told = _run_together([str(tmp_path / "failing.py"), "train"], TrainSettings(**settings), out)
    assert told.count("error: ") == told.count("error: the memory of cpu does not suffice for 1 samples") == 1
    # torchrun may end the other process before it removes its lock file; the lock itself goes with the process.
    assert [path.name for path in out.iterdir() if path.name != ".lock"] == ["config.yaml"]
