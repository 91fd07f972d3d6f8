"""产业链图谱: plans and sectors over chains; a chain's nodes with counts, gaps, firms and supply flows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from qiaomen.bank import Action
from qiaomen.chains import (
    CHAIN_NODES,
    COMPANY_NODES,
    NODE_COUNTS,
    SECTORS,
    Atlas,
    AtlasNode,
    AtlasStage,
    Count,
    Gap,
    atlas,
    withheld,
)
from qiaomen.membership import And, Expression, Index, Member, Or, to_text
from qiaomen.web import formats
from qiaomen.web.cells import Cell, ColumnView, Evidence, Page, TableView, table, tier_chip
from qiaomen.web.charts import FlowChart
from qiaomen.web.choices import Choice, Option
from qiaomen.web.firms import Firm, firms, name_cell, response_cell
from qiaomen.web.flows import flow
from qiaomen.web.reading import Reading, Record
from qiaomen.web.screens import index_or_none, sort_field
from qiaomen.web.visit import Visit, signed_in
from qiaomen.web.withholding import customers_words, least_group, own_count, sees_everything, told_atlas

PAGE_SIZE: Final = 20
GAP_ROWS: Final = 6
REGIONS: Final = 12

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ChainCard:
    """One chain on the atlas."""

    name: str
    href: str
    companies: str
    customers: str
    coverage: str
    part: float
    plans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sector:
    """One sector with its chains."""

    name: str
    chains: tuple[ChainCard, ...]


@dataclass(frozen=True, slots=True)
class NodeCard:
    """One node of a chain: firms, customers and whether it is a gap."""

    name: str
    href: str
    customers: str
    prospects: str
    part: float
    gap: str
    selected: bool
    depth: int


@dataclass(frozen=True, slots=True)
class StageBlock:
    """Nodes of one stage."""

    code: str
    label: str
    note: str
    nodes: tuple[NodeCard, ...]
    silent: int


@dataclass(frozen=True, slots=True)
class ChainView:
    """A chain's page."""

    name: str
    summary: str
    stages: tuple[StageBlock, ...]
    gaps: TableView
    listing: TableView | None
    list_title: str
    flow: FlowChart | None
    regions: Choice
    screen: str


def chain_rows(reading: Reading) -> dict[str, Record]:
    """First node of every chain: it carries the chain's name, sector and plans."""
    found: dict[str, Record] = {}
    for row in reading.table(CHAIN_NODES).to_pylist():
        found.setdefault(row["chain_code"], row)
    return found


def chain_counts(reading: Reading) -> dict[str, Count]:
    """Firms and customers of every chain over all regions."""
    totals: dict[str, Count] = defaultdict(Count)
    for row in reading.table(NODE_COUNTS).to_pylist():
        if row["level"] == "chain":
            before = totals[row["chain_code"]]
            totals[row["chain_code"]] = Count(
                before.companies + row["companies"], before.customers + row["customers"]
            )
    return dict(totals)


def told_chain(reading: Reading, code: str, row: Record, count: Count, least: int) -> Count:
    """Return the count of a whole chain as the reading's viewers may be told it."""
    if sees_everything(reading):
        return count
    index = index_or_none(reading)
    if index is None:
        return withheld(count, 0, least)
    known = index.names.find("chain", row["chain_name"] or code)
    return withheld(count, own_count(index, Member("chain", known[0])) if len(known) == 1 else 0, least)


def sectors(reading: Reading, least: int = 1) -> tuple[Sector, ...]:
    """All chains by sector with coverage; sectors in their declared order."""
    counts = reading.once(chain_counts)
    held: dict[str, list[tuple[int, ChainCard]]] = defaultdict(list)
    for code, row in reading.once(chain_rows).items():
        count = told_chain(reading, code, row, counts.get(code, Count()), least)
        card = ChainCard(
            name=row["chain_name"] or code,
            href=f"/chains/{code}",
            companies=formats.count(count.companies),
            customers=customers_words(count),
            coverage=formats.percent(count.penetration),
            part=count.penetration or 0.0,
            plans=formats.split(row["plans"]),
        )
        held[row["sector"] or "未归类"].append((count.companies, card))
    order = {name: place for place, name in enumerate(SECTORS)}
    named = sorted(held.items(), key=lambda item: order.get(item[0], len(order)))
    return tuple(
        Sector(name, tuple(card for _, card in sorted(cards, key=lambda pair: (-pair[0], pair[1].name))))
        for name, cards in named
    )


def walk(nodes: Sequence[AtlasNode], depth: int = 0) -> Iterator[tuple[AtlasNode, int]]:
    """Go through a tree of nodes, each before what lies below it; the larger first."""
    for node in sorted(nodes, key=lambda item: -item.count.companies):
        yield node, depth
        yield from walk(node.children, depth + 1)


def stage_block(stage: AtlasStage, base: str, region: str, chosen: str, gaps: dict[str, Gap]) -> StageBlock:
    """Lay out one stage; nodes without firms are counted, not drawn."""
    everything = list(walk(stage.nodes))
    cards = []
    for node, depth in everything:
        count = node.count
        if not count.companies and node.node_code != chosen:
            continue
        query = urlencode([("node", node.node_code)] + ([("region", region)] if region else []))
        gap = gaps.get(node.node_code)
        cards.append(
            NodeCard(
                name=node.node_name,
                href=f"{base}?{query}#firms",
                customers=customers_words(count),
                prospects=formats.count(count.prospects),
                part=count.penetration or 0.0,
                gap=gap.reason if gap else "",
                selected=node.node_code == chosen,
                depth=depth,
            )
        )
    note = f"存量 {customers_words(stage.count)} / {stage.count.companies:,} 户"
    return StageBlock(stage.stage or "unknown", stage.label, note, tuple(cards), len(everything) - len(cards))


def gap_table(gaps: Sequence[Gap], base: str, region: str) -> TableView:
    """Nodes with many local firms and few customers, largest gap first."""

    def link(row: Gap) -> str:
        return (
            f"{base}?"
            + urlencode([("node", row.node_code)] + ([("region", region)] if region else []))
            + "#firms"
        )

    columns: tuple[ColumnView[Gap], ...] = (
        ColumnView("环节", lambda row: Cell(row.node_name, href=link(row), evidence=Evidence(row.reason))),
        ColumnView(
            "潜客",
            lambda row: Cell(formats.households(row.count.prospects)),
            align="right",
        ),
        ColumnView(
            "覆盖率",
            lambda row: Cell(formats.percent(row.count.penetration), meter=row.count.penetration),
            align="right",
        ),
    )
    hint = "每个有一定企业数的环节，覆盖率都不低于全链平均"
    return table(columns, gaps[:GAP_ROWS], caption="缺口环节", empty="没有明显的缺口", empty_hint=hint)


def firm_columns(reading: Reading, chain: str, node: str) -> tuple[ColumnView[Firm], ...]:
    """Columns of the firms of a chain, with the reason each is on it."""
    placed = reading.keyed(COMPANY_NODES, "company_id")

    def why(row: Firm) -> Cell:
        here = [item for item in placed.rows(row.company_id) if item["chain_code"] == chain]
        here = [item for item in here if item["node_code"] == node] or here
        if not here:
            return Cell()
        best = max(here, key=lambda item: item["confidence"] or 0)
        return Cell(
            f"置信 {formats.percent(best['confidence'], 0)}", evidence=Evidence.parse(best["evidence"])
        )

    return (
        ColumnView("企业", name_cell),
        ColumnView("地区", lambda row: Cell(row.region), fixed=True),
        ColumnView("注册资本", lambda row: Cell(formats.money(row.capital_cny)), align="right"),
        ColumnView("响应度", response_cell, align="right"),
        ColumnView("分层", lambda row: Cell(chips=tier_chip(row.tier)), fixed=True),
        ColumnView("入链依据", why),
    )


def on_chain(index: Index, view: Atlas, node: str, region: str) -> Expression:
    """Return the query for the firms of a node, or of the whole chain."""
    if node:
        wanted: Expression = Member("chain", node)
    else:
        tops = [Member("chain", top.node_code) for stage in view.stages for top in stage.nodes]
        known = index.names.find("chain", view.chain_name)
        wanted = (
            Member("chain", known[0]) if len(known) == 1 else Or(tuple(tops)) if len(tops) > 1 else tops[0]
        )
    return And((wanted, Member("region", region))) if region else wanted


def listing(visit: Visit, view: Atlas, node: str, region: str, number: int) -> tuple[TableView | None, str]:
    """Firms of a node or chain by priority, and the query that finds its prospects."""
    index = index_or_none(visit.reading)
    if index is None:
        return None, "/inventory/screen"
    expression = on_chain(index, view, node, region)
    selected = index.select(expression)
    base = f"/chains/{view.chain_code}"
    page = Page(number, PAGE_SIZE, len(selected), base, (("node", node), ("region", region)))
    ids = index.page(selected, sort_field(index), descending=True, offset=page.start, limit=PAGE_SIZE)
    columns = firm_columns(visit.reading, view.chain_code, node)
    listed = table(
        columns, firms(visit.reading, visit.labels, ids), caption="企业", page=page, empty="这里还没有企业"
    )
    parts = expression.items if isinstance(expression, And) else (expression,)
    text = to_text(And((*parts, negated())))
    return listed, "/inventory/screen?" + urlencode({"q": text})


def negated() -> Expression:
    """Return the condition for prospects."""
    from qiaomen.membership import Not

    return Not(Member("customer"))


def region_choice(visit: Visit, view: Atlas, everywhere: Atlas, node: str) -> Choice:
    """Districts with firms of the chain."""
    base = f"/chains/{view.chain_code}"
    options = [Option("", "全部地区", base + (f"?node={node}" if node else ""), not view.region_code)]
    for code, count in list(everywhere.regions.items())[:REGIONS]:
        if code:
            href = f"{base}?" + urlencode([("region", code)] + ([("node", node)] if node else []))
            options.append(
                Option(
                    code,
                    visit.labels.region(code),
                    href,
                    code == view.region_code,
                    formats.count(count.companies),
                )
            )
    return Choice("地区", tuple(options))


def read_atlas(reading: Reading, code: str, region: str) -> Atlas:
    """Read one chain in one region."""
    return atlas(code, reading.table(CHAIN_NODES), reading.table(NODE_COUNTS), region_code=region or None)


def chain_view(visit: Visit, code: str, node: str, region: str, number: int) -> ChainView:
    """Compute a chain's page; ``NotFound`` for an unknown chain."""
    reading = visit.reading
    view = told_atlas(visit, reading.once(read_atlas, code, region))
    everywhere = told_atlas(visit, reading.once(read_atlas, code, ""))
    gaps = {gap.node_code: gap for gap in view.gaps[:GAP_ROWS]}
    named = {item.node_code: item.node_name for stage in view.stages for item, _ in walk(stage.nodes)}
    chosen = node if node in named else ""
    listed, screen = listing(visit, view, chosen, region, number)
    place = visit.labels.region(region) if region else "全部地区"
    return ChainView(
        name=view.chain_name,
        summary=f"{place} · {len(named)} 个环节 · 企业 {view.count.companies:,} 户 · 存量客户 {customers_words(view.count)} 户，"
        f"覆盖率 {formats.percent(view.count.penetration)}",
        stages=tuple(stage_block(stage, f"/chains/{code}", region, chosen, gaps) for stage in view.stages),
        gaps=gap_table(view.gaps, f"/chains/{code}", region),
        listing=listed,
        list_title=f"{named[chosen]}：企业" if chosen else "全链企业",
        flow=reading.once(flow, code),
        regions=region_choice(visit, view, everywhere, chosen),
        screen=screen,
    )


@router.get("/chains")
def show_atlas(visit: Annotated[Visit, Depends(signed_in)], plan: str = "") -> Response:
    """Show all chains, or those that a plan names."""
    visit.require(Action.SEE_COMPANIES)
    everything = visit.reading.once(sectors, least_group(visit))
    plans = sorted({name for sector in everything for chain in sector.chains for name in chain.plans})
    shown = [
        Sector(sector.name, tuple(chain for chain in sector.chains if not plan or plan in chain.plans))
        for sector in everything
    ]
    options = [Option("", "全部产业链", "/chains", not plan)]
    options += [
        Option(name, visit.labels.plan(name), "/chains?" + urlencode({"plan": name}), name == plan)
        for name in plans
    ]
    return visit.render(
        "chains.html",
        key="chains",
        title="产业链图谱",
        sectors=tuple(sector for sector in shown if sector.chains),
        plans=Choice("产业规划", tuple(options)),
    )


@router.get("/chains/{code}")
def show_chain(
    visit: Annotated[Visit, Depends(signed_in)],
    code: str,
    node: str = "",
    region: Annotated[str, Query(pattern=r"^(\d{6})?$")] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show one chain."""
    visit.require(Action.SEE_COMPANIES)
    view = chain_view(visit, code, node, region, page)
    return visit.render("chain.html", key="chains", title=f"{view.name} · 产业链图谱", view=view)
