"""The folder of a sweep: its settings, its trials, and one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from edgeseg import config
from edgeseg.errors import ConfigError, OutputError
from edgeseg.files import atomic_path, locked
from edgeseg.students.run_folder import FREE_SETTINGS, changed
from edgeseg.students.sweep.settings import SweepSettings

STUDY_NAME = "sweep"


class SweepFolder:
    """Names and files of a sweep's folder.

    Args:
        path: The folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings, self.study, self.best = path / "sweep.yaml", path / "study.db", path / "best.yaml"

    def training(self, trial: int, seed: int) -> Path:
        """Folder of one training."""
        return self.path / "trials" / f"{trial:04d}" / f"seed{seed}"

    @contextmanager
    def claimed(self, settings: SweepSettings, resume: bool) -> Iterator[None]:
        """Inside, the folder is this sweep's, and no other process may work on it.

        Raises:
            ConfigError: It holds another sweep; the message lists how it differs.
            OutputError: It holds a sweep and ``resume`` is off, another process works on it, or it cannot be written.
        """
        busy = f"{self.path}: another process runs this sweep; wait for it, or name another --out"
        with locked(self.path, busy):
            self._settle(settings, resume)
            yield

    def open_study(self) -> optuna.Study:
        """Opens the study; a new one is made whole, so that a killed sweep leaves none that cannot be opened.

        Raises:
            OutputError: The place cannot be written.
        """
        if not self.study.exists():
            with atomic_path(self.study) as partial:
                storage = optuna.storages.RDBStorage(f"sqlite:///{partial}")
                optuna.create_study(storage=storage, study_name=STUDY_NAME, direction="maximize")
                storage.remove_session()
                storage.engine.dispose()
        return optuna.load_study(study_name=STUDY_NAME, storage=f"sqlite:///{self.study}")

    def _settle(self, settings: SweepSettings, resume: bool) -> None:
        now = config.to_plain(settings)
        if self.settings.exists():
            before = config.read_mapping(self.settings)
            if lines := changed(_deciding(before), _deciding(now)):
                raise ConfigError(
                    f"{self.path} holds another sweep ({'; '.join(lines)}); "
                    "resume with its own settings, or name another --out"
                )
            if not resume:
                raise OutputError(f"{self.path} holds a sweep; go on with it by --resume, or name another --out")
        config.write(settings, self.settings)


def _deciding(plain: dict[str, Any]) -> dict[str, Any]:
    """Plain settings without those that may differ when a sweep goes on: more trials may be asked for."""
    base = {name: value for name, value in plain.get("base", {}).items() if name not in FREE_SETTINGS}
    return {name: value for name, value in plain.items() if name != "trials"} | {"base": base}
