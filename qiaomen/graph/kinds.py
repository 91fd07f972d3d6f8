"""Codes of edge kinds, node types and evidence tables inside the graph's arrays."""

from __future__ import annotations

from typing import Final, Literal

from qiaomen.vocab import SUSPECTED_KINDS, RelationKind

NodeType = Literal["company", "person", "node"]

KINDS: Final[tuple[str, ...]] = tuple(kind.value for kind in RelationKind)
KIND_CODES: Final[dict[str, int]] = {kind: code for code, kind in enumerate(KINDS)}
SUSPECTED_CODES: Final = frozenset(KIND_CODES[kind] for kind in SUSPECTED_KINDS)

SYMMETRIC: Final = frozenset(
    KIND_CODES[kind] for kind in (*SUSPECTED_KINDS, RelationKind.SHARED_IP, RelationKind.CHAIN)
)
"""Kinds without a direction; all kinds are walked both ways."""

TABLES: Final[tuple[str, ...]] = ("relations", "supply_pairs", "company_nodes", "company_goods")
CHAIN_NODE: Final = 0
GOODS: Final = 1
