"""What the customers of the real run truly are, and how well they are matched: short names withheld, and known.

The truth joins on the six digits of the stock code; a company that is not in ``chain/company.csv`` is absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.customers import CUSTOMER_RECORDS
from qiaomen.registry import (
    COMPANIES,
    COMPANY_NAMES,
    COMPANY_REFS,
    Matcher,
    build_match_index,
    match_customers,
)
from qiaomen.store import Snapshot
from tests.real.made_up_bank import customer_no, customer_rows, read_csv

AUTOMATIC = frozenset({"matched", "verified"})


@dataclass(frozen=True)
class Matched:
    """How one way of matching did. ``index`` is what was searched; ``rows`` are CUSTOMER_MATCHES."""

    rows: list[dict[str, Any]]
    index: Mapping[str, np.ndarray]
    outcomes: Mapping[str, int]
    automatic: int
    right: int
    with_truth: int
    wrong_absent: int

    @property
    def precision(self) -> float:
        """Right automatic / automatic."""
        return self.right / max(1, self.automatic)

    @property
    def recall(self) -> float:
        """Right automatic / rows that have a truth."""
        return self.right / max(1, self.with_truth)


def full_names(data: Path) -> dict[str, set[str]]:
    """Return the full names by six-digit stock code."""
    found: dict[str, set[str]] = {}
    for row in read_csv(data / "chain" / "company.csv"):
        found.setdefault(row["code"][:6], set()).add(row["fullname"])
    return found


def true_companies(data: Path, snapshot: Snapshot) -> dict[str, int | None]:
    """Return the company of each customer number; None where the truth is absent."""
    known = full_names(data)
    refs = snapshot.arrow(COMPANY_REFS)
    number = dict(zip(refs["ref"].to_pylist(), refs["company_id"].to_pylist(), strict=True))
    codes = [row["ts_code"][:6] for row in customer_rows(data)]
    return {
        customer_no(position): number[f"stock:{code}"] if code in known else None
        for position, code in enumerate(codes)
    }


def without_short_names(names: pa.Table) -> pa.Table:
    """Return the names of the registry without any short name or brand."""
    return names.filter(pc.not_equal(names["kind"], "short"))


def match_all(data: Path, snapshot: Snapshot, names: pa.Table) -> Matched:
    """Match the customers against the companies by ``names`` and compare with the truth."""
    index = build_match_index(snapshot.arrow(COMPANIES), names)
    rows = match_customers(snapshot.arrow(CUSTOMER_RECORDS), Matcher.open(index)).to_pylist()
    truth = true_companies(data, snapshot)
    automatic = [row for row in rows if row["outcome"] in AUTOMATIC]
    right = [row for row in automatic if row["company_id"] == truth[row["customer_no"]]]
    return Matched(
        rows,
        index,
        Counter(row["outcome"] for row in rows),
        len(automatic),
        len(right),
        sum(number is not None for number in truth.values()),
        sum(truth[row["customer_no"]] is None for row in automatic),
    )


def match_both_ways(data: Path, snapshot: Snapshot) -> tuple[Matched, Matched]:
    """Return the matching with short names withheld (the headline), and with them known."""
    names = snapshot.arrow(COMPANY_NAMES)
    return match_all(data, snapshot, without_short_names(names)), match_all(data, snapshot, names)
