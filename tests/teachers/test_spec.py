from __future__ import annotations

import pytest

from edgeseg.errors import ConfigError
from edgeseg.teachers import TeacherSpec, parse_spec


@pytest.mark.parametrize(
    ("text", "model", "temperature", "kind"),
    [
        ("erfnet.edgeseg:3", "erfnet.edgeseg", 3.0, "checkpoint"),
        ("/a:b/icnet.onnx:4.5", "/a:b/icnet.onnx", 4.5, "onnx"),
        ("package.module:factory:5", "package.module:factory", 5.0, "factory"),
    ],
)
def test_spec_takes_what_follows_the_last_colon(text: str, model: str, temperature: float, kind: str) -> None:
    spec = parse_spec(text)
    assert spec == TeacherSpec(model, temperature) and spec.kind == kind


@pytest.mark.parametrize("text", ["erfnet.edgeseg", "package.module:factory", ":3", "x.edgeseg:", "3"])
def test_spec_without_model_or_temperature_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write it as MODEL:T"):
        parse_spec(text)


@pytest.mark.parametrize("temperature", ["0", "-1", "nan", "inf"])
def test_temperature_must_be_above_zero(temperature: str) -> None:
    with pytest.raises(ConfigError, match=r"T must be a number above 0, got"):
        parse_spec(f"erfnet.edgeseg:{temperature}")


def test_unknown_kind_of_model_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"weights\.pth: is no kind of model that can teach"):
        _ = parse_spec("weights.pth:3").kind
