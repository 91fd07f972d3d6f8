"""After a generation is published: institutions and staff into SQL, and one task per allocated lead.

Both can be repeated: a lead seen before changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import Connection

from qiaomen import dispatch, scoring
from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS, sync_institutions, today_of
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import ALLOCATIONS, LEADS
from qiaomen.jobs.workspace import Workspace
from qiaomen.reach import INTRODUCTIONS
from qiaomen.registry import COMPANIES
from qiaomen.store import Snapshot, writing


def sync_bank(workspace: Workspace) -> dict[str, int]:
    """Make SQL say what the loaded lists of institutions and staff say."""
    snapshot = workspace.lake.snapshot()
    with writing(workspace.sql) as connection:
        result = sync_institutions(
            connection,
            snapshot.arrow(INSTITUTION_RECORDS),
            snapshot.arrow(STAFF_RECORDS),
            today=today_of(workspace.now()),
        )
    return {name: int(value) for name, value in asdict(result).items() if isinstance(value, int)}


def write_tasks(workspace: Workspace) -> dict[str, int]:
    """Create or bring up to date the tasks of the newest generation, with history and messages, in one transaction."""
    write = task_writer(workspace)
    with writing(workspace.sql) as connection:
        return write(connection)


def task_writer(workspace: Workspace) -> Callable[[Connection], dict[str, int]]:
    """Read the newest generation; return what writes its tasks in the caller's transaction, so that it is short."""
    snapshot = workspace.lake.snapshot()
    confirmed_first = workspace.settings.dispatch_mode == "confirm"
    write_leads = dispatch.refresh_tasks if confirmed_first else dispatch.create_tasks
    leads = snapshot.arrow(LEADS)
    if leads.num_rows == 0:
        return lambda _: {}
    words = dispatch.task_words(
        _names(snapshot, leads),
        {product.code: product.name_zh for product in scoring.load_products(workspace.overlay).values()},
        openers=dispatch.load_openers(workspace.overlay),
        deadlines=dispatch.load_deadlines(workspace.overlay),
    )
    allocations, introductions = snapshot.arrow(ALLOCATIONS), snapshot.arrow(INTRODUCTIONS)
    customers = snapshot.arrow(CUSTOMERS)

    def write(connection: Connection) -> dict[str, int]:
        result = write_leads(
            connection,
            leads,
            allocations,
            words=words,
            introductions=introductions,
            customers=customers,
            generation=snapshot.number,
            now=workspace.moment,
        )
        return asdict(result)

    return write


def _names(snapshot: Snapshot, leads: pa.Table) -> dict[int, str]:
    companies = snapshot.arrow(COMPANIES)
    wanted = companies.filter(pc.is_in(companies["company_id"], value_set=pc.unique(leads["company_id"])))
    return dict(zip(wanted["company_id"].to_pylist(), wanted["name"].to_pylist(), strict=True))
