"""The figures of a real run, read back from its workspace: counts only, no row and no name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen import chains, dispatch, graph, jobs, opportunities, reach, registry, scoring, supply
from qiaomen.bank import local_analyst
from qiaomen.store import Snapshot, reading, writing
from qiaomen.store import jobs as store_jobs
from tests.real.customer_truth import Matched, match_both_ways, true_companies
from tests.real.made_up_bank import AS_OF

Line = tuple[str, int | float | str]
Figures = dict[str, list[Line]]


def all_figures(data: Path, workspace: jobs.Workspace) -> Figures:
    """Return every section of the page."""
    snapshot = workspace.lake.snapshot()
    return {
        "Customers": _customers(data, snapshot),
        "Chains": _chains(workspace, snapshot),
        "Relations and graph": _relations(snapshot),
        "Suppliers and buyers": _supply(workspace, snapshot),
        "Financing news": _news(snapshot),
        "Who is marketed": _marketed(workspace, snapshot),
        "Leads and tasks": _tasks(workspace, snapshot),
        "Ways to a customer": _ways(workspace, snapshot),
    }


def loads(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the counts of every loaded file."""
    columns = ("source", "file", "table", "read", "inserted", "updated", "unchanged", "repeated", "rejected")
    return (
        snapshot.arrow(registry.LOADS)
        .select(columns)
        .sort_by([(c, "ascending") for c in columns[:3]])
        .to_pylist()
    )


def share(part: float, whole: float) -> str:
    """Return a share in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def count_by(values: Iterable[Any]) -> list[Line]:
    """Return counts by value, most frequent first."""
    return [(str(value), count) for value, count in Counter(values).most_common()]


def _customers(data: Path, snapshot: Snapshot) -> list[Line]:
    withheld, known = match_both_ways(data, snapshot)
    lines: list[Line] = [("rows", len(withheld.rows)), ("with a truth", withheld.with_truth)]
    for words, found in (("short names withheld", withheld), ("short names known", known)):
        lines += _matched(words, found)
    truth = true_companies(data, snapshot)
    doubtful = [row for row in withheld.rows if row["outcome"] == "ambiguous" and truth[row["customer_no"]]]
    places = [_place(row, truth[row["customer_no"]]) for row in doubtful]
    return [
        *lines,
        ("short names withheld: doubtful rows with a truth", len(doubtful)),
        ("short names withheld: of these, the truth is the first candidate shown", places.count(0)),
        (
            "short names withheld: of these, the truth is among those shown",
            sum(place is not None for place in places),
        ),
    ]


def _place(row: Mapping[str, Any], number: int | None) -> int | None:
    """Return the place of a company among the candidates shown; None where it is not."""
    shown = [item["company_id"] for item in json.loads(row["candidates"])]
    return shown.index(number) if number in shown else None


def _matched(words: str, found: Matched) -> list[Line]:
    outcomes = "、".join(f"{name} {count}" for name, count in sorted(found.outcomes.items()))
    return [
        (f"{words}: outcomes", outcomes),
        (f"{words}: automatic", found.automatic),
        (f"{words}: right", found.right),
        (f"{words}: precision", share(found.right, found.automatic)),
        (f"{words}: recall", share(found.right, found.with_truth)),
        (f"{words}: wrong because the truth is absent", found.wrong_absent),
    ]


def run_counts(workspace: jobs.Workspace) -> dict[str, dict[str, int]]:
    """Return what the steps of the newest run reported."""
    with reading(workspace.sql) as connection:
        done = next(job for job in store_jobs.recent(connection, kind="run") if job.state == "done")
    assert done.result is not None
    return dict(done.result["counts"])


def _chains(workspace: jobs.Workspace, snapshot: Snapshot) -> list[Line]:
    nodes = snapshot.arrow(chains.COMPANY_NODES)
    goods = snapshot.arrow(chains.COMPANY_GOODS)
    return [
        ("companies on chain nodes", distinct(nodes["company_id"])),
        ("places on nodes", nodes.num_rows),
        *((f"places by {basis}", count) for basis, count in count_by(nodes["basis"].to_pylist())),
        ("chains used", distinct(nodes["chain_code"])),
        ("companies with goods", distinct(goods["company_id"])),
        ("goods of companies kept", goods.num_rows),
        *(
            (f"goods left out: {name.partition(':')[2]}", count)
            for name, count in run_counts(workspace)["classify"].items()
            if name.startswith("goods_left_out:")
        ),
        ("declared places on a node that the source does not list", unknown_nodes(workspace)),
    ]


def unknown_nodes(workspace: jobs.Workspace) -> int:
    """Return the number of declared places whose node is in no list of nodes."""
    return run_counts(workspace)["classify"]["declared:unknown_node"]


def distinct(values: pa.ChunkedArray) -> int:
    """Return the number of distinct values."""
    return int(pc.count_distinct(values).as_py())


def _relations(snapshot: Snapshot) -> list[Line]:
    relations = snapshot.arrow(registry.RELATIONS)
    kinds = pc.value_counts(relations["kind"]).to_pylist()
    opened = graph.Graph.open(snapshot.arrays("graph"))
    lines: list[Line] = [(f"relations: {row['values']}", row["counts"]) for row in kinds]
    lines.append(("not proven", int(pc.sum(pc.invert(relations["proven"])).as_py())))
    lines.append(("companies tied by same-name directors", len(interlocked(snapshot))))
    lines += [
        (f"edges in the graph: {kind}", len(opened.edge_numbers(kind)))
        for kind in ("office", "shareholding", "investment", "same_name_person", "supply", "chain")
    ]
    lines.append(("goods that two companies or more share in the graph", len(shared_goods(opened))))
    return lines


def interlocked(snapshot: Snapshot) -> set[tuple[int, int]]:
    """Return pairs of companies whose directors of one name, gender and birth year are suspected to be one person."""
    relations = snapshot.arrow(registry.RELATIONS)
    office = relations.filter(pc.equal(relations["kind"], "office"))
    seats: dict[int, set[int]] = {}
    for person, company in zip(office["from_id"].to_pylist(), office["to_id"].to_pylist(), strict=True):
        seats.setdefault(person, set()).add(company)
    same = relations.filter(pc.equal(relations["kind"], "same_name_person"))
    return {
        (min(one, other), max(one, other))
        for left, right in zip(same["from_id"].to_pylist(), same["to_id"].to_pylist(), strict=True)
        for one in seats.get(left, ())
        for other in seats.get(right, ())
        if one != other
    }


def shared_goods(opened: graph.Graph) -> list[int]:
    """Return the goods nodes with two neighbours or more."""
    start = opened.size - len(opened.arrays["concept_kinds"])
    goods = start + np.flatnonzero(opened.arrays["concept_kinds"] != 0)
    return [int(number) for number in goods[opened.degrees()[goods] > 1]]


def _supply(workspace: jobs.Workspace, snapshot: Snapshot) -> list[Line]:
    pairs, totals = snapshot.arrow(supply.SUPPLY_PAIRS), snapshot.arrow(supply.SUPPLY_TOTALS)
    amounts = pairs["amount_cny"]

    def told(column: str) -> int:
        return int(pc.sum(pc.cast(pc.fill_null(pairs[column], False), pa.int64())).as_py())

    said = run_counts(workspace)["supply"]
    left_out = {name: count for name, count in said.items() if name.startswith("left_out_")}
    rows = snapshot.rows(supply.SUPPLY_RECORDS.name)
    return [
        ("invoices read", rows),
        *((f"left out: {name.removeprefix('left_out_')}", count) for name, count in sorted(left_out.items())),
        ("invoices that count", rows - sum(left_out.values())),
        # Each document stands on two sides.
        ("of these red, netted against their pair", int(pc.sum(totals["red_rows"]).as_py()) // 2),
        ("pairs with trade in the window", pairs.num_rows),
        ("net amount, million yuan", round(pc.sum(amounts).as_py() / 1e6, 1)),
        ("pairs whose red invoices outweigh the others", int(pc.sum(pc.less(amounts, 0)).as_py())),
        ("buyers with ranked suppliers", distinct(pairs["buyer_id"])),
        ("sides judged (five counterparties or more)", int(pc.sum(totals["judged"]).as_py())),
        ("core supplier relations", told("core_supplier")),
        ("core buyer relations", told("core_buyer")),
        ("core enterprises", snapshot.rows(supply.CORE_ENTERPRISES.name)),
    ]


def _news(snapshot: Snapshot) -> list[Line]:
    records = snapshot.arrow(opportunities.OPPORTUNITY_RECORDS)
    found = financing(snapshot)
    companies = registry_companies(snapshot)
    live = found.filter(pc.equal(found["status"], "active"))
    return [
        ("news loaded", records.num_rows),
        ("amount stated", records.num_rows - records["amount_text"].null_count),
        ("amount read", records.num_rows - records["amount_cny"].null_count),
        ("opportunities", found.num_rows),
        (f"still of value on {AS_OF}", live.num_rows),
        ("of these, of a company with a register entry", sum(number in companies for number in live["company_id"].to_pylist())),
        *((f"grade {grade}", count) for grade, count in count_by(live["grade"].to_pylist())),
        ("banking signals", snapshot.rows(opportunities.OPPORTUNITY_SIGNALS.name)),
    ]  # fmt: skip


def _marketed(workspace: jobs.Workspace, snapshot: Snapshot) -> list[Line]:
    said = run_counts(workspace)["marketable"]
    supplied = supply_firms(snapshot)
    scores = snapshot.arrow(scoring.SCORES)
    return [
        ("companies", said["companies"]),
        *(
            (f"left out: {name.removeprefix('left_out_')}", count)
            for name, count in said.items()
            if name.startswith("left_out_")
        ),
        ("marketable", said["marketable"]),
        ("companies with a supply indicator that is not zero", len(supplied)),
        ("of these marketable", len(supplied - left_out(snapshot))),
        ("companies scored", distinct(scores["company_id"])),
        ("strategies with scores", distinct(scores["strategy"])),
        *(
            (f"tier {tier}", count)
            for tier, count in count_by(snapshot.arrow(scoring.TIERS)["tier"].to_pylist())
        ),
    ]


def left_out(snapshot: Snapshot) -> set[int]:
    """Return the companies that are not marketed."""
    return set(snapshot.arrow(scoring.NOT_MARKETABLE)["company_id"].to_pylist())


def supply_firms(snapshot: Snapshot) -> set[int]:
    """Return the companies of which an indicator of the supply dimension is neither unknown nor zero."""
    declared = scoring.load_indicators()
    wide = snapshot.arrow(scoring.wide_table(declared))
    found: set[int] = set()
    for row in declared.values():
        if row.dimension == "供应链位置":
            speaks = pc.fill_null(pc.not_equal(wide[row.code], 0), False)
            found.update(wide.filter(speaks)["company_id"].to_pylist())
    return found


def financing(snapshot: Snapshot) -> pa.Table:
    """Return the opportunities of the financing news."""
    found = snapshot.arrow(opportunities.OPPORTUNITIES)
    return found.filter(pc.equal(found["kind"], "equity_financing"))


def registry_companies(snapshot: Snapshot) -> set[int]:
    """Return the companies with a full name of their own."""
    companies = snapshot.arrow(registry.COMPANIES)
    return set(companies.filter(pc.equal(companies["origin"], "registry"))["company_id"].to_pylist())


def tasks(workspace: jobs.Workspace) -> pa.Table:
    """Return every task."""
    with writing(workspace.sql) as connection:
        return dispatch.open_tasks(local_analyst(connection, datetime.now(UTC)), connection)


def _tasks(workspace: jobs.Workspace, snapshot: Snapshot) -> list[Line]:
    leads, written = snapshot.arrow(dispatch.LEADS), tasks(workspace)
    lines: list[Line] = []
    for origin, count in count_by(leads["origin"].to_pylist()):
        own = leads.filter(pc.equal(leads["origin"], origin))
        lines += [
            (f"leads from {origin}", count),
            (f"leads from {origin}: admitted", int(pc.sum(own["admitted"]).as_py())),
        ]
        lines += [
            (f"leads from {origin}: refused, {rule}", refused)
            for rule, refused in count_by(rule for rule in own["rules"].to_pylist() if rule)
        ]
    allocations = snapshot.arrow(dispatch.ALLOCATIONS)
    lines += [
        (f"leads from opportunity: region known from {basis}", count)
        for basis, count in count_by(region_bases(snapshot))
    ]
    lines += [
        (f"allocated by rule {rule}", count) for rule, count in count_by(allocations["rule"].to_pylist())
    ]
    branches = Counter(written["branch_code"].to_pylist())
    lines += [
        ("tasks written", written.num_rows),
        ("tasks with a manager", written.num_rows - written["manager_no"].null_count),
        ("branches with tasks", len(branches)),
        ("tasks of the busiest branch", max(branches.values(), default=0)),
    ]
    return lines  # fmt: skip


def region_bases(snapshot: Snapshot) -> list[str]:
    """Return where the region of each lead from news is known from; ``nothing`` where it is not known."""
    companies = snapshot.arrow(registry.COMPANIES)
    basis = dict(zip(companies["company_id"].to_pylist(), companies["region_basis"].to_pylist(), strict=True))
    leads = snapshot.arrow(dispatch.LEADS)
    news = leads.filter(pc.equal(leads["origin"], "opportunity"))
    return [basis.get(number) or "nothing" for number in news["company_id"].to_pylist()]


def chain_proven(prospects: pa.Table) -> int:
    """Return the number of ways by chain none of whose hops is suspected."""
    return int(pc.sum(pc.and_(prospects["proven"], pc.equal(prospects["basis"], "chain"))).as_py())


def _ways(workspace: jobs.Workspace, snapshot: Snapshot) -> list[Line]:
    rows = snapshot.arrow(reach.REACH)
    prospects = rows.filter(pc.greater(rows["hops"], 0))
    worded = snapshot.arrow(reach.INTRODUCTIONS)
    with_path = worded.filter(pc.equal(worded["kind"], "path"))
    assigned = set(tasks(workspace)["company_id"].to_pylist())
    first = with_path.filter(pc.equal(with_path["rank"], 1))
    lines: list[Line] = [("prospects with a way to a customer", prospects.num_rows)]
    lines += [(f"weakest hop is {basis}", count) for basis, count in count_by(prospects["basis"].to_pylist())]
    lines += [
        (
            "direct and proven all the way",
            int(pc.sum(pc.and_(prospects["proven"], pc.equal(prospects["basis"], "direct"))).as_py()),
        ),
        ("by chain, each place on a node proven", chain_proven(prospects)),
        (
            "not proven (a same-name director, an equal address)",
            int(pc.sum(pc.invert(prospects["proven"])).as_py()),
        ),
        ("companies with a task", len(assigned)),
        ("of these with a worded way", len(assigned & set(with_path["company_id"].to_pylist()))),
        ("of these whose best way is proven", int(pc.sum(first["proven"]).as_py() or 0)),
        ("worded ways", with_path.num_rows),
    ]
    return lines  # fmt: skip
