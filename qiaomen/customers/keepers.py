"""Who keeps a customer since a hand-over, until the bank's own list says so itself.

SQL table ``customer_keepers``; applied to CUSTOMERS by every run, and at once after a hand-over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.customers.schema import CUSTOMER_KEEPERS

Keepers = Mapping[str, Sequence[tuple[str, str, str]]]
"""By customer number: (from manager, to manager, institution), oldest first."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """One customer number that changes hands; ``company_id`` is nothing for all but the leading number of a company."""

    customer_no: str
    company_id: int | None
    from_institution_code: str | None
    manager_no: str
    institution_code: str


def keep_customers(
    connection: Connection, hand_over_id: int, giver: str, keepings: Iterable[Keeping], *, now: datetime
) -> None:
    """Note who keeps each customer from now on."""
    rows = [
        {
            "hand_over_id": hand_over_id,
            "customer_no": keeping.customer_no,
            "from_manager_no": giver,
            "manager_no": keeping.manager_no,
            "institution_code": keeping.institution_code,
            "since": now,
        }
        for keeping in keepings
    ]
    if rows:
        connection.execute(sa.insert(CUSTOMER_KEEPERS), rows)


def read_keepers(connection: Connection) -> Keepers:
    """Return every hand-over of a customer, by number."""
    table = CUSTOMER_KEEPERS.c
    query = sa.select(
        table.customer_no, table.from_manager_no, table.manager_no, table.institution_code
    ).order_by(table.keeper_id)
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.customer_no, []).append(
            (row.from_manager_no, row.manager_no, row.institution_code)
        )
    return found


def with_keepers(rows: pa.Table, keepers: Keepers) -> pa.Table:
    """Return rows (with ``customer_no``, ``manager_no``, ``institution_code``) as the hand-overs left them.

    A hand-over counts where its giver is the manager whom the row, or the hand-over before, names: once the bank's list
    has caught up, or names somebody else, it counts no more.
    """
    if not keepers or not rows.num_rows:
        return rows
    wanted = pc.is_in(rows["customer_no"], value_set=pa.array(sorted(keepers), pa.string()))
    touched = pc.indices_nonzero(wanted).to_pylist()
    if not touched:
        return rows
    managers, places = rows["manager_no"].to_pylist(), rows["institution_code"].to_pylist()
    numbers = rows["customer_no"]
    for at in touched:
        for giver, receiver, place in keepers[numbers[at].as_py()]:
            if managers[at] == giver:
                managers[at], places[at] = receiver, place
    for name, values in (("manager_no", managers), ("institution_code", places)):
        at = rows.column_names.index(name)
        rows = rows.set_column(at, rows.schema.field(name), pa.array(values, pa.string()))
    return rows
