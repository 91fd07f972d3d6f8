"""What the recipes read, and what several of them need: prospects, leaders, nearness, up- and downstream nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from qiaomen.chains import live_companies
from qiaomen.prospects.recipes import Recipe
from qiaomen.store import portable
from qiaomen.vocab import STAGE_LABELS, region_prefix

if TYPE_CHECKING:
    import ibis.expr.types as ir

Keep = Callable[["ir.Table"], "ir.Table"]

IN_PARK: Final = 1.0
SAME_DISTRICT: Final = 0.8
SAME_CITY: Final = 0.6
LINK_FACTORS: Final = {"declared": 1.0, "goods": 0.8, "stage": 0.5}
"""How far a link between nodes is believed: stated, by goods, only by the order of stages."""
LINK_WORDS: Final = {"declared": "环节供给关系", "goods": "产品供给关系", "stage": "同链相邻段"}


NEIGHBOUR_SCHEMA: Final = pa.schema(
    [
        ("node", pa.string()),
        ("neighbour", pa.string()),
        ("side", pa.string()),
        ("factor", pa.float64()),
        ("how", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class LongListTables:
    """Tables that the recipes read; the small ones as Arrow, the large ones as engine tables.

    ``not_marketable`` (company_id) names companies that must not be listed.
    """

    companies: ir.Table
    customers: ir.Table
    not_marketable: ir.Table
    company_nodes: ir.Table
    park_residents: ir.Table
    supply_pairs: ir.Table
    core_enterprises: ir.Table
    relations: ir.Table
    node_counts: ir.Table
    chain_nodes: pa.Table
    node_links: pa.Table
    parks: pa.Table


def open_prospects(tables: LongListTables) -> ir.Table:
    """Return the marketable companies that are no customers: id, name, region_code."""
    held = tables.customers.select(held_id="company_id").distinct()
    out = tables.not_marketable.select(out_id="company_id")
    companies = tables.companies
    companies = companies.anti_join(held, companies.company_id == held.held_id)
    companies = companies.anti_join(out, companies.company_id == out.out_id)
    return companies.select("company_id", "name", "region_code")


def park_leaders(tables: LongListTables, recipe: Recipe) -> ir.Table:
    """Return the leading firms of each park (listed, then revenue, then capital): leader_id, leader_name, park."""
    import ibis

    companies = live_companies(tables.companies)
    here = tables.park_residents.select("park_code", resident_id="company_id")
    if recipe.parks:
        here = here.filter(here.park_code.isin(list(recipe.parks)))
    residents = here.join(companies, here.resident_id == companies.company_id)
    sized = residents.filter(
        residents.listed_board.notnull()
        | (residents.revenue_cny.fill_null(0.0) > 0)
        | (residents.capital_cny.fill_null(0.0) > 0)
    )
    place = ibis.row_number().over(
        group_by="park_code",
        order_by=[
            sized.listed_board.notnull().cast("int64").desc(),
            portable.descending(portable.not_nan(sized.revenue_cny)),
            portable.descending(portable.not_nan(sized.capital_cny)),
            sized.company_id.asc(),
        ],
    )
    placed = sized.mutate(place=place)
    leading = placed.filter(placed.place < recipe.leaders)
    parks = ibis.memtable(park_facts(tables.parks))
    leading = leading.select("park_code", leader_id="company_id", leader_name="name")
    return leading.join(parks, "park_code")


def park_facts(parks: pa.Table) -> pa.Table:
    """Return park_code, park_name, park_region."""
    return pa.table(
        {
            "park_code": parks.column("park_code"),
            "park_name": parks.column("name"),
            "park_region": parks.column("region_code"),
        }
    )


def in_regions(table: ir.Table, recipe: Recipe) -> ir.Table:
    """Keep rows whose ``region_code`` lies in the recipe's regions."""
    if not recipe.regions:
        return table
    region = table.region_code.fill_null("")
    inside = region.startswith(region_prefix(recipe.regions[0]))
    for code in recipe.regions[1:]:
        inside = inside | region.startswith(region_prefix(code))
    return table.filter(inside)


def nearness(region: ir.StringColumn, park_region: ir.StringColumn) -> ir.FloatingColumn:
    """Return how near a company is to a park by division: same district, same city, else 0."""
    import ibis

    city = park_region.length() >= 4
    return ibis.cases(
        (region.isnull() | park_region.isnull(), 0.0),
        ((region == park_region) & (park_region.right(2) != "00"), SAME_DISTRICT),
        (city & (region.left(4) == park_region.left(4)) & (park_region.right(4) != "0000"), SAME_CITY),
        else_=0.0,
    )


def path_table(chain_nodes: pa.Table) -> pa.Table:
    """Return node_code, chain_name and the path in words."""
    return chain_nodes.select(["node_code", "chain_name", "path"])


def _known_links(chain_nodes: pa.Table, node_links: pa.Table) -> Iterator[tuple[str, str, str]]:
    """Yield (supplier, buyer, how): stated links, goods links, then the next stage of the same chain."""
    known = set(chain_nodes.column("node_code").to_pylist())
    for row in node_links.to_pylist():
        if row["from_node"] in known and row["to_node"] in known:
            yield row["from_node"], row["to_node"], row["basis"]
    stages: dict[tuple[str, str], list[str]] = {}
    for row in chain_nodes.select(["node_code", "chain_code", "stage"]).to_pylist():
        stages.setdefault((row["chain_code"], row["stage"] or ""), []).append(row["node_code"])
    following = dict(pairwise(STAGE_LABELS))
    for (chain, stage), suppliers in stages.items():
        buyers = stages.get((chain, following.get(stage, "?")), [])
        yield from ((supplier, buyer, "stage") for supplier in suppliers for buyer in buyers)


def neighbour_nodes(chain_nodes: pa.Table, node_links: pa.Table) -> pa.Table:
    """Return (node, neighbour, side, factor, how): nodes up- and downstream of each node.

    Where several links tie two nodes the one most believed counts.
    """
    best: dict[tuple[str, str], tuple[str, str]] = {}
    for supplier, buyer, how in _known_links(chain_nodes, node_links):
        for key, side in (((buyer, supplier), "上游"), ((supplier, buyer), "下游")):
            if key not in best or LINK_FACTORS[how] > LINK_FACTORS[best[key][1]]:
                best[key] = (side, how)
    rows = [
        {
            "node": node,
            "neighbour": neighbour,
            "side": side,
            "factor": LINK_FACTORS[how],
            "how": LINK_WORDS[how],
        }
        for (node, neighbour), (side, how) in sorted(best.items())
    ]
    return pa.Table.from_pylist(rows, NEIGHBOUR_SCHEMA)
