"""The small demo city that walks and known answers share: loaded once, run once, compared by content."""

from __future__ import annotations

import csv
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from qiaomen.demo import DEMO_AS_OF, Size, write_demo
from qiaomen.dispatch import ALLOCATIONS, LEADS
from qiaomen.jobs import TABLES, Workspace, init_workspace, load_files, run_all, silent
from qiaomen.registry import COMPANIES
from qiaomen.store import Snapshot, reading
from qiaomen.vocab import Table

SIZE: Final = Size(
    companies=2000, persons=2500, customers=240, events=2400, texts=150, changes=300, contacts=6000, known_paths=8
)  # fmt: skip
ARRAYS: Final = ("match_index", "graph", "reaching", "models", "membership_index")

# An open task leaves its mark on the next run's leads: which rule refused a lead, and that it went where its task is.
STABLE: Final[dict[str, tuple[str, ...]]] = {
    LEADS.name: ("lead_id", "company_id", "origin", "product", "priority", "why_now", "admitted"),
    ALLOCATIONS.name: ("lead_id", "company_id", "branch_code", "sub_branch_code", "manager_no", "hold_out", "rank"),
}  # fmt: skip


@dataclass(frozen=True)
class Demo:
    """A workspace with the city loaded and run, its inbox and the answers known beforehand."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        """The workspace, opened anew."""
        return Workspace(self.root)

    @property
    def snapshot(self) -> Snapshot:
        """The newest generation."""
        return self.workspace.lake.snapshot()

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        found: list[dict[str, Any]] = self.snapshot.arrow(table).to_pylist()
        return found

    def answers(self, name: str) -> list[dict[str, str]]:
        """Return the rows of an answer file."""
        return read_rows(self.root / "answers" / name)

    def companies(self) -> dict[str, int]:
        """Return company numbers by credit code."""
        return {row["uscc"]: row["company_id"] for row in self.rows(COMPANIES) if row["uscc"]}

    def copy(self, root: Path) -> Demo:
        """Return a copy that a test may change."""
        shutil.copytree(self.root, root)
        return Demo(root)


def load_city(root: Path) -> Demo:
    """Write and load the city at ``root``."""
    workspace = init_workspace(root, {"as_of": DEMO_AS_OF})
    write_demo(workspace.inbox, root / "answers", size=SIZE)
    load_files(workspace, None, [], silent)
    workspace.sql.dispose()
    return Demo(root)


def run_city(demo: Demo) -> None:
    """Run every step."""
    workspace = demo.workspace
    run_all(workspace, None, silent)
    workspace.sql.dispose()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows of one shape as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def contents(snapshot: Snapshot) -> dict[str, str]:
    """Return a hash of the content of every table and array of a generation, by name."""
    found = {}
    for name in snapshot.names:
        table = snapshot.arrow(TABLES[name]) if name in TABLES else None
        if table is not None:
            found[name] = _hash(table.select(STABLE[name]) if name in STABLE else table)
        else:
            found[name] = hashlib.sha256(
                b"".join(path.read_bytes() for path in snapshot.files(name))
            ).hexdigest()
    for name in ARRAYS:
        digest = hashlib.sha256()
        for key, array in sorted(snapshot.arrays(name).items()):
            digest.update(f"{key}{array.dtype}{array.shape}".encode() + array.tobytes())
        found[f"arrays {name}"] = digest.hexdigest()
    return found


def _hash(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


def tasks_of(workspace: Workspace) -> list[tuple[Any, ...]]:
    """Return every task without its number and generation, each with the number of its messages and events."""
    statement = """
        select t.lead_id, t.company_id, t.product, t.state, t.branch_code, t.sub_branch_code, t.manager_no, t.priority,
               t.why_now, t.who, (select count(*) from task_history h where h.task_id = t.task_id),
               (select count(*) from task_leads l where l.task_id = t.task_id)
        from tasks t order by t.lead_id
    """
    with reading(workspace.sql) as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def count(workspace: Workspace, table: str, where: str = "1 = 1") -> int:
    """Return the number of rows of an SQL table."""
    with reading(workspace.sql) as connection:
        return int(connection.execute(sa.text(f"select count(*) from {table} where {where}")).scalar_one())
