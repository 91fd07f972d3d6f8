"""Paths of one company to customers as a viewer may see them, from the graph of the generation in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from qiaomen.bank import INSTITUTION_RECORDS
from qiaomen.chains import COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import CUSTOMERS
from qiaomen.graph import Graph
from qiaomen.reach import (
    INTRODUCTIONS,
    Concealment,
    Path,
    Reaching,
    Statements,
    conceal_introductions,
    conceal_path,
    concealment,
    find_paths,
    load_warmth,
    load_wording,
    prepare,
)
from qiaomen.registry import COMPANIES, PERSONS, RELATIONS
from qiaomen.supply import SUPPLY_PAIRS
from qiaomen.vocab import NotFound
from qiaomen.web.reading import Reading, Record
from qiaomen.web.visit import Visit

GRAPH: Final = "graph"
Mode = Literal["best", "diverse"]
REACHING: Final = "reaching"


def open_reaching(reading: Reading) -> Reaching:
    """Open the priced graph; it is priced anew where the run kept no prices."""
    graph = Graph.open(reading.arrays(GRAPH))
    if reading.snapshot.has(REACHING):
        return Reaching.open(graph, reading.arrays(REACHING))
    return prepare(graph, reading.table(CUSTOMERS), reading.as_of, load_warmth())


def statements(reading: Reading) -> Statements:
    """Tables that name the nodes and hold the evidence of the edges."""
    tables = {
        table.name: reading.table(table) for table in (RELATIONS, SUPPLY_PAIRS, COMPANY_NODES, COMPANY_GOODS)
    }
    return Statements(reading.table(COMPANIES), reading.table(PERSONS), tables)


def has_graph(reading: Reading) -> bool:
    """Tell whether the generation holds a graph."""
    return reading.snapshot.has(GRAPH)


def unit_names(reading: Reading) -> dict[str, str]:
    """Name of each institution as loaded."""
    rows = reading.table(INSTITUTION_RECORDS).select(["institution_code", "name"])
    return dict(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))


def conceal(visit: Visit) -> Concealment:
    """Return what hides customers outside the viewer's scope."""
    return concealment(visit.viewer, visit.reading.whole.table(CUSTOMERS), visit.reading.once(unit_names))


def seen_paths(visit: Visit, company_id: int, k: int, mode: Mode) -> list[Path]:
    """Return the best paths as the viewer may see them; none where the company is not in the graph."""
    hide = conceal(visit)
    return [conceal_path(path, hide) for path in found_paths(visit.reading, company_id, k, mode)]


def found_paths(reading: Reading, company_id: int, k: int, mode: Mode) -> list[Path]:
    """Return the best paths as the bank knows them: never shown as they are."""
    reading = reading.whole
    if not has_graph(reading):
        return []
    try:
        return reading.once(_find, company_id, k, mode)
    except NotFound:
        return []


def _find(reading: Reading, company_id: int, k: int, mode: Mode) -> list[Path]:
    return find_paths(reading.once(open_reaching), company_id, reading.once(statements), k=k, mode=mode)


def seen_introductions(visit: Visit, numbers: Sequence[int]) -> dict[int, list[Record]]:
    """Return the worded introductions of companies as the viewer may see them, the warmest first."""
    rows = visit.reading.keyed(INTRODUCTIONS, "company_id").many(dict.fromkeys(numbers))
    if not rows.num_rows:
        return {}
    shown = conceal_introductions(rows, conceal(visit), load_wording(visit.site.workspace.overlay))
    found: dict[int, list[Record]] = {}
    for row in sorted(shown.to_pylist(), key=lambda item: item["rank"]):
        found.setdefault(row["company_id"], []).append(row)
    return found
