"""Hand-over of a manager's customers and tasks: preview, the change itself, and its way into the table of customers.

The change is one SQL transaction. ``customers`` follows in a generation of its own; where a run is under way its end
brings it, since a generation published in between would make the run fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from qiaomen import dispatch
from qiaomen.bank import Viewer
from qiaomen.customers import CUSTOMER_RECORDS, CUSTOMERS, Keepers, read_keepers, with_keepers
from qiaomen.dispatch import HandOver
from qiaomen.jobs.workspace import Workspace
from qiaomen.store import jobs, reading, writing
from qiaomen.vocab import Conflict

ATTEMPTS: Final = 3


def preview_hand_over(workspace: Workspace, viewer: Viewer, giver: str, receivers: Sequence[str]) -> HandOver:
    """Say what would move, without changing anything."""
    with reading(workspace.sql) as connection:
        customers, records = _book(workspace, read_keepers(connection))
        return dispatch.preview_hand_over(
            viewer, connection, giver, receivers, customers=customers, records=records, now=workspace.moment
        )


def make_hand_over(
    workspace: Workspace, viewer: Viewer, giver: str, receivers: Sequence[str], reason: str
) -> tuple[HandOver, bool]:
    """Hand everything over; also return whether the table of customers says so already."""
    with writing(workspace.sql) as connection:
        customers, records = _book(workspace, read_keepers(connection))
        done = dispatch.hand_over(
            viewer,
            connection,
            giver,
            receivers,
            customers=customers,
            records=records,
            reason=reason,
            now=workspace.moment,
        )
    return done, publish_keepers(workspace)


def publish_keepers(workspace: Workspace) -> bool:
    """Bring every hand-over into the newest table of customers; False where a run is under way, which will do it."""
    for _ in range(ATTEMPTS):
        with reading(workspace.sql) as connection:
            keepers = read_keepers(connection)
            running = any(job.state == "running" for job in jobs.recent(connection, kind="run"))
        if running:
            return False
        if not keepers:
            return True
        try:
            _publish(workspace, keepers)
        except Conflict:
            continue
        return True
    return False


def _publish(workspace: Workspace, keepers: Keepers) -> None:
    with workspace.lake.stage() as stage:
        before = stage.arrow(CUSTOMERS)
        after = with_keepers(before, keepers)
        if not after.equals(before):
            stage.write(CUSTOMERS, after)
            note: dict[str, Any] = dict(stage.note)
            stage.publish(note)


def _book(workspace: Workspace, keepers: Keepers) -> tuple[pa.Table, pa.Table]:
    snapshot = workspace.lake.snapshot()
    customers, records = snapshot.arrow(CUSTOMERS), snapshot.arrow(CUSTOMER_RECORDS)
    return with_keepers(customers, keepers), with_keepers(records, keepers)
