"""A small city: two parks, a dozen companies, trade, relations. Numbers below 10 are prospects, 20 and up customers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa

from qiaomen.chains import COMPANY_NODES, NODE_COUNTS, NODE_LINKS, build_chain_nodes, count_nodes, load_chains
from qiaomen.customers import CUSTOMERS
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.prospects import LONG_LIST, LongListTables, Recipe, build_long_list, load_introducer_links
from qiaomen.registry import COMPANIES, RELATIONS
from qiaomen.scoring import leave_out, load_marketable_rules
from qiaomen.store import Engine
from qiaomen.supply import CORE_ENTERPRISES, SUPPLY_PAIRS

AS_OF = date(2026, 6, 30)
NODES = build_chain_nodes([chain for chain in load_chains() if chain.code in ("ic", "bio")]).table
LINKS = load_introducer_links()


def rows_of(table: Any, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, table.schema)


def firm(number: int, region: str | None = "310115", **more: Any) -> dict[str, Any]:
    return {
        "company_id": number,
        "name": f"企业{number}",
        "origin": "registry",
        "status": "存续",
        "sources": "city",
        "region_code": region,
        **more,
    }


def sits(number: int, node: str, confidence: float = 0.8) -> dict[str, Any]:
    row = next(row for row in NODES.to_pylist() if row["node_code"] == node)
    return {
        "company_id": number,
        "node_code": node,
        "chain_code": row["chain_code"],
        "stage": row["stage"],
        "confidence": confidence,
    }


def pair(supplier: int, buyer: int, sales: float, purchases: float, **more: Any) -> dict[str, Any]:
    return {
        "supplier_id": supplier,
        "buyer_id": buyer,
        "amount_cny": 1e6,
        "months": 4,
        "last_on": date(2026, 5, 1),
        "share_of_sales": sales,
        "share_of_purchases": purchases,
        **more,
    }


def relation(kind: str, start: tuple[str, int], end: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "from_type": start[0],
        "from_id": start[1],
        "to_type": "company",
        "to_id": end,
        "proven": True,
        "confidence": 1.0,
        **more,
    }


PARK_ROWS = [
    {"park_code": "P1", "name": "甲园", "region_code": "310115", "trades": "集成电路;无此产业"},
    {"park_code": "P2", "name": "乙园", "region_code": "320500", "trades": "原料药"},
]


def tables(
    engine: Engine,
    *,
    firms: list[dict[str, Any]],
    customers: list[int] | None = None,
    nodes: list[dict[str, Any]] | None = None,
    residents: list[tuple[int, str]] | None = None,
    pairs: list[dict[str, Any]] | None = None,
    core: list[tuple[int, int]] | None = None,
    relations: list[dict[str, Any]] | None = None,
    links: list[dict[str, Any]] | None = None,
) -> LongListTables:
    """Open the tables of a small city; what is not given is empty."""
    memory = engine.memory
    held = rows_of(CUSTOMERS, [{"company_id": number} for number in customers or []])
    stays = [{"company_id": company, "park_code": park} for company, park in residents or []]
    served = [{"company_id": company, "served_by": count} for company, count in core or []]
    companies, clients = memory(rows_of(COMPANIES, firms)), memory(held)
    opened = LongListTables(
        companies=companies,
        customers=clients,
        not_marketable=leave_out(companies, clients, load_marketable_rules()),
        company_nodes=memory(rows_of(COMPANY_NODES, nodes or [])),
        park_residents=memory(rows_of(PARK_RESIDENTS, stays)),
        supply_pairs=memory(rows_of(SUPPLY_PAIRS, pairs or [])),
        core_enterprises=memory(rows_of(CORE_ENTERPRISES, served)),
        relations=memory(rows_of(RELATIONS, relations or [])),
        node_counts=memory(NODE_COUNTS.empty()),
        chain_nodes=NODES,
        node_links=rows_of(NODE_LINKS, links or []),
        parks=rows_of(PARKS, PARK_ROWS),
    )
    counts = count_nodes(opened.company_nodes, NODES, opened.companies, opened.customers)
    return replace(opened, node_counts=memory(engine.arrow(counts, NODE_COUNTS)))


def listed(engine: Engine, recipes: list[Recipe], opened: LongListTables) -> list[dict[str, Any]]:
    """Return the long list by recipe and rank."""
    found = build_long_list(recipes, opened, AS_OF, links=LINKS, keep=engine.keep)
    rows = engine.arrow(found.rows, LONG_LIST).to_pylist()
    return sorted(rows, key=lambda row: (row["recipe"], row["rank"]))


def counted(engine: Engine, recipes: list[Recipe], opened: LongListTables) -> dict[str, dict[str, int]]:
    """Return the counts by recipe."""
    found = build_long_list(recipes, opened, AS_OF, links=LINKS, keep=engine.keep)
    return {row.pop("recipe"): row for row in engine.arrow(found.counts).to_pylist()}


def recipe(method: str, **more: Any) -> Recipe:
    return Recipe(code=method, name="配方", method=method, definition="测试", **more)  # type: ignore[arg-type]
