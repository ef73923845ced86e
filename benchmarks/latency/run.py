"""The published Cityscapes ENet's deployed graph, measured by ``edgeseg bench`` on every runtime of the processor.

    python -m benchmarks.latency.run PATH/TO/cityscapes PATH/TO/enet_cityscapes_torch7.net
    python -m benchmarks.latency.run CITYSCAPES NETWORK --precision int8 --calibrate camvid:PATH#train

Exports once, then measures what has no report yet in ``benchmarks/results/latency``: one report a precision, runtime
and number of threads. Every call ends with ``table.md`` and ``pareto.svg`` over all of them; GPUs on which nothing
was run stand in the table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from itertools import product
from pathlib import Path

from edgeseg.files import write_atomic

RESULTS = Path(__file__).parent.parent / "results" / "latency"
TARGETS = ("Jetson Orin, JetPack 6", "Jetson, JetPack 5", "GTX 1080 Ti")
BACKENDS = ("onnxruntime", "openvino")


def edgeseg(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "edgeseg", *map(str, arguments)], stdout=subprocess.DEVNULL, check=True)


def exported(network: Path, out: Path, precision: str, size: str, data: str, calibrate: str | None) -> Path:
    """The graph, made where it is not there."""
    model, graph = out / "enet.edgeseg", out / f"enet-{precision}.onnx"
    if not model.exists():
        edgeseg("import", network, "--format", "enet-torch7", "--out", model)
    if not graph.exists():
        lower = ("--calibrate", calibrate) if calibrate else ()
        edgeseg("export", model, "--out", out, "--size", size, "--data", data, "--precision", precision, *lower)
    return graph


def measure(graph: Path, data: str, backend: str, threads: int, iterations: int, report: Path) -> None:
    """One report of one row."""
    edgeseg(
        *("bench", graph, "--backend", backend, "--threads", threads, "--iterations", iterations),
        *("--data", data, "--strategy", "superpixel", "--out", report),
    )


def portable(report: Path, *places: tuple[Path, str]) -> None:
    """Takes this machine's paths out of a report."""
    text = report.read_text()
    for path, name in places:
        text = text.replace(str(path.resolve()), name).replace(str(path), name)
    write_atomic(report, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="Cityscapes in its own layout")
    parser.add_argument("network", type=Path, help="The ENet authors' Torch7 file")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--calibrate", help="int8: frames that give the ranges")
    parser.add_argument("--size", default="512x1024", help="Network input, HxW")
    parser.add_argument("--backend", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("runs/latency"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--export-only", action="store_true", help="Make the graph and measure nothing")
    given = parser.parse_args()
    data = f"cityscapes:{given.data}#val"
    given.out.mkdir(parents=True, exist_ok=True)
    graph = exported(given.network, given.out, given.precision, given.size, data, given.calibrate)
    if given.export_only:
        return
    given.results.mkdir(parents=True, exist_ok=True)
    for backend, threads in product(given.backend, given.threads):
        report = given.results / f"enet-{given.precision}-{backend}-{threads}.json"
        if not report.exists():
            measure(graph, data, backend, threads, given.iterations, report)
            portable(report, (given.data, "CITYSCAPES"), (given.out, "RUN"))
    targets = [word for target in TARGETS for word in ("--target", target)]
    drawn = ("--markdown", given.results / "table.md", "--plot", given.results / "pareto.svg")
    edgeseg("bench", "table", *sorted(given.results.glob("*.json")), *targets, *drawn)


if __name__ == "__main__":
    main()
