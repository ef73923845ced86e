"""Latency, throughput, memory and energy of models, with the machine and its state beside every figure."""

from edgeseg.deploy.benchmark.report import BenchReport
from edgeseg.deploy.benchmark.run import benchmark
from edgeseg.deploy.benchmark.settings import BenchSettings

__all__ = ["BenchReport", "BenchSettings", "benchmark"]
