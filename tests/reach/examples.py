"""A small neighbourhood of companies, persons and goods around a few customers."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from qiaomen.chains import COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import CUSTOMERS
from qiaomen.graph import Graph, build_graph
from qiaomen.reach import Statements
from qiaomen.registry import COMPANIES, PERSONS, RELATIONS
from qiaomen.supply import SUPPLY_PAIRS
from qiaomen.vocab import Table

AS_OF = dt.date(2025, 6, 30)
SEEN = dt.date(2025, 6, 1)


def rows(table: Table, values: list[dict]) -> pa.Table:
    """Return rows of a declared table; columns that are not given are null."""
    assert {key for row in values for key in row} <= set(table.names)
    return pa.Table.from_pylist([dict.fromkeys(table.names) | row for row in values], schema=table.schema)


def relation(kind: str, start: str, end: str, **values) -> dict:
    """Return a relation between nodes such as ``c1`` and ``p2``, seen lately."""
    types = {"c": "company", "p": "person"}
    named = {
        "kind": kind,
        "from_type": types[start[0]],
        "from_id": int(start[1:]),
        "to_type": types[end[0]],
        "to_id": int(end[1:]),
        "proven": True,
        "observed_on": SEEN,
        "source": "test",
        "record_key": f"{kind}:{start}:{end}",
        "evidence": f"{start}{kind}{end}",
    }
    return named | values


RELATIONS_GIVEN = [
    relation("office", "p1", "c1", role="董事"),
    relation("office", "p1", "c10", role="董事长"),
    relation("shareholding", "c1", "c2", ratio=0.6),
    relation("supply", "c2", "c11", amount_cny=3e6, count=12),
    relation("office", "p2", "c3", role="监事"),
    relation("same_name_person", "p2", "p3", confidence=0.4),
    relation("office", "p3", "c12", role="总经理"),
    relation("guarantee", "c5", "c6", amount_cny=2e7),
    relation("guarantee", "c6", "c10", amount_cny=5e6),
    relation("transaction", "c6", "c10", amount_cny=1e6, count=30),
]
GOODS_GIVEN = [
    {"company_id": 4, "goods_name": "光刻胶", "share": 0.5, "source": "s", "record_key": "g1"},
    {"company_id": 10, "goods_name": "光刻胶", "share": 0.2, "source": "s", "record_key": "g2"},
]
NODES_GIVEN = [
    {"company_id": 7, "node_code": "N7", "chain_code": "ic", "confidence": 0.8, "evidence": "经营范围"}
]
CUSTOMERS_GIVEN = [
    {"company_id": 10, "institution_code": "B1", "manager_no": "m1", "status": "正常"},
    {"company_id": 11, "institution_code": "B2", "manager_no": "m2", "status": None},
    {"company_id": 12, "institution_code": "B1", "manager_no": "m1", "status": "正常"},
    {"company_id": 13, "institution_code": "B1", "manager_no": "m1", "status": "销户"},
]


def companies() -> pa.Table:
    return rows(COMPANIES, [{"company_id": number, "name": f"企业{number}公司"} for number in range(1, 15)])


def persons() -> pa.Table:
    return rows(PERSONS, [{"person_id": number, "name": f"王{number}"} for number in range(1, 6)])


def customers(given: list[dict] | None = None) -> pa.Table:
    return rows(CUSTOMERS, given or CUSTOMERS_GIVEN)


def tables(relations: list[dict] | None = None) -> dict[str, pa.Table]:
    return {
        "relations": rows(RELATIONS, relations or RELATIONS_GIVEN),
        "supply_pairs": SUPPLY_PAIRS.empty(),
        "company_nodes": rows(COMPANY_NODES, NODES_GIVEN),
        "company_goods": rows(COMPANY_GOODS, GOODS_GIVEN),
    }


def graph(given: dict[str, pa.Table] | None = None) -> Graph:
    used = given or tables()
    return Graph.open(build_graph(**used, companies=companies(), persons=persons(), as_of=AS_OF))


def statements(given: dict[str, pa.Table] | None = None) -> Statements:
    return Statements(companies(), persons(), given or tables())
