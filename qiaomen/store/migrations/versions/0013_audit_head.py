"""The head of the audit log's chain is there before the first row."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.execute(
        f"INSERT INTO audit_head (head, number, hash) VALUES (1, 0, '{'0' * 64}') ON CONFLICT DO NOTHING"
    )
