"""Work on the workers of a Ray cluster: the connection, a pool of actors, and what a node must have in common."""

from edgeseg.cluster.settings import EngineSettings

__all__ = ["EngineSettings"]
