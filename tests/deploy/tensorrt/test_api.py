"""Every attribute of TensorRT that the code touches on a version's path exists in that version.

The attributes are read from the code's syntax tree: names are typed by their annotations (``engine: api.ICudaEngine``),
conditions on ``Features`` are decided by what the version has, and functions count from where they are called. What a
call of TensorRT gives must be annotated before an attribute of it is touched, so that nothing escapes. A parser's
errors are the exception: their fields are asked for with ``getattr`` and a default, whatever the version.
"""

from __future__ import annotations

import ast
import json
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest

import edgeseg
from edgeseg.deploy.tensorrt.features import Features

VERSIONS = ("8.6.1", "10.3.0", "10.16.1.11", "11.4.0.106")
ROOT = Path(edgeseg.__file__).parent / "deploy"
FILES = ("tensorrt/build.py", "tensorrt/configure.py", "tensorrt/network.py", "tensorrt/slot.py", "runners/tensorrt.py")
ENTRIES = {"build_plan", "__init__", "bind", "submit", "collect", "close", "_deserialize", "_engine_tensors"}
# The lists name these modules and classes, not what is in them; TensorRT-RTX, a real TensorRT, is asked for that.
WITHOUT_LIST = {"Logger", "LayerType", "TensorIOMode", "IOptimizationProfile", "ITimingCache"}
# Calls that give an enumeration's member: its name, which every one has, is what may be read.
GIVES_MEMBER = {("ICudaEngine", "get_tensor_dtype"): "DataType"}
# Attributes that the lists leave out although every version has them (they are properties of the base class).
EVERYWHERE = {("ILayer", "name"), ("ITensor", "name"), ("DataType", "name")}


class Paths(ast.NodeVisitor):
    """Attributes touched by a function on the path of one version, and the functions that it calls."""

    def __init__(self, features: Features) -> None:
        self.features, self.kinds = features, {}
        self.touched: set[tuple[str, str]] = set()
        self.called: set[str] = set()
        self.untyped: set[str] = set()
        self.fields: set[str] = set()
        self.escaped: set[str] = set()

    def run(self, function: ast.FunctionDef) -> None:
        self.kinds, self.untyped = {}, set()
        for argument in (*function.args.args, *function.args.kwonlyargs):
            self.learn(argument.arg, argument.annotation)
        for statement in function.body:
            self.visit(statement)

    def learn(self, name: str, annotation: ast.expr | None) -> None:
        if isinstance(annotation, ast.Attribute) and getattr(annotation.value, "id", None) == "api":
            self.kinds[name] = annotation.attr

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.learn(node.target.id, node.annotation)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Marks names that hold what TensorRT gave, unannotated, and fields that hold any of its objects."""
        for target in node.targets:
            both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            pairs = zip(target.elts, node.value.elts, strict=True) if both else [(target, node.value)]
            for left, right in pairs:
                if isinstance(left, ast.Name) and left.id not in self.kinds and self.giver(right):
                    self.untyped.add(left.id)
                if isinstance(left, ast.Attribute) and (
                    self.giver(right) or (isinstance(right, ast.Name) and right.id in self.kinds.keys() | self.untyped)
                ):
                    self.fields.add(left.attr)
        self.generic_visit(node)

    def giver(self, node: ast.expr) -> tuple[str, str] | None:
        """Kind and method, where an expression is a call of a typed object."""
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            kind = self.kinds.get(function.value.id)
            return (kind, function.attr) if kind else None
        return None

    def visit_If(self, node: ast.If) -> None:
        outcome = self.decide(node.test)
        self.visit(node.test)
        for statement in (*(node.body if outcome is not False else ()), *(node.orelse if outcome is not True else ())):
            self.visit(statement)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """What stands behind ``and`` is not reached once something before it is False."""
        for value in node.values:
            self.visit(value)
            if isinstance(node.op, ast.And) and self.decide(value) is False:
                return

    def decide(self, test: ast.expr) -> bool | None:
        if isinstance(test, ast.Attribute) and getattr(test.value, "id", None) == "features":
            return bool(getattr(self.features, test.attr))
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.decide(test.operand)
            return None if inner is None else not inner
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            parts = [self.decide(value) for value in test.values]
            return False if False in parts else True if all(parts) else None
        return None

    def visit_Attribute(self, node: ast.Attribute) -> None:
        inner = node.value
        if isinstance(inner, ast.Name) and inner.id in self.kinds:
            self.touched.add((self.kinds[inner.id], node.attr))
        elif isinstance(inner, ast.Attribute) and self.kinds.get(getattr(inner.value, "id", "")) == "Module":
            self.touched.add((inner.attr, node.attr))
        elif (given := self.giver(inner)) in GIVES_MEMBER:
            self.touched.add((GIVES_MEMBER[given], node.attr))
        elif (
            given
            or (isinstance(inner, ast.Name) and inner.id in self.untyped)
            or (isinstance(inner, ast.Attribute) and inner.attr in self.fields)
        ):
            self.escaped.add(ast.unparse(node))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        self.called.add(function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))
        self.generic_visit(node)


def functions(sources: dict[str, str]) -> dict[str, list[ast.FunctionDef]]:
    found: dict[str, list[ast.FunctionDef]] = {}
    for source in sources.values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(node)
    return found


def walked(sources: dict[str, str], features: Features) -> Paths:
    known, paths = functions(sources), Paths(features)
    for _ in range(2):  # again, since a field may be filled by a function that is read after one that touches it
        waiting, done = set(ENTRIES), set()
        while waiting:
            name = waiting.pop()
            done.add(name)
            for function in known.get(name, []):
                paths.run(function)
            waiting |= (paths.called & known.keys()) - done
    return paths


def touched(sources: dict[str, str], features: Features) -> set[tuple[str, str]]:
    return walked(sources, features).touched


def features_of(lists: dict) -> Features:
    module = {name: type(name, (), dict.fromkeys(names)) for name, names in lists.items() if isinstance(names, list)}
    return Features.of(SimpleNamespace(**module))


def missing(lists: dict, sources: dict[str, str]) -> list[str]:
    bad = []
    for kind, name in touched(sources, features_of(lists)) - EVERYWHERE:
        if kind == "Module":
            if name not in lists["top"] and name not in ("__version__", "ComputeCapability"):
                bad.append(f"tensorrt.{name}")
        elif kind in WITHOUT_LIST:
            bad += [] if kind in lists["top"] else [f"tensorrt.{kind}"]
        elif name not in (lists.get(kind) or ()):
            bad.append(f"{kind}.{name}")
    return sorted(bad)


@pytest.fixture
def sources() -> dict[str, str]:
    return {name: (ROOT / name).read_text() for name in FILES}


@pytest.fixture(params=VERSIONS)
def lists(request, tensorrt_lists) -> dict:
    return json.loads((tensorrt_lists / f"{request.param}.json").read_text())


def test_every_attribute_on_a_versions_path_is_there(lists, sources):
    assert missing(lists, sources) == []


def test_nothing_that_tensorrt_gives_is_touched_untyped(lists, sources):
    assert walked(sources, features_of(lists)).escaped == set()


@pytest.mark.parametrize(
    ("file", "before", "after", "told"),
    [
        ("tensorrt/configure.py", "profile: api.IOptimizationProfile =", "profile =", "profile.set_shape"),
        ("tensorrt/configure.py", "bytes(cache.", "bytes(config.get_timing_cache().", ").serialize"),
        ("tensorrt/slot.py", "min(shape, default=1)", "self._context.x", "self._context.x"),
    ],
)
def test_an_untyped_object_is_found(tensorrt_lists, sources, file, before, after, told):
    features = features_of(json.loads((tensorrt_lists / "10.3.0.json").read_text()))
    assert before in sources[file]
    found = walked({**sources, file: sources[file].replace(before, after)}, features).escaped
    assert any(text.endswith(told) for text in found), found


def lacking_in_rtx(sources: dict[str, str]) -> list[str]:
    trt = pytest.importorskip("tensorrt_rtx")
    everything = Features(*[True] * len(fields(Features)))
    unlisted = {(kind, name) for kind, name in touched(sources, everything) if kind in WITHOUT_LIST}
    assert {kind for kind, _ in unlisted} == WITHOUT_LIST
    return sorted(f"{kind}.{name}" for kind, name in unlisted if not hasattr(getattr(trt, kind), name))


def test_what_no_list_tells_is_there_in_a_real_tensorrt(sources):
    assert lacking_in_rtx(sources) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("profile.set_shape(", "profile.set_range(", "IOptimizationProfile.set_range"),
        ("cache.serialize(", "cache.dump(", "ITimingCache.dump"),
        ("trt.LayerType.SHAPE", "trt.LayerType.SIZE", "LayerType.SIZE"),
    ],
)
def test_a_wrong_attribute_of_a_class_without_list_is_found(sources, before, after, told):
    file = "tensorrt/configure.py"
    assert before in sources[file]
    assert lacking_in_rtx({**sources, file: sources[file].replace(before, after)}) == [told]


# What TensorRT 8.6 added to the classes on these paths (release/8.5's sources have none of it; 8.5 has no list here).
NEW_IN_8_6 = {
    ("BuilderFlag", "VERSION_COMPATIBLE"),
    ("BuilderFlag", "EXCLUDE_LEAN_RUNTIME"),
    ("BuilderFlag", "FP8"),
    ("IBuilderConfig", "builder_optimization_level"),
    ("IBuilderConfig", "hardware_compatibility_level"),
    ("IBuilderConfig", "max_aux_streams"),
    ("IBuilderConfig", "plugins_to_serialize"),
    ("Runtime", "engine_host_code_allowed"),
    ("Runtime", "load_runtime"),
    ("Module", "HardwareCompatibilityLevel"),
}


def test_nothing_that_8_6_added_is_touched_so_that_8_5_has_it_all(tensorrt_lists, sources):
    lists = json.loads((tensorrt_lists / "8.6.1.json").read_text())
    assert touched(sources, features_of(lists)) & NEW_IN_8_6 == set()


def test_the_paths_are_the_versions_own(lists, sources):
    found, old = touched(sources, features_of(lists)), lists["v"].startswith("8")
    assert {
        ("Builder", "build_serialized_network"),
        ("IBuilderConfig", "set_memory_pool_limit"),
        ("IBuilderConfig", "can_run_on_DLA"),
        ("BuilderFlag", "GPU_FALLBACK"),
        ("ICudaEngine", "get_tensor_mode"),
        ("IExecutionContext", "execute_async_v3"),
        ("Runtime", "deserialize_cuda_engine"),
    } <= found
    assert (("NetworkDefinitionCreationFlag", "STRONGLY_TYPED") in found) == (not old)
    assert (("BuilderFlag", "FP16") in found) == (not lists["v"].startswith("11"))
    assert ("IBuilderConfig", "set_compute_capability") not in found


@pytest.mark.parametrize(
    ("file", "before", "after", "told"),
    [
        ("tensorrt/build.py", "builder.build_serialized_network(", "builder.build_engine(", "Builder.build_engine"),
        ("tensorrt/slot.py", "context.execute_async_v3(", "context.execute_async_v2(", "execute_async_v2"),
        ("tensorrt/configure.py", "if features.weak_flags:", "if True:", "BuilderFlag.FP16"),
        ("tensorrt/network.py", "if features.explicit_batch:", "if True:", "EXPLICIT_BATCH"),
    ],
)
def test_a_wrong_attribute_is_found(tensorrt_lists, sources, file, before, after, told):
    lists = json.loads((tensorrt_lists / "11.4.0.106.json").read_text())
    assert before in sources[file]
    found = missing(lists, {**sources, file: sources[file].replace(before, after)})
    assert any(told in line for line in found), found
