"""Double deep Q-learning (van Hasselt, Guez, Silver, AAAI 2016) with a target copy and the Huber loss."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.active.methods.region_dqn.memory import Memory, Transition
from edgeseg.active.methods.region_dqn.query_network import QueryNetwork
from edgeseg.active.methods.region_dqn.settings import RalisSettings


class QLearner:
    """Trains a Q-network from memory.

    Args:
        network: Changed in place; it is in evaluation mode whenever it is not trained.
        settings: See there.
        chance: Draws the batches.
    """

    def __init__(self, network: QueryNetwork, settings: RalisSettings, chance: torch.Generator) -> None:
        self.network, self.settings, self._chance = network.eval(), settings, chance
        self.target = copy.deepcopy(network).eval().requires_grad_(False)
        self._steps = torch.optim.SGD(network.parameters(), settings.learning_rate)
        self._taken = 0

    def learn(self, memory: Memory) -> float | None:
        """One step on a batch; its loss, None while there are too few transitions for one."""
        if len(memory) < self.settings.batch_size:
            return None
        batch = memory.draw(self.settings.batch_size, self._chance)
        wanted = self.targets(batch)
        loss = functional.smooth_l1_loss(self._values(batch), wanted)
        self._steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._steps.step()
        self._taken += 1
        if self._taken % self.settings.copy_every == 0:
            self.target.load_state_dict(self.network.state_dict())
        return float(loss.detach())

    @torch.no_grad()
    def targets(self, batch: list[Transition]) -> Tensor:
        """R + γ · Q'(s', argmax_a Q(s', a)), Q' the target's value; r alone where the episode ended: (B,)."""
        wanted = torch.tensor([transition.reward for transition in batch])
        going_on = [i for i, transition in enumerate(batch) if transition.next_state is not None]
        if not going_on:
            return wanted
        states = torch.stack([state for t in batch if (state := t.next_state) is not None])
        pools = torch.stack([pool for t in batch if (pool := t.next_candidates) is not None])
        best = self.network(states, pools).argmax(1, keepdim=True)
        wanted[going_on] += self.settings.discount * self.target(states, pools).gather(1, best)[:, 0]
        return wanted

    def _values(self, batch: list[Transition]) -> Tensor:
        """Q of what was done (B,), in training mode."""
        self.network.train()
        states, pools = torch.stack([t.state for t in batch]), torch.stack([t.candidates for t in batch])
        actions = torch.tensor([[t.action] for t in batch])
        values: Tensor = self.network(states, pools).gather(1, actions)[:, 0]
        self.network.eval()
        return values
