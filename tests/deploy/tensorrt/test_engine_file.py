from __future__ import annotations

import pytest

from edgeseg.deploy.tensorrt import EngineFile
from edgeseg.errors import ModelError


@pytest.fixture
def path(make_bench, exported):
    return make_bench(exported, plan=b"plan of TensorRT").path


def test_file_gives_back_what_was_written(path):
    file = EngineFile.read(path)
    assert file.plan == b"plan of TensorRT"
    assert file.info.network == "enet"
    assert file.export.precision == "fp32"
    assert (file.record.tensorrt, file.record.gpu.compute_capability) == ("10.3.0", "8.7")
    assert path.read_bytes().startswith(file.plan), "other tools find the plan at the beginning"


@pytest.mark.parametrize("position", [0, 8, 400, -30, -10])
def test_altered_file_is_refused(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"was altered after it was built|record is of another edgeseg"):
        EngineFile.read(path)


@pytest.mark.parametrize("cut", [1, 20, 1000])
def test_truncated_file_is_refused(path, cut):
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ModelError, match=r"carries no record of edgeseg .*or is cut short"):
        EngineFile.read(path)


def test_engine_of_trtexec_is_refused(tmp_path):
    (tmp_path / "other.engine").write_bytes(b"ftrt" * 100)
    with pytest.raises(ModelError, match=r"other.engine: carries no record of edgeseg.*export --tensorrt"):
        EngineFile.read(tmp_path / "other.engine")
