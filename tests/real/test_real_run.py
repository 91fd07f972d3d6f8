"""The real run: real companies from dirty lists to tasks with a way in, each figure against an independent count."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from qiaomen import chains, dispatch, graph, jobs, opportunities, reach, registry, scoring, supply
from qiaomen.customers import CUSTOMER_MATCHES, CUSTOMERS
from qiaomen.prospects import LONG_LIST
from qiaomen.store import Snapshot
from qiaomen.vocab import Table
from tests.real.customer_truth import AUTOMATIC, Matched, full_names, match_both_ways
from tests.real.figures import (
    financing,
    interlocked,
    left_out,
    loads,
    registry_companies,
    run_counts,
    shared_goods,
    supply_firms,
    tasks,
    unknown_nodes,
)
from tests.real.invoices import count_invoices
from tests.real.made_up_bank import customer_rows, read_csv

# One worker runs the whole module: the run is made once.
pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real_run")]
ROOT = Path(__file__).parents[2]
SECONDS = 240
MEGABYTES = 3000


@pytest.fixture(scope="module")
def data() -> Path:
    given = os.environ.get("QIAOMEN_REAL_DATA")
    if not given:
        pytest.skip("set QIAOMEN_REAL_DATA to the folder of the real data")
    return Path(given)


class Ran:
    """A workspace after the run, and the page that the script wrote."""

    def __init__(self, root: Path, page: str) -> None:
        self.workspace = jobs.Workspace(root)
        self.snapshot: Snapshot = self.workspace.lake.snapshot()
        self.page = page

    def arrow(self, table: Table) -> pa.Table:
        return self.snapshot.arrow(table)


@pytest.fixture(scope="module")
def ran(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("real")
    # A process of its own, so that its memory is its own.
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/real_run.py"), "--workspace", str(folder / "ws"), "--page", str(folder / "page.md")],
        env=os.environ | {"QIAOMEN_REAL_DATA": str(data)},
        capture_output=True, text=True, timeout=3 * SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    print(done.stdout)
    return Ran(folder / "ws", (folder / "page.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def matched(data: Path, ran: Ran) -> tuple[Matched, Matched]:
    return match_both_ways(data, ran.snapshot)


@pytest.fixture(scope="module")
def counted(data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with count_invoices(data) as sql:
        yield sql


def labels(page: str) -> set[str]:
    return {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")}


def test_the_page_in_the_documents_has_the_same_figures(ran: Ran) -> None:
    written = (ROOT / "docs/real-run.md").read_text(encoding="utf-8")
    assert labels(written) == labels(ran.page), "run python scripts/real_run.py"


def test_the_page_holds_no_name_of_the_data(data: Path, ran: Ran) -> None:
    names = {row["name"] for row in customer_rows(data)} | {
        name for found in full_names(data).values() for name in found
    }
    assert not [name for name in names if len(name) > 2 and name in ran.page]


def test_memory_stays_in_bounds(ran: Ran) -> None:
    figure = re.search(r"largest resident size, MB \| ([\d,]+)", ran.page)
    assert figure is not None
    assert int(figure[1].replace(",", "")) <= MEGABYTES


def test_every_row_read_landed_repeated_or_was_refused(ran: Ran) -> None:
    rows = loads(ran.snapshot)
    assert {row["source"] for row in rows} >= {"chain", "ashare", "registry", "invest", "invoice"}
    for row in rows:
        outcomes = ("inserted", "updated", "unchanged", "repeated", "rejected")
        assert row["read"] == sum(row[name] for name in outcomes), row
    # A row that two tables refuse for one reason stands in rejects once.
    rejects = ran.arrow(registry.REJECTS)
    refused = {row["file"] for row in rows if row["rejected"]}
    assert set(rejects["file"].to_pylist()) == refused
    for file in refused:
        counts = [row["rejected"] for row in rows if row["file"] == file]
        lines = pc.count_distinct(rejects.filter(pc.equal(rejects["file"], file))["line"]).as_py()
        assert max(0, *counts) <= lines <= sum(counts) or len(counts) > 1
    assert rejects["reason"].null_count == 0


# Matching


def test_short_names_withheld_match_half_and_nearly_always_right(matched: tuple[Matched, Matched]) -> None:
    withheld, _ = matched
    assert len(withheld.rows) == 779
    assert withheld.with_truth >= 600
    assert withheld.precision >= 0.97
    assert withheld.recall >= 0.45


def test_short_names_known_match_nearly_all(matched: tuple[Matched, Matched]) -> None:
    _, known = matched
    assert known.precision >= 0.97
    assert known.recall >= 0.95


def test_the_run_used_what_its_index_declares(ran: Ran, matched: tuple[Matched, Matched]) -> None:
    _, known = matched
    own = {row["customer_no"]: row["company_id"] for row in ran.arrow(CUSTOMER_MATCHES).to_pylist()}
    assert own == {row["customer_no"]: row["company_id"] for row in known.rows}


def test_what_is_known_by_its_short_name_only_is_no_target(data: Path, ran: Ran, matched: tuple[Matched, Matched]) -> None:  # fmt: skip
    withheld, known = matched
    records = ran.arrow(registry.COMPANY_RECORDS)
    named = records.filter(pc.is_valid(records["name"]))
    refs = ran.arrow(registry.COMPANY_REFS)
    full = set(
        refs.filter(pc.is_in(refs["ref"], value_set=pc.unique(named["company_ref"])))[
            "company_id"
        ].to_pylist()
    )
    stocks = {f"stock:{row['ts_code'][:6]}" for row in read_csv(data / "ashare/stock_basic.csv")}
    listed = set(
        refs.filter(pc.is_in(refs["ref"], value_set=pa.array(sorted(stocks))))["company_id"].to_pylist()
    )
    short_only = listed - full
    assert len(short_only) > 500
    assert 2 not in withheld.index["entry_kind"], "no short name is searched"
    for found in (withheld, known):
        assert not short_only & set(found.index["company_id"].tolist())
        shown = {item["company_id"] for row in found.rows for item in json.loads(str(row["candidates"]))}
        assert not short_only & shown
    assert not short_only & {row["company_id"] for row in known.rows if row["outcome"] in AUTOMATIC}


# Chains


def test_declared_industries_put_companies_on_their_nodes(data: Path, ran: Ran) -> None:
    refs = dict(
        zip(
            *(ran.arrow(registry.COMPANY_REFS)[name].to_pylist() for name in ("ref", "company_id")),
            strict=True,
        )
    )
    stated = {
        (refs.get(f"stock:{row['company_code'][:6]}"), row["industry_code"])
        for row in read_csv(data / "chain/company_industry.csv")
    }
    nodes = ran.arrow(chains.COMPANY_NODES)
    placed = set(zip(nodes["company_id"].to_pylist(), nodes["node_code"].to_pylist(), strict=True))
    known = registry_companies(ran.snapshot)
    missing = {(company, code) for company, code in stated if company in known} - placed
    # The source names a few industries that its own list of industries lacks.
    listed = {row["code"] for row in read_csv(data / "chain/industry.csv")}
    assert not {code for _, code in missing} & listed
    unlisted = [
        row for row in read_csv(data / "chain/company_industry.csv") if row["industry_code"] not in listed
    ]
    assert unknown_nodes(ran.workspace) == len(unlisted)
    assert nodes["evidence"].null_count == 0
    assert len(set(nodes["company_id"].to_pylist())) >= 8000


# Directors, shareholdings, goods


def test_directors_of_one_name_are_suspected_and_never_merged(data: Path, ran: Ran) -> None:
    rows = read_csv(data / "ashare/executives_2018.csv")
    people: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        if row["gender"] in {"男", "女"} and row["age"].isdecimal():
            people.setdefault((row["name"], row["gender"], row["age"]), set()).add(row["code"][:6])
    persons = ran.arrow(registry.PERSONS)
    directors = persons.filter(pc.starts_with(persons["person_ref"], "person:ashare:"))
    assert directors.num_rows >= len({(row["code"], row["name"], row["gender"], row["age"]) for row in rows})
    relations = ran.arrow(registry.RELATIONS)
    office = relations.filter(pc.equal(relations["kind"], "office"))
    seats = pa.TableGroupBy(office, "from_id").aggregate([("to_id", "count_distinct")])
    assert pc.max(seats["to_id_count_distinct"]).as_py() == 1, "nobody was merged across companies"
    suspected = relations.filter(pc.equal(relations["kind"], "same_name_person"))
    assert not pc.any(suspected["proven"]).as_py()
    assert pc.all(pc.match_substring(suspected["evidence"], "未证实")).as_py()
    pairs = {pair for group in people.values() for pair in combinations(sorted(group), 2)}
    assert len(interlocked(ran.snapshot)) == pytest.approx(len(pairs), rel=0.01)
    assert len(pairs) > 4000


def test_suspected_edges_stay_unproven_in_the_graph(ran: Ran) -> None:
    opened = graph.Graph.open(ran.snapshot.arrays("graph"))
    edges = opened.edge_numbers("same_name_person")
    assert len(edges) > 5000
    assert not opened.arrays["edge_proven"][edges].any()


def test_shareholdings_and_shared_goods_are_in_the_graph(ran: Ran) -> None:
    opened = graph.Graph.open(ran.snapshot.arrays("graph"))
    relations = ran.arrow(registry.RELATIONS)
    held = relations.filter(pc.equal(relations["kind"], "shareholding")).select(
        ["from_type", "from_id", "to_id"]
    )
    holdings = opened.edge_numbers("shareholding")
    assert len(holdings) == held.group_by(held.column_names).aggregate([]).num_rows
    ratios = opened.arrays["edge_ratio"][holdings]
    assert np.all((ratios >= 0) & (ratios <= 1))
    goods = ran.arrow(chains.COMPANY_GOODS)
    sellers = goods.group_by("goods_name").aggregate([("company_id", "count_distinct")])
    several = pc.sum(pc.greater(sellers["company_id_count_distinct"], 1)).as_py()
    assert len(shared_goods(opened)) == several > 3000


# Invoices


def test_void_repeated_and_red_invoices_are_counted_as_in_plain_sql(ran: Ran, counted: duckdb.DuckDBPyConnection) -> None:  # fmt: skip
    read, outside, void, repeated, red, kept = counted.execute("select * from counts").fetchall()[0]
    assert read == ran.snapshot.rows(supply.SUPPLY_RECORDS.name)
    assert read == outside + void + repeated + kept
    said = run_counts(ran.workspace)["supply"]
    assert (said["left_out_outside"], said["left_out_void"], said["left_out_repeated"]) == (
        outside,
        void,
        repeated,
    )
    totals = ran.arrow(supply.SUPPLY_TOTALS)
    # Each document stands on two sides.
    assert pc.sum(totals["red_rows"]).as_py() == 2 * red
    assert min(void, repeated, red) > 1000


def test_pairs_amounts_and_ranks_are_those_of_plain_sql(ran: Ran, counted: duckdb.DuckDBPyConnection) -> None:
    counted.register("product_pairs", ran.arrow(supply.SUPPLY_PAIRS))
    counted.register("company_refs", ran.arrow(registry.COMPANY_REFS))
    counted.execute(
        "create table refs as select ref, company_id from company_refs "
        "where ref in (select supplier from rows union select buyer from rows)"
    )
    differ = """
        with theirs as (
            select s.ref as supplier, b.ref as buyer, round(p.amount_cny * 100)::bigint as fen, p.count as documents,
                   p.rank_of_supplier as place, p.evidence
            from product_pairs p join refs s on s.company_id = p.supplier_id join refs b on b.company_id = p.buyer_id
        ), own as (
            select *, rank() over (partition by buyer order by fen desc) as least,
                   count(*) over (partition by buyer order by fen desc) as most
            from pairs
        )
        select count(*) filter (t.supplier is null or o.supplier is null),
               count(*) filter (t.fen <> o.fen or t.documents <> o.documents),
               count(*) filter (t.place not between o.least and o.most),
               count(*) filter (t.evidence is null), count(*)
        from theirs t full join own o on t.supplier = o.supplier and t.buyer = o.buyer
    """
    missing, other, misplaced, unexplained, pairs = counted.execute(differ).fetchall()[0]
    assert (missing, other, misplaced, unexplained) == (0, 0, 0, 0)
    assert pairs > 100_000


# Financing news

PLAIN = re.compile(r"(\d+(?:\.\d+)?)(万|亿)(?:人民币|元)")
VAGUE = {
    "数百万人民币": 3e6,
    "数千万人民币": 3e7,
    "数亿人民币": 3e8,
    "近亿人民币": 9e7,
    "过千万人民币": 1e7,
    "数十亿人民币": 3e9,
}


def test_amounts_are_read_as_a_plain_rule_reads_them(ran: Ran) -> None:
    rows = ran.arrow(opportunities.OPPORTUNITY_RECORDS).to_pylist()
    seen: Counter[str] = Counter()
    for row in rows:
        text = row["amount_text"]
        found = PLAIN.fullmatch(text or "")
        if text is None:
            assert row["amount_cny"] is None
            seen["none"] += 1
        elif found:
            assert row["amount_cny"] == pytest.approx(float(found[1]) * (1e4 if found[2] == "万" else 1e8))
            seen["plain"] += 1
        elif text in VAGUE:
            assert row["amount_cny"] == VAGUE[text]
            seen["vague"] += 1
        else:
            assert row["amount_cny"] > 0, text
            seen["other"] += 1
    assert seen["plain"] > 300
    assert seen["vague"] > 150
    assert seen["none"] > 700


def test_financing_news_is_graded_scored_tiered_and_dispatched(ran: Ran) -> None:
    found = financing(ran.snapshot)
    assert found.num_rows >= 1590
    live = found.filter(pc.equal(found["status"], "active"))
    assert live.num_rows >= 300
    assert live["amount_cny"].null_count < live.num_rows * 0.7
    companies = set(live["company_id"].to_pylist()) - left_out(ran.snapshot)
    assert len(companies) >= 20
    assert companies <= set(ran.arrow(scoring.SCORES)["company_id"].to_pylist())
    assert companies <= set(ran.arrow(scoring.TIERS)["company_id"].to_pylist())
    leads = ran.arrow(dispatch.LEADS)
    from_news = leads.filter(pc.equal(leads["kind"], "equity_financing"))
    refused = from_news.filter(pc.invert(from_news["admitted"]))
    assert refused["rules"].null_count == 0, "every refusal names its rule"
    passed = from_news.filter(from_news["admitted"])
    assert passed.num_rows >= 200
    assert all(title for title in passed["why_now"].to_pylist())


def test_only_marketable_companies_are_scored_tiered_and_listed(ran: Ran) -> None:
    out = left_out(ran.snapshot)
    companies = ran.arrow(registry.COMPANIES)
    mentioned = companies.filter(pc.is_null(companies["sources"]))["company_id"].to_pylist()
    customers = set(ran.arrow(CUSTOMERS)["company_id"].to_pylist())
    assert len(mentioned) > 90_000
    assert set(mentioned) - customers <= out
    for table in (scoring.SCORES, scoring.TIERS, LONG_LIST):
        assert out.isdisjoint(ran.arrow(table)["company_id"].to_pylist()), table.name
    said = run_counts(ran.workspace)["marketable"]
    reasons = Counter(ran.arrow(scoring.NOT_MARKETABLE)["rule"].to_pylist())
    assert {f"left_out_{rule}": count for rule, count in reasons.items()}.items() <= said.items()
    assert said["companies"] - said["marketable"] == len(out)


def test_supply_indicators_speak_of_who_trades(ran: Ran) -> None:
    pairs = ran.arrow(supply.SUPPLY_PAIRS)
    trading = pairs.filter(pc.greater(pairs["amount_cny"], 0))
    traders = {*trading["supplier_id"].to_pylist(), *trading["buyer_id"].to_pylist()}
    assert len(traders) > 50_000
    assert traders <= supply_firms(ran.snapshot)


def test_a_task_for_every_allocated_lead_in_its_branch(ran: Ran) -> None:
    allocated = ran.arrow(dispatch.ALLOCATIONS)
    leads = ran.arrow(dispatch.LEADS)
    assert allocated.num_rows == pc.sum(leads["admitted"]).as_py()
    due = allocated.filter(pc.invert(allocated["hold_out"]))
    due = due.filter(pc.not_equal(due["rule"], dispatch.DEFERRED))
    # Whose region nobody knows waits for dispatch by hand.
    homeless = due.filter(pc.equal(due["rule"], "no_branch"))
    assert homeless["branch_code"].null_count == homeless.num_rows > 100
    due = due.filter(pc.not_equal(due["rule"], "no_branch"))
    written = tasks(ran.workspace)
    assert Counter(written["branch_code"].to_pylist()) == Counter(due["branch_code"].to_pylist())
    assert len(set(written["branch_code"].to_pylist())) >= 10
    assert written["sub_branch_code"].null_count == 0


# Ways


def test_prospects_have_ways_with_evidence_and_say_what_is_unproven(ran: Ran) -> None:
    rows = ran.arrow(reach.REACH)
    prospects = rows.filter(pc.greater(rows["hops"], 0))
    assert prospects.num_rows >= 8000
    suspected = prospects.filter(pc.equal(prospects["basis"], "suspected"))
    assert suspected.num_rows > 500
    assert not pc.any(suspected["proven"]).as_py()
    worded = ran.arrow(reach.INTRODUCTIONS)
    with_path = worded.filter(pc.equal(worded["kind"], "path")).to_pylist()
    assert len(with_path) > 200
    for row in with_path:
        path = json.loads(row["path"])
        assert all(hop["evidence"] for hop in path["hops"]), row["company_id"]
        assert row["proven"] == all(hop["proven"] for hop in path["hops"])
        if not row["proven"]:
            assert "证实" in row["wording"] or "疑似" in row["wording"] or path["basis"] == "chain"


def test_most_tasks_carry_a_way(ran: Ran) -> None:
    assigned = set(tasks(ran.workspace)["company_id"].to_pylist())
    worded = ran.arrow(reach.INTRODUCTIONS)
    with_path = set(worded.filter(pc.equal(worded["kind"], "path"))["company_id"].to_pylist())
    assert len(assigned & with_path) >= 0.9 * len(assigned)
