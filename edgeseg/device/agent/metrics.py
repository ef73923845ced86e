"""Metrics for Prometheus, served over HTTP where they are asked for."""

from __future__ import annotations

from typing import Any, Final

from edgeseg.device.agent.status import FrameReport, Status
from edgeseg.errors import ConfigError, OutputError, require

LATENCY_BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """A server of metrics.

    Args:
        address: ``PORT`` or ``HOST:PORT``; without a host only this machine is served. Port 0 takes a free one.
        status: What is told.

    Attributes:
        port: Where it listens.

    Raises:
        ConfigError: The address has another form.
        OutputError: The port is taken.
        MissingDependencyError: prometheus-client is not installed.
    """

    def __init__(self, address: str, status: Status) -> None:
        client = require("prometheus_client", "vehicle")
        host, port = parse_address(address)
        self._status = status
        self._registry = client.CollectorRegistry()
        self._latency = client.Histogram(
            "edgeseg_frame_seconds", "Time of a frame by part.", ("part",), buckets=LATENCY_BUCKETS_S,
            registry=self._registry,
        )  # fmt: skip
        self._score = client.Summary("edgeseg_frame_score", "Score of a frame.", registry=self._registry)
        self._registry.register(_Counts(status))
        try:
            self._server, self._thread = client.start_http_server(port, host, registry=self._registry)
        except OSError as error:
            raise OutputError(f"--metrics {address}: cannot be served ({error.strerror}); name another port") from None
        self.port = int(self._server.server_port)

    def add(self, report: FrameReport) -> None:
        """Enters one frame."""
        for part, milliseconds in {"total": report.total_ms, **report.parts_ms}.items():
            if milliseconds is not None:
                self._latency.labels(part).observe(milliseconds / 1e3)
        if report.score is not None:
            self._score.observe(report.score)

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Counts:
    """Counts and gauges, read from the status when somebody asks."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> list[Any]:
        """All of them."""
        return [*self._counters(), *self._gauges()]

    def _counters(self) -> list[Any]:
        core = require("prometheus_client.core", "vehicle")
        status = self._status
        frames = core.CounterMetricFamily("edgeseg_frames", "Frames by what became of them.", labels=("outcome",))
        for outcome, count in (
            ("kept", status.kept),
            ("dropped", status.scored - status.kept),
            ("late", status.late),
            ("unfit", status.unfit),
        ):
            frames.add_metric((outcome,), count)
        troubles = core.CounterMetricFamily("edgeseg_troubles", "Frames with a trouble.", labels=("trouble",))
        for trouble, count in sorted(status.troubles.items()):
            troubles.add_metric((trouble,), count)
        reconnects = core.CounterMetricFamily("edgeseg_reconnects", "Losses of the source.", value=status.reconnects)
        swaps = core.CounterMetricFamily("edgeseg_model_swaps", "New models by outcome.", labels=("outcome",))
        swaps.add_metric(("taken",), status.swaps)
        swaps.add_metric(("refused",), status.refused_swaps)
        return [frames, troubles, reconnects, swaps]

    def _gauges(self) -> list[Any]:
        core = require("prometheus_client.core", "vehicle")
        gauges = [core.GaugeMetricFamily("edgeseg_resident_bytes", "Resident memory.", value=self._status.rss_mb * 1e6)]
        if self._status.spool is not None:
            items = core.GaugeMetricFamily("edgeseg_spool_items", "Items of the spool.", labels=("state",))
            for state, count in self._status.spool.to_dict().items():
                if state != "bytes":
                    items.add_metric((state,), count)
            size = self._status.spool.bytes
            gauges += [items, core.GaugeMetricFamily("edgeseg_spool_bytes", "Bytes in the spool.", value=size)]
        return gauges


def parse_address(text: str) -> tuple[str, int]:
    """Reads ``PORT`` or ``HOST:PORT``.

    Raises:
        ConfigError: The text has another form.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"--metrics {text!r}: write a port, or HOST:PORT, such as 9400 or 0.0.0.0:9400")
    return host or "127.0.0.1", int(port)
