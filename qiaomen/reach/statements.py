"""Names of companies and persons and the evidence behind edges, looked up in the tables that the graph was built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.graph import Pointer

# The columns that make a statement; a table that edges point into has some of them.
SAID: Final = ("evidence", "source", "record_key", "share", "goods_name", "node_code")


@dataclass(frozen=True)
class Statements:
    """The tables ``companies``, ``persons`` and those that edges point into, as they were given to ``build_graph``."""

    companies: pa.Table
    persons: pa.Table
    tables: Mapping[str, pa.Table]

    @cached_property
    def _company_order(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        return _order(self.companies["company_id"])

    @cached_property
    def _person_order(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        return _order(self.persons["person_id"])

    def company(self, number: int) -> dict[str, Any]:
        """Return the row of a company; empty where there is none."""
        return _row(self.companies, self._company_order, number)

    def company_name(self, number: int) -> str:
        """Return the name of a company."""
        row = _row(self.companies, self._company_order, number, ("name", "short_name"))
        return row.get("name") or row.get("short_name") or f"企业{number}"

    def person_name(self, number: int) -> str:
        """Return the name of a person."""
        return _row(self.persons, self._person_order, number, ("name",)).get("name") or "某人"

    def evidence(self, pointer: Pointer) -> str:
        """Return the statement in words, ending in ｜ and the source row."""
        table = self.tables.get(pointer.table)
        if table is None or pointer.row >= len(table):
            return ""
        row = {name: table[name][pointer.row].as_py() for name in SAID if name in table.column_names}
        words = row.get("evidence") or _made(pointer.table, row)
        if "｜" in words or not row.get("record_key"):
            return words
        return f"{words}｜{pointer.table}/{row.get('source')}/{row['record_key']}"


def _made(table: str, row: Mapping[str, Any]) -> str:
    if table == "company_goods":
        share = row.get("share")
        return f"主营产品：{row['goods_name']}" + (f"，占收入 {share:.1%}" if share is not None else "")
    if table == "company_nodes":
        return f"产业链节点：{row['node_code']}"
    return ""


def _order(column: pa.ChunkedArray) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    values = column.to_numpy()
    order = np.argsort(values, kind="stable")
    return values[order], order


def _row(
    table: pa.Table,
    order: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    number: int,
    columns: Sequence[str] | None = None,
) -> dict[str, Any]:
    values, rows = order
    place = int(np.searchsorted(values, number))
    if place == len(values) or int(values[place]) != number:
        return {}
    at = int(rows[place])
    return {name: table[name][at].as_py() for name in columns or table.column_names}
