"""What else was tried for the codec: bytes by ideal order-0 entropy coding, at about the same divergence.

    python -m benchmarks.softlabels.alternatives --teacher cs.edgeseg --data cityscapes:PATH#val

Entropies are of each component's frequency by itself over one whole frame (differences for the mean values), so that
domains and transforms are compared, not packers. Half-size grids throughout, bilinear between samples.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.markdown import table
from benchmarks.softlabels.size import compare, exact
from edgeseg import datasets
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.softlabels.grid import axis, fit, positions
from edgeseg.softlabels.kernels import resample
from edgeseg.teachers import load_teacher, parse_spec

Array = NDArray[np.float32]
CASES = (
    ("√p, classes mixed, 8×8 cosines", "root", 1, 8, 0.03),
    ("log p, classes mixed, 8×8 cosines", "log", 1, 8, 0.06),
    ("log p, classes mixed, 16×16 cosines", "log", 1, 16, 0.06),
    ("log p, classes and 2×2 mixed, 8×8 cosines (the package's)", "log", 2, 8, 0.075),
    ("log p, classes and 2×2 mixed, 16×16 cosines", "log", 2, 16, 0.075),
)


def coded(values: Array, block: int, size: int, step: float) -> tuple[Array, float]:
    """Mixes (C, h, w) by the frame's own directions and rounds; what it decodes to, and the bytes."""
    classes, height, width = values.shape
    shape = classes, height // block, block, width // block, block
    cells = values.reshape(shape).transpose(2, 4, 0, 1, 3).reshape(block * block * classes, -1)
    power, directions = np.linalg.eigh(cells[:, ::3] @ cells[:, ::3].T / cells[:, ::3].shape[1])
    directions = directions[:, power > step**2 / 50]
    place, frequency = np.mgrid[:size, :size]
    wave = np.cos((2 * place + 1) * frequency * np.pi / (2 * size)) * np.sqrt(2 / size)
    wave[:, 0] *= np.sqrt(0.5)
    planes = (directions.T @ cells).reshape(-1, height // block // size, size, width // block // size, size)
    codes = np.rint(np.einsum("kaybx,yf,xg->kfgab", planes, wave, wave, optimize=True) / step)
    total = sum(_entropy_bytes(codes[k, f, g], f == g == 0) for k, f, g in np.ndindex(*codes.shape[:3]))
    planes = np.einsum("kfgab,yf,xg->kaybx", codes * step, wave, wave, optimize=True)
    back = directions @ planes.reshape(directions.shape[1], -1)
    back = back.reshape(block, block, classes, height // block, width // block).transpose(2, 3, 0, 4, 1)
    return np.ascontiguousarray(back.reshape(values.shape), np.float32), total


def _entropy_bytes(codes: NDArray[Any], is_mean: bool) -> float:
    flat = np.diff(codes.ravel(), prepend=0) if is_mean else codes.ravel()
    counts = np.unique(flat, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum() / 8)


def measure(probs: Array) -> list[dict[str, Any]]:
    """Every alternative on one frame."""
    logs = fit(probs, 2)
    odds = np.exp(logs - logs.max(axis=0))
    weights = np.sqrt((odds / odds.sum(axis=0)).mean(axis=(1, 2)))[:, None, None]
    codes = np.rint(np.sqrt(probs) * 255).astype(np.uint8)
    plain = np.square(np.maximum(codes, 0.25).astype(np.float32))
    rows = [{"way": "√p in 8 bits at label size, zlib (format 1)", "bytes": len(zlib.compress(codes.tobytes(), 1))}]
    rows[0] |= compare(probs, plain / plain.sum(axis=0))
    for name, domain, block, size, step in CASES:
        values = np.sqrt(odds / odds.sum(axis=0)) if domain == "root" else logs * weights
        back, total = coded(values, block, size, step)
        found = 2 * np.log(np.maximum(back, 1e-3)) if domain == "root" else back / weights
        out = np.empty_like(probs)
        axes = [axis(positions(0, 1, n, 2), g) for n, g in zip(probs.shape[1:], logs.shape[1:], strict=True)]
        resample(np.ascontiguousarray(found, np.float32), *axes[0], *axes[1], out)
        rows.append({"way": name, "step": step, "bytes": total, **compare(probs, out)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, metavar="CHECKPOINT")
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--data", required=True, metavar="D")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent.parent / "results" / "softlabels")
    given = parser.parse_args()
    data = datasets.open(given.data)
    teacher = load_teacher(parse_spec(f"{given.teacher}:{given.temperature:g}"), data.class_map)
    rows = measure(next(exact([teacher], data, 1))[1])
    report = {
        "machine": describe_machine(),
        "temperature": given.temperature,
        "frame": data.sample_ids[0],
        "ways": rows,
    }
    columns = ("way", "MB", "KL mean", "KL p99", "equal argmax")
    text = table(
        columns,
        [
            (
                row["way"],
                f"{row['bytes'] / 1e6:.3f}",
                f"{row['kl_nats']:.2e}",
                f"{row['kl_p99']:.2e}",
                f"{100 * row['argmax_agreement']:.2f} %",
            )
            for row in rows
        ],
    )
    given.results.mkdir(parents=True, exist_ok=True)
    write_atomic(given.results / "alternatives.json", json.dumps(report, indent=1) + "\n")
    write_atomic(given.results / "alternatives.md", text)
    print(text)


if __name__ == "__main__":
    main()
