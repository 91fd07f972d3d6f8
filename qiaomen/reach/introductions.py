"""Worded introductions for assigned companies: paths, and where there is none the park, association or chain leader."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from qiaomen.chains import CHAIN_NODES, COMPANY_NODES
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.reach.paths import Path, find_paths, to_record
from qiaomen.reach.pricing import Reaching
from qiaomen.reach.statements import Statements
from qiaomen.reach.tables import INTRODUCTIONS
from qiaomen.reach.wording import Wording, load_wording, word_path

ASSOCIATION_WORDS: Final = ("协会", "商会", "联合会", "促进会")


@dataclass(frozen=True)
class Surroundings:
    """Where companies stand beside their relations: parks, residents, chain nodes."""

    parks: pa.Table = field(default_factory=PARKS.empty)
    park_residents: pa.Table = field(default_factory=PARK_RESIDENTS.empty)
    chain_nodes: pa.Table = field(default_factory=CHAIN_NODES.empty)
    company_nodes: pa.Table = field(default_factory=COMPANY_NODES.empty)

    @cached_property
    def park_of(self) -> dict[int, str]:
        """First park of each company."""
        pairs = zip(
            *(self.park_residents[name].to_pylist() for name in ("company_id", "park_code")), strict=True
        )
        found: dict[int, str] = {}
        for company, park in sorted(pairs):
            found.setdefault(company, park)
        return found

    @cached_property
    def park_rows(self) -> dict[str, dict[str, Any]]:
        """Parks by code."""
        return {row["park_code"]: row for row in self.parks.to_pylist()}

    @cached_property
    def chain_names(self) -> dict[str, str]:
        """Chain in words by its code."""
        columns = (self.chain_nodes[name].to_pylist() for name in ("chain_code", "chain_name"))
        return {code: name for code, name in zip(*columns, strict=True) if code and name}

    @cached_property
    def chains_of(self) -> dict[int, list[str]]:
        """Chains of each company, the surest first."""
        names = ("company_id", "chain_code", "confidence")
        rows = zip(*(self.company_nodes[name].to_pylist() for name in names), strict=True)
        found: dict[int, list[str]] = defaultdict(list)
        for company, chain, _ in sorted(rows, key=lambda row: (row[0], -(row[2] or 0.0), row[1] or "")):
            if chain and chain not in found[company]:
                found[company].append(chain)
        return found


def word_introductions(
    reaching: Reaching,
    company_ids: Iterable[int],
    customers: pa.Table,
    statements: Statements,
    *,
    surroundings: Surroundings | None = None,
    wording: Wording | None = None,
    k: int = 3,
) -> pa.Table:
    """Return the table ``introductions`` for given companies.

    A company with paths gets the best k; without any, a park, association or chain-leader introduction each where
    there is one. Rows are for the bank: show them through ``conceal_introductions``.
    """
    says = wording or load_wording()
    doors = _Doors(surroundings or Surroundings(), customers, statements, says)
    rows: list[dict[str, Any]] = []
    for company in sorted(set(company_ids)):
        known = int(reaching.graph.company_nodes([company])[0]) >= 0
        paths = find_paths(reaching, company, statements, k=k) if known else []
        found = [_path_row(path, says) for path in paths] or doors.of(company)
        rows += [{"company_id": company, "rank": rank, **row} for rank, row in enumerate(found, 1)]
    return INTRODUCTIONS.conform(pa.Table.from_pylist(rows, schema=INTRODUCTIONS.schema))


def _path_row(path: Path, wording: Wording) -> dict[str, Any]:
    return {
        "customer_id": path.customer_id,
        "kind": "path",
        "hops": len(path.hops),
        "warmth": path.warmth,
        "proven": path.proven,
        "path": json.dumps(to_record(path), ensure_ascii=False),
        "wording": word_path(path, wording),
    }


class _Doors:
    """Introductions without a path."""

    def __init__(
        self, around: Surroundings, customers: pa.Table, statements: Statements, wording: Wording
    ) -> None:
        self._around, self._statements, self._wording = around, statements, wording
        self._customers = customers["company_id"].to_pylist()

    def of(self, company: int) -> list[dict[str, Any]]:
        """Return the introductions of one company, park first."""
        found = (self._park(company), self._association(company), self._leader(company))
        return [row for row in found if row is not None]

    @cached_property
    def _park_customers(self) -> dict[str, int]:
        counted: dict[str, int] = defaultdict(int)
        for customer in self._customers:
            if park := self._around.park_of.get(customer):
                counted[park] += 1
        return counted

    @cached_property
    def _associations(self) -> list[str]:
        import pyarrow.compute as pc

        names = self._statements.companies["name"]
        found = names.filter(
            pc.fill_null(pc.match_substring_regex(names, "|".join(ASSOCIATION_WORDS)), False)
        )
        return sorted(set(found.to_pylist()))

    @cached_property
    def _leaders(self) -> dict[str, int]:
        """Return the customer of each chain with the largest revenue, then capital, then the least number."""
        best: dict[str, tuple[float, float, int]] = {}
        for customer in self._customers:
            chains = self._around.chains_of.get(customer)
            if not chains:
                continue
            row = self._statements.company(customer)
            size = (row.get("revenue_cny") or 0.0, row.get("capital_cny") or 0.0, -customer)
            for chain in chains:
                best[chain] = max(best.get(chain, size), size)
        return {chain: -size[2] for chain, size in best.items()}

    def _park(self, company: int) -> dict[str, Any] | None:
        park = self._around.park_of.get(company)
        count = self._park_customers.get(park, 0) if park else 0
        if park is None or not count:
            return None
        row = self._around.park_rows.get(park, {})
        operator = row.get("operator_id")
        facts = {
            "park": row.get("name") or park,
            "count": count,
            "operator": self._statements.company_name(operator) if operator is not None else "运营方",
        }
        return self._row("park", None, facts, park_code=park)

    def _association(self, company: int) -> dict[str, Any] | None:
        for chain in self._around.chains_of.get(company, ()):
            name = self._around.chain_names.get(chain)
            fitting = [found for found in self._associations if name and name in found]
            if name and fitting:
                return self._row("association", None, {"chain": name, "association": fitting[0]})
        return None

    def _leader(self, company: int) -> dict[str, Any] | None:
        for chain in self._around.chains_of.get(company, ()):
            leader = self._leaders.get(chain)
            if leader is not None and leader != company:
                name = self._statements.company_name(leader)
                facts = {
                    "chain": self._around.chain_names.get(chain, chain),
                    "customer": self._wording.say("customer", name=name),
                }
                return self._row("chain_leader", leader, facts, name=name)
        return None

    def _row(self, kind: str, customer: int | None, facts: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "customer_id": customer,
            "kind": kind,
            "hops": None,
            "warmth": None,
            "proven": None,
            "path": json.dumps({**facts, **more}, ensure_ascii=False),
            "wording": self._wording.say(kind, **facts),
        }
