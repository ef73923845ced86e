"""Indexes in which a list's orders lie, with all that it filters by, so that a page never sorts the queue."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes them; the one of priorities alone is a part of the second."""
    op.create_index("items_newest", "items", ["arrived_at", "number", "state", "vehicle", "focus", "score"])
    op.create_index("items_value", "items", ["priority", "score", "number", "state", "vehicle", "focus"])
    op.drop_index("items_priority", "items")


def downgrade() -> None:
    """Puts the former one back."""
    op.create_index("items_priority", "items", ["priority"])
    op.drop_index("items_value", "items")
    op.drop_index("items_newest", "items")
