"""A made-up bank over the real companies: one branch, one sub-branch and its staff per area of the stock list.

Its customers are every seventh company of the stock list, known to the bank by the short name only. Nothing of it is
real but the names of public companies, and nothing of it is kept.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from qiaomen.catalog import load_divisions

SOURCES: Final = ("chain", "ashare", "registry", "invest", "invoice", "reference")
# The newest financing news of the sample; invoices and registry end some months later, the listed later still.
AS_OF: Final = date(2019, 6, 30)
STEP: Final = 7
MANAGERS: Final = 3
POSTED: Final = "2015-01-01"


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file of the real data."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def customer_rows(data: Path) -> list[dict[str, str]]:
    """Return the rows of the stock list that are customers, in order."""
    return read_csv(data / "ashare" / "stock_basic.csv")[::STEP]


def customer_no(position: int) -> str:
    """Return the number of a customer by its place in ``customer_rows``."""
    return f"K{position + 1:05d}"


def area_divisions(areas: Iterable[str]) -> dict[str, str]:
    """Return the division of each area: a province where one begins so, else a city."""
    found: dict[str, str] = {}
    divisions = sorted(
        (row for row in load_divisions() if row.code.endswith("00")),
        key=lambda row: (not row.code.endswith("0000"), row.code),
    )
    for area in sorted(set(areas)):
        found[area] = next(row.code for row in divisions if row.name.startswith(area))
    return found


def write_bank(data: Path, inbox: Path) -> None:
    """Write customers, institutions and staff as input files."""
    rows = customer_rows(data)
    divisions = area_divisions(row["area"] for row in read_csv(data / "ashare" / "stock_basic.csv"))
    branches = {area: f"B{number:02d}" for number, area in enumerate(divisions, start=1)}
    institutions: list[Sequence[object]] = [("H", "总行", "head_office", "", "")]
    staff: list[Sequence[object]] = [("E0000", "总行分析", "analyst", "H", "", POSTED)]
    for area, branch in branches.items():
        unit, code = f"{branch}01", divisions[area]
        institutions.append((branch, f"{area}分行", "branch", "H", code))
        institutions.append((unit, f"{area}营业部", "sub_branch", branch, code))
        staff.append((f"E{branch}0", f"{area}行长", "branch_admin", branch, "", POSTED))
        staff.append((f"E{unit}0", f"{area}主任", "sub_branch_admin", unit, "", POSTED))
        staff += [
            (f"E{unit}{desk}", f"{area}经理{desk}", "manager", unit, 40, POSTED)
            for desk in range(1, MANAGERS + 1)
        ]
    _write(
        inbox / "customers.csv",
        ("customer_no", "name", "institution_code"),
        [
            (customer_no(position), row["name"], f"{branches[row['area']]}01")
            for position, row in enumerate(rows)
        ],
    )
    _write(
        inbox / "institutions.csv",
        ("institution_code", "name", "unit_type", "parent_code", "region_codes"),
        institutions,
    )
    _write(inbox / "staff.csv", ("staff_no", "name", "role", "institution_code", "capacity", "since"), staff)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
