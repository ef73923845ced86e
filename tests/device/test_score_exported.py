"""The loop on a real exported graph, by its own runner, and where torch cannot be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeseg.deploy.runners import open_runner
from edgeseg.device.score import score
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool
from edgeseg.errors import DataError, ModelError
from edgeseg.frames import open_source

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from edgeseg.deploy.runners import open_runner
from edgeseg.device.score import score
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool
from edgeseg.frames import open_source
import json
with open_runner(Path(sys.argv[1])) as runner:
    report = score(ScoreSettings(superpixel_px=300), open_source(sys.argv[2]), runner, Spool(Path(sys.argv[3])))
print(json.dumps(report.to_dict()))
assert not [m for m in ("onnx", "safetensors", "matplotlib", "jinja2") if m in sys.modules]
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch", reason="exporting needs torch (extra train)")
    from edgeseg import nets
    from edgeseg.classes import ClassMap, SegmentationClass
    from edgeseg.modelinfo import ModelInfo
    from edgeseg.nets.checkpoint import save_checkpoint
    from edgeseg.preprocess import Preprocess

    torch.manual_seed(0)
    classes = ClassMap(
        "small", tuple(SegmentationClass(n, (i, 0, 0), (i,)) for i, n in enumerate(("road", "car", "sky")))
    )
    path = tmp_path_factory.mktemp("checkpoint") / "small.edgeseg"
    net = nets.build("enet", 3).train()
    with torch.no_grad():
        # Without statistics of its own a fresh network's activations explode, and no two runtimes agree on it.
        for _ in range(20):
            net(torch.rand(4, 3, 64, 96))
    save_checkpoint(path, net.eval(), ModelInfo("enet", classes, Preprocess(64, 96)))
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgeseg.deploy.export import export

    return export(checkpoint, tmp_path_factory.mktemp("exported")).path


def test_exported_graph_scores_a_drive(exported: Path, drive: Path, tmp_path: Path) -> None:
    settings = ScoreSettings(superpixel_px=300, budget_frames=2)
    with open_runner(exported) as runner, Spool(tmp_path / "spool") as spool:
        report = score(settings, open_source(str(drive)), runner, spool)
        expected = {}
        for frame in open_source(str(drive)):
            expected[frame.id] = float(runner.infer(frame.image)["frame_entropy"])
    assert (report.frames, report.kept, report.model_digest) == (6, 2, runner.digest)
    kept = {item.record.frame_id: item.record.scores[0].value for item in spool.list()}
    best = sorted(expected, key=lambda name: -expected[name])[:2]
    assert kept == {name: pytest.approx(expected[name], rel=1e-5) for name in best}
    (first, _) = spool.list()
    path = first.blob("entropy")
    assert path is not None
    entropy = np.asarray(Image.open(path))
    assert entropy.shape == (120, 160)
    assert entropy.mean() / 255 * np.log(3) == pytest.approx(first.record.scores[0].value, abs=0.02)


def test_checkpoint_scores_the_same_frames(checkpoint: Path, exported: Path, drive: Path, tmp_path: Path) -> None:
    settings = ScoreSettings(superpixel_px=300, budget_frames=2)
    found = []
    for number, model in enumerate((checkpoint, exported)):
        with open_runner(model) as runner, Spool(tmp_path / f"spool{number}") as spool:
            score(settings, open_source(str(drive)), runner, spool)
            found.append([item.record.frame_id for item in spool.list()])
    assert found[0] == found[1]


def test_graph_of_logits_alone_names_the_export_option(checkpoint: Path, drive: Path, tmp_path: Path) -> None:
    from edgeseg.deploy.export import export

    path = export(checkpoint, tmp_path / "plain", outputs="logits").path
    frames = open_source(str(drive))
    with open_runner(path) as runner, pytest.raises(ModelError, match=r"--outputs logits"):
        score(ScoreSettings(), frames, runner, Spool(tmp_path / "spool"))


def test_frame_of_another_size_than_exported_for_is_named(checkpoint: Path, drive: Path, tmp_path: Path) -> None:
    from edgeseg.deploy.export import export

    path = export(checkpoint, tmp_path / "fixed", frame=(100, 100)).path
    frames = open_source(str(drive))
    with open_runner(path) as runner, pytest.raises(DataError, match=r"drive: no frame is of 100x100.*--frame"):
        score(ScoreSettings(), frames, runner, Spool(tmp_path / "spool"))


def test_dataset_is_a_source_like_any_other(exported: Path, tmp_path: Path) -> None:
    settings = replace(ScoreSettings(superpixel_px=300), strategy="entropy", budget_frames=3)
    with open_runner(exported) as runner, Spool(tmp_path / "spool") as spool:
        report = score(settings, open_source("synthetic:5"), runner, spool)
    assert report.kept == 3
    assert {item.record.source for item in spool.list()} == {"synthetic:5"}


def test_runs_where_torch_cannot_be_imported(exported: Path, drive: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(exported), str(drive), str(tmp_path / "spool")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"] == 6
