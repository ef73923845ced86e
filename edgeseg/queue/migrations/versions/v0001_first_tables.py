"""The queue's first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes them."""
    op.create_table(
        "classes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "cursors",
        sa.Column("bucket", sa.String(length=500), nullable=False),
        sa.Column("prefix", sa.String(length=200), nullable=False),
        sa.Column("last_key", sa.String(length=1024), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "prefix"),
    )
    op.create_table(
        "items",
        sa.Column("number", _number(), nullable=False),
        sa.Column("item_id", sa.String(length=64), nullable=False),
        sa.Column("bucket", sa.String(length=500), nullable=False),
        sa.Column("vehicle", sa.String(length=64), nullable=False),
        sa.Column("drive", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=True),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=1024), nullable=False),
        sa.Column("frame_id", sa.String(length=1024), nullable=False),
        sa.Column("frame_number", sa.BigInteger(), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=200), nullable=False),
        sa.Column("policy_version", sa.String(length=200), nullable=False),
        sa.Column("strategy", sa.String(length=200), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("focus", sa.Integer(), nullable=True),
        sa.Column("signature", sa.BigInteger(), nullable=False),
        sa.Column("regions", sa.LargeBinary(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("area_px", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=200), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("item_id"),
    )
    op.create_index("items_age", "items", ["state", "arrived_at"], unique=False)
    op.create_index("items_lease", "items", ["lease_until"], unique=False)
    op.create_index("items_priority", "items", ["priority"], unique=False)
    op.create_index("items_stratum", "items", ["state", "strategy", "focus", "score"], unique=False)
    op.create_index("items_vehicle", "items", ["vehicle", "state"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("bucket", sa.String(length=500), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "key"),
    )
    op.create_table(
        "choices",
        sa.Column("item", _number(), nullable=False),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("region_indexes", sa.JSON(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["item"],
            ["items.number"],
        ),
        sa.PrimaryKeyConstraint("item"),
    )
    op.create_index("ix_choices_batch", "choices", ["batch"], unique=False)
    op.create_table(
        "events",
        sa.Column("number", _number(), nullable=False),
        sa.Column("item", _number(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.String(length=8), nullable=False),
        sa.Column("after", sa.String(length=8), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["item"],
            ["items.number"],
        ),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_events_at", "events", ["at"], unique=False)
    op.create_index("ix_events_item", "events", ["item"], unique=False)


def downgrade() -> None:
    """Removes them, with all that they hold."""
    for table in ("events", "choices", "quarantine", "items", "cursors", "classes"):
        op.drop_table(table)


def _number() -> sa.types.TypeEngine[Any]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
