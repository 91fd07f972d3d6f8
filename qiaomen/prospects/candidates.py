"""The six methods: each gives candidates with strength and reason; who may be on the list is decided after.

Columns of a candidate: company_id, seed_id, park_code, node_code, strength (0 to 1), reason. A reason never names an
existing customer as such: the page shows the seed by its number within the viewer's scope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from qiaomen.prospects.recipes import Recipe
from qiaomen.prospects.sources import (
    IN_PARK,
    LongListTables,
    nearness,
    neighbour_nodes,
    open_prospects,
    park_facts,
    park_leaders,
    path_table,
)
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

CANDIDATE_COLUMNS: Final = ("company_id", "seed_id", "park_code", "node_code", "strength", "reason")
PAIR_BASE: Final = 0.4
PAIR_SHARE: Final = 0.4
PAIR_CORE: Final = 0.2
GAP_BASE: Final = 0.5


def _percent(share: ir.FloatingValue) -> ir.StringValue:
    tenths = (share * 1000.0 + 0.5).floor().cast("int64")
    whole = (tenths / 10).floor().cast("int64")
    return whole.cast("string") + "." + (tenths - whole * 10).cast("string") + "%"


def _nodes(tables: LongListTables, recipe: Recipe) -> ir.Table:
    """Return prospects on nodes that the recipe takes, sure enough, with path, name and region."""
    import ibis

    placed = tables.company_nodes.filter(tables.company_nodes.confidence >= recipe.min_confidence)
    if recipe.chains:
        placed = placed.filter(placed.chain_code.isin(list(recipe.chains)))
    placed = placed.select("company_id", "node_code", "chain_code", "confidence")
    placed = placed.join(ibis.memtable(path_table(tables.chain_nodes)), "node_code")
    return placed.join(open_prospects(tables).select("company_id", "region_code"), "company_id")


def park_chains(parks: pa.Table, chain_nodes: pa.Table) -> pa.Table:
    """Return (park_code, trade, chain_code): chains that a park's leading trades name, by chain or node."""
    chains: dict[str, str] = {}
    nodes: dict[str, set[str]] = {}
    for row in chain_nodes.select(["chain_code", "chain_name", "node_name"]).to_pylist():
        chains[row["chain_name"]] = row["chain_code"]
        nodes.setdefault(row["node_name"], set()).add(row["chain_code"])
    found: set[tuple[str, str, str]] = set()
    for park in parks.select(["park_code", "trades"]).to_pylist():
        for trade in {word.strip() for word in (park["trades"] or "").split(";")} - {""}:
            named = {chains[trade]} if trade in chains else nodes.get(trade, set())
            if not named:
                named = {code for name, code in chains.items() if name in trade or trade in name}
            if not named:
                named = {code for name, codes in nodes.items() if trade in name for code in codes}
            found.update((park["park_code"], trade, code) for code in named)
    columns = list(zip(*sorted(found), strict=True)) or [()] * 3
    return pa.table(
        {
            name: pa.array(column, pa.string())
            for name, column in zip(("park_code", "trade", "chain_code"), columns, strict=True)
        }
    )


def _park_trade(tables: LongListTables, recipe: Recipe) -> ir.Table:
    import ibis

    trades = ibis.memtable(park_chains(tables.parks, tables.chain_nodes))
    parks = trades.join(ibis.memtable(park_facts(tables.parks)), "park_code")
    if recipe.parks:
        parks = parks.filter(parks.park_code.isin(list(recipe.parks)))
    placed = _nodes(tables, recipe)
    inside = tables.park_residents.select(inside_id="company_id", inside_park="park_code").distinct()
    near = placed.join(parks, "chain_code")
    near = near.left_join(inside, [near.company_id == inside.inside_id, near.park_code == inside.inside_park])
    near = near.mutate(
        closeness=ibis.ifelse(near.inside_id.notnull(), IN_PARK, nearness(near.region_code, near.park_region))
    )
    near = near.filter(near.closeness > 0)
    where = ibis.cases(
        (near.inside_id.notnull(), "在园区内"), (near.closeness > 0.7, "与园区同区"), else_="与园区同市"
    )
    return near.select(
        "company_id",
        seed_id=ibis.null("int64"),
        park_code=near.park_code,
        node_code=near.node_code,
        strength=near.confidence * near.closeness,
        reason="园区“"
        + near.park_name
        + "”重点产业为“"
        + near.trade
        + "”；该企业位于“"
        + near.path
        + "”，"
        + where,
    )


def _partners(tables: LongListTables, recipe: Recipe, seeds: ir.Table) -> ir.Table:
    """Return suppliers and buyers of ``seeds`` (seed_id, …) with strength and the words of the trade."""
    import ibis

    pairs = tables.supply_pairs.filter(tables.supply_pairs.amount_cny > 0)
    sides = []
    for seed, other, label, core, share in (
        ("buyer_id", "supplier_id", "供应商", "core_supplier", "share_of_purchases"),
        ("supplier_id", "buyer_id", "下游客户", "core_buyer", "share_of_sales"),
    ):
        side = pairs.join(seeds, pairs[seed] == seeds.seed_id)
        own = side.share_of_sales if other == "supplier_id" else side.share_of_purchases
        weight = ibis.greatest(side[share].fill_null(0.0), own.fill_null(0.0))
        is_core = side[core].fill_null(False)
        word = ibis.ifelse(is_core, f"核心{label}", label)
        base = "采购" if label == "供应商" else "销售"
        trade = word + f"（占其已知{base} " + _percent(side[share].fill_null(0.0)) + "，"
        trade = trade + side.months.cast("string") + " 个月有交易，最近 " + side.last_on.cast("string") + "）"
        chosen = side.mutate(
            company_id=side[other],
            weight=weight,
            strength=PAIR_BASE + PAIR_SHARE * weight + ibis.ifelse(is_core, PAIR_CORE, 0.0),
            trade=trade,
        )
        sides.append(chosen.select("company_id", *seeds.columns, "weight", "strength", "trade"))
    both = sides[0].union(sides[1])
    return both.filter(both.weight >= recipe.min_share)


def _park_leader_supply(tables: LongListTables, recipe: Recipe) -> ir.Table:
    import ibis

    leaders = park_leaders(tables, recipe)
    seeds = leaders.select("park_code", "park_name", "leader_name", seed_id="leader_id")
    found = _partners(tables, recipe, seeds)
    return found.select(
        "company_id",
        "seed_id",
        "park_code",
        node_code=ibis.null("string"),
        strength=found.strength,
        reason="园区“" + found.park_name + "”龙头企业“" + found.leader_name + "”的" + found.trade,
    )


def _park_leader_chain(tables: LongListTables, recipe: Recipe) -> ir.Table:
    import ibis

    leaders = park_leaders(tables, recipe)
    paths = ibis.memtable(path_table(tables.chain_nodes)).rename(leader_node="node_code", leader_path="path")
    held = tables.company_nodes.filter(tables.company_nodes.confidence >= recipe.min_confidence)
    held = held.select(leader_id="company_id", leader_node="node_code", leader_confidence="confidence")
    leading = leaders.join(held, "leader_id").join(paths.drop("chain_name"), "leader_node")
    links = ibis.memtable(neighbour_nodes(tables.chain_nodes, tables.node_links))
    sought = leading.join(links, leading.leader_node == links.node)
    placed = _nodes(tables, recipe)
    found = placed.join(sought, placed.node_code == sought.neighbour)
    found = found.mutate(closeness=nearness(found.region_code, found.park_region))
    found = found.filter(found.closeness > 0, found.company_id != found.leader_id)
    words = (
        "园区“" + found.park_name + "”龙头企业“" + found.leader_name + "”位于“" + found.leader_path + "”；"
    )
    words = words + "该企业位于其" + found.side + "“" + found.path + "”（" + found.how + "）"
    return found.select(
        "company_id",
        seed_id=found.leader_id,
        park_code=found.park_code,
        node_code=found.node_code,
        strength=found.confidence * found.leader_confidence * found.factor * found.closeness,
        reason=words,
    )


def _customer_core_supply(tables: LongListTables, recipe: Recipe) -> ir.Table:
    import ibis

    core = tables.core_enterprises.select(core_id="company_id", served_by="served_by")
    customers = tables.customers.select(customer_id="company_id").distinct()
    seeds = core.join(customers, core.core_id == customers.customer_id).select(
        seed_id="core_id", served_by="served_by"
    )
    found = _partners(tables, recipe, seeds)
    served = "本行存量核心企业（已知 " + found.served_by.cast("string") + " 家供应商以其为核心下游客户）的"
    return found.select(
        "company_id",
        "seed_id",
        park_code=ibis.null("string"),
        node_code=ibis.null("string"),
        strength=found.strength,
        reason=served + found.trade,
    )


def _core_supplier(tables: LongListTables, recipe: Recipe) -> ir.Table:
    import ibis

    core = tables.core_enterprises.select(seed_id="company_id", served_by="served_by")
    names = tables.companies.select(named_id="company_id", core_name="name")
    core = core.join(names, core.seed_id == names.named_id)
    pairs = tables.supply_pairs
    pairs = pairs.filter(pairs.core_buyer.fill_null(False), pairs.share_of_sales >= recipe.min_share)
    found = pairs.join(core, pairs.buyer_id == core.seed_id)
    words = "以核心企业“" + found.core_name + "”为核心下游客户（占该企业已知销售 "
    words = words + _percent(found.share_of_sales) + "，" + found.months.cast("string") + " 个月有交易，最近 "
    words = words + found.last_on.cast("string") + "）；该核心企业已知由 " + found.served_by.cast("string")
    return found.select(
        company_id=found.supplier_id,
        seed_id=found.seed_id,
        park_code=ibis.null("string"),
        node_code=ibis.null("string"),
        strength=PAIR_BASE + PAIR_CORE + PAIR_SHARE * found.share_of_sales,
        reason=words + " 家供应商如此供货",
    )


def _region_gap(tables: LongListTables, recipe: Recipe) -> ir.Table:
    import ibis

    counts = tables.node_counts.filter(tables.node_counts.region_code != "")
    counts = counts.mutate(city=counts.region_code.left(4))
    summed = counts.group_by("chain_code", "level", "code", "city").agg(
        firms=counts.companies.sum().cast("int64"), held=counts.customers.sum().cast("int64")
    )
    whole = summed.filter(summed.level == "chain").select(
        whole_chain="chain_code", whole_city="city", average=portable.divide(summed.held, summed.firms)
    )
    nodes = summed.filter(summed.level == "node", summed.firms >= recipe.min_companies)
    gaps = nodes.join(whole, [nodes.chain_code == whole.whole_chain, nodes.city == whole.whole_city])
    gaps = gaps.mutate(penetration=portable.divide(gaps.held, gaps.firms))
    gaps = gaps.filter(gaps.penetration < gaps.average)
    gaps = gaps.select("firms", "held", "penetration", "average", gap_node="code", gap_city="city")
    placed = _nodes(tables, recipe)
    found = placed.join(
        gaps, [placed.node_code == gaps.gap_node, placed.region_code.left(4) == gaps.gap_city]
    )
    words = "“" + found.path + "”同市有企业 " + found.firms.cast("string") + " 户，本行客户 "
    words = (
        words + found.held.cast("string") + " 户，渗透率 " + _percent(found.penetration) + "，低于该链平均 "
    )
    scarcity = GAP_BASE + GAP_BASE * (1.0 - portable.divide(found.penetration, found.average))
    return found.select(
        "company_id",
        seed_id=ibis.null("int64"),
        park_code=ibis.null("string"),
        node_code=found.node_code,
        strength=found.confidence * scarcity,
        reason=words + _percent(found.average),
    )


METHODS: Final[dict[str, Callable[[LongListTables, Recipe], ir.Table]]] = {
    "park_trade": _park_trade,
    "park_leader_supply": _park_leader_supply,
    "park_leader_chain": _park_leader_chain,
    "customer_core_supply": _customer_core_supply,
    "core_supplier": _core_supplier,
    "region_gap": _region_gap,
}


def find_candidates(tables: LongListTables, recipe: Recipe) -> ir.Table:
    """Return the candidates of one recipe."""
    return METHODS[recipe.method](tables, recipe).select(*CANDIDATE_COLUMNS)
