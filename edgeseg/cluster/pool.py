"""A pool of Ray actors with at most one item each under way, so that the death of one costs one item."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from edgeseg.cluster.connection import Cluster
from edgeseg.errors import ClusterError, EdgesegError
from edgeseg.progress import say

MOST_DEATHS: Final = 3
START_SECONDS: Final = 600.0


class Pool:
    """Actors of one class, as many as the cluster has room for.

    Ray restarts an actor that died, on another node if need be. Its state is gone then, so it is given items only
    after its ``load`` has run again; meanwhile the others go on.

    Args:
        cluster: Where they run.
        kind: Their class; its ``load`` makes one ready.
        arguments: Of its constructor.
        loads: What ``load`` loads, for messages.
    """

    def __init__(self, cluster: Cluster, kind: type, arguments: tuple[Any, ...], loads: str) -> None:
        self._loads = loads
        self._ray = cluster.ray
        self._name = cluster.name
        make = self._ray.remote(
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus,
            max_restarts=-1,
            # Not 0, or Ray would refuse a call to an actor that is being restarted instead of letting it wait.
            max_task_retries=MOST_DEATHS,
            scheduling_strategy="SPREAD",
        )(kind)
        self._actors = [make.remote(*arguments) for _ in range(cluster.workers)]
        self._free: list[Any] = []
        self._starting: dict[Any, Any] = {}
        self._running: dict[Any, tuple[Any, int]] = {}
        self._deaths = Counter[int]()
        for actor in self._actors:
            self._start(actor)

    def run(
        self, items: Sequence[int], method: str, arguments: Callable[[int], tuple[Any, ...]], name: Callable[[int], str]
    ) -> Iterator[tuple[int, Any]]:
        """Spreads items over the actors; results come as they are ready.

        Args:
            items: What to do.
            method: Of the actors, that does it.
            arguments: Of that method, for an item.
            name: Of an item, for messages.

        Raises:
            EdgesegError: What an actor raised.
            ClusterError: Actors died ``MOST_DEATHS`` times at the same item, or one failed in another way, or none
                was ready within ``START_SECONDS``.
        """
        waiting, finished = deque(items), list[tuple[int, Any]]()
        while waiting or self._running or finished:
            while waiting and self._free:
                actor, item = self._free.pop(), waiting.popleft()
                call = getattr(actor, method).options(max_task_retries=0)
                self._running[call.remote(*arguments(item))] = (actor, item)
            # Only now, so that no actor stands idle while the caller writes.
            yield from finished
            finished = self._collect(waiting, name) if waiting or self._running else []

    def close(self) -> None:
        """Ends the actors."""
        for actor in self._actors:
            self._ray.kill(actor)

    def _start(self, actor: Any) -> None:
        self._starting[actor.load.remote()] = actor

    def _collect(self, waiting: deque[int], name: Callable[[int], str]) -> list[tuple[int, Any]]:
        """Results that are ready; an item whose actor died goes back to those that wait."""
        finished = []
        for reference in self._ready():
            if reference in self._starting:
                self._finish_start(reference)
                continue
            actor, item = self._running.pop(reference)
            try:
                finished.append((item, self._result(reference, name(item))))
                self._free.append(actor)
            except self._ray.exceptions.RayError as error:
                self._note_death(item, name(item), error)
                waiting.appendleft(item)
                self._start(actor)
        return finished

    def _ready(self) -> list[Any]:
        references = [*self._running, *self._starting]
        patience = None if self._running else START_SECONDS
        ready, _ = self._ray.wait(references, timeout=patience)
        if not ready:
            raise ClusterError(
                f"{self._name} started no worker within {START_SECONDS:.0f} s; see with: ray status, whether its CPUs "
                "and GPUs are taken by other jobs"
            )
        more, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return list(more)

    def _finish_start(self, reference: Any) -> None:
        actor = self._starting.pop(reference)
        try:
            self._result(reference, f"loading {self._loads}")
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                f"a worker of {self._name} died while it loaded {self._loads}: {_last_line(error)}; is edgeseg "
                f"installed on every node, with memory enough for {self._loads}?"
            ) from None
        self._free.append(actor)

    def _result(self, reference: Any, what: str) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, EdgesegError):
                raise error.cause from None
            raise ClusterError(
                f"{what}: a worker of {self._name} failed: {type(error.cause).__name__}: {error.cause}"
            ) from None

    def _note_death(self, item: int, name: str, error: Exception) -> None:
        self._deaths[item] += 1
        if self._deaths[item] >= MOST_DEATHS:
            raise ClusterError(
                f"{name}: {MOST_DEATHS} workers of {self._name} died at this frame: {_last_line(error)}; does a node "
                "have too little memory for it?"
            )
        say(f"{name}: its worker died, so another one computes it")


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()
