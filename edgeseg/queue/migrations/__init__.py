"""How the queue's tables came to be, for Alembic."""
