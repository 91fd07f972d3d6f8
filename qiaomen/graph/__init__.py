"""All relation kinds in one graph: build, paths, ownership, control.

``build_graph`` packs the input tables into arrays, ``Graph`` reads them. ``price`` puts costs on a graph and runs the
one pass over it; ``best_paths``, ``diverse_paths``, ``trace`` and ``fewest_hops`` answer from that. ``Ownership`` and
``Control`` say who owns and who controls a company, and which companies form a group.
"""

from qiaomen.graph.build import build_graph
from qiaomen.graph.control import Control, ControlChain, ControlRule, ControlStep, Group
from qiaomen.graph.graph import Edge, Graph, Node, Pointer
from qiaomen.graph.kinds import KIND_CODES, KINDS, SUSPECTED_CODES, NodeType
from qiaomen.graph.ownership import (
    Holdings,
    Owner,
    Ownership,
    direct_holdings,
    graph_holdings,
    integrated_shares,
)
from qiaomen.graph.paths import MAX_PATHS, Way, best_paths, diverse_paths, shared
from qiaomen.graph.ways import (
    BLOCKED,
    MAX_HOPS,
    Priced,
    Traced,
    fewest_hops,
    price,
    reopen,
    trace,
    use_cache,
)

__all__ = [
    "BLOCKED",
    "KINDS",
    "KIND_CODES",
    "MAX_HOPS",
    "MAX_PATHS",
    "SUSPECTED_CODES",
    "Control",
    "ControlChain",
    "ControlRule",
    "ControlStep",
    "Edge",
    "Graph",
    "Group",
    "Holdings",
    "Node",
    "NodeType",
    "Owner",
    "Ownership",
    "Pointer",
    "Priced",
    "Traced",
    "Way",
    "best_paths",
    "build_graph",
    "direct_holdings",
    "diverse_paths",
    "fewest_hops",
    "graph_holdings",
    "integrated_shares",
    "price",
    "reopen",
    "shared",
    "trace",
    "use_cache",
]
