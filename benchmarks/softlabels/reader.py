"""How many crops a second one core reads: from the cache, through zarr itself, and from one array file a frame.

    OMP_NUM_THREADS=1 taskset -c 1 python -m benchmarks.softlabels.reader --cache CACHE

Every way gives the same crops (C, 512, 1024) float32 at random places of random frames, from opening the object to
probabilities. Times are the process's own (CPU) seconds; the best of the repeats counts, the median stands beside it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.markdown import table
from edgeseg import softlabels
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.softlabels import SoftLabels

Read = Callable[[str, int, int], NDArray[np.float32]]


def ways(cache: SoftLabels, where: Path, folder: Path, height: int, width: int) -> dict[str, Read]:
    """What is compared: name → reader of a crop."""
    halves = (height // 2, width // 2)

    def dense(sample_id: str, top: int, left: int) -> NDArray[np.float32]:
        path = folder / f"{sample_id.replace('/', '_')}.npy"
        if not path.exists():
            np.save(path, np.rint(np.sqrt(cache[sample_id]) * 255).astype(np.uint8))
        codes = np.load(path, mmap_mode="r")[:, top : top + height, left : left + width]
        probs = np.square(np.arange(256, dtype=np.float32) / 255).take(codes)
        probs /= probs.sum(axis=0)
        return np.asarray(probs, np.float32)

    return {
        "this reader": lambda sample_id, top, left: cache.window(sample_id, top, left, height, width),
        "this reader, at half size": lambda s, top, left: cache.window(s, top, left, height, width, size=halves),
        "zarr, then nothing (log-probabilities of the grid)": _through_zarr(cache, where, height, width),
        "one uncompressed uint8 array a frame, numpy": dense,
    }


def _through_zarr(cache: SoftLabels, where: Path, height: int, width: int) -> Read:
    import zarr

    import edgeseg.softlabels.zarr_codec  # noqa: F401  registers the codec where the package is not installed

    numbers = {sample_id: number for number, sample_id in enumerate(cache.info.sample_ids)}
    arrays = {
        number: (zarr.open_array(path, mode="r"), int(path.name.removeprefix("stride")))
        for path in where.glob("frames/*/*")
        for number in (int(shard.name) for shard in (path / "c").iterdir())
    }

    def read(sample_id: str, top: int, left: int) -> NDArray[np.float32]:
        array, stride = arrays[numbers[sample_id]]
        rows = slice(max(0, (top - 1) // stride), (top + height) // stride + 1)
        return np.asarray(
            array[numbers[sample_id], :, rows, max(0, (left - 1) // stride) : (left + width) // stride + 1]
        )

    return read


def measure(read: Read, cache: SoftLabels, height: int, width: int, repeats: int) -> dict[str, float]:
    """Milliseconds a crop, after one that warms up."""
    draw, ids, spent = np.random.default_rng(0), list(cache), []
    for repeat in range(repeats + 2):
        sample_id = ids[draw.integers(len(ids))]
        _, rows, columns = cache.shape(sample_id)
        top, left = int(draw.integers(rows - height + 1)), int(draw.integers(columns - width + 1))
        before = time.process_time()
        read(sample_id, top, left)
        if repeat > 1:
            spent.append(time.process_time() - before)
    return {
        "best_ms": 1e3 * min(spent),
        "median_ms": 1e3 * float(np.median(spent)),
        "crops_per_s_best": 1 / min(spent),
        "crops_per_s_median": 1 / float(np.median(spent)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--crop", type=int, nargs=2, default=(512, 1024), metavar=("H", "W"))
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent.parent / "results" / "softlabels")
    given = parser.parse_args()
    cache = softlabels.open(given.cache)
    height, width = given.crop
    with tempfile.TemporaryDirectory() as folder:
        compared = ways(cache, given.cache, Path(folder), height, width)
        found: dict[str, Any] = {
            name: measure(read, cache, height, width, given.repeats) for name, read in compared.items()
        }
    settings = {"crop": given.crop, "repeats": given.repeats, "bytes_a_frame": cache.info.bytes / len(cache)}
    report = {"machine": describe_machine(), "note": given.note, "settings": settings, "ways": found}
    rows = [
        (name, f"{m['best_ms']:.1f}", f"{m['median_ms']:.1f}", f"{m['crops_per_s_best']:.0f}")
        for name, m in found.items()
    ]
    text = table(("way", "ms a crop, best", "median", "crops a second, best"), rows) + f"\n{given.note}\n"
    given.results.mkdir(parents=True, exist_ok=True)
    write_atomic(given.results / "reader.json", json.dumps(report, indent=1) + "\n")
    write_atomic(given.results / "reader.md", text)
    print(text)


if __name__ == "__main__":
    main()
