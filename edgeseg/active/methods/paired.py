"""``A+B``: the selection of one method and the training of another, so that what each brings can be told apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edgeseg.active.choices import Choice
from edgeseg.active.methods.base import About, Method, Round, Start
from edgeseg.errors import ConfigError
from edgeseg.students import TrainSettings


class Paired(Method):
    """Selects as the first, trains as the second.

    Args:
        name: Of the pair, for messages.
        selector: Must not need a training of its own.
        trainer: Its selection is not used.
    """

    def __init__(self, name: str, selector: Method, trainer: Method) -> None:
        super().__init__(trainer.options)
        self.name, self.selector, self.trainer = name, selector, trainer
        self.needs, self.members = selector.needs, selector.members
        self.rest, self.semi, self.unbounded = trainer.rest, trainer.semi or selector.semi, selector.unbounded

    def training(self, settings: TrainSettings) -> TrainSettings:
        """The second's.

        Raises:
            ConfigError: The first selects by what only its own training gives.
        """
        if self.selector.training(settings).extra_loss != settings.extra_loss:
            raise ConfigError(
                f"strategy {self.name}: the first one selects by a loss of its own, which the second would replace; "
                "put one first that trains as usual, such as random"
            )
        return self.trainer.training(settings)

    def prepare(self, start: Start) -> None:
        """The first's."""
        self.selector.prepare(start)

    def select(self, state: Round) -> Iterable[Choice]:
        """The first's."""
        return self.selector.select(state)

    def close(self) -> None:
        """Frees what both hold."""
        self.selector.close()
        self.trainer.close()


def paired_about(selector: About, trainer: About, trainer_name: str) -> About:
    """What is told of a pair."""
    return replace(
        selector,
        needs=trainer.needs,
        costs=trainer.costs,
        source=trainer.source,
        use_when=f"to see what {trainer_name}'s training brings without its selection",
    )
