"""RALIS's Q-network, target, reward and exploration, on toys of two steps whose values are known."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from edgeseg.active.methods.region_dqn.divergences import BINS
from edgeseg.active.methods.region_dqn.episodes import EpisodeFigures, choose, q_values, train_policy
from edgeseg.active.methods.region_dqn.exploration import exploration
from edgeseg.active.methods.region_dqn.memory import Memory, Observation, Transition, transitions
from edgeseg.active.methods.region_dqn.q_learning import QLearner
from edgeseg.active.methods.region_dqn.query_network import QueryNetwork
from edgeseg.active.methods.region_dqn.reward import Rewards
from edgeseg.active.methods.region_dqn.settings import RalisSettings
from edgeseg.active.methods.region_dqn.vectors import vector_length
from edgeseg.errors import ConfigError

CLASSES, STATE, POOL = 2, 3, 4
EPISODES = 40
V = vector_length(CLASSES)


def _network(seed: int = 0) -> QueryNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return QueryNetwork(CLASSES, STATE).eval()


def _seen(pools: int = 2, seed: int = 0) -> Observation:
    chance = torch.Generator().manual_seed(seed)
    return Observation(torch.rand(STATE, V, generator=chance), torch.rand(pools, POOL, V + 2 * BINS, generator=chance))


def test_camvid_network_has_the_authors_number_of_weights() -> None:
    assert sum(p.numel() for p in QueryNetwork(11, 240).parameters()) == pytest.approx(0.39e6, rel=0.02)


def test_value_is_the_product_of_gate_and_joined_features() -> None:
    network, seen = _network(), _seen()
    found = q_values(network, seen)
    for k in range(2):
        for n in range(POOL):
            candidate = seen.candidates[k, n][None]
            regions = network.region(seen.state)[:, 0]
            joined = torch.cat((network.action(candidate[:, :V]), network.state(regions[None])), 1)
            expected = torch.sigmoid(network.gate(candidate[:, V:])) * network.value(joined)
            torch.testing.assert_close(found[k, n], expected[0, 0])


def test_a_closed_gate_gives_no_value_to_what_resembles_the_labels() -> None:
    network = _network()
    torch.nn.init.zeros_(network.gate[2].weight)
    torch.nn.init.constant_(network.gate[2].bias, -50.0)
    assert q_values(network, _seen()).abs().max() < 1e-12


def test_a_value_does_not_depend_on_the_other_pools_and_leaves_the_statistics() -> None:
    network, seen = _network().train(), _seen(6)
    before = {name: value.clone() for name, value in network.named_buffers()}
    together = q_values(network, seen)
    alone = torch.cat([q_values(network, Observation(seen.state, seen.candidates[k : k + 1])) for k in range(6)])
    torch.testing.assert_close(together, alone)
    assert all(torch.equal(before[name], value) for name, value in network.named_buffers())


def _two_steps() -> list[Transition]:
    """One pool: action 1 pays 2 points and leads on, action 3 pays -1 and ends the episode."""
    first, second = _seen(1, seed=1), _seen(1, seed=2)
    return transitions(first, torch.tensor([1]), 2.0, second) + transitions(second, torch.tensor([3]), -1.0, None)


def test_target_of_two_steps_takes_the_networks_choice_at_the_target_copys_value() -> None:
    learner = QLearner(_network(0), RalisSettings(discount=0.9), torch.Generator())
    learner.target = _network(7)
    steps = _two_steps()
    second = Observation(steps[1].state, steps[1].candidates[None])
    chosen, valued = q_values(learner.network, second)[0], q_values(learner.target, second)[0]
    assert int(chosen.argmax()) != int(valued.argmax()), "the toy must tell double from plain Q-learning"
    wanted = learner.targets(steps)
    assert wanted.tolist() == pytest.approx([2.0 + 0.9 * float(valued[chosen.argmax()]), -1.0], abs=1e-6)


def test_every_pool_of_a_step_is_paid_the_same() -> None:
    before, after = _seen(3, seed=1), _seen(3, seed=2)
    made = transitions(before, torch.tensor([0, 3, 1]), 1.5, after)
    assert [(t.action, t.reward) for t in made] == [(0, 1.5), (3, 1.5), (1, 1.5)]
    assert all(torch.equal(t.candidates, before.candidates[k]) for k, t in enumerate(made))
    assert all(torch.equal(t.next_candidates, after.candidates[k]) for k, t in enumerate(made))


def test_loss_is_hubers_against_the_target_and_the_copy_follows_every_few_steps() -> None:
    settings = RalisSettings(batch_size=2, memory=2, copy_every=3, learning_rate=0.05)
    learner = QLearner(_network(), settings, torch.Generator().manual_seed(0))
    memory = Memory(2)
    assert learner.learn(memory) is None
    memory.add(_two_steps())
    wanted, net = learner.targets(_two_steps()), copy.deepcopy(learner.network).train()
    batch = _two_steps()
    values = net(torch.stack([t.state for t in batch]), torch.stack([t.candidates for t in batch]))
    errors = [float((values[i, t.action] - wanted[i]).detach()) for i, t in enumerate(batch)]
    huber = [0.5 * e * e if abs(e) < 1 else abs(e) - 0.5 for e in errors]
    start = copy.deepcopy(learner.target.state_dict())
    assert learner.learn(memory) == pytest.approx(float(np.mean(huber)), rel=1e-4)
    learner.learn(memory)
    assert all(torch.equal(start[k], v) for k, v in learner.target.state_dict().items())
    learner.learn(memory)
    assert all(torch.equal(v, learner.target.state_dict()[k]) for k, v in learner.network.state_dict().items())
    assert not learner.network.training and not learner.target.training


def test_memory_forgets_the_oldest_and_draws_none_twice() -> None:
    memory = Memory(3)
    for reward in range(5):
        memory.add(transitions(_seen(1), torch.tensor([0]), float(reward), None))
    drawn = memory.draw(3, torch.Generator().manual_seed(0))
    assert sorted(t.reward for t in drawn) == [2, 3, 4]


def test_reward_is_the_gain_in_points_and_the_first_is_not_the_whole_miou() -> None:
    measured = iter([0.50, 0.53, 0.51])
    rewards = Rewards(lambda: next(measured))
    assert [rewards.step(), rewards.step()] == pytest.approx([3.0, -2.0])


def test_exploration_decays_by_the_stated_law_and_lasts_beyond_one_episode() -> None:
    settings = RalisSettings()
    assert exploration(0, settings) == pytest.approx(0.9)
    assert exploration(60, settings) == pytest.approx(0.05 + 0.85 / math.e)
    assert exploration(10**5, settings) == pytest.approx(0.05)
    authors = RalisSettings(explore_steps=10, steps=20)
    assert exploration(20, authors) == pytest.approx(0.165, abs=1e-3)  # what the authors' code comes to
    assert exploration(settings.steps, settings) > 0.7
    assert exploration(settings.steps * settings.episodes // 2, settings) < 0.3


def test_choice_explores_at_its_rate_and_is_greedy_otherwise() -> None:
    network, seen = _network(), _seen(2)
    best = q_values(network, seen).argmax(1)
    greedy, values = choose(network, seen, 0.0, torch.Generator().manual_seed(0))
    assert torch.equal(greedy, best) and values.shape == (2 * POOL,)
    chance = torch.Generator().manual_seed(0)
    explored = [len(choose(network, seen, 0.3, chance)[1]) == 0 for _ in range(400)]
    assert np.mean(explored) == pytest.approx(0.3, abs=0.07)


class _Bandit:
    """Two steps of one pool; a step pays a point where the marked candidate was labeled."""

    def __init__(self) -> None:
        self._chance = torch.Generator().manual_seed(5)
        self._left = 0
        self._marked = torch.zeros(1, dtype=torch.long)

    def reset(self) -> Observation:
        self._left = 2
        return self._observe()

    def step(self, actions: Tensor) -> tuple[Observation | None, float]:
        reward = float((actions == self._marked).sum())
        self._left -= 1
        return (self._observe() if self._left else None), reward

    def _observe(self) -> Observation:
        candidates = torch.rand(1, POOL, V + 2 * BINS, generator=self._chance) * 0.1
        self._marked = torch.randint(POOL, (1,), generator=self._chance)
        candidates[0, self._marked, 3:V] += 1.0
        return Observation(torch.rand(STATE, V, generator=self._chance), candidates)


def test_policy_learns_which_candidate_pays() -> None:
    settings = RalisSettings(
        episodes=EPISODES, steps=2, batch_size=16, explore_steps=20, learning_rate=0.02, discount=0.5
    )
    network, told = _network(1), list[EpisodeFigures]()
    train_policy(_Bandit(), network, settings, 0, told.append)
    assert [figures.episode for figures in told] == list(range(1, EPISODES + 1))
    game, hits = _Bandit(), 0.0
    for _ in range(20):
        seen = game.reset()
        while seen is not None:
            seen, reward = game.step(choose(network, seen, 0.0, torch.Generator())[0])
            hits += reward
    assert hits / (20 * 2) > 0.9, "chance would hit one in four"
    assert told[-1].q_high > told[-1].q_low and math.isfinite(told[-1].q_loss)


def test_settings_that_could_never_learn_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"method.ralis.memory is 8, fewer than batch_size \(16\)"):
        RalisSettings(memory=8)
    with pytest.raises(ConfigError, match=r"method.ralis.pool_size must be at least 2"):
        RalisSettings(pool_size=1)
