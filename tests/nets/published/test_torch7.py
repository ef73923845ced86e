from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import ModelError
from edgeseg.nets import published
from edgeseg.nets.published.torch7 import Torch7Object, read_torch7


def number(value: float) -> bytes:
    return struct.pack("<id", 1, value)


def text(value: str) -> bytes:
    return struct.pack("<i", 2) + raw_text(value)


def raw_text(value: str) -> bytes:
    return struct.pack("<i", len(value)) + value.encode("latin-1")


def table(index: int, *pairs: tuple[bytes, bytes]) -> bytes:
    return struct.pack("<iii", 3, index, len(pairs)) + b"".join(key + value for key, value in pairs)


def thing(index: int, kind: str, content: bytes) -> bytes:
    return struct.pack("<ii", 4, index) + raw_text("V 1") + raw_text(kind) + content


def storage(index: int, values: list[float]) -> bytes:
    return thing(index, "torch.FloatStorage", struct.pack(f"<q{len(values)}f", len(values), *values))


def tensor(index: int, sizes: list[int], strides: list[int], offset: int, held: bytes) -> bytes:
    count = len(sizes)
    return thing(index, "torch.FloatTensor", struct.pack(f"<i{2 * count + 1}q", count, *sizes, *strides, offset) + held)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.net"


def test_values_tables_and_objects_are_read(file: Path) -> None:
    fields = table(2, (text("p"), number(0.1)), (text("inplace"), struct.pack("<ii", 5, 1)))
    file.write_bytes(table(1, (number(1), thing(3, "nn.Dropout", fields)), (text("none"), struct.pack("<i", 0))))
    found = read_torch7(file)
    assert found["none"] is None
    assert found[1] == Torch7Object("nn.Dropout", {"p": 0.1, "inplace": True})


def test_tensor_is_read_by_its_strides_and_offset(file: Path) -> None:
    file.write_bytes(tensor(1, [2, 3], [1, 2], 2, storage(2, [9, 0, 1, 2, 3, 4, 5])))
    np.testing.assert_array_equal(read_torch7(file), [[0, 2, 4], [1, 3, 5]])


def test_shared_object_is_read_once(file: Path) -> None:
    shared = storage(2, [1, 2])
    file.write_bytes(table(9, (number(1), tensor(1, [2], [1], 1, shared)), (number(2), struct.pack("<ii", 4, 1))))
    found = read_torch7(file)
    assert found[1] is found[2]


def test_children_stand_in_order(file: Path) -> None:
    layers = [(number(i), thing(20 + i, f"nn.Layer{i}", table(40 + i))) for i in (2, 1, 3)]
    file.write_bytes(thing(1, "nn.Sequential", table(2, (text("modules"), table(3, *layers)))))
    assert [child.kind for child in read_torch7(file).children] == ["nn.Layer1", "nn.Layer2", "nn.Layer3"]


@pytest.mark.parametrize("kind", [6, 7, 8])
def test_functions_are_refused(kind: int, file: Path) -> None:
    file.write_bytes(struct.pack("<ii", kind, 1) + raw_text("code"))
    with pytest.raises(ModelError, match="would be a Lua function"):
        read_torch7(file)


def test_file_cut_anywhere_is_refused(file: Path) -> None:
    whole = tensor(1, [2, 3], [3, 1], 1, storage(2, [0, 1, 2, 3, 4, 5]))
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"a\.net: is not a whole Torch7 binary file: ends at byte"):
            read_torch7(file)


@pytest.mark.parametrize(
    ("sizes", "strides", "offset"), [([7], [1], 1), ([2, 3], [4, 1], 1), ([6], [1], 2), ([6], [-1], 6), ([0], [1], 1)]
)
def test_tensor_outside_its_storage_is_refused(sizes: list[int], strides: list[int], offset: int, file: Path) -> None:
    file.write_bytes(tensor(1, sizes, strides, offset, storage(2, [0, 1, 2, 3, 4, 5])))
    with pytest.raises(ModelError, match="does not fit its storage"):
        read_torch7(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02}q\x00.   ", "is not a whole Torch7 binary file"),
        (struct.pack("<ii", 2, -5), "a length is -5"),
        (table(1, (table(2), number(1))), "a dict as a key"),
        (thing(1, "torch.QuaternionStorage", struct.pack("<q", 0)), "torch.QuaternionStorage is unknown"),
        (thing(1, "torch.FloatTensor", struct.pack("<i", 99)), "a tensor has 99 axes"),
    ],
)
def test_other_content_is_refused(content: bytes, message: str, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_torch7(file)


def test_endless_nesting_is_refused(file: Path) -> None:
    file.write_bytes(b"".join(struct.pack("<iii", 3, i, 1) + number(1) for i in range(20000)))
    with pytest.raises(ModelError, match="nested too deeply"):
        read_torch7(file)


def test_missing_file_is_named(file: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.net: no such file"):
        read_torch7(file)


def test_other_torch7_network_is_no_enet(file: Path) -> None:
    weight = (text("weight"), tensor(5, [1], [1], 1, storage(6, [1])))
    prelu = thing(4, "nn.PReLU", table(7, weight))
    file.write_bytes(thing(1, "nn.Sequential", table(2, (text("modules"), table(3, (number(1), prelu))))))
    with pytest.raises(ModelError, match=r"holds nn\.Sequential, not an ENet that ends in SpatialFullConvolution"):
        published.load(file, "enet-torch7")


def test_network_that_only_ends_like_enet_is_told_where_it_differs(file: Path) -> None:
    weight = (text("weight"), tensor(5, [16, 20, 2, 2], [80, 4, 2, 1], 1, storage(6, [0.0] * 1280)))
    last = thing(4, "nn.SpatialFullConvolution", table(7, weight))
    file.write_bytes(thing(1, "nn.Sequential", table(2, (text("modules"), table(3, (number(1), last))))))
    with pytest.raises(ModelError, match=r"layer 1 is nn\.SpatialFullConvolution, Conv2d was expected"):
        published.load(file, "enet-torch7")
