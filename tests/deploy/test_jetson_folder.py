"""``deploy/jetson``: every command on the page, in the units and in the script is one that the command line has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from edgeseg.cli import app

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "jetson"
UNITS = tuple(sorted(path.name for path in FOLDER.glob("*.service")))


def commands(text: str) -> list[list[str]]:
    """Words of every ``edgeseg ...`` line, with lines that go on joined."""
    joined = text.replace("\\\n", " ")
    found = re.findall(r"^(?: {4,}|ExecStart=|\s*\[.*\|\| )?(?:\S*/)?edgeseg ([a-z].*)$", joined, re.MULTILINE)
    return [line.split("#")[0].split() for line in found]


def options_of(words: list[str]) -> tuple[set[str], str]:
    """Options of the command that the words name, and its name."""
    command = get_command(app)
    name = ""
    while hasattr(command, "commands"):
        word = words[0] if words and words[0] in command.commands else "run"
        words = words[1:] if words and words[0] in command.commands else words
        command, name = command.commands[word], f"{name} {word}".strip()
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}, name


@pytest.mark.parametrize("name", ["README.md", "benchmark.sh", *UNITS])
def test_commands_and_options_are_there(name):
    found = commands((FOLDER / name).read_text())
    assert found
    for words in found:
        known, command = options_of(words)
        given = {word for word in words if word.startswith("--")}
        assert given <= known, f"{name}: edgeseg {command} has no {given - known}"


def test_options_of_the_environment_files_are_there():
    for name, command in (("agent.env", "score"), ("upload.env", "upload")):
        given = set(re.findall(r"--[a-z-]+", (FOLDER / name).read_text()))
        assert given and given <= options_of([command])[0]


def test_every_variable_of_a_unit_is_in_its_environment_file():
    for unit, file in (("edgeseg-agent.service", "agent.env"), ("edgeseg-upload.service", "upload.env")):
        line = next(x for x in (FOLDER / unit).read_text().splitlines() if x.startswith("ExecStart="))
        used = set(re.findall(r"\$\{?([A-Z_]+)", line))
        assert used == set(re.findall(r"^([A-Z_]+)=", (FOLDER / file).read_text(), re.MULTILINE))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(unit):
    done = subprocess.run(["systemd-analyze", "verify", FOLDER / unit], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if unit in line and "is not executable" not in line]
    assert told == []


def test_container_copies_what_is_there():
    text = (FOLDER / "Containerfile").read_text()
    sources = [word for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert {"pyproject.toml", "edgeseg"} <= set(sources)
    assert all((ROOT / source).exists() for source in sources)


STAND_IN = """#!/bin/sh
echo "$@" >> "$CALLS"
case $1 in
    doctor) echo '{}' ;;
    export) touch "$5/$(basename "$2" .onnx).engine" "$5/$(basename "$2" .onnx).engine.json" ;;
    bench) while [ $# -gt 0 ]; do case $1 in --out | --markdown) touch "$2" ;; esac; shift; done ;;
esac
"""


def test_script_builds_measures_and_tables_every_graph(tmp_path):
    program = tmp_path / "bin" / "edgeseg"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    graphs, out, calls = tmp_path / "graphs", tmp_path / "out", tmp_path / "calls"
    graphs.mkdir()
    for name in ("a-fp16", "b-int8"):
        (graphs / f"{name}.onnx").touch()
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "CALLS": str(calls)}
    script = ["sh", FOLDER / "benchmark.sh"]
    subprocess.run([*script, graphs, "D", out], env=environment, check=True)
    done = [line.split() for line in calls.read_text().splitlines()]
    assert [words[0] for words in done] == ["doctor", "export", "bench", "export", "bench", "bench"]
    assert done[-1][:2] == ["bench", "table"]
    assert done[-1][2:4] == [f"{out}/a-fp16.json", f"{out}/b-int8.json"]
    assert subprocess.run(script, capture_output=True, check=False).returncode == 2


def test_page_says_of_every_machine_that_nothing_was_measured():
    rows = [
        line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| ") and "JetPack" in line
    ]
    assert len(rows) == 4
    for row in rows:
        assert {cell.strip() for cell in row.strip("|").split("|")[1:]} == {"not measured"}
