"""Alembic runs this; the connection comes from ``edgeseg.queue.database``, within its transaction."""

from __future__ import annotations

from alembic import context

from edgeseg.queue.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
