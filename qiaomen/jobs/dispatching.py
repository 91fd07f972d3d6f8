"""Dispatch by staff: what would become of chosen leads or firms, and the confirmation that makes the tasks.

The lake's side (leads, admission, keepers, words) is read before the transaction, since a generation never changes;
everything that the operational store knows is judged again within it. Reads many tables; writes tasks and batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from sqlalchemy.engine import Connection

from qiaomen import dispatch, scoring
from qiaomen.bank import INSTITUTION_RECORDS, Action, Viewer, require
from qiaomen.customers import CUSTOMERS, OUTCOMES
from qiaomen.dispatch import ALLOCATIONS, BLACKLIST_RECORDS, CONTACTS, LEADS, OPEN_TASKS
from qiaomen.jobs.workspace import Workspace
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.reach import INTRODUCTIONS, REACH
from qiaomen.registry import COMPANIES, COMPANY_REFS
from qiaomen.scoring import OFFERS, TIERS
from qiaomen.store import Engine, Snapshot, portable, reading, writing
from qiaomen.vocab import InputRejected, Table

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST: Final = 1_000
LONGEST_WHY: Final = 300


@dataclass(frozen=True, slots=True)
class Selection:
    """Leads that staff chose, with all that the lake knows of them."""

    generation: int
    leads: tuple[Mapping[str, Any], ...]
    allocations: Mapping[str, Mapping[str, Any]]
    facts: dispatch.LakeFacts
    words: dispatch.TaskWords
    introductions: pa.Table
    customers: pa.Table
    target: dispatch.Target | None


@dataclass(frozen=True, slots=True)
class HandRequest:
    """Firms that staff send somewhere themselves: why now in their words, and the key that makes it happen once."""

    companies: tuple[int, ...]
    target: dispatch.Target
    product: str | None
    note: str
    request_key: str


def chosen_leads(
    workspace: Workspace, viewer: Viewer, lead_ids: Sequence[str], target: dispatch.Target | None
) -> Selection:
    """Read leads of the newest generation; those that it has no more are left out."""
    require(viewer, Action.DISPATCH)
    _limited(lead_ids)
    snapshot = workspace.lake.snapshot()
    with workspace.engine() as engine:
        ids = pa.table({"lead_id": pa.array(sorted(set(lead_ids)), pa.string())})
        leads = engine.arrow(engine.table(snapshot, LEADS).semi_join(engine.memory(ids), "lead_id"))
        allocations = engine.arrow(
            engine.table(snapshot, ALLOCATIONS).semi_join(engine.memory(ids), "lead_id")
        )
        return _selection(workspace, snapshot, engine, leads, allocations, target)


def chosen_firms(workspace: Workspace, viewer: Viewer, request: HandRequest) -> Selection:
    """Build leads of firms that staff chose and judge them by every admission rule; an unknown firm is left out."""
    require(viewer, Action.DISPATCH)
    _limited(request.companies)
    note = request.note.strip()
    if not note or len(note) > LONGEST_WHY:
        raise InputRejected(f"下发理由不能为空，且不超过{LONGEST_WHY}字", remedy="写明为什么现在联系")
    products = scoring.load_products(workspace.overlay)
    if request.product and request.product not in products:
        raise InputRejected(f"没有代码为“{request.product}”的产品", remedy="从产品目录中选择")
    snapshot, day = workspace.lake.snapshot(), workspace.as_of
    why_now = f"{note}（{day}，来源：{viewer.name}手工下发）"
    with workspace.engine() as engine:
        leads = engine.keep(
            dispatch.hand_rows(
                engine.memory(_firms(request)).semi_join(engine.table(snapshot, COMPANIES), "company_id"),
                tiers=engine.table(snapshot, TIERS),
                offers=engine.table(snapshot, OFFERS),
                customers=engine.table(snapshot, CUSTOMERS),
                reach=engine.table(snapshot, REACH),
                rules=dispatch.load_allocation_rules(workspace.overlay),
                why_now=why_now,
            )
        )
        judged = engine.arrow(_judged(workspace, snapshot, engine, leads, day), LEADS)
        return _selection(workspace, snapshot, engine, judged, ALLOCATIONS.empty(), request.target)


def _limited(chosen: Sequence[Any]) -> None:
    if not chosen:
        raise InputRejected("没有选择企业", remedy="先勾选要下发的企业")
    if len(chosen) > MOST:
        raise InputRejected(f"一次最多下发{MOST}户", remedy="分批下发，或缩小范围")


def _firms(request: HandRequest) -> pa.Table:
    numbers = sorted(set(request.companies))
    keys = [portable.hash_of("hand", request.request_key, number) for number in numbers]
    return pa.table(
        {
            "company_id": pa.array(numbers, pa.int64()),
            "lead_id": pa.array(keys, pa.string()),
            "product": pa.array([request.product or None] * len(numbers), pa.string()),
        }
    )


def _judged(workspace: Workspace, snapshot: Snapshot, engine: Engine, leads: ir.Table, day: date) -> ir.Table:
    """Apply the rules that ask the lake; those that ask the operational store wait for the transaction."""
    rules = [
        rule
        for rule in dispatch.load_admission_rules(workspace.overlay)
        if rule.check not in {"open_task", "closed_task", "contacts", "refusal"}
    ]
    tables = dispatch.AdmissionTables(
        companies=engine.table(snapshot, COMPANIES),
        opportunities=engine.table(snapshot, OPPORTUNITIES),
        blacklist_records=engine.table(snapshot, BLACKLIST_RECORDS),
        company_refs=engine.table(snapshot, COMPANY_REFS),
        institution_records=engine.table(snapshot, INSTITUTION_RECORDS),
        open_tasks=engine.memory(OPEN_TASKS.empty()),
        contacts=engine.memory(CONTACTS.empty()),
    )
    return dispatch.admit(leads, tables, rules, day)


def _selection(
    workspace: Workspace,
    snapshot: Snapshot,
    engine: Engine,
    leads: pa.Table,
    allocations: pa.Table,
    target: dispatch.Target | None,
) -> Selection:
    firms = engine.memory(leads.select(["company_id"]).group_by("company_id").aggregate([]))

    def of(table: Table) -> pa.Table:
        return engine.arrow(engine.table(snapshot, table).semi_join(firms, "company_id"), table)

    names = of(COMPANIES).select(["company_id", "name"])
    customers = of(CUSTOMERS)
    contacts: dict[int, list[date]] = defaultdict(list)
    for row in of(OUTCOMES).select(["company_id", "contacted_on"]).to_pylist():
        if row["contacted_on"] is not None:
            contacts[row["company_id"]].append(row["contacted_on"])
    introductions, keepers = _introductions(snapshot, engine, of(INTRODUCTIONS), of(REACH))
    words = dispatch.task_words(
        dict(zip(names["company_id"].to_pylist(), names["name"].to_pylist(), strict=True)),
        {product.code: product.name_zh for product in scoring.load_products(workspace.overlay).values()},
        openers=dispatch.load_openers(workspace.overlay),
        deadlines=dispatch.load_deadlines(workspace.overlay),
    )
    return Selection(
        snapshot.number,
        tuple(leads.to_pylist()),
        {row["lead_id"]: row for row in allocations.to_pylist()},
        dispatch.LakeFacts(
            {
                row["company_id"]: (row["institution_code"], row["manager_no"])
                for row in customers.to_pylist()
            },
            contacts,
        ),
        words,
        introductions,
        keepers,
        target,
    )


def _introductions(
    snapshot: Snapshot, engine: Engine, worded: pa.Table, near: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Return introductions, and the customers at their ends.

    A run words the ways to its own leads only; for other firms the warmest customer of the one pass is named.
    """
    known = set(worded["company_id"].to_pylist())
    rest = [row for row in near.to_pylist() if row["company_id"] not in known and row["hops"]]
    ends = {row["customer_id"] for row in rest} | set(worded["customer_id"].to_pylist()) - {None}
    wanted = engine.memory(pa.table({"company_id": pa.array(sorted(ends), pa.int64())}))
    keepers = engine.arrow(engine.table(snapshot, CUSTOMERS).semi_join(wanted, "company_id"), CUSTOMERS)
    named = engine.arrow(engine.table(snapshot, COMPANIES).semi_join(wanted, "company_id"))
    names = dict(zip(named["company_id"].to_pylist(), named["name"].to_pylist(), strict=True))
    added = [
        {
            **dict.fromkeys(INTRODUCTIONS.names),
            "company_id": row["company_id"],
            "rank": 1,
            "customer_id": row["customer_id"],
            "wording": f"可经我行客户{names.get(row['customer_id'], '')}接触（{row['hops']}跳，见触达路径）",
        }
        for row in rest
    ]
    more = pa.Table.from_pylist(added, schema=INTRODUCTIONS.schema)
    return pa.concat_tables([INTRODUCTIONS.conform(worded), more]), keepers


def plan_selection(
    workspace: Workspace, viewer: Viewer, connection: Connection, chosen: Selection
) -> list[dispatch.Planned]:
    """Return what would become of a selection as the operational store stands in the caller's transaction."""
    return dispatch.plan_dispatch(
        viewer,
        connection,
        chosen.leads,
        chosen.allocations,
        facts=chosen.facts,
        rules=dispatch.load_allocation_rules(workspace.overlay),
        admission=dispatch.load_admission_rules(workspace.overlay),
        as_of=workspace.as_of,
        target=chosen.target,
    )


def confirm_leads(
    workspace: Workspace,
    viewer: Viewer,
    request: dispatch.BatchRequest,
    target: dispatch.Target | None = None,
) -> int:
    """Dispatch the leads of ``request.seen`` as they were shown and return the number of the batch; once per key."""
    made = _made_before(workspace, viewer, request.request_key)
    if made is not None:
        return made
    return _confirm(workspace, viewer, request, chosen_leads(workspace, viewer, list(request.seen), target))


def hand_leads(
    workspace: Workspace, viewer: Viewer, hand: HandRequest, request: dispatch.BatchRequest
) -> int:
    """Dispatch firms that staff chose, as they were shown, and return the number of the batch; once per key."""
    made = _made_before(workspace, viewer, request.request_key)
    if made is not None:
        return made
    return _confirm(workspace, viewer, request, chosen_firms(workspace, viewer, hand))


def _made_before(workspace: Workspace, viewer: Viewer, request_key: str) -> int | None:
    if not request_key.strip():
        raise InputRejected("缺少请求编号", remedy="从预览页确认")
    with reading(workspace.sql) as connection:
        return dispatch.batch_of_request(viewer, connection, request_key)


def _confirm(workspace: Workspace, viewer: Viewer, request: dispatch.BatchRequest, chosen: Selection) -> int:
    with writing(workspace.sql) as connection:
        dispatch.lock_tasks(connection)
        made = dispatch.batch_of_request(viewer, connection, request.request_key)
        if made is not None:
            return made
        return dispatch.confirm_dispatch(
            viewer,
            connection,
            plan_selection(workspace, viewer, connection, chosen),
            request,
            words=chosen.words,
            introductions=chosen.introductions,
            customers=chosen.customers,
            generation=chosen.generation,
            now=workspace.moment,
        )
