"""The command line. A command parses, calls one library function, reports; it imports what it needs inside."""

from __future__ import annotations

import sys

import typer

from edgeseg.cli import (
    active,
    bench,
    cache,
    crf,
    data,
    deployment,
    models,
    policy,
    queue,
    sweep,
    training,
    upload,
    vehicle,
)
from edgeseg.cli.demo import demo
from edgeseg.cli.doctor import doctor
from edgeseg.cli.report import report
from edgeseg.errors import AlreadyTold, EdgesegError, MissingDependencyError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

app = typer.Typer(
    name="edgeseg",
    help="Distil small road-segmentation networks, deploy them, and let the vehicle say which frames to label next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo)
app.command()(doctor)
app.add_typer(data.app, name="data")
models.register(app)
training.register(app)
app.add_typer(sweep.app, name="sweep")
app.add_typer(cache.app, name="cache")
app.add_typer(crf.app, name="crf")
deployment.register(app)
app.add_typer(bench.app, name="bench")
vehicle.register(app)
app.add_typer(policy.app, name="policy")
upload.register(app)
app.add_typer(queue.app, name="queue")
app.add_typer(active.app, name="active")
app.command()(report)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        from edgeseg import __version__

        typer.echo(__version__)
        raise typer.Exit()


def main() -> None:
    """Runs the command line; every error of the family ends in one message and its exit code."""
    try:
        app()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            typer.echo("interrupted; a command that has --resume goes on from here with it", err=True)
        raise
    except AlreadyTold as error:
        sys.exit(error.exit_code)
    except EdgesegError as error:
        _stop(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        _stop(str(_as_missing(error)), MissingDependencyError.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _stop(f"{place}{error.strerror or error}; check that the place exists, is writable and has space", 1)


_EXTRA_OF = {
    "torch": "train",
    "lightning_fabric": "train",
    "torchvision": "train",
    "safetensors": "train",
    "onnx": "train",
    "optuna": "train",
    "onnxruntime": "cpu",
    "openvino": "openvino",
    "tensorrt": "tensorrt",
    "matplotlib": "report",
    "jinja2": "report",
    "obstore": "vehicle",
    "prometheus_client": "vehicle",
    "sqlalchemy": "queue",
    "alembic": "queue",
    "psycopg": "queue",
    "starlette": "queue",
    "uvicorn": "queue",
}


def _as_missing(error: ModuleNotFoundError) -> MissingDependencyError:
    package = (error.name or "").split(".")[0]
    if package not in _EXTRA_OF:
        raise error
    return MissingDependencyError(
        f"this command needs {package}; install it with: pip install 'edgeseg[{_EXTRA_OF[package]}]'"
    )


def _stop(message: str, exit_code: int) -> None:
    typer.echo(f"error: {message}", err=True)
    sys.exit(exit_code)
