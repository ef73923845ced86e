"""When to keep a frame: online, under budgets, without knowing what comes.

Of the frames within one spacing the best is a candidate. A sample of the stream's candidates tells at which price of a
frame, a byte and a region the budgets would just be spent; a candidate is kept where it is worth more than it costs.
"""

from edgeseg.device.policy.budgets import Budget, Budgets
from edgeseg.device.policy.candidate import Candidate, Form, Offer
from edgeseg.device.policy.policy import Decision, Policy
from edgeseg.device.policy.settings import PolicySettings

__all__ = ["Budget", "Budgets", "Candidate", "Decision", "Form", "Offer", "Policy", "PolicySettings"]
