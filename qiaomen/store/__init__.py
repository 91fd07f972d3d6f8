"""Opens the three stores (lake, arrays, SQL); portable engine functions; outbox and jobs. Knows no business table."""

from qiaomen.store import jobs, outbox, portable
from qiaomen.store.engine import Engine
from qiaomen.store.lake import Arrays, Lake, Snapshot, Stage
from qiaomen.store.migrating import differences, migrate, write_revision
from qiaomen.store.rows import insert_missing
from qiaomen.store.sql import METADATA, BigKey, Moment, is_postgres, open_sql, reading, writing

__all__ = [
    "METADATA",
    "Arrays",
    "BigKey",
    "Engine",
    "Lake",
    "Moment",
    "Snapshot",
    "Stage",
    "differences",
    "insert_missing",
    "is_postgres",
    "jobs",
    "migrate",
    "open_sql",
    "outbox",
    "portable",
    "reading",
    "write_revision",
    "writing",
]
