"""Hashes of tables by their rows: the same for the same rows, whatever their order, files or numbers of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_CELL_END: Final = "\x1f"
_ROW_END: Final = b"\x1e"
_NULL: Final = "\x00"


def table_digest(table: pa.Table) -> str:
    """Return the hash of the sorted rows of an Arrow table, column names and types included."""
    digest = hashlib.sha256()
    digest.update(";".join(f"{field.name}:{field.type}" for field in table.schema).encode())
    if table.num_rows and table.num_columns:
        between = pa.scalar(_CELL_END, pa.large_string())
        lines = pc.binary_join_element_wise(*(_texts(column) for column in table.columns), between)
        for line in lines.take(pc.sort_indices(lines)).to_pylist():
            digest.update(line.encode())
            digest.update(_ROW_END)
    return digest.hexdigest()


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column = column.cast(pa.int64() if pa.types.is_timestamp(kind) else pa.int32())
    texts = column.cast(pa.large_string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        # Text may hold the signs that separate cells and stand for null.
        for sign, escaped in (("\\", "\\\\"), (_CELL_END, "\\c"), (_ROW_END.decode(), "\\r"), (_NULL, "\\0")):
            texts = pc.replace_substring(texts, sign, escaped)
    return pc.fill_null(texts, _NULL)


def arrays_digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Return the hash of named arrays: names, types, shapes, values."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def lines_digest(lines: Iterable[str]) -> str:
    """Return the hash of lines of text, whatever their order."""
    digest = hashlib.sha256()
    for line in sorted(lines):
        digest.update(line.encode())
        digest.update(_ROW_END)
    return digest.hexdigest()
