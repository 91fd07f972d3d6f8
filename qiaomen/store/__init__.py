"""Opens the three stores (lake, arrays, SQL); portable engine functions; outbox and jobs. Knows no business table."""

from qiaomen.store import jobs, outbox, portable
from qiaomen.store.archive import ArchiveWriter, unpack_archive
from qiaomen.store.digests import arrays_digest, lines_digest, table_digest
from qiaomen.store.disk import disk_errors, is_disk_trouble
from qiaomen.store.engine import Engine
from qiaomen.store.lake import Arrays, Lake, Snapshot, Stage
from qiaomen.store.migrating import (
    differences,
    drop_stored,
    make_schema,
    migrate,
    need_schema,
    write_revision,
)
from qiaomen.store.migrating import head as newest_schema
from qiaomen.store.migrating import version_of as schema_of
from qiaomen.store.rows import insert_missing
from qiaomen.store.rows_text import StoredTable, read_rows, stored_tables, write_rows
from qiaomen.store.schedules import take_turn, turns
from qiaomen.store.sql import (
    METADATA,
    BigKey,
    Moment,
    consistently_reading,
    execute_last,
    is_postgres,
    open_sql,
    reading,
    send_last,
    writing,
)

__all__ = [
    "METADATA",
    "ArchiveWriter",
    "Arrays",
    "BigKey",
    "Engine",
    "Lake",
    "Moment",
    "Snapshot",
    "Stage",
    "StoredTable",
    "arrays_digest",
    "consistently_reading",
    "differences",
    "disk_errors",
    "drop_stored",
    "execute_last",
    "insert_missing",
    "is_disk_trouble",
    "is_postgres",
    "jobs",
    "lines_digest",
    "make_schema",
    "migrate",
    "need_schema",
    "newest_schema",
    "open_sql",
    "outbox",
    "portable",
    "read_rows",
    "reading",
    "schema_of",
    "send_last",
    "stored_tables",
    "table_digest",
    "take_turn",
    "turns",
    "unpack_archive",
    "write_revision",
    "write_rows",
    "writing",
]
