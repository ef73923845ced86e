"""``edgeseg bench``: measure models; ``bench compare``, ``table`` and ``trtexec`` work on what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from edgeseg.cli.common import Json, parse_size, print_json, print_table

if TYPE_CHECKING:
    from edgeseg.deploy.benchmark import BenchReport

SCORER = "edgeseg.device.rehearsal:rehearsal"
"""Times the vehicle's scoring; handed over by name, since the benchmark knows nothing of the vehicle."""
DEFAULT = "run"


class MeasuresByDefault(TyperGroup):
    """A group whose first word may be a model instead of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the default command before words that name none."""
        if not args or args[0] not in self.commands:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=MeasuresByDefault, help="Measure latency, memory, energy and quality of models.")

Out = Annotated[Path | None, typer.Option("--out", help="File for the JSON report.")]
Markdown = Annotated[Path | None, typer.Option("--markdown", help="File for the tables in Markdown.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="PNG or SVG of latency against mIoU.")]


@app.command(
    DEFAULT,
    epilog="On reports: edgeseg bench compare A.json B.json; bench table A.json ...; bench trtexec LOG (each --help).",
)
def run(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL ...", help=".onnx, .xml, .engine or .edgeseg; several in turn.")
    ],
    backend: Annotated[
        str | None, typer.Option("--backend", help="onnxruntime, openvino, tensorrt, torch; several by commas.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option("--size", metavar="HxW", help="Network input; repeatable. An exported graph has one."),
    ] = None,
    frame: Annotated[
        str | None, typer.Option("--frame", metavar="HxW", help="Camera frame; default: as exported.")
    ] = None,
    threads: Annotated[list[int] | None, typer.Option("--threads", help="Threads of the network; repeatable.")] = None,
    iterations: Annotated[int, typer.Option("--iterations", help="Measured frames a row.")] = 100,
    warm_up: Annotated[int, typer.Option("--warm-up", help="Frames before them at least; goes on until steady.")] = 10,
    warm_up_limit: Annotated[
        float, typer.Option("--warm-up-limit", help="Seconds after which warming up ends in any case.")
    ] = 20.0,
    strategy: Annotated[
        str, typer.Option("--strategy", metavar="S", help="Scores the frame for the scoring column, as score does.")
    ] = "superpixel",
    miou: Annotated[
        bool, typer.Option("--miou/--no-miou", help="With --data: evaluate every row's model, too.")
    ] = True,
    data: Annotated[
        str | None, typer.Option("--data", metavar="D", help="Real frames, and labels for the mIoU column.")
    ] = None,
    out: Out = None,
    to_markdown: Markdown = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Measure models: latency and its parts, throughput, memory, energy and mIoU, with the machine described."""
    from edgeseg.deploy.benchmark import BenchSettings, benchmark

    settings = BenchSettings(
        backends=tuple(backend.split(",")) if backend else (),
        sizes=tuple(parsed for text in size or () if (parsed := parse_size(text, "--size"))),
        frame=parse_size(frame, "--frame"),
        threads=tuple(threads or ()),
        iterations=iterations,
        warm_up=warm_up,
        warm_up_limit_s=warm_up_limit,
        data=data,
        miou=miou,
        scorer=SCORER,
        strategy=strategy,
    )
    _give(benchmark(models, settings), out, to_markdown, plot, as_json)


def _give(report: BenchReport, out: Path | None, to_markdown: Path | None, plot: Path | None, as_json: bool) -> None:
    import json

    from edgeseg.files import write_atomic

    if out:
        write_atomic(out, json.dumps(report.to_dict(), indent=2) + "\n")
    if to_markdown:
        write_atomic(to_markdown, report.markdown())
    if plot:
        _draw([report], plot)
    if as_json:
        print_json(report.to_dict())
    else:
        for title, columns, rows in report.tables():
            print_table(columns, rows, title)


def _draw(reports: list[BenchReport], plot: Path) -> None:
    from edgeseg.report.pareto import points_of, write_pareto

    write_pareto(plot, points_of([report.to_dict() for report in reports]))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.json", help="The reference, as bench --out wrote it.")],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="What is held against it.")],
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="CONDITION", help="May differ: what the comparison is about; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two reports row by row; refuses what was not measured under like conditions, and names them."""
    from edgeseg.deploy.benchmark.compare import compare as comparing
    from edgeseg.deploy.benchmark.report import read_report

    found = comparing(read_report(a), read_report(b), tuple(allow or ()))
    if as_json:
        print_json(found.to_dict())
    else:
        print_table(*found.table())


@app.command()
def table(
    reports: Annotated[list[Path], typer.Argument(metavar="REPORT.json ...", help="As bench --out wrote them.")],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", help="A machine that shall stand in the table, measured or not; repeatable."),
    ] = None,
    to_markdown: Markdown = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Put reports of several machines into one table and one plot."""
    from edgeseg.deploy.benchmark.report import markdown, read_report
    from edgeseg.files import write_atomic

    read = [read_report(path) for path in reports]
    text = markdown(read, tuple(target or ()))
    if to_markdown:
        write_atomic(to_markdown, text)
    if plot:
        _draw(read, plot)
    if as_json:
        print_json({"reports": [report.to_dict() for report in read]})
    elif not to_markdown:
        typer.echo(text)


@app.command()
def trtexec(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="What trtexec printed.")],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="M.onnx", help="The graph that it was given; names the row.")
    ] = None,
    tegrastats: Annotated[
        Path | None, typer.Option("--tegrastats", metavar="LOG", help="tegrastats --logfile of the same time.")
    ] = None,
    nvpmodel: Annotated[
        Path | None, typer.Option("--nvpmodel", metavar="LOG", help="What nvpmodel -q printed before.")
    ] = None,
    out: Out = None,
    to_markdown: Markdown = None,
    as_json: Json = False,
) -> None:
    """Make a report of what trtexec printed on a machine where edgeseg does not run, such as JetPack 5."""
    from edgeseg.deploy.benchmark.trtexec import report_of_log

    _give(report_of_log(log, model, tegrastats, nvpmodel), out, to_markdown, None, as_json)
