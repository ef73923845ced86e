"""Frames in a place, by sample id: each one shard, whole or absent."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import CacheError, OutputError
from edgeseg.softlabels.encoding import EncodedFrame
from edgeseg.softlabels.grid import Grid, axis, positions
from edgeseg.softlabels.kept import KeptGrids
from edgeseg.softlabels.layout import FRAMES_NAME, DamageError, Layout, checked_tile, parse_index, parse_key
from edgeseg.softlabels.memory import Recycler
from edgeseg.softlabels.places import Place
from edgeseg.softlabels.tiles import decode_tile

Size = tuple[int, int]
_METADATA = "zarr.json"


class MissingFrameError(CacheError, KeyError):
    """The cache has no such frame; a KeyError too, as a mapping's readers expect."""

    __str__ = Exception.__str__


class Frames:
    """The frames of a cache, found once by listing, then kept track of.

    Args:
        place: Where the cache lies.
        sample_ids: Frames that the finished cache holds; a frame's number is its place among them.
        classes: C.
    """

    def __init__(self, place: Place, sample_ids: Sequence[str], classes: int) -> None:
        self._place, self._classes, self._planned = place, classes, len(sample_ids)
        self._numbers = {sample_id: number for number, sample_id in enumerate(sample_ids)}
        self._layouts: dict[int, Layout] = {}
        self._bytes: dict[int, int] = {}
        self._arrays: set[str] = set()
        self._memory = Recycler()
        self._kept = KeptGrids()
        for key, size in place.sizes(FRAMES_NAME).items():
            if found := parse_key(key):
                self._layouts[found[1]], self._bytes[found[1]] = found[0], size
            elif key.endswith(_METADATA):
                self._arrays.add(key)

    def __contains__(self, sample_id: object) -> bool:
        return self._numbers.get(sample_id) in self._layouts  # type: ignore[call-overload]

    @property
    def bytes(self) -> int:
        """Size of all frames."""
        return sum(self._bytes.values())

    def layout(self, sample_id: str) -> Layout:
        """Size and stride of a frame.

        Raises:
            MissingFrameError: It is not there.
        """
        try:
            return self._layouts[self._numbers[sample_id]]
        except KeyError:
            raise MissingFrameError(
                f"the cache has no soft labels of {sample_id!r} ({self._place.name} lacks them); "
                "edgeseg cache repair, with the cache's own data and teachers, adds what it lacks"
            ) from None

    def put(self, sample_id: str, frame: EncodedFrame) -> None:
        """Writes one frame, whole or not at all.

        Raises:
            CacheError: It is not one of the cache's frames.
            OutputError: It cannot be written.
        """
        if sample_id not in self._numbers:
            raise CacheError(f"{sample_id!r} is not one of the frames that {self._place.name} is to hold")
        layout, number = frame.layout, self._numbers[sample_id]
        metadata = f"{layout.folder}/{_METADATA}"
        if metadata not in self._arrays:
            plain = layout.metadata(self._planned, self._classes)
            self._place.write(metadata, (json.dumps(plain, indent=1, sort_keys=True) + "\n").encode())
            self._arrays.add(metadata)
        if self._layouts.get(number, layout) != layout:
            self.discard(sample_id)
        try:
            self._place.write(layout.key(number), frame.shard)
            self._kept.forget(layout.key(number))
        except OutputError as error:
            raise OutputError(f"{sample_id}: {error}") from None
        self._layouts[number], self._bytes[number] = layout, len(frame.shard)

    def discard(self, sample_id: str) -> None:
        """Removes a frame, if it is there.

        Raises:
            OutputError: It cannot be removed.
        """
        number = self._numbers.get(sample_id, -1)
        if layout := self._layouts.get(number):
            self._place.delete(layout.key(number))
            self._kept.forget(layout.key(number))
            del self._layouts[number], self._bytes[number]

    def keep(self, memory_mb: float) -> None:
        """From now on keeps the grids of frames that are read, so that none is decoded twice, up to a bound in MiB."""
        self._kept = KeptGrids(memory_mb)

    def check(self, sample_id: str) -> None:
        """Reads a whole frame and checks every checksum.

        Raises:
            CacheError: The frame is missing or damaged.
        """
        layout, key = self.layout(sample_id), self._key(sample_id)
        try:
            content = self._place.read(key)
            end = layout.index_bytes
            for start, length in parse_index(content[:end], layout):
                checked_tile(content[start : start + length], length)
                end = max(end, start + length)
            if end != len(content):
                raise DamageError(f"it has {len(content)} bytes instead of {end}")
        except (OSError, DamageError) as error:
            raise self._damaged(sample_id, key, error) from None

    def window(
        self, sample_id: str, top: int, left: int, height: int, width: int, size: Size | None = None
    ) -> NDArray[np.float32]:
        """Reads a window as probabilities (C, h, w) float32, from the tiles that it touches.

        Args:
            sample_id: Whose.
            top: First row, in label pixels.
            left: First column.
            height: Rows.
            width: Columns.
            size: (h, w) of the result, bilinear between the grid's samples; None for the window's own.

        Raises:
            CacheError: The frame is missing or damaged, or the window is not inside it.
        """
        layout, key = self.layout(sample_id), self._key(sample_id)
        _check_window(layout, sample_id, top, left, height, width)
        target = size or (height, width)
        try:
            if layout.stride == 2 and target == (height, width):
                return self._doubled(layout, key, top, left, height, width)
            return self._resampled(layout, key, (top, left, height, width), target)
        except (OSError, DamageError) as error:
            raise self._damaged(sample_id, key, error) from None

    def _doubled(self, layout: Layout, key: str, top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
        from edgeseg.softlabels.kernels import double

        rows = (top // 2 - 1, (top + height - 1) // 2 + 2)
        columns = (left // 2 - 1, (left + width - 1) // 2 + 2)
        grid, row, column = self._grid(layout, key, rows, columns)
        out = self._memory.array((self._classes, height, width))
        double(grid, top // 2 - row, left // 2 - column, (top % 2, left % 2), out)
        return out

    def _resampled(
        self, layout: Layout, key: str, window: tuple[int, int, int, int], size: Size
    ) -> NDArray[np.float32]:
        from edgeseg.softlabels.kernels import resample

        top, left, height, width = window
        rows, row_shares = axis(positions(top, height / size[0], size[0], layout.stride), layout.grid[0])
        columns, column_shares = axis(positions(left, width / size[1], size[1], layout.stride), layout.grid[1])
        grid, row, column = self._grid(
            layout, key, (int(rows[0]), int(rows[-1]) + 2), (int(columns[0]), int(columns[-1]) + 2)
        )
        out = self._memory.array((self._classes, *size))
        resample(grid, rows - row, row_shares, columns - column, column_shares, out)
        return out

    def _grid(self, layout: Layout, key: str, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Grid, int, int]:
        """The grid's samples in rows and columns, or more, from an even row and column that are given too.

        Beyond the frame the nearest sample stands.
        """
        found = self._kept.get(key)
        if found is None and self._kept.has_room(self._classes, layout.grid):
            (height, width) = layout.grid
            found = self._kept.put(key, *self._decoded(layout, key, (-1, height + 1), (-1, width + 1)))
        return found or self._decoded(layout, key, rows, columns)

    def _decoded(
        self, layout: Layout, key: str, rows: tuple[int, int], columns: tuple[int, int]
    ) -> tuple[Grid, int, int]:
        (height, width), (tall, wide) = layout.grid, layout.tile
        row, column = rows[0] // 2 * 2, columns[0] // 2 * 2
        shape = (-(-(rows[1] - row) // 2) * 2, -(-(columns[1] - column) // 2) * 2)
        grid = self._memory.array((self._classes, *shape))
        down = range(max(rows[0], 0) // tall, (min(rows[1], height) - 1) // tall + 1)
        across = range(max(columns[0], 0) // wide, (min(columns[1], width) - 1) // wide + 1)
        index = parse_index(self._place.read_parts(key, [(0, layout.index_bytes)])[0], layout)
        wanted = [(i, j) for i in down for j in across]
        parts = [index[i * layout.tiles[1] + j] for i, j in wanted]
        for (i, j), (_, length), chunk in zip(wanted, parts, self._place.read_parts(key, parts), strict=True):
            decode_tile(
                checked_tile(chunk, length), self._classes, layout.tile, grid, i * tall - row, j * wide - column
            )
        for edge, nearest in ((-1, 0), (height, height - 1)):
            if rows[0] <= edge < rows[1]:
                grid[:, edge - row] = grid[:, nearest - row]
        for edge, nearest in ((-1, 0), (width, width - 1)):
            if columns[0] <= edge < columns[1]:
                grid[:, :, edge - column] = grid[:, :, nearest - column]
        return grid, row, column

    def _key(self, sample_id: str) -> str:
        return self.layout(sample_id).key(self._numbers[sample_id])

    def _damaged(self, sample_id: str, key: str, error: OSError | DamageError) -> CacheError:
        where = f"{self._place.name}/{key}"
        if isinstance(error, FileNotFoundError):
            return MissingFrameError(f"{where}: the soft labels of {sample_id!r} are gone; {_MEND}")
        if isinstance(error, OSError):
            return CacheError(f"{where}: the soft labels of {sample_id!r} cannot be read ({error})")
        return CacheError(f"{where}: the soft labels of {sample_id!r} are damaged ({error}); {_MEND}")


_MEND = "edgeseg cache repair, with the cache's own data and teachers, computes them again"


def _check_window(layout: Layout, sample_id: str, top: int, left: int, height: int, width: int) -> None:
    rows, columns = layout.height, layout.width
    if min(height, width) < 1 or min(top, left) < 0 or top + height > rows or left + width > columns:
        raise CacheError(
            f"window of {height}x{width} at row {top}, column {left} is not inside the {rows}x{columns} soft labels of "
            f"{sample_id!r}; do image and cache have the same size?"
        )
