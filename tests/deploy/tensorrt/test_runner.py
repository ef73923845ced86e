from __future__ import annotations

import numpy as np
import pytest

from edgeseg.deploy import evaluation
from edgeseg.deploy.benchmark import loop
from edgeseg.deploy.benchmark.stages import stages
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.tensorrt.slot import Slot
from edgeseg.errors import ConfigError, DataError, MissingDependencyError, ModelError
from edgeseg.files import digest_file


@pytest.fixture
def bench(make_bench, exported):
    return make_bench(exported)


def frames(count, shape=(133, 201)):
    return [np.random.default_rng(seed).integers(0, 256, (1, *shape, 3), np.uint8) for seed in range(count)]


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_closed_loop_gives_what_the_graph_gives(bench):
    with bench.open() as runner, open_runner(bench.graph) as reference:
        assert runner.output_names == reference.output_names
        assert runner.digest == digest_file(bench.path)
        assert (runner.backend, runner.size) == ("tensorrt", (64, 96))
        results = [runner.infer_batch(batch) for batch in frames(4)]
        assert all(same(result, reference.infer_batch(batch)) for result, batch in zip(results, frames(4), strict=True))
    assert bench.device.launches == 3, "all but the first frame of a shape are replayed"
    assert bench.device.left_over() == []


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("in_flight", [1, 2, 3])
def test_pipeline_gives_the_same_in_order(bench, graph, in_flight):
    with bench.open(graph=graph, in_flight=in_flight) as runner, open_runner(bench.graph) as reference:
        found = list(runner.stream(iter(frames(7))))
        assert len(found) == 7
        assert all(same(result, reference.infer_batch(batch)) for result, batch in zip(found, frames(7), strict=True))
    assert (bench.device.launches > 0) == graph
    assert bench.device.left_over() == []


def test_pipeline_keeps_two_frames_on_the_gpu(bench):
    taken = []

    def source():
        for batch in frames(5):
            taken.append(1)
            yield batch

    with bench.open() as runner:
        results = runner.stream(source())
        next(results)
        assert len(taken) == 3
        assert sum(slot.pending for slot in runner._slots) == 1
        results.close()
        assert not any(slot.pending for slot in runner._slots)


def test_frames_of_another_size_get_buffers_of_their_own(bench):
    shapes = [(133, 201), (133, 201), (70, 90), (133, 201)]
    with bench.open() as runner, open_runner(bench.graph) as reference:
        for shape in shapes:
            assert same(runner.infer_batch(frames(1, shape)[0]), reference.infer_batch(frames(1, shape)[0]))
        assert len(bench.device.memory) == 6, "one input and five outputs"


def test_results_outlive_the_next_call(bench):
    first, second = frames(2)
    with bench.open() as runner:
        kept = runner.infer_batch(first)
        copies = {name: array.copy() for name, array in kept.items()}
        runner.infer_batch(second)
        assert same(kept, copies)


def test_times_are_apart_until_a_graph_takes_over(bench):
    with bench.open() as runner:
        runner.infer_batch(frames(1)[0])
        plain = runner.times
        assert (plain.upload_ms, plain.network_ms, plain.total_ms) == (1.0, 1.0, 3.0)
        runner.infer_batch(frames(1)[0])
        assert runner.times.network_ms is None
        assert runner.times.total_ms == 1.0


def test_parts_can_be_told_apart_although_a_graph_took_over(bench):
    with bench.open() as runner, open_runner(bench.graph) as reference:
        for batch in frames(2):
            runner.infer_batch(batch)
        launches = bench.device.launches
        times = runner.stage_times(runner.prepare(frames(1)[0]))
        assert (times.upload_ms, times.network_ms, times.download_ms) == (1.0, 1.0, 1.0)
        assert bench.device.launches == launches
        assert same(runner.infer_batch(frames(1)[0]), reference.infer_batch(frames(1)[0]))
        assert bench.device.launches == launches + 1
        assert runner.times.network_ms is None
    assert bench.device.left_over() == []


def test_benchmark_times_an_engine_both_ways_and_its_parts_apart(bench):
    with bench.open() as runner:
        (batch,) = frames(1)
        closed = loop.closed_loop(runner, batch, 3)
        fps, how = loop.pipelined(runner, batch, 3)
        found = stages(runner, batch, closed, 5.0)
    assert (closed.wall_s > 0, fps > 0, how) == (True, True, "stream")
    assert (found["transfer_ms"], found["network_ms"], found["preprocess_ms"]) == (2.0, 1.0, None)
    assert "tensorrt does not tell its nodes apart" in found["not_measured"]["preprocess_ms"]
    assert bench.device.left_over() == []


def test_engine_that_cannot_be_captured_goes_on_without_a_graph(bench, monkeypatch):
    whole = Slot._execute

    def refuses(slot, context):
        if bench.device.capturing:
            raise ModelError("not while capturing")
        whole(slot, context)

    monkeypatch.setattr(Slot, "_execute", refuses)
    with bench.open() as runner, open_runner(bench.graph) as reference:
        for batch in frames(3):
            assert same(runner.infer_batch(batch), reference.infer_batch(batch))
        assert not runner._slots[0].replays
    assert bench.device.left_over() == []


def test_evaluation_runs_on_an_engine(bench, make_dataset):
    with bench.open() as runner, open_runner(bench.graph) as reference:
        dataset = make_dataset()
        assert evaluation.evaluate(runner, dataset).iou == evaluation.evaluate(reference, dataset).iou


def test_frame_that_the_profile_excludes_is_refused(bench):
    with bench.open() as runner, pytest.raises(DataError, match=r"does not take frame of shape .*--frame"):
        runner.infer(np.zeros((2500, 8, 3), np.uint8))


def test_batch_that_the_engine_does_not_take_is_refused(bench):
    with bench.open() as runner, pytest.raises(DataError, match=r"takes batches of 1, got 2; export it with --batch 2"):
        runner.infer_batch(np.zeros((2, 8, 8, 3), np.uint8))


def test_failed_run_is_told(bench):
    with bench.open() as runner:
        bench.trt.contexts[0].refuse = True
        with pytest.raises(ModelError, match="TensorRT could not run the engine"):
            runner.infer_batch(frames(1)[0])


def test_engine_of_another_version_is_refused(bench):
    bench.trt.__version__ = "8.6.1"
    with pytest.raises(
        ModelError, match=r"m.engine: was built for TensorRT 10.3.0, this machine has 8.6.1; .*build it"
    ):
        bench.open()
    assert bench.trt.deserialized == 0


def test_engine_of_another_gpu_is_refused(bench, gtx):
    message = r"was built for GPU Orin .*8.7, 16 multi.*, this machine has NVIDIA GeForce GTX 1080 Ti .*6.1"
    with pytest.raises(ModelError, match=message):
        bench.open(driver=gtx)
    assert bench.trt.deserialized == 0


def test_machine_without_a_driver_is_told_before_tensorrt_is_touched(bench, monkeypatch):
    monkeypatch.setattr("edgeseg.deploy.runners.tensorrt.probe_driver", lambda: None)
    monkeypatch.setattr("edgeseg.errors.import_module", lambda name: pytest.fail(f"{name} was imported"))
    with pytest.raises(MissingDependencyError, match=r"m.engine: an engine needs an NVIDIA GPU, .*no CUDA driver"):
        open_runner(bench.path)


def test_engine_that_tensorrt_refuses_is_told(make_bench, exported):
    with pytest.raises(ModelError, match=r"TensorRT 10.3.0 cannot load it .*build it again here"):
        make_bench(exported, plan=b"bad").open()


def test_engine_whose_tensors_are_not_those_of_its_record_is_refused(make_bench, exported, exported_with_logits):
    bench = make_bench(exported)
    bench.trt._graph = exported_with_logits
    with pytest.raises(ModelError, match="its metadata does not describe its graph"):
        bench.open()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"threads": 2}, "leave --threads out"), ({"size": (40, 72)}, "built for --size 64x96, not 40x72")],
)
def test_options_that_an_engine_has_not_are_refused(bench, options, message):
    with pytest.raises(ConfigError, match=message):
        bench.open(**options)


def test_a_slot_holds_one_frame(bench):
    with bench.open() as runner:
        slot = runner._slots[0]
        with pytest.raises(ModelError, match="holds no frame"):
            slot.collect()
        runner._submit(slot, frames(1)[0])
        with pytest.raises(ModelError, match="still holds a frame"):
            runner._submit(slot, frames(1)[0])
