"""Measures customer matching: precision, recall, candidates, review, CPU time and memory.

Usage: ``python -m benchmarks.matching FOLDER [--stocks STOCK_BASIC.csv COMPANY.csv]`` with FOLDER as in
``scripts/fit_match_model.py``. Rows with an odd cid are the test half (the model never saw them).
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from qiaomen.registry import (
    COMPANIES,
    COMPANY_NAMES,
    Matcher,
    build_match_index,
    match_customers,
    normalise_names,
    normalise_short_name,
)


def registry_tables(folder: Path) -> tuple[pa.Table, pa.Table]:
    """Return companies and company_names of a case folder; the company number is the rid."""
    registry = pq.read_table(folder / "registry.parquet").sort_by("rid")
    former = pq.read_table(folder / "former_names.parquet")
    names = registry["name"].cast(pa.string())
    norm = normalise_names(names)
    ids = registry["rid"].cast(pa.int64())
    origin = pa.array(["registry"] * registry.num_rows)
    companies = pa.table(
        {
            "company_id": ids,
            "uscc": registry["uscc"].cast(pa.string()),
            "name": names,
            "name_norm": norm,
            "origin": origin,
        }
    )
    legal = pa.table(
        {"company_id": ids, "name": names, "name_norm": norm, "kind": pa.array(["legal"] * registry.num_rows)}
    )
    old = former["old"].cast(pa.string())
    earlier = pa.table(
        {
            "company_id": former["rid"].cast(pa.int64()),
            "name": old,
            "name_norm": normalise_names(old),
            "kind": pa.array(["former"] * former.num_rows),
        }
    )
    both = pa.concat_tables([COMPANY_NAMES.conform(legal), COMPANY_NAMES.conform(earlier)])
    return COMPANIES.conform(companies), both


def report(rows: list[dict[str, Any]], truths: list[int]) -> dict[str, float]:
    """Return the figures of matched rows against their truths (-1 is absent)."""
    automatic = [row["outcome"] in {"matched", "verified"} for row in rows]
    right = sum(
        row["company_id"] == truth for row, truth, auto in zip(rows, truths, automatic, strict=True) if auto
    )
    there = sum(truth >= 0 for truth in truths)
    found = sum(
        truth in [item["company_id"] for item in json.loads(row["candidates"])]
        for row, truth in zip(rows, truths, strict=True)
        if truth >= 0
    )
    precision, recall = right / max(sum(automatic), 1), right / max(there, 1)
    return {
        "rows": len(rows),
        "with_truth": there,
        "automatic": sum(automatic),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
        "recall@10": round(found / max(there, 1), 4),
        "review": round(sum(row["outcome"] == "ambiguous" for row in rows) / len(rows), 4),
        "unmatched": round(sum(row["outcome"] == "unmatched" for row in rows) / len(rows), 4),
    }


def customers(names: list[str], codes: list[str]) -> pa.Table:
    """Return customer records of names and codes."""
    keys = [str(i) for i in range(len(names))]
    source = pa.array(["bench"] * len(names))
    return pa.table(
        {
            "source": source,
            "record_key": keys,
            "customer_no": keys,
            "name": pa.array(names, pa.string()),
            "uscc_text": pa.array(codes, pa.string()),
        }
    )


def timed(work: Callable[[], pa.Table]) -> tuple[pa.Table, float]:
    """Return the result and the CPU seconds that it took."""
    start = time.process_time()
    result = work()
    return result, round(time.process_time() - start, 2)


def case_figures(folder: Path, *, errors: bool) -> None:
    """Print the figures of a case folder: all rows, the test half with and without codes, and by kind of dirt."""
    companies, names = registry_tables(folder)
    start = time.process_time()
    matcher = Matcher.open(build_match_index(companies, names))
    print("index CPU s", round(time.process_time() - start, 1), "names", names.num_rows)
    matcher.nearest(["预热"])
    rows = pq.read_table(folder / "customers.parquet").to_pylist()
    for label, chosen, blank in (
        ("fitted half", [r for r in rows if r["cid"] % 2 == 0], False),
        ("test half", [r for r in rows if r["cid"] % 2 == 1], False),
        ("test half, no codes", [r for r in rows if r["cid"] % 2 == 1], True),
    ):
        given = customers([r["name"] for r in chosen], ["" if blank else r["uscc"] for r in chosen])
        result, seconds = timed(lambda given=given: match_customers(given, matcher))
        matched = result.to_pylist()
        print(label, report(matched, [r["truth"] for r in chosen]), "CPU s", seconds)
        if label != "fitted half":
            by_kind(chosen, matched)
        if errors:
            wrong(chosen, matched, companies)


def by_kind(chosen: list[dict[str, Any]], matched: list[dict[str, Any]]) -> None:
    """Print figures by kind of dirt."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(chosen):
        groups[row["kind"]].append(i)
    for kind, members in sorted(groups.items()):
        figures = report([matched[i] for i in members], [chosen[i]["truth"] for i in members])
        print(f"  {kind:12}", {k: figures[k] for k in ("rows", "precision", "recall", "recall@10", "review")})


def wrong(chosen: list[dict[str, Any]], matched: list[dict[str, Any]], companies: pa.Table) -> None:
    """Print automatic rows that are wrong."""
    titles = dict(zip(companies["company_id"].to_pylist(), companies["name"].to_pylist(), strict=True))
    for row, found in zip(chosen, matched, strict=True):
        if found["company_id"] is not None and found["company_id"] != row["truth"]:
            true = titles[row["truth"]] if row["truth"] >= 0 else "absent"
            print(
                "   wrong:",
                row["name"],
                row["uscc"],
                "->",
                titles[found["company_id"]],
                "| true:",
                true,
                found["rule"],
                found["probability"],
            )


def stock_figures(stocks: Path, full_names: Path, *, errors: bool) -> None:
    """Print the figures of every seventh listed company by short name only against full names."""
    with full_names.open(encoding="utf-8") as file:
        listed = {row["code"][:6]: row for row in csv.DictReader(file) if row["code"][:6].isdigit()}
    with stocks.open(encoding="utf-8") as file:
        wanted = list(csv.DictReader(file))[::7]
    codes = sorted(listed)
    ids = pa.array(range(len(codes)), pa.int64())
    full = [listed[code]["fullname"] for code in codes]
    norm = normalise_names(pa.array(full))
    companies = COMPANIES.conform(
        pa.table({"company_id": ids, "name": full, "name_norm": norm, "origin": ["registry"] * len(codes)})
    )
    legal = COMPANY_NAMES.conform(
        pa.table({"company_id": ids, "name": full, "name_norm": norm, "kind": ["legal"] * len(codes)})
    )
    short = [listed[code]["name"] for code in codes]
    known = COMPANY_NAMES.conform(
        pa.table(
            {
                "company_id": ids,
                "name": short,
                "name_norm": [normalise_short_name(s) for s in short],
                "kind": ["short"] * len(codes),
            }
        )
    )
    truths = [codes.index(row["symbol"]) if row["symbol"] in listed else -1 for row in wanted]
    given = customers([row["name"] for row in wanted], [""] * len(wanted))
    for label, names in (
        ("short names withheld", legal),
        ("short names known", pa.concat_tables([legal, known])),
    ):
        matcher = Matcher.open(build_match_index(companies, names))
        result, seconds = timed(lambda matcher=matcher: match_customers(given, matcher))
        print(label, report(result.to_pylist(), truths), "CPU s", seconds)
        if errors:
            chosen = [
                {"name": row["name"], "uscc": row["symbol"], "truth": truth}
                for row, truth in zip(wanted, truths, strict=True)
            ]
            wrong(chosen, result.to_pylist(), companies)


def main() -> None:
    """Run the measurements asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stocks", type=Path, nargs=2)
    parser.add_argument("--errors", action="store_true", help="print wrong rows")
    options = parser.parse_args()
    case_figures(options.folder, errors=options.errors)
    if options.stocks:
        stock_figures(*options.stocks, errors=options.errors)
    print("peak MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


if __name__ == "__main__":
    main()
