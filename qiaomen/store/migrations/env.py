"""Runs the scripts on the connection that ``qiaomen.store.migrating`` hands over; opens none of its own."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeEngine

from qiaomen.store.sql import Moment


def _render(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Write our own types as plain SQLAlchemy ones, so that old scripts never depend on today's code."""
    if kind == "type" and isinstance(item, TypeEngine) and isinstance(item, Moment):
        return "sa.DateTime(timezone=True)"
    return False


_options = context.config.attributes
context.configure(
    connection=_options["connection"],
    target_metadata=_options.get("metadata"),
    render_as_batch=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
