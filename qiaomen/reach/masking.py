"""What a viewer may see of a path: a customer out of scope shows as “XX支行客户（需申请转介）”, without amounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from qiaomen.bank import DataKind, Viewer, blanked_text, masked_text, reads, referral_name, scope_of
from qiaomen.reach.paths import Hop, Path, PathNode, from_record, to_record
from qiaomen.reach.tables import INTRODUCTIONS
from qiaomen.reach.wording import Wording, word_path


@dataclass(frozen=True, slots=True)
class Concealment:
    """Gives the words to show instead of a customer's name, or ``None`` where the viewer may see it.

    ``persons`` and ``amounts`` tell whether names of natural persons and amounts are masked too.
    """

    customer: Callable[[int], str | None]
    persons: bool = False
    amounts: bool = False

    def __call__(self, company_id: int) -> str | None:
        """Return what to show instead of a company's name."""
        return self.customer(company_id)


def concealment(viewer: Viewer, customers: pa.Table, institution_names: Mapping[str, str]) -> Concealment:
    """Return what hides customers out of the viewer's scope (``customers``: the table of that name)."""
    columns = (customers[name].to_pylist() for name in ("company_id", "institution_code", "manager_no"))
    kept = {company: (institution, manager) for company, institution, manager in zip(*columns, strict=True)}
    scope = scope_of(viewer)

    def conceal(company_id: int) -> str | None:
        if company_id not in kept or scope.covers(*kept[company_id]):
            return None
        institution = kept[company_id][0]
        return referral_name(institution_names.get(institution) if institution else None)

    return Concealment(
        conceal,
        persons=not reads(viewer, DataKind.PERSON),
        amounts=not reads(viewer, DataKind.AMOUNT),
    )


def conceal_path(path: Path, conceal: Concealment) -> Path:
    """Return a path as a viewer may see it.

    A hop at a hidden customer keeps its kind and nothing else: evidence, amounts, shares, offices and dates would
    tell who the customer is. The company that the path starts from is the viewer's own question and stays.
    """
    hops = tuple(_conceal_hop(hop, path.company_id, conceal) for hop in path.hops)
    if conceal.persons:
        names = {node.name for node in path.nodes() if node.type == "person"}
        hops = tuple(_without_persons(hop, names) for hop in hops)
    if conceal.amounts:
        hops = tuple(replace(hop, amount_cny=None) for hop in hops)
    hidden = bool(hops) and hops[-1].end.hidden
    return replace(path, hops=hops, customer_id=None if hidden else path.customer_id)


def conceal_introductions(rows: pa.Table, conceal: Concealment, wording: Wording) -> pa.Table:
    """Return rows of ``introductions`` as a viewer may see them, their sentences said anew."""
    seen = [_conceal_introduction(row, conceal, wording) for row in rows.to_pylist()]
    return INTRODUCTIONS.conform(pa.Table.from_pylist(seen, schema=INTRODUCTIONS.schema))


def _conceal_introduction(row: dict[str, Any], conceal: Concealment, wording: Wording) -> dict[str, Any]:
    record = json.loads(row["path"])
    if row["kind"] == "path":
        path = conceal_path(from_record(record), conceal)
        return row | {
            "customer_id": path.customer_id,
            "path": json.dumps(to_record(path), ensure_ascii=False),
            "wording": word_path(path, wording),
        }
    shown = conceal(row["customer_id"]) if row["customer_id"] is not None else None
    if shown is None:
        return row
    hidden = {"chain": record["chain"], "name": shown}
    text = wording.say("chain_leader", chain=record["chain"], customer=shown)
    return row | {"customer_id": None, "path": json.dumps(hidden, ensure_ascii=False), "wording": text}


def _conceal_hop(hop: Hop, start: int, conceal: Concealment) -> Hop:
    first, last = _conceal_node(hop.start, start, conceal), _conceal_node(hop.end, start, conceal)
    if not (first.hidden or last.hidden):
        return hop
    return Hop(
        kind=hop.kind,
        start=first,
        end=last,
        along=hop.along,
        role=None,
        ratio=None,
        amount_cny=None,
        count=None,
        since=None,
        until=None,
        observed_on=None,
        proven=hop.proven,
        confidence=hop.confidence,
    )


def _without_persons(hop: Hop, names: Collection[str]) -> Hop:
    return replace(
        hop,
        start=_unnamed(hop.start),
        end=_unnamed(hop.end),
        evidence=tuple(blanked_text(text, names) for text in hop.evidence),
    )


def _unnamed(node: PathNode) -> PathNode:
    return replace(node, name=masked_text(node.name) or "") if node.type == "person" else node


def _conceal_node(node: PathNode, start: int, conceal: Concealment) -> PathNode:
    if node.type != "company" or node.id is None or node.id == start:
        return node
    shown = conceal(node.id)
    return node if shown is None else PathNode("company", None, shown, hidden=True)
