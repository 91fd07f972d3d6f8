"""Counts of customers that a viewer may not know exactly: those of other units, where they are too few to stay nameless.

A count is told where nobody elsewhere is in it, or at least ``least`` of them are; else it says only that it is below the
viewer's own part plus ``least``. Where exactly one part of a told total is withheld, a second one is, so that the total
minus the rest does not tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from qiaomen.chains.pages import Atlas, AtlasNode, AtlasStage, Count, Gap

Own = Callable[[str, str], int]
"""Customers in the viewer's own scope of a ``node``, ``stage``, ``region`` or the ``chain`` (code empty)."""


def withheld(count: Count, own: int, least: int) -> Count:
    """Return a count as it may be told."""
    elsewhere = count.customers - own
    if elsewhere <= 0 or elsewhere >= least:
        return count
    return Count(count.companies, own, own + least)


def withhold(view: Atlas, own: Own, least: int) -> Atlas:
    """Return a chain as it may be told to a viewer with these own customers."""
    stages = tuple(_stage(stage, own, least) for stage in view.stages)
    total = withheld(view.count, own("chain", ""), least)
    if sum(stage.count.below is not None for stage in stages) == 1:
        total = _hidden(view.count, own("chain", ""))
    return replace(
        view,
        count=total,
        stages=stages,
        regions=_regions(view.regions, own, least),
        gaps=tuple(_gap(gap, own, least) for gap in view.gaps),
    )


def _hidden(count: Count, own: int) -> Count:
    """Withhold a count though it is large enough: another could be computed from it."""
    if count.below is not None or count.customers <= own:
        return count
    return Count(count.companies, own, count.companies + 1)


def _stage(stage: AtlasStage, own: Own, least: int) -> AtlasStage:
    nodes = tuple(_node(node, own, least) for node in stage.nodes)
    count = withheld(stage.count, own("stage", stage.stage), least)
    if sum(node.count.below is not None for node in nodes) == 1:
        count = _hidden(stage.count, own("stage", stage.stage))
    return replace(stage, count=count, nodes=nodes)


def _node(node: AtlasNode, own: Own, least: int) -> AtlasNode:
    children = tuple(_node(child, own, least) for child in node.children)
    count = withheld(node.count, own("node", node.node_code), least)
    if sum(child.count.below is not None for child in children) == 1:
        count = _hidden(node.count, own("node", node.node_code))
    return replace(node, count=count, children=children)


def _regions(regions: Mapping[str, Count], own: Own, least: int) -> dict[str, Count]:
    """Withhold the regions that are too small and, where that is one, the smallest other with customers elsewhere."""
    told = {code: withheld(count, own("region", code), least) for code, count in regions.items()}
    if sum(count.below is not None for count in told.values()) == 1:
        rest = [
            (count.customers, code)
            for code, count in told.items()
            if count.below is None and count.customers > own("region", code)
        ]
        if rest:
            code = min(rest)[1]
            told[code] = _hidden(told[code], own("region", code))
    return told


def _gap(gap: Gap, own: Own, least: int) -> Gap:
    count = withheld(gap.count, own("node", gap.node_code), least)
    if count.below is None:
        return gap
    reason = f"本地企业 {count.companies} 户，存量客户不足 {count.below} 户，渗透率低于全链"
    return replace(gap, count=count, missing=0.0, reason=reason)
