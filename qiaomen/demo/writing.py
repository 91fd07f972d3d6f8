"""Reads the catalogues that the city follows, draws it and writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from qiaomen.demo.city import SEED, Size, draw_city
from qiaomen.demo.companies import Node
from qiaomen.demo.write import write_answers, write_inputs

# The twelve chains that the two plans name.
CHAINS: Final = frozenset(
    {"ic", "bio", "ai", "nev", "equip", "aero", "ict", "newmat", "digital", "elec", "auto", "fashion"}
)


def write_demo(inbox: Path, answers: Path, *, size: Size | None = None, seed: int = SEED) -> dict[str, int]:
    """Write the demo's input files and known answers; return rows by file. The same seed gives the same bytes."""
    city = draw_city(chain_nodes(), kind_names(), size or Size(), seed)
    counts = write_inputs(city, inbox)
    write_answers(city, answers)
    return counts


def chain_nodes() -> list[Node]:
    """Return the leaf nodes of the shipped chains that have words for goods."""
    from qiaomen.chains import load_chains

    return [
        Node(node.code, node.name, chain.name, str(node.stage), tuple(node.keywords), tuple(node.industries))
        for chain in load_chains(None)
        if chain.code in CHAINS
        for node in chain.nodes
        if node.keywords and node.stage
    ]


def kind_names() -> dict[str, str]:
    """Return the Chinese name of every opportunity kind."""
    from qiaomen.mining import load_kinds

    return {kind.code: kind.name for kind in load_kinds(None).values()}
