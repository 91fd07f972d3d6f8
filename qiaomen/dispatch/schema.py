"""SQL tables owned by dispatch: tasks, the leads they stand for, history, visits, and the control group."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from qiaomen.store import METADATA, BigKey, Moment

_CODE: Final = sa.String(64)
_OPEN_SQL: Final = sa.text("state <> 'closed'")

TASKS: Final = sa.Table(
    "tasks",
    METADATA,
    sa.Column("task_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("lead_id", _CODE, nullable=False, unique=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("company_id", BigKey, nullable=False, index=True),
    sa.Column("company_name", sa.String(300), nullable=False),
    sa.Column("is_customer", sa.Boolean, nullable=False),
    sa.Column("origin", sa.String(32), nullable=False),
    sa.Column("opportunity_id", _CODE),
    sa.Column("recipe", _CODE),
    sa.Column("kind", _CODE),
    sa.Column("tier", sa.String(16)),
    # Empty where no product was chosen, so that the index of open tasks holds there too.
    sa.Column("product", _CODE, nullable=False),
    sa.Column("priority", sa.Float, nullable=False),
    sa.Column("why_now", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("who_institution_code", _CODE),
    sa.Column("who_manager_no", _CODE),
    sa.Column("script", sa.Text, nullable=False),
    sa.Column("allocation_rule", sa.String(32), nullable=False),
    sa.Column("allocation_reason", sa.Text, nullable=False),
    sa.Column("branch_code", _CODE, index=True),
    sa.Column("sub_branch_code", _CODE, index=True),
    sa.Column("manager_no", _CODE),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("result", sa.String(16)),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("due_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("claimed_at", Moment),
    sa.Column("intended_at", Moment),
    sa.Column("landed_at", Moment),
    sa.Column("closed_at", Moment),
    sa.Column("landed_amount_fen", sa.BigInteger),
    sa.Index(None, "manager_no", "state"),
    sa.Index(None, "state", "due_at"),
    sa.Index(
        "uq_tasks_open_company_product",
        "company_id",
        "product",
        unique=True,
        sqlite_where=_OPEN_SQL,
        postgresql_where=_OPEN_SQL,
    ),
)

TASK_LEADS: Final = sa.Table(
    "task_leads",
    METADATA,
    sa.Column("lead_id", _CODE, primary_key=True),
    sa.Column("task_id", BigKey, sa.ForeignKey("tasks.task_id"), nullable=False, index=True),
    sa.Column("generation", sa.Integer, nullable=False),
)

TASK_HISTORY: Final = sa.Table(
    "task_history",
    METADATA,
    sa.Column("history_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("task_id", BigKey, sa.ForeignKey("tasks.task_id"), nullable=False, index=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("from_state", sa.String(16)),
    sa.Column("to_state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("from_manager_no", _CODE),
    sa.Column("to_manager_no", _CODE),
    sa.Column("version", sa.Integer, nullable=False),
)

VISIT_RECORDS: Final = sa.Table(
    "visit_records",
    METADATA,
    sa.Column("visit_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("task_id", BigKey, sa.ForeignKey("tasks.task_id"), nullable=False, index=True),
    sa.Column("company_id", BigKey, nullable=False, index=True),
    sa.Column("staff_no", _CODE),
    sa.Column("visited_at", Moment, nullable=False),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("refused", sa.Boolean, nullable=False),
    sa.Column("next_at", Moment),
    # Set by the client: a repeated request adds nothing.
    sa.Column("request_key", sa.String(100), unique=True),
    sa.Column("created_at", Moment, nullable=False),
)

CONTROLS: Final = sa.Table(
    "controls",
    METADATA,
    sa.Column("company_id", BigKey, primary_key=True, autoincrement=False),
    sa.Column("lead_id", _CODE, nullable=False),
    sa.Column("origin", sa.String(32), nullable=False),
    sa.Column("kind", _CODE),
    sa.Column("tier", sa.String(16)),
    sa.Column("product", _CODE, nullable=False),
    sa.Column("branch_code", _CODE),
    sa.Column("sub_branch_code", _CODE),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("since", Moment, nullable=False),
)
