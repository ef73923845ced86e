"""The tiles' coding as a codec of Zarr 3, so that any reader with zarr and this package opens a cache's arrays.

Registered under its name where the package is installed, and by importing this module where it is not. The package
itself reads tiles without zarr, which takes longer over its own bookkeeping than a tile takes to decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.registry import register_codec

from edgeseg.softlabels.layout import CODEC_NAME
from edgeseg.softlabels.tiles import decode_tile, encode_tile


@dataclass(frozen=True)
class SoftLabelCodec(ArrayBytesCodec):
    """A tile (1, C, th, tw) of log-probabilities as bytes, see ``tiles``.

    Attributes:
        step: Of the quantiser where zarr writes; a tile carries its own, so reading does not need it.
    """

    step: float = 0.05
    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SoftLabelCodec:
        """Makes the codec from an array's metadata."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """The codec as it stands in an array's metadata."""
        return {"name": CODEC_NAME, "configuration": {"step": self.step}}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Not known before."""
        raise NotImplementedError

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _, classes, height, width = chunk_spec.shape
        tile = np.empty((classes, height, width), np.float32)
        decode_tile(chunk_bytes.to_bytes(), classes, (height, width), tile, 0, 0)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(tile[None])

    async def _encode_single(self, chunk_array: Any, chunk_spec: Any) -> Any:
        tile = np.ascontiguousarray(chunk_array.as_numpy_array()[0], np.float32)
        return chunk_spec.prototype.buffer.from_bytes(encode_tile(tile, self.step))


register_codec(CODEC_NAME, SoftLabelCodec)
