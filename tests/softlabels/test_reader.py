from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import softlabels
from edgeseg.errors import CacheError

Probs = dict[str, NDArray[np.float32]]


def test_reader_is_a_mapping_of_what_was_written(cache: Path, probs: Probs) -> None:
    soft = softlabels.open(cache)
    assert list(soft) == list(probs) and len(soft) == 3 and "c" in soft
    for sample_id, p in soft.items():
        assert p.dtype == np.float32 and p.shape == (4, 100, 60)
        np.testing.assert_allclose(p.sum(axis=0), 1, atol=1e-6)
        assert np.abs(p - probs[sample_id]).mean() <= 0.01
    # A vectorised loop ends elsewhere in a window, and some processors round what is left of it otherwise.
    np.testing.assert_allclose(soft.window("c", 30, 10, 50, 20), soft["c"][:, 30:80, 10:30], rtol=5e-7, atol=0)


def test_missing_frame_is_a_key_error_with_a_plain_message(cache: Path) -> None:
    soft = softlabels.open(cache)
    assert soft.get("d") is None and "d" not in soft
    with pytest.raises(CacheError, match=r"^the cache has no soft labels of 'd'"):
        soft["d"]


def test_reader_may_be_sent_to_another_process(cache: Path) -> None:
    soft = softlabels.open(cache)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(soft))["c"], soft["c"])


def test_info_counts_what_is_on_disk(cache: Path) -> None:
    plain = softlabels.open(str(cache)).info.to_dict()
    assert plain["frames"] == plain["frames_planned"] == 3 and plain["complete"]
    assert plain["bytes"] == sum(p.stat().st_size for p in (cache / "frames").glob("*/*/c/*/0/0/0"))
    assert plain["bytes_per_frame"] == plain["bytes"] / 3
    assert plain["teachers"][1] == {"model": "two.edgeseg", "temperature": 5.0, "digest": "2" * 64}
    assert plain["class_weights"][0] == {"sky": 1.0, "road": 1.0, "car": 1.0, "tree": 1.0}
    assert len(plain["fingerprint"]) == 64
    json.dumps(plain)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"nowhere: is not a soft-label cache \(it has no info.json\)"):
        softlabels.open(tmp_path / "nowhere")


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"is not a soft-label cache \(it has no info.json\)"):
        softlabels.open(tmp_path)
    (tmp_path / "info.json").write_text('{"version": 2}')
    with pytest.raises(CacheError, match="another program's"):
        softlabels.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"version": 3}, "cache format 3 is newer than this edgeseg; update edgeseg"),
        ({"version": 1}, "cache format 1 is older than this edgeseg, which reads format 2; build the cache again"),
        ({"data_digest": "f" * 64}, "does not match its own fingerprint"),
        ({"class_map": {"name": "x"}}, "is malformed"),
        ({"teachers": [{"model": "x"}]}, "is malformed"),
    ],
)
def test_info_that_cannot_be_used_is_refused(cache: Path, change: dict[str, Any], what: str) -> None:
    path = cache / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CacheError, match=what):
        softlabels.open(cache)


def test_truncated_info_is_refused(cache: Path) -> None:
    path = cache / "info.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(CacheError, match=r"info\.json: cannot be read"):
        softlabels.open(cache)
