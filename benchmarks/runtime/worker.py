"""One contestant, in a process of its own: loads a network, then runs one frame for every line on its standard input.

    python -m benchmarks.runtime.worker KIND MODEL THREADS HxW

Answers each line with the milliseconds of one run, input in host memory to outputs in host memory, and behind a space
with the processor time that all of its threads took, waiting for work included where a runtime spins. A process of its
own because the runtimes' thread pools disturb each other, and so that OpenCV may be of another version.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[], Any]


def image(height: int, width: int) -> NDArray[np.float32]:
    """The network's input (1, 3, h, w), the same in every process."""
    return np.random.default_rng(0).random((1, 3, height, width), np.float32)


def opencv(model: Path, threads: int, size: tuple[int, int]) -> tuple[Run, str]:
    """OpenCV's DNN module on a Torch7 or an ONNX network."""
    import cv2

    cv2.setNumThreads(threads)
    network: Any = cv2.dnn.readNet(str(model))
    source = image(*size)

    def run() -> Any:
        network.setInput(source)
        return network.forward()

    return run, f"OpenCV {cv2.__version__}"


def onnxruntime(model: Path, threads: int, size: tuple[int, int]) -> tuple[Run, str]:
    """Onnxruntime as it comes, but for the threads."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image(*size)}
    return lambda: session.run(None, feed), f"onnxruntime {ort.__version__}"


def openvino(model: Path, threads: int, size: tuple[int, int], precision: str = "f32") -> tuple[Run, str]:
    """OpenVINO as it comes, but for threads, precision and one stream."""
    ov: Any = import_module("openvino")

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = ov.Core().compile_model(str(model), "CPU", settings).create_infer_request()
    source = image(*size)
    return lambda: request.infer([source]), f"OpenVINO {ov.__version__.split('-')[0]}"


def ours(model: Path, threads: int, size: tuple[int, int], backend: str) -> tuple[Run, str]:
    """The deployed graph by the package's own runner, as a vehicle runs it."""
    from edgeseg.deploy.runners import open_runner

    runner: Any = open_runner(model, backend, threads=threads)
    frame = np.random.default_rng(0).integers(0, 256, (*(runner.export.frame or size), 3), np.uint8)
    return lambda: runner.infer(frame), backend


def scored_on_host(
    model: Path, threads: int, size: tuple[int, int], network: Callable[..., tuple[Run, str]]
) -> tuple[Run, str]:
    """A network alone, and classes, probabilities and entropy of its logits by NumPy."""
    infer, version = network(model, threads, size)

    def run() -> Any:
        logits = infer()[0]
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        probs = exponentials / exponentials.sum(1, keepdims=True)
        return logits.argmax(1).astype(np.uint8), -(probs * np.log(probs + 1e-30)).sum(1)

    return run, version


KINDS: dict[str, Callable[[Path, int, tuple[int, int]], tuple[Run, str]]] = {
    "opencv": opencv,
    "onnxruntime": onnxruntime,
    "openvino-fp32": openvino,
    "openvino-bf16": partial(openvino, precision="bf16"),
    "host-onnxruntime": partial(scored_on_host, network=onnxruntime),
    "host-openvino": partial(scored_on_host, network=openvino),
    "ours-onnxruntime": partial(ours, backend="onnxruntime"),
    "ours-openvino": partial(ours, backend="openvino"),
}


def main() -> None:
    kind, model, threads, size = sys.argv[1:]
    height, width = map(int, size.split("x"))
    run, version = KINDS[kind](Path(model), int(threads), (height, width))
    for _ in range(3):
        run()
    print(json.dumps({"version": version}), flush=True)
    for _ in sys.stdin:
        start, started = time.perf_counter_ns(), time.process_time_ns()
        run()
        print((time.perf_counter_ns() - start) / 1e6, (time.process_time_ns() - started) / 1e6, flush=True)


if __name__ == "__main__":
    main()
