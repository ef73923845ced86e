"""What trtexec prints, as a benchmark's report: for machines where edgeseg itself does not run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.deploy.benchmark.report import FORMAT, BenchReport, unmeasured_row
from edgeseg.deploy.jetson import TegraSample, parse_power_mode, parse_tegrastats
from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.deploy.seal import sealed_metadata
from edgeseg.errors import DataError, ModelError
from edgeseg.files import digest_file
from edgeseg.modelinfo import METADATA_KEY, ModelInfo

NOT_BY_TRTEXEC = "trtexec does not measure it"
JETSON_CAPABILITIES = ("5.3", "6.2", "7.2", "8.7", "11.0")
JETPACK = {"8.4.": "5", "8.5.": "5", "8.6.": "6", "10.3.": "6"}
"""Beginning of TensorRT's version → the JetPack that brings it to a Jetson."""
_HEAD = re.compile(r"&&&& RUNNING TensorRT\.trtexec \[TensorRT v(\d+)\]")
_VERSION = re.compile(r"\] TensorRT version: (\d+(?:\.\d+)+)")
_PAIR = re.compile(r"([a-z][a-z()0-9%]*) = (-?[\d.]+(?:e-?\d+)?) ms")
_LINES = {
    "latency": "Latency",
    "enqueue": "Enqueue Time",
    "upload": "H2D Latency",
    "network": "GPU Compute Time",
    "download": "D2H Latency",
}
_STATISTICS = {"median": "p50", "percentile(90%)": "p90", "percentile(95%)": "p95", "percentile(99%)": "p99"}
Statistics = dict[str, float]


@dataclass(frozen=True)
class TrtexecLog:
    """What one run of trtexec printed.

    Attributes:
        tensorrt: Version, such as ``8.5.2``.
        device: The GPU as CUDA names it, None where it does not say.
        compute_capability: Such as ``8.7``.
        model: The file that it was given.
        precision: As its build options say (``FP32+FP16``); None where an engine was loaded, of which they say nothing.
        transfers, cuda_graph, spin_wait: Whether these were on; None where it does not say. Their defaults turned
            round with TensorRT 11, so times on both sides of it cannot be compared by name alone.
        throughput_fps: Queries a second.
        times: ``latency``, ``enqueue``, ``upload``, ``network``, ``download`` → min, mean, max, p50, p90, ... in ms.
        warnings: Its own.
    """

    tensorrt: str | None
    device: str | None
    compute_capability: str | None
    model: str | None
    precision: str | None
    transfers: bool | None
    cuda_graph: bool | None
    spin_wait: bool | None
    throughput_fps: float
    times: dict[str, Statistics]
    warnings: tuple[str, ...]

    @property
    def timing(self) -> str:
        """What was timed, in words; reports of different words are not compared."""
        words = {True: "on", False: "off", None: "unknown"}
        return f"trtexec: transfers {words[self.transfers]}, CUDA graph {words[self.cuda_graph]}, one frame ahead"


def parse_trtexec(text: str, where: str) -> TrtexecLog:
    """Reads what trtexec of TensorRT 8.4 to 11 printed.

    Raises:
        DataError: It holds no performance summary, or no latency.
    """
    throughput = re.search(r"\] Throughput: ([\d.]+) qps", text)
    if throughput is None:
        raise DataError(
            f"{where}: holds no performance summary of trtexec; keep all it prints: trtexec ... 2>&1 | tee {where}"
        )
    times = {name: found for name, title in _LINES.items() if (found := _statistics(text, title))}
    if not {"min", "mean", "max", "p50", "p99"} <= times.get("latency", {}).keys():
        raise DataError(f"{where}: its latency lacks median or percentiles; use trtexec of TensorRT 8.4 or newer")
    model = re.search(r"--(?:onnx|loadEngine)=(\S+)", text)
    built = None if "--loadEngine" in text else re.search(r"\] Precision: (\S+)", text)
    return TrtexecLog(
        tensorrt=_version(text),
        device=_told(text, "Selected Device"),
        compute_capability=_told(text, "Compute Capability"),
        model=model.group(1) if model else None,
        precision=built.group(1) if built else None,
        transfers=_switch(text, "Data transfers"),
        cuda_graph=_switch(text, "CUDA Graph"),
        spin_wait=_switch(text, "Spin-wait"),
        throughput_fps=float(throughput.group(1)),
        times=times,
        warnings=tuple(re.findall(r"\[W\] \* (.+?)\s*$", text, re.MULTILINE)),
    )


def _statistics(text: str, title: str) -> Statistics:
    found = re.search(rf"\[I\] {re.escape(title)}: (min = .+)$", text, re.MULTILINE)
    pairs = _PAIR.findall(found.group(1)) if found else []
    return {_STATISTICS.get(name, name): float(value) for name, value in pairs}


def _told(text: str, title: str) -> str | None:
    found = re.search(rf"\] {title}: (.+?)\s*$", text, re.MULTILINE)
    return found.group(1) if found else None


def _switch(text: str, title: str) -> bool | None:
    told = _told(text, title)
    return None if told is None else told == "Enabled"


def _version(text: str) -> str | None:
    told, head = _VERSION.search(text), _HEAD.search(text)
    if told:
        return told.group(1)
    if head is None:
        return None
    digits = int(head.group(1))
    # v8502 is 8.5.2; from 10 on there are two digits for each part, so v100300 is 10.3.0.
    parts = (digits // 10000, digits // 100 % 100, digits % 100) if digits >= 100_000 else None
    return ".".join(map(str, parts or (digits // 1000, digits // 100 % 10, digits % 100)))


def report_of_log(
    log: Path, model: Path | None = None, tegrastats: Path | None = None, nvpmodel: Path | None = None
) -> BenchReport:
    """Makes a report with one row of what trtexec printed.

    Args:
        log: Its output.
        model: The exported graph that it was given or that its engine was built from: says precision and sizes.
        tegrastats: ``tegrastats --logfile`` over the same time, for energy and temperature.
        nvpmodel: Output of ``nvpmodel -q``.

    Raises:
        DataError: A file cannot be read, or holds something else.
        ModelError: The model is missing, or no exported graph.
    """
    found = parse_trtexec(_read(log), str(log))
    samples = [parse_tegrastats(line) for line in _read(tegrastats).splitlines()] if tegrastats else []
    mode = parse_power_mode(_read(nvpmodel))["power_mode"] if nvpmodel else None
    if model is not None and not model.is_file():
        raise ModelError(f"{model}: no such file; name the .onnx that trtexec was given")
    row = {
        **unmeasured_row(str(model or found.model or log), "tensorrt", NOT_BY_TRTEXEC, _precision(found)),
        **(_identity(model) if model else {}),
        **_figures(found),
        **_energy(samples, found),
        "conditions": {side: _state(mode) for side in ("before", "after")},
        "timing": found.timing,
        "warnings": [*_told_twice(found), *(f"trtexec: {text}" for text in found.warnings)],
    }
    row["not_measured"] = {key: why for key, why in row["not_measured"].items() if row[key] is None}
    return BenchReport(FORMAT, _machine(found, mode), (row,))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _identity(model: Path) -> dict[str, Any]:
    carried = sealed_metadata(model.read_bytes(), str(model))
    info = ModelInfo.from_json(carried.get(METADATA_KEY), str(model))
    record = ExportRecord.from_dict(info.extra.get(EXPORT_KEY), str(model))
    (height, width), frame = info.preprocess.size, record.frame
    return {
        "precision": record.precision,
        "size": f"{height}x{width}",
        "frame": f"{frame[0]}x{frame[1]}" if frame else None,
        "batch": record.batch if isinstance(record.batch, int) else None,
        "model_digest": digest_file(model),
    }


def _precision(found: TrtexecLog) -> str | None:
    words = (found.precision or "").lower().split("+")
    return next((name for name in ("int8", "fp16", "bf16", "fp32") if name in words), None)


def _figures(found: TrtexecLog) -> dict[str, Any]:
    latency = {name: found.times["latency"].get(name) for name in ("min", "mean", "p50", "p90", "p95", "p99", "max")}
    parts = {name: statistics.get("p50") for name, statistics in found.times.items()}
    transfer = (parts.get("upload") or 0.0) + (parts.get("download") or 0.0)
    return {
        "latency_ms": latency,
        "p99_minus_p50_ms": round((latency["p99"] or 0.0) - (latency["p50"] or 0.0), 4),
        "pipelined_fps": found.throughput_fps,
        "pipelined_by": "trtexec, one frame ahead",
        "transfer_ms": round(transfer, 4) if found.transfers is not False else None,
        "network_ms": parts.get("network"),
        "enqueue_ms": parts.get("enqueue"),
    }


def _energy(samples: list[TegraSample], found: TrtexecLog) -> dict[str, Any]:
    known = [total for sample in samples if (total := sample.total_w()) is not None]
    if not known:
        return {"joules_per_frame": None, "energy": None}
    watts = sum(watts for watts, _ in known) / len(known)
    energy = {"source": "tegrastats", "covers": known[-1][1], "watts": round(watts, 3), "idle_watts": None}
    hottest = {name: max(s.temperature_c.get(name, -273.0) for s in samples) for name in samples[-1].temperature_c}
    return {
        "joules_per_frame": round(watts / found.throughput_fps, 5),
        "energy": {**energy, "samples": len(known), "hottest_c": hottest},
    }


def _state(mode: str | None) -> dict[str, Any]:
    names = ("cpu_mhz", "cpu_max_mhz", "governor", "temperature_c", "clocks_locked", "gpu", "throttle_events")
    return {**dict.fromkeys((*names, "quota_waits", "stolen_s")), "power_mode": mode}


def _told_twice(found: TrtexecLog) -> list[str]:
    notes = ["latency is trtexec's, which queues one frame ahead: it is not what a camera's frame waits"]
    if found.transfers is not True:
        notes.append("transfers are not in the latency; give trtexec --includeDataTransfers (TensorRT 11)")
    if "network" in found.times and found.times.get("enqueue", {}).get("p50", 0) > 0.8 * found.times["network"]["p50"]:
        notes.append("the host needs as long to queue a frame as the GPU to compute it; give trtexec --useCudaGraph")
    return notes


def _machine(found: TrtexecLog, mode: str | None) -> dict[str, Any]:
    gpu = {"name": found.device or "unknown GPU", "compute_capability": found.compute_capability}
    jetpack = next((pack for start, pack in JETPACK.items() if (found.tensorrt or "").startswith(start)), None)
    known_jetson = {"model": f"Jetson {found.device}", "jetpack": jetpack, "power_mode": mode}
    jetson = known_jetson if found.compute_capability in JETSON_CAPABILITIES else None
    known = {"cpu": None, "usable_cores": None, "cpu_limit": None, "memory_mb": None, "os": None, "virtual": False}
    return {**known, "packages": {"tensorrt": found.tensorrt}, "gpus": [gpu], "jetson": jetson}
