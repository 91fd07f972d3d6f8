"""SQL tables owned by dispatch: what staff confirmed or sent by hand, and what became of each firm (留痕)."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from qiaomen.store import METADATA, BigKey, Moment

_CODE: Final = sa.String(64)

DISPATCH_BATCHES: Final = sa.Table(
    "dispatch_batches",
    METADATA,
    sa.Column("batch_id", BigKey, primary_key=True, autoincrement=True),
    # Set by the page: a repeated request is the same batch.
    sa.Column("request_key", sa.String(100), nullable=False, unique=True),
    # rule: leads of a run as allocated; hand: firms that staff chose.
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("target", sa.String(300), nullable=False),
    sa.Column("product", _CODE),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("institution_code", _CODE, index=True),
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Column("created", sa.Integer, nullable=False),
    sa.Column("joined", sa.Integer, nullable=False),
    sa.Column("refused", sa.Integer, nullable=False),
)

DISPATCH_ITEMS: Final = sa.Table(
    "dispatch_items",
    METADATA,
    sa.Column("item_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("batch_id", BigKey, sa.ForeignKey("dispatch_batches.batch_id"), nullable=False, index=True),
    sa.Column("lead_id", _CODE, nullable=False),
    sa.Column("company_id", BigKey, nullable=False),
    sa.Column("company_name", sa.String(300), nullable=False),
    sa.Column("task_id", BigKey, sa.ForeignKey("tasks.task_id")),
    sa.Column("branch_code", _CODE),
    sa.Column("sub_branch_code", _CODE),
    sa.Column("manager_no", _CODE),
    # created, joined (to the open task of the same product) or refused.
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
