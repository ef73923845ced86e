"""Bytes and accuracy of cached soft labels, with one teacher and with a mixture of three.

    python -m benchmarks.softlabels.size --teacher cs.edgeseg --data cityscapes:PATH#val

The mixture is of the same network at its own size, at twice that size (so that its logits are as fine as the labels),
and at 1.25 times its size averaged with its mirrored run; every class weighs them equally. Boundary pixels have a
pixel of another best class within 2 pixels.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.markdown import table
from edgeseg import datasets, softlabels
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint
from edgeseg.softlabels import CacheInfo, CacheWriter, Coding
from edgeseg.teachers import combine, load_teacher, parse_spec
from edgeseg.teachers.teacher import Teacher

Probs = NDArray[np.float32]
_SIZES = ((1.0, False), (2.0, False), (1.25, True))


def mixture(checkpoint: Path, temperature: float, data: datasets.Dataset, folder: Path) -> list[Teacher]:
    """The network as three teachers of other input sizes."""
    found = load_checkpoint(checkpoint)
    teachers = []
    for number, (scale, flip) in enumerate(_SIZES):
        own = found.info.preprocess
        sized = replace(own, height=int(own.height * scale), width=int(own.width * scale))
        path = folder / f"teacher{number}.edgeseg"
        save_checkpoint(path, found.net, replace(found.info, preprocess=sized))
        teachers.append(load_teacher(parse_spec(f"{path}:{temperature:g}"), data.class_map, flip=flip))
    return teachers


def exact(teachers: Sequence[Teacher], data: datasets.Dataset, frames: int) -> Iterator[tuple[str, Probs]]:
    """Soft labels as the teachers give them, equally weighted."""
    weights = torch.ones(len(teachers), data.class_map.num_classes)
    for index in range(min(frames, len(data))):
        image = data.image(index)
        probs = [teacher.probs(image, *image.shape[:2]) for teacher in teachers]
        yield data.sample_ids[index], (combine(probs, weights) if len(probs) > 1 else probs[0]).numpy()


def compare(probs: Probs, decoded: Probs) -> dict[str, float]:
    """How far decoded soft labels (C, H, W) are from the exact ones, in nats and shares of pixels."""
    best = probs.argmax(axis=0).astype(np.uint8)
    nats = np.zeros(best.shape)
    for p, q in zip(probs, decoded, strict=True):
        nats += p * np.log(np.maximum(p, 1e-37).astype(np.float64) / q)
    kernel = np.ones((5, 5), np.uint8)
    boundary = cv2.dilate(best, kernel) != cv2.erode(best, kernel)
    return {
        "kl_nats": float(nats.mean()),
        "kl_p99": float(np.quantile(nats, 0.99)),
        "kl_boundary": float(nats[boundary].mean()),
        "boundary_share": float(boundary.mean()),
        "argmax_agreement": float((best == decoded.argmax(axis=0)).mean()),
    }


def measure(teachers: Sequence[Teacher], data: datasets.Dataset, frames: int, coding: dict[str, Any]) -> dict[str, Any]:
    """Caches frames, reads them back and compares."""
    info = CacheInfo(data.class_map, (), data.sample_ids, data.digest(), {"coding": coding})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for sample_id, probs in exact(teachers, data, frames):
            before = time.process_time()
            frame = softlabels.encode_frame(probs, info)
            seconds = time.process_time() - before
            with CacheWriter(Path(folder) / "cache", info, resume=True) as writer:
                writer.put_encoded(sample_id, frame)
            decoded = softlabels.open(Path(folder) / "cache")[sample_id]
            rows.append(
                {"frame": sample_id, "bytes": len(frame.shard), "stride": frame.stride, "encode_cpu_s": seconds}
            )
            rows[-1] |= compare(probs, decoded)
            print(json.dumps(rows[-1]), flush=True)
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "frame"}
    return {"coding": coding, "frames": rows, "mean": means}


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """One row a case."""
    columns = ("case", "frames", "MB a frame", "KL mean", "KL p99", "KL at boundaries", "equal argmax", "stride")
    rows = []
    for name, case in found.items():
        m = case["mean"]
        nats = [f"{m[key]:.2e}" for key in ("kl_nats", "kl_p99", "kl_boundary")]
        size, agreement = f"{m['bytes'] / 1e6:.3f}", f"{100 * m['argmax_agreement']:.2f} %"
        rows.append((name, str(len(case["frames"])), size, *nats, agreement, f"{m['stride']:g}"))
    return table(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, metavar="CHECKPOINT")
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--data", required=True, metavar="D")
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--mixture-frames", type=int, default=2)
    parser.add_argument("--kl", type=float, nargs="+", default=[Coding().kl_nats, 4.5e-4], metavar="NATS")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent.parent / "results" / "softlabels")
    given = parser.parse_args()
    data = datasets.open(given.data)
    one = [load_teacher(parse_spec(f"{given.teacher}:{given.temperature:g}"), data.class_map)]
    found = {}
    for number, nats in enumerate(given.kl):
        coding = {"kl_nats": nats, "agreement": Coding().agreement if number == 0 else 0.9905}
        name = f"{nats:g} nats, {100 * coding['agreement']:g} %"
        found[f"one teacher, asked for {name}"] = measure(one, data, given.frames, coding)
        with tempfile.TemporaryDirectory() as folder:
            three = mixture(given.teacher, given.temperature, data, Path(folder))
            found[f"three teachers, asked for {name}"] = measure(three, data, given.mixture_frames, coding)
        settings = {"teacher": given.teacher.name, "temperature": given.temperature, "data": Path(given.data).name}
        given.results.mkdir(parents=True, exist_ok=True)
        report = {"machine": describe_machine(), "settings": settings, "cases": found}
        write_atomic(given.results / "size.json", json.dumps(report, indent=1) + "\n")
        write_atomic(given.results / "size.md", markdown(found))
    print(markdown(found))


if __name__ == "__main__":
    main()
