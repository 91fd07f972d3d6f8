"""Tasks, history, visits and controls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _controls()
    _tasks()
    _tasks_indexes()
    _task_history()
    _task_history_indexes()
    _task_leads()
    _task_leads_indexes()
    _visit_records()
    _visit_records_indexes()


def _controls() -> None:
    op.create_table(
        "controls",
        sa.Column(
            "company_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("lead_id", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=True),
        sa.Column("tier", sa.String(length=16), nullable=True),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("branch_code", sa.String(length=64), nullable=True),
        sa.Column("sub_branch_code", sa.String(length=64), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_controls")),
    )


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column(
            "task_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("lead_id", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("company_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("company_name", sa.String(length=300), nullable=False),
        sa.Column("is_customer", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("opportunity_id", sa.String(length=64), nullable=True),
        sa.Column("recipe", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=True),
        sa.Column("tier", sa.String(length=16), nullable=True),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("why_now", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("who_institution_code", sa.String(length=64), nullable=True),
        sa.Column("who_manager_no", sa.String(length=64), nullable=True),
        sa.Column("script", sa.Text(), nullable=False),
        sa.Column("allocation_rule", sa.String(length=32), nullable=False),
        sa.Column("allocation_reason", sa.Text(), nullable=False),
        sa.Column("branch_code", sa.String(length=64), nullable=True),
        sa.Column("sub_branch_code", sa.String(length=64), nullable=True),
        sa.Column("manager_no", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("landed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("landed_amount_fen", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("lead_id", name=op.f("uq_tasks_lead_id")),
    )


def _tasks_indexes() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tasks_branch_code"), ["branch_code"], unique=False)
        batch_op.create_index(batch_op.f("ix_tasks_company_id"), ["company_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_tasks_manager_no_state"), ["manager_no", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_tasks_state_due_at"), ["state", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_tasks_sub_branch_code"), ["sub_branch_code"], unique=False)
        batch_op.create_index(
            "uq_tasks_open_company_product",
            ["company_id", "product"],
            unique=True,
            sqlite_where=sa.text("state <> 'closed'"),
            postgresql_where=sa.text("state <> 'closed'"),
        )


def _task_history() -> None:
    op.create_table(
        "task_history",
        sa.Column(
            "history_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=True),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("from_manager_no", sa.String(length=64), nullable=True),
        sa.Column("to_manager_no", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name=op.f("fk_task_history_task_id")),
        sa.PrimaryKeyConstraint("history_id", name=op.f("pk_task_history")),
    )


def _task_history_indexes() -> None:
    with op.batch_alter_table("task_history", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_history_task_id"), ["task_id"], unique=False)


def _task_leads() -> None:
    op.create_table(
        "task_leads",
        sa.Column("lead_id", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name=op.f("fk_task_leads_task_id")),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("pk_task_leads")),
    )


def _task_leads_indexes() -> None:
    with op.batch_alter_table("task_leads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_leads_task_id"), ["task_id"], unique=False)


def _visit_records() -> None:
    op.create_table(
        "visit_records",
        sa.Column(
            "visit_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("company_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_no", sa.String(length=64), nullable=True),
        sa.Column("visited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_key", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name=op.f("fk_visit_records_task_id")),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_visit_records")),
        sa.UniqueConstraint("request_key", name=op.f("uq_visit_records_request_key")),
    )


def _visit_records_indexes() -> None:
    with op.batch_alter_table("visit_records", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_visit_records_company_id"), ["company_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_visit_records_task_id"), ["task_id"], unique=False)
