"""How many customers a page may tell of: exactly, or only that they are few, where others' customers are among them."""

from __future__ import annotations

from qiaomen.chains import Atlas, Count, withheld, withhold
from qiaomen.membership import And, Expression, Index, Member
from qiaomen.web import formats
from qiaomen.web.reading import Reading
from qiaomen.web.screens import index_or_none
from qiaomen.web.seen import foreign_customers
from qiaomen.web.visit import Visit


def least_group(visit: Visit) -> int:
    """Return the smallest number of others' customers that is counted."""
    return visit.site.workspace.settings.least_group


def told(visit: Visit, own: int, total: int, companies: int = 0) -> Count:
    """Return a number of customers as it may be told, among so many companies."""
    return withheld(Count(companies, total), own, least_group(visit))


def customers_words(count: Count) -> str:
    """Say a number of customers: exactly, or ``＜5``."""
    return formats.count(count.customers) if count.below is None else f"＜{count.below:,}"


def sees_everything(reading: Reading) -> bool:
    """Tell whether no customer lies outside the reading's scope."""
    return not len(reading.once(foreign_customers))


def own_count(index: Index | None, expression: Expression) -> int:
    """Return how many of the selected companies are the viewer's own customers."""
    return 0 if index is None else index.count(And((expression, Member("customer"))))


def told_atlas(visit: Visit, view: Atlas) -> Atlas:
    """Return a chain as it may be told to the viewer."""
    return visit.reading.once(_told_atlas, view.chain_code, view.region_code or "", least_group(visit))


def _told_atlas(reading: Reading, code: str, region: str, least: int) -> Atlas:
    from qiaomen.web.pages.chains import on_chain, read_atlas

    view = reading.once(read_atlas, code, region)
    if sees_everything(reading):
        return view
    index = index_or_none(reading)
    places = {"stage": {stage.stage: [node.node_code for node in stage.nodes] for stage in view.stages}}

    def own(kind: str, what: str) -> int:
        if index is None:
            return 0
        if kind == "stage":
            return sum(
                own_count(index, on_chain(index, view, node, region))
                for node in places["stage"].get(what, [])
            )
        if kind == "region":
            return own_count(index, on_chain(index, view, "", what))
        return own_count(index, on_chain(index, view, what, region))

    return withhold(view, own, least)
