"""How often the policy tries what it does not believe in."""

from __future__ import annotations

import math

from edgeseg.active.methods.region_dqn.settings import RalisSettings


def exploration(step: int, settings: RalisSettings) -> float:
    """ε = end + (start − end) · exp(−step / explore_steps), steps counted from 0 over all episodes."""
    above = settings.explore_start - settings.explore_end
    return settings.explore_end + above * math.exp(-step / settings.explore_steps)
