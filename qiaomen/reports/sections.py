"""The plain sections of the profile: timeline, dealings, traces, chains, parks, tags, relations, risk, marketing, data."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine import Connection

from qiaomen.bank import mask_row
from qiaomen.chains import CHAIN_NODES, COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import DEALINGS, OUTCOMES
from qiaomen.dispatch import BLACKLIST_RECORDS, TaskFilter, list_tasks
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.registry import (
    COMPANY_CHANGES,
    COMPANY_NAMES,
    COMPANY_RECORDS,
    COMPANY_REFS,
    PERSONS,
    RELATIONS,
    normalise_name,
)
from qiaomen.reports.hiding import OWN_BOOKS
from qiaomen.reports.model import DataDate, Line
from qiaomen.reports.trades import name_of
from qiaomen.reports.words import joined, money, percent
from qiaomen.tags import COMPANY_TAGS
from qiaomen.vocab import (
    GRADE_LABELS,
    RELATION_LABELS,
    RESULT_LABELS,
    STAGE_LABELS,
    STATE_LABELS,
    SUSPECTED_KINDS,
)

if TYPE_CHECKING:
    from qiaomen.reports.profile import Subject

SELLING: Final = frozenset({"marketing", "both", "retention"})
TIMELINE_LENGTH: Final = 40
_LENDERS: Final = ("银行", "信托", "租赁", "小额贷款", "保理", "信用社", "金融")
_DEALINGS: Final = {
    "deposit": "活期存款",
    "time_deposit": "定期存款",
    "loan": "贷款",
    "credit_line": "授信额度",
    "guarantee_letter": "保函",
    "bill": "票据",
    "wealth": "理财",
    "payroll": "代发",
}
_NAME_KINDS: Final = {"legal": "登记名称", "former": "曾用名", "short": "简称", "mention": "他处写法"}


def own_evidence(subject: Subject) -> str:
    """Return where the company's own row comes from."""
    return f"来源 {subject.row['sources'] or '引用'}"


def _source(row: dict[str, Any], table: str) -> str:
    return f"{table}/{row['source']}/{row['record_key']}"


def timeline(subject: Subject, events: list[dict[str, Any]]) -> tuple[Line, ...]:
    """Return what happened and what will, newest first."""
    lines = [_event_line(subject, row) for row in events]
    lines += [
        Line(
            text=f"到期：{row['title']}", evidence=row["evidence"] or "", on=row["expires_on"], kind="expiry"
        )
        for row in events
        if row["expires_on"] is not None
    ]
    lines += _changes(subject)
    if subject.row["founded_on"]:
        lines.append(
            Line(text="成立", evidence=own_evidence(subject), on=subject.row["founded_on"], kind="founded")
        )
    if subject.row["listed_on"]:
        words = joined("上市", subject.row["listed_board"], by="：")
        lines.append(
            Line(text=words, evidence=own_evidence(subject), on=subject.row["listed_on"], kind="listed")
        )
    lines += [line for line in (*dealings(subject), *_contacts(subject)) if line.on is not None]
    lines.sort(key=lambda line: (line.on or dt.date.min, line.text), reverse=True)
    return tuple(lines[:TIMELINE_LENGTH])


def event_title(subject: Subject, row: dict[str, Any]) -> str:
    """Return the kind and title of an event without the company's own name, which stands above the page."""
    title, kind = row["title"] or "", subject.words.kind(row["kind"])
    head, colon, rest = title.partition("：")
    if colon and normalise_name(head) == subject.row["name_norm"]:
        title = rest
    return title if kind in title else joined(kind, title, by="：")


def _event_line(subject: Subject, row: dict[str, Any]) -> Line:
    grade = GRADE_LABELS.get(row["grade"] or "", "")
    status = {"expired": "已过期", "ended": "已结束"}.get(row["status"] or "", "")
    return Line(
        text=event_title(subject, row) + _note(grade and f"价值{grade}", status),
        evidence=row["evidence"] or "",
        on=row["occurred_on"] or row["published_on"],
        amount_cny=row["amount_cny"],
        kind=row["polarity"] or "",
    )


def _note(*parts: str) -> str:
    found = joined(*parts)
    return f"（{found}）" if found else ""


def _changes(subject: Subject) -> list[Line]:
    lines = []
    for ref in subject.reads.rows(COMPANY_REFS, "company_id", subject.company_id):
        for row in subject.reads.rows(COMPANY_CHANGES, "company_ref", ref["ref"]):
            old, new = row["old_value"] or "空", row["new_value"] or "空"
            words = f"变更 {row['field']}：{old} → {new}"
            lines.append(
                Line(
                    text=words, evidence=_source(row, "company_changes"), on=row["changed_on"], kind="change"
                )
            )
    return lines


def dealings(subject: Subject) -> tuple[Line, ...]:
    """Return contracts and accounts here; nothing where the customer lies outside the viewer's scope."""
    if not subject.in_scope:
        return ()
    lines = []
    for raw in subject.reads.rows(DEALINGS, "company_id", subject.company_id):
        row = mask_row(subject.viewer, DEALINGS, raw)
        amounts = joined(
            (row["amount_cny"] is not None and f"金额 {money(row['amount_cny'])}") or "",
            (row["balance_cny"] is not None and f"余额 {money(row['balance_cny'])}") or "",
            (row["limit_cny"] is not None and f"额度 {money(row['limit_cny'])}") or "",
            (row["due_on"] and f"{row['due_on']} 到期") or "",
        )
        product = subject.words.product(row["product"]) or _DEALINGS.get(row["kind"], row["kind"])
        state = "" if row["status"] == "active" else "（已结清）"
        lines.append(
            Line(
                text=joined(f"{product}{state}", amounts, by="，"),
                evidence=_source(raw, "dealings"),
                on=row["started_on"],
                amount_cny=row["balance_cny"] if row["balance_cny"] is not None else row["amount_cny"],
                kind=row["kind"] or "",
            )
        )
    return tuple(sorted(lines, key=lambda line: (line.kind, line.on or dt.date.min)))


def traces_elsewhere(subject: Subject, events: list[dict[str, Any]]) -> tuple[Line, ...]:
    """Return traces of dealings with other financiers: events and guarantees that name a bank, lessor or trust."""
    lines = [
        _event_line(subject, row)
        for row in events
        if any(word in (row["counterparty"] or "") for word in _LENDERS)
    ]
    for row in subject.reads.rows(RELATIONS, "from_id", subject.company_id):
        if (
            row["from_type"] == "company"
            and row["to_type"] == "company"
            and row["kind"] in {"guarantee", "transaction"}
        ):
            other = name_of(subject, row["to_id"])
            if any(word in other for word in _LENDERS):
                lines.append(_relation_line(subject, row, other))
    return tuple(sorted(lines, key=lambda line: line.on or dt.date.min, reverse=True))


def chains(subject: Subject) -> tuple[Line, ...]:
    """Return its chain nodes, the surest first."""
    rows = sorted(
        subject.reads.rows(COMPANY_NODES, "company_id", subject.company_id),
        key=lambda row: (-(row["confidence"] or 0), row["node_code"]),
    )
    return tuple(_node_line(subject, row) for row in rows)


def _node_line(subject: Subject, row: dict[str, Any]) -> Line:
    nodes = subject.reads.rows(CHAIN_NODES, "node_code", row["node_code"])
    stage = STAGE_LABELS.get(row["stage"] or "", "")
    path = nodes[0]["path"] if nodes else joined(row["chain_code"], stage, row["node_code"], by="/")
    sure = f"（把握 {row['confidence']:.0%}）" if row["confidence"] is not None else ""
    return Line(text=f"{path}{sure}", evidence=row["evidence"] or "", kind=row["basis"] or "")


def goods(subject: Subject) -> tuple[Line, ...]:
    """Return its goods, the largest share first."""
    rows = sorted(
        subject.reads.rows(COMPANY_GOODS, "company_id", subject.company_id),
        key=lambda row: (-(row["share"] or 0), row["goods_name"]),
    )
    return tuple(
        Line(
            text=joined(row["goods_name"], percent(row["share"]), by=" "),
            evidence=_source(row, "company_goods"),
        )
        for row in rows
    )


def parks(subject: Subject) -> tuple[Line, ...]:
    """Return the parks it is in."""
    lines = []
    for row in subject.reads.rows(PARK_RESIDENTS, "company_id", subject.company_id):
        found = subject.reads.rows(PARKS, "park_code", row["park_code"])
        name = found[0]["name"] if found else row["park_code"]
        lines.append(
            Line(text=name, evidence=row["evidence"] or "", on=row["since"], kind=row["basis"] or "")
        )
    return tuple(lines)


def tags(subject: Subject) -> tuple[Line, ...]:
    """Return its tags with their evidence."""
    rows = subject.reads.rows(COMPANY_TAGS, "company_id", subject.company_id)
    if subject.foreign:
        rows = [row for row in rows if not _from_own_books(row["evidence"])]
    return tuple(
        Line(
            text=subject.words.tag(row["tag"]),
            evidence=row["evidence"] or "",
            on=row["since"],
            kind=row["tag"],
        )
        for row in rows
    )


def _from_own_books(evidence: str | None) -> bool:
    """Whether evidence ends in a row that only the bank's own books have."""
    return (evidence or "").rpartition("｜")[2].partition("/")[0] in OWN_BOOKS


def related(subject: Subject) -> dict[str, tuple[Line, ...]]:
    """Return relations by section: holders, holdings, officers, group (branches, guarantees, shared IP), suspected."""
    found: dict[str, list[Line]] = defaultdict(list)
    for side, other in (("from", "to"), ("to", "from")):
        for row in subject.reads.rows(RELATIONS, f"{side}_id", subject.company_id):
            if row[f"{side}_type"] == "company":
                name = _party(subject, row[f"{other}_type"], row[f"{other}_id"])
                found[_section(row["kind"], side)].append(_relation_line(subject, row, name, other))
    return {
        name: tuple(sorted(found[name], key=lambda line: (-(line.amount_cny or 0), line.text)))
        for name in ("holders", "holdings", "officers", "group", "suspected")
    }


def _section(kind: str, side: str) -> str:
    if kind in SUSPECTED_KINDS:
        return "suspected"
    if kind == "office":
        return "officers"
    if kind in {"shareholding", "investment"}:
        return "holdings" if side == "from" else "holders"
    return "group"


def _party(subject: Subject, kind: str, number: int) -> str:
    if kind == "company":
        return name_of(subject, number)
    rows = subject.reads.rows(PERSONS, "person_id", number)
    row = mask_row(subject.viewer, PERSONS, rows[0]) if rows else {}
    return row.get("name") or f"人员 {number}"


def _relation_line(subject: Subject, row: dict[str, Any], name: str, other: str = "to") -> Line:
    kind = RELATION_LABELS.get(row["kind"], row["kind"])
    ended = "（已终止）" if row["until"] and subject.as_of and row["until"] < subject.as_of else ""
    doubt = "" if row["proven"] else "（未证实）"
    return Line(
        text=joined(name, kind, row["role"], percent(row["ratio"]), by=" ") + ended + doubt,
        evidence=row["evidence"] or _source(row, "relations"),
        on=row["observed_on"] or row["since"],
        amount_cny=row["amount_cny"],
        kind=row["kind"],
        company_id=row[f"{other}_id"] if row[f"{other}_type"] == "company" else None,
        proven=bool(row["proven"]),
    )


def risks(subject: Subject, events: list[dict[str, Any]]) -> tuple[Line, ...]:
    """Return vetoes, blacklists and warnings in force, the gravest first, each with its date and source."""
    lines = _blacklisted(subject)
    for polarity in ("veto", "warning"):
        for row in events:
            if row["polarity"] == polarity and row["status"] == "active":
                line = _event_line(subject, row)
                lines.append(
                    line.model_copy(
                        update={"text": line.text + _note(row["severity"] and f"程度{row['severity']}")}
                    )
                )
    return tuple(lines)


def _blacklisted(subject: Subject) -> list[Line]:
    lines = []
    for ref in subject.reads.rows(COMPANY_REFS, "company_id", subject.company_id):
        for row in subject.reads.rows(BLACKLIST_RECORDS, "company_ref", ref["ref"]):
            over = subject.as_of and row["until"] and row["until"] < subject.as_of
            if not over:
                words = joined(row["list_kind"] or "名单", row["reason"], by="：")
                lines.append(
                    Line(text=words, evidence=_source(row, "blacklist"), on=row["since"], kind="blacklist")
                )
    return lines


def marketing(subject: Subject, connection: Connection | None) -> tuple[Line, ...]:
    """Return past contacts and tasks that the viewer may see, newest first."""
    lines = _contacts(subject)
    if connection is not None:
        page = list_tasks(
            subject.viewer, connection, TaskFilter(company_id=subject.company_id, with_closed=True)
        )
        for task in page.tasks:
            state = STATE_LABELS[task.state.value]
            result = RESULT_LABELS.get(task.result.value if task.result else "", "")
            words = joined(subject.words.product(task.product), state, result, task.why_now, by="，")
            lines.append(
                Line(text=words, evidence=f"任务 {task.task_id}", on=task.created_at.date(), kind="task")
            )
    return tuple(sorted(lines, key=lambda line: line.on or dt.date.min, reverse=True))


def _contacts(subject: Subject) -> list[Line]:
    """Return past contacts; those with a customer outside the viewer's scope are not shown."""
    if subject.customer is not None and not subject.in_scope:
        return []
    lines = []
    for raw in subject.reads.rows(OUTCOMES, "company_id", subject.company_id):
        row = raw | {"amount_cny": mask_row(subject.viewer, OUTCOMES, raw)["amount_cny"]}
        result = {True: "有响应", False: "未响应"}.get(row["responded"], "结果未登记")
        words = joined(
            row["channel"], subject.words.product(row["product"]), result, money(row["amount_cny"]), by="，"
        )
        lines.append(
            Line(text=words, evidence=_source(row, "outcomes"), on=row["contacted_on"], kind="contact")
        )
    return lines


def conflicts(subject: Subject) -> tuple[Line, ...]:
    """Return the columns on which its sources disagree."""
    found = json.loads(subject.row["conflicts"] or "{}")
    clear = {
        name: mask_row(subject.viewer, COMPANY_RECORDS, {name: "x" * 8})[name] == "x" * 8 for name in found
    }
    lines = []
    for name, values in found.items():
        shown = (
            "；".join(f"{value}（{source}）" for value, source in values) if clear[name] else "各来源不一致"
        )
        lines.append(Line(text=f"{name}：{shown}", evidence=own_evidence(subject), kind=name))
    return tuple(lines)


def names(subject: Subject) -> tuple[Line, ...]:
    """Return every name of the company."""
    rows = subject.reads.rows(COMPANY_NAMES, "company_id", subject.company_id)
    return tuple(Line(text=row["name"] or "", kind=_NAME_KINDS.get(row["kind"], row["kind"])) for row in rows)


def data_dates(subject: Subject) -> tuple[DataDate, ...]:
    """Return the sources of the company's own rows with the newest date of each."""
    dates: dict[str, list[dt.date]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    seen: set[tuple[str, str]] = set()
    for ref in subject.reads.rows(COMPANY_REFS, "company_id", subject.company_id):
        for row in subject.reads.rows(COMPANY_RECORDS, "company_ref", ref["ref"]):
            key = (row["source"], row["record_key"])
            if key not in seen:
                seen.add(key)
                counts[row["source"]] += 1
                dates[row["source"]] += [row["observed_on"]] if row["observed_on"] else []
    return tuple(
        DataDate(source=source, observed_on=max(dates[source], default=None), records=count)
        for source, count in sorted(counts.items())
    )
