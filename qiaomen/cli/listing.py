"""``opportunities``, ``tasks`` and ``rejects``: lists of what was found, who has to act, and what was not accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from qiaomen.cli.opening import institution_words, of_generation, one_company, with_results
from qiaomen.cli.options import coded
from qiaomen.cli.output import print_json, print_table
from qiaomen.vocab import (
    GRADE_LABELS,
    OPPORTUNITY_STATUS_LABELS,
    POLARITY_LABELS,
    SIGNAL_LABELS,
    STATE_LABELS,
    InputRejected,
    TaskState,
    UnitType,
    region_prefix,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from qiaomen.bank import Viewer
    from qiaomen.dispatch import Task, TaskFilter
    from qiaomen.jobs import Workspace
    from qiaomen.store import Engine, Snapshot

IN_BANK: Final = "in_bank"
STATUSES: Final = OPPORTUNITY_STATUS_LABELS | {"all": "全部"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which opportunities to list; an empty field does not filter. ``customers``: only ours, only prospects, or both."""

    kind: str = ""
    grade: str = ""
    signal: str = ""
    region: str = ""
    status: str = "active"
    company: str = ""
    since: date | None = None
    text: str = ""
    customers: bool | None = None
    sort: str = "value"


def _known(value: str, known: Iterable[str], what: str) -> None:
    """Raise ``InputRejected`` with the nearest known values."""
    from difflib import get_close_matches

    codes = list(known)
    if value and value not in codes:
        near = get_close_matches(value, codes, n=5, cutoff=0.4) or codes[:10]
        raise InputRejected(f"没有名为“{value}”的{what}", remedy=f"可用：{'、'.join(near)}")


def show_opportunities(
    workspace: Workspace, viewer: Viewer, wanted: Wanted, limit: int, as_json: bool
) -> None:
    """Print opportunities with their evidence, the most valuable first."""
    from qiaomen.bank import Action, require
    from qiaomen.opportunities import load_kinds
    from qiaomen.reports import money

    require(viewer, Action.SEE_COMPANIES)
    snapshot = with_results(workspace)
    names = {kind.code: kind.name for kind in load_kinds(workspace.overlay).values()}
    with workspace.engine() as engine:
        rows = engine.keep(_selected(workspace, viewer, engine, snapshot, wanted, names))
        total = engine.count(rows)
        firms = engine.arrow(rows.company_id.nunique().as_table()).column(0)[0].as_py()
        listed = engine.arrow(rows.order_by("place").limit(limit)).to_pylist()
    people = _people(workspace, viewer, snapshot, [row["company_id"] for row in listed])
    institutions = institution_words(workspace)
    found = [
        _opportunity(viewer, row, names, institutions, people.get(row["company_id"], ())) for row in listed
    ]
    if as_json:
        print_json({**of_generation(snapshot), "items": total, "firms": firms, "opportunities": found})
        return
    print_table(
        "商机",
        ("发布", "企业", "客户", "类型", "标题", "金额", "等级", "依据"),
        (
            (
                row["published_on"],
                row["company"],
                row["customer"] or "潜客",
                row["kind_name"],
                row["title"],
                money(row["amount_cny"]) or row["amount_text"],
                GRADE_LABELS.get(row["grade"] or "") or row["severity"],
                row["evidence"],
            )
            for row in found
        ),
        note=f"共 {total:,} 条、{firms:,} 户；列出 {len(found):,} 条",
    )


def _selected(
    workspace: Workspace,
    viewer: Viewer,
    engine: Engine,
    snapshot: Snapshot,
    wanted: Wanted,
    kinds: Mapping[str, str],
) -> ir.Table:
    """Return the opportunities that fit with the company's name and its customer row, numbered in order."""
    import ibis

    from qiaomen.customers import CUSTOMERS
    from qiaomen.opportunities import (
        OPPORTUNITIES,
        OPPORTUNITY_SIGNALS,
        OpportunityFilter,
        filter_opportunities,
    )
    from qiaomen.registry import COMPANIES

    wanted = replace(
        wanted,
        signal=coded(wanted.signal, SIGNAL_LABELS, "业务信号"),
        grade=coded(wanted.grade, GRADE_LABELS, "价值等级"),
        status=coded(wanted.status, STATUSES, "状态"),
    )
    chosen = OpportunityFilter(
        kinds=_kind(wanted.kind, kinds),
        signals=(wanted.signal,) if wanted.signal else (),
        regions=(_region(workspace, wanted.region),) if wanted.region else (),
        statuses=(wanted.status,) if wanted.status != "all" else (),
        companies=(one_company(viewer, snapshot, wanted.company).company_id,) if wanted.company else (),
        published_from=wanted.since,
        sort=wanted.sort,
    )
    rows = filter_opportunities(
        engine.table(snapshot, OPPORTUNITIES), engine.table(snapshot, OPPORTUNITY_SIGNALS), chosen
    )
    rows = rows.mutate(place=ibis.row_number())
    companies = engine.table(snapshot, COMPANIES).select(firm_id="company_id", company="name", uscc="uscc")
    book = engine.table(snapshot, CUSTOMERS)
    book = book.select("institution_code", "manager_no", customer_id=book.company_id)
    rows = rows.left_join(companies, rows.company_id == companies.firm_id).drop("firm_id")
    rows = rows.left_join(book, rows.company_id == book.customer_id)
    own = rows.customer_id.notnull() & _inside(viewer, rows)
    # What the bank's own flows say of another unit's customer is not there, counts included.
    hidden = rows.customer_id.notnull() & ~own & (rows.detector == IN_BANK)
    rows = rows.mutate(is_customer=own).filter(~hidden.fill_null(False)).drop("customer_id")
    return _narrowed(rows, wanted)


def _people(
    workspace: Workspace, viewer: Viewer, snapshot: Snapshot, companies: list[int | None]
) -> dict[int, set[str]]:
    """Return the natural persons of companies by name, to blank them where the viewer may not read them."""
    from qiaomen.bank import DataKind, reads

    if reads(viewer, DataKind.TEXT):
        return {}
    import pyarrow as pa

    from qiaomen.registry import COMPANIES, PERSONS, RELATIONS

    found: dict[int, set[str]] = {}
    with workspace.engine() as engine:
        wanted = engine.memory(pa.table({"company_id": pa.array(companies, pa.int64())}))
        persons = engine.table(snapshot, PERSONS).select("person_id", person="name")
        firms = engine.table(snapshot, COMPANIES).semi_join(wanted, "company_id")
        parts = [firms.select("company_id", person=firms.legal_representative)]
        relations = engine.table(snapshot, RELATIONS)
        for side, other in (("from", "to"), ("to", "from")):
            ends = relations.filter(
                (relations[f"{side}_type"] == "company") & (relations[f"{other}_type"] == "person")
            ).select(company_id=relations[f"{side}_id"], person_id=relations[f"{other}_id"])
            parts.append(
                ends.semi_join(wanted, "company_id").join(persons, "person_id").select("company_id", "person")
            )
        for part in parts:
            for row in engine.arrow(part).to_pylist():
                found.setdefault(row["company_id"], set()).add(row["person"] or "")
    return found


def _inside(viewer: Viewer, rows: ir.Table) -> ir.BooleanValue:
    """Return the condition that a joined customer row lies in the viewer's scope."""
    import ibis

    from qiaomen.bank import scope_of

    scope = scope_of(viewer)
    if scope.whole_bank:
        return ibis.literal(True)
    held = rows.institution_code.isin(sorted(scope.institutions) or [""])
    managed = rows.manager_no.isin(sorted(scope.manager_nos) or [""])
    return held.fill_null(False) | managed.fill_null(False)


def _narrowed(rows: ir.Table, wanted: Wanted) -> ir.Table:
    if wanted.grade:
        rows = rows.filter(rows.grade == wanted.grade)
    if wanted.customers is not None:
        rows = rows.filter(rows.is_customer if wanted.customers else ~rows.is_customer)
    for word in wanted.text.split():
        rows = rows.filter(
            rows.title.fill_null("").contains(word) | rows.company.fill_null("").contains(word)
        )
    return rows


def _kind(word: str, kinds: Mapping[str, str]) -> tuple[str, ...]:
    """Return the code of a kind given by code or Chinese name."""
    if not word:
        return ()
    codes = {name: code for code, name in kinds.items()}
    code = codes.get(word, word)
    if code not in kinds:
        _known(word, (*kinds, *codes), "商机类型")
    return (code,)


def _region(workspace: Workspace, code: str) -> str:
    from qiaomen.catalog import load_divisions

    known = {division.code for division in load_divisions(workspace.overlay)}
    if code.ljust(6, "0") not in known:
        raise InputRejected(
            f"没有代码为“{code}”的行政区划", remedy="例如 310000（上海市）、310115（浦东新区）"
        )
    return region_prefix(code.ljust(6, "0"))


def _opportunity(
    viewer: Viewer,
    row: dict[str, Any],
    kinds: Mapping[str, str],
    institutions: Mapping[str, str],
    people: Collection[str],
) -> dict[str, Any]:
    """Return one opportunity with its words, as the viewer may read it."""
    from qiaomen.bank import readable

    institution = row.pop("institution_code")
    row.pop("manager_no")
    row.pop("place")
    name = institutions.get(institution or "")
    row["customer"] = f"{name or institution or '本行'}客户" if row["is_customer"] else None
    row |= {name: readable(viewer, row[name], people) for name in ("title", "evidence")}
    row["kind_name"] = kinds.get(row["kind"], row["kind"])
    row["polarity_name"] = POLARITY_LABELS.get(row["polarity"], row["polarity"])
    return row


def show_tasks(
    workspace: Workspace,
    viewer: Viewer,
    filters: TaskFilter,
    institution: str,
    limit: int,
    as_json: bool,
) -> None:
    """Print the tasks that the viewer may see, the highest priority first."""
    from qiaomen.bank import Action, require
    from qiaomen.scoring import load_products

    require(viewer, Action.SEE_TASKS)
    items, firms, tasks = _tasks(workspace, viewer, filters, institution, limit)
    now = workspace.moment
    if as_json:
        listed = [{**asdict(task), "overdue": task.overdue(now)} for task in tasks]
        print_json({"items": items, "firms": firms, "tasks": listed})
        return
    products = {product.code: product.name_zh for product in load_products(workspace.overlay).values()}
    institutions = institution_words(workspace)
    print_table(
        "任务",
        ("编号", "状态", "企业", "产品", "优先级", "为什么是现在", "找谁引荐", "机构", "经理", "到期"),
        (
            (
                task.task_id,
                STATE_LABELS[task.state],
                task.company_name,
                products.get(task.product, task.product),
                f"{task.priority:.1f}",
                task.why_now,
                task.who,
                institutions.get(task.sub_branch_code or task.branch_code or "", ""),
                task.manager_no,
                task.due_at.astimezone().date() if task.due_at else None,
            )
            for task in tasks
        ),
        note=f"共 {items:,} 条、{firms:,} 户；列出 {len(tasks):,} 条",
    )


def _tasks(
    workspace: Workspace, viewer: Viewer, filters: TaskFilter, institution: str, limit: int
) -> tuple[int, int, list[Task]]:
    from qiaomen.bank import institutions_in_force
    from qiaomen.dispatch import list_tasks
    from qiaomen.store import reading

    found: list[Task] = []
    with reading(workspace.sql) as connection:
        if institution:
            known = {unit.institution_code: unit for unit in institutions_in_force(connection)}
            _known(institution, known, "机构")
            unit = known[institution].unit_type
            # Tasks of the head office are all tasks.
            if unit is UnitType.BRANCH:
                filters = replace(filters, branch_code=institution)
            elif unit is UnitType.SUB_BRANCH:
                filters = replace(filters, sub_branch_code=institution)
        while True:
            page = list_tasks(viewer, connection, filters, limit=limit - len(found), offset=len(found))
            found += page.tasks
            if not page.tasks or len(found) >= limit:
                return page.items, page.firms, found


def task_states(text: str) -> tuple[TaskState, ...]:
    """Read states separated by commas; ``InputRejected`` names those that there are."""
    words = [word.strip() for word in text.replace("，", ",").split(",") if word.strip()]
    called = {label: code for code, label in STATE_LABELS.items()}
    codes = [str(called.get(word, word)) for word in words]
    for code in codes:
        _known(code, [state.value for state in TaskState], "任务状态")
    return tuple(TaskState(code) for code in codes)


def show_rejects(workspace: Workspace, viewer: Viewer, load_id: str, limit: int, as_json: bool) -> None:
    """Print input rows that were not accepted: file, line, column, reason; values as the viewer may read them."""
    from qiaomen.bank import Action, mask, require
    from qiaomen.registry import REJECTS

    require(viewer, Action.RUN_JOBS)
    snapshot = workspace.lake.snapshot()
    with workspace.engine() as engine:
        rows = engine.table(snapshot, REJECTS)
        if load_id:
            rows = rows.filter(rows.load_id == load_id)
        total = engine.count(rows)
        ordered = rows.order_by(["load_id", "source", "file", "line", "column"]).limit(limit)
        listed = mask(viewer, REJECTS, engine.arrow(ordered, REJECTS)).to_pylist()
    if load_id and total == 0:
        _known(load_id, _loads(workspace), "装载")
    if as_json:
        print_json({"generation": snapshot.number, "total": total, "rejects": listed})
        return
    print_table(
        "被拒绝的行",
        ("来源", "文件", "行", "列", "原因", "原值"),
        (
            (row["source"], row["file"], row["line"], row["column"], row["reason"], row["value"])
            for row in listed
        ),
        note=f"共 {total:,} 行；列出 {len(listed):,} 行",
    )


def _loads(workspace: Workspace) -> list[str]:
    from qiaomen.registry import LOADS

    return sorted(set(workspace.lake.snapshot().arrow(LOADS)["load_id"].to_pylist()), reverse=True)
