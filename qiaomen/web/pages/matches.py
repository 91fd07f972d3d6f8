"""客户盘点 › 匹配复核: doubtful customer rows side by side with their candidates; accept one, or none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import Action, Viewer, mask_row
from qiaomen.customers import (
    CUSTOMER_MATCHES,
    CUSTOMER_RECORDS,
    decide_match,
    mask_contact,
    match_decisions,
    undo_decision,
)
from qiaomen.registry import COMPANIES, load_money_reader
from qiaomen.store import reading, writing
from qiaomen.vocab import OUTCOME_LABELS, InputRejected, MatchOutcome, NotFound
from qiaomen.web import formats
from qiaomen.web.cells import Page
from qiaomen.web.choices import Option
from qiaomen.web.reading import Reading, Record
from qiaomen.web.tabs import inventory_tabs
from qiaomen.web.visit import Visit, changing, now, signed_in

PAGE_SIZE: Final = 6
CANDIDATES: Final = 3
FACTS: Final = (
    ("name", "名称", "name"),
    ("uscc_text", "信用代码", "uscc"),
    ("address", "地址", "address"),
    ("legal_representative", "法定代表人", "legal_representative"),
    ("phone", "电话", "phone"),
    ("capital_text", "注册资本", "capital_cny"),
    ("industry_name", "行业", "industry_name"),
)

AMOUNT: Final = "capital_text"
WAN: Final = 1e4
ROUNDING: Final = 0.001
PERSONAL: Final = frozenset({"legal_representative"})

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fact on both sides; ``same`` is nothing where one side is silent."""

    label: str
    ours: str
    theirs: str
    same: bool | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One company that the row may be."""

    company_id: int
    name: str
    probability: str
    facts: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class MatchRow:
    """One doubtful row."""

    source: str
    record_key: str
    customer_no: str
    name: str
    outcome: str
    decided: str
    candidates: tuple[Candidate, ...]


def rows_of(reading_: Reading, outcome: str) -> list[Record]:
    """Customer rows of one outcome."""
    rows = reading_.table(CUSTOMER_MATCHES)
    held: list[Record] = rows.filter(pc.equal(rows.column("outcome"), outcome)).to_pylist()
    return held


def plain(value: Any) -> str:
    """Write a value of either side."""
    if value is None:
        return ""
    return formats.money(value) if isinstance(value, float) else str(value)


def comparisons(
    viewer: Viewer, record: Mapping[str, Any], company: Mapping[str, Any]
) -> tuple[Comparison, ...]:
    """Lay the facts of a row beside those of a company; facts that neither side has are left out."""
    found = []
    for ours_name, label, theirs_name in FACTS:
        ours, theirs = plain(record.get(ours_name)), plain(company.get(theirs_name))
        if not ours and not theirs:
            continue
        same = None if not ours or not theirs else _same(ours_name, record, company, ours, theirs)
        if ours_name == "phone":
            # Whether they agree is all that the decision needs; somebody may have refused to be called there.
            ours, theirs = mask_contact(ours), mask_contact(theirs)
        elif ours:
            ours = plain(mask_row(viewer, CUSTOMER_RECORDS, {ours_name: ours})[ours_name])
        if ours_name != "phone" and theirs and theirs_name in PERSONAL:
            theirs = plain(mask_row(viewer, COMPANIES, {theirs_name: theirs})[theirs_name])
        found.append(Comparison(label, ours or "—", theirs or "—", same))
    return tuple(found)


def _same(
    name: str, record: Mapping[str, Any], company: Mapping[str, Any], ours: str, theirs: str
) -> bool | None:
    """Compare amounts as amounts, and all else as text; nothing where an amount cannot be read."""
    if name != AMOUNT:
        return _alike(ours, theirs)
    try:
        first = load_money_reader().read(str(record[AMOUNT]).strip(), WAN)
    except ValueError:
        return None
    second = float(company["capital_cny"])
    if str(record[AMOUNT]).strip().replace(".", "", 1).isdigit():
        # A bare number is in yuan or, as registers often have it, in ten thousand yuan.
        return any(_near(number, second) for number in (first, first / WAN))
    return _near(first, second)


def _near(first: float, second: float) -> bool:
    """Whether two amounts agree but for rounding."""
    return abs(first - second) <= ROUNDING * max(abs(first), abs(second))


def _alike(ours: str, theirs: str) -> bool:
    first, second = ours.replace(" ", ""), theirs.replace(" ", "")
    return first == second or first in second or second in first


def match_row(visit: Visit, row: Record, decided: Mapping[tuple[str, str], Record]) -> MatchRow:
    """Lay out one row with its candidates."""
    records = visit.reading.keyed(CUSTOMER_RECORDS, "record_key").rows(row["record_key"])
    record = next((item for item in records if item["source"] == row["source"]), {})
    companies = visit.reading.keyed(COMPANIES, "company_id")
    candidates = []
    for item in json.loads(row["candidates"] or "[]")[:CANDIDATES]:
        company = companies.first(item["company_id"])
        if company:
            facts = comparisons(visit.viewer, record, company)
            share = formats.percent(item.get("probability"), 0)
            candidates.append(Candidate(item["company_id"], company["name"] or "", share, facts))
    choice = decided.get((row["source"], row["record_key"]))
    words = ""
    if choice:
        chosen = companies.first(choice["company_id"]) if choice["company_id"] is not None else None
        words = f"已选：{chosen['name'] if chosen else '都不是'}，下一次运行生效"
    return MatchRow(
        row["source"],
        row["record_key"],
        row["customer_no"] or "",
        row["name"] or "",
        OUTCOME_LABELS.get(row["outcome"], ""),
        words,
        tuple(candidates),
    )


def next_open(shown: Sequence[MatchRow], source: str, record_key: str) -> str:
    """Return the number on the page of the first undecided row after one, or of any; empty where there is none."""
    places = [
        place for place, row in enumerate(shown) if (row.source, row.record_key) == (source, record_key)
    ]
    after = places[0] if places else -1
    undecided = [place for place, row in enumerate(shown) if not row.decided]
    return str(min(undecided, key=lambda place: (place < after, place), default=""))


@router.get("/inventory/matches")
def show(
    visit: Annotated[Visit, Depends(signed_in)],
    outcome: Annotated[MatchOutcome, Query()] = MatchOutcome.AMBIGUOUS,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    done: Annotated[str, Query(max_length=200)] = "",
    done_source: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Show the rows of one outcome in their order; ``done`` is the row that was just decided, or taken back."""
    visit.require(Action.DECIDE_MATCHES)
    with reading(visit.sql) as connection:
        decided = {(row["source"], row["record_key"]): row for row in match_decisions(connection).to_pylist()}
    rows = visit.reading.once(rows_of, outcome.value)
    held = Page(page, PAGE_SIZE, len(rows), "/inventory/matches", (("outcome", outcome.value),))
    counts = {item.value: len(visit.reading.once(rows_of, item.value)) for item in MatchOutcome}
    options = [
        Option(
            item.value,
            OUTCOME_LABELS[item.value],
            f"/inventory/matches?outcome={item.value}",
            item is outcome,
            formats.count(counts[item.value]),
        )
        for item in (
            MatchOutcome.AMBIGUOUS,
            MatchOutcome.UNMATCHED,
            MatchOutcome.MATCHED,
            MatchOutcome.VERIFIED,
        )
    ]
    shown = [match_row(visit, row, decided) for row in rows[held.start : held.start + PAGE_SIZE]]
    just = next((row for row in rows if (row["source"], row["record_key"]) == (done_source, done)), None)
    return visit.render(
        "matches.html",
        key="inventory",
        title="客户盘点 · 匹配复核",
        tabs=inventory_tabs(visit),
        tab_key="matches",
        rows=shown,
        done=match_row(visit, just, decided) if just else None,
        left=sum((row["source"], row["record_key"]) not in decided for row in rows),
        next_key=next_open(shown, done_source, done) if just else "",
        pages=held,
        options=options,
        outcome=outcome.value,
        total=sum(counts.values()),
    )


@router.post("/inventory/matches")
def decide(
    visit: Annotated[Visit, Depends(changing)],
    source: Annotated[str, Form(max_length=64)],
    record_key: Annotated[str, Form(max_length=200)],
    choice: Annotated[str, Form(max_length=20)],
    outcome: Annotated[MatchOutcome, Form()] = MatchOutcome.AMBIGUOUS,
    page: Annotated[int, Form(ge=1, le=100_000)] = 1,
) -> Response:
    """Note which company a row is, that it is none of them, or take the choice back."""
    visit.require(Action.DECIDE_MATCHES)
    records = visit.reading.keyed(CUSTOMER_RECORDS, "record_key").rows(record_key)
    record = next((item for item in records if item["source"] == source), None)
    if record is None:
        raise NotFound("没有这一行客户", remedy="刷新页面")
    with writing(visit.sql) as connection:
        if choice == "undo":
            undo_decision(visit.viewer, connection, source, record_key, now=now())
        elif choice == "none":
            decide_match(visit.viewer, connection, record, None, now=now())
        elif choice.isdecimal():
            decide_match(visit.viewer, connection, record, int(choice), now=now())
        else:
            raise InputRejected("没有这个选项", remedy="选一家候选企业，或“都不是”")
    back = urlencode({"outcome": outcome.value, "page": page, "done": record_key, "done_source": source})
    return RedirectResponse(f"/inventory/matches?{back}", HTTPStatus.SEE_OTHER)
