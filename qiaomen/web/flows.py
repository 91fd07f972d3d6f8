"""Supply between the nodes of a chain, counted in pairs of firms that trade."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

import numpy as np

from qiaomen.chains import CHAIN_NODES, COMPANY_NODES
from qiaomen.supply import SUPPLY_PAIRS
from qiaomen.web.charts import FlowChart
from qiaomen.web.reading import Reading

STAGE_ORDER: Final = ("upstream", "midstream", "downstream", "")
FLOW_LINKS: Final = 28


def members(reading: Reading, chain: str) -> dict[int, list[str]]:
    """Nodes of a chain by company."""
    rows = reading.keyed(COMPANY_NODES, "chain_code").many([chain])
    found: dict[int, list[str]] = defaultdict(list)
    for number, code in zip(
        rows.column("company_id").to_pylist(), rows.column("node_code").to_pylist(), strict=True
    ):
        found[number].append(code)
    return found


def flow(reading: Reading, chain: str) -> FlowChart | None:
    """Supply between the nodes of a chain, counted in pairs of firms; nothing where none is known."""
    listed = reading.keyed(CHAIN_NODES, "chain_code").rows(chain)
    rank = {row["node_code"]: (STAGE_ORDER.index(row["stage"] or ""), row["node_code"]) for row in listed}
    placed = reading.once(members, chain)
    inside = np.fromiter(placed, np.int64, len(placed))
    pairs = reading.table(SUPPLY_PAIRS).select(["supplier_id", "buyer_id"])
    suppliers, buyers = pairs.column(0).to_numpy(), pairs.column(1).to_numpy()
    within = np.isin(suppliers, inside) & np.isin(buyers, inside)
    counts: Counter[tuple[str, str]] = Counter()
    for supplier, buyer in zip(suppliers[within].tolist(), buyers[within].tolist(), strict=True):
        for first in placed[supplier]:
            for second in placed[buyer]:
                # Drawn in one direction only: a flow chart cannot show a cycle.
                if rank[first] < rank[second]:
                    counts[first, second] += 1
    links = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:FLOW_LINKS]
    if not links:
        return None
    names = {row["node_code"]: row["node_name"] for row in listed}
    stages = {row["node_code"]: row["stage"] or "unknown" for row in listed}
    used = sorted({code for pair, _ in links for code in pair}, key=lambda code: rank[code])
    return FlowChart(
        nodes=tuple((names[code], stages[code]) for code in used),
        links=tuple((names[first], names[second], float(size)) for (first, second), size in links),
        unit="对企业",
        summary=f"环节之间的供货关系，共 {len(links)} 条流向",
    )
