"""How firms stand right now in the operational store, and which admission rules that breaks.

A run judges by the store of its own time; before staff dispatch, the rules that look at tasks and contacts are asked
anew here, in the transaction that makes the tasks. Reads tasks, task_leads, visit_records and controls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import ZONE, Viewer, today_of
from qiaomen.dispatch.leads import HAND
from qiaomen.dispatch.rules import AdmissionRule
from qiaomen.dispatch.schema import CONTROLS, TASK_LEADS, TASKS, VISIT_RECORDS
from qiaomen.dispatch.tasks import visible
from qiaomen.vocab import TaskResult, TaskState

_AT_ONCE: Final = 500
_UNSUCCESSFUL: Final = frozenset({TaskResult.LOST, TaskResult.NOT_ADMITTED, TaskResult.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task of a firm; ``seen`` tells whether the viewer may know its number."""

    task_id: int
    product: str
    state: str
    result: str | None
    branch_code: str | None
    sub_branch_code: str | None
    manager_no: str | None
    closed_on: date | None
    seen: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rule that keeps a lead back, and its ground in words."""

    rule: str
    ground: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Facts of the store about the firms of some leads."""

    sent: Mapping[str, int]
    tasks: Mapping[int, Sequence[KnownTask]]
    contacts: Mapping[int, Sequence[tuple[date, bool]]]
    controls: frozenset[int]

    def open_tasks(self, company_id: int) -> list[KnownTask]:
        """Return the open tasks of a firm."""
        return [task for task in self.tasks.get(company_id, ()) if task.state != TaskState.CLOSED.value]


def standing_of(
    viewer: Viewer,
    connection: Connection,
    leads: Iterable[Mapping[str, Any]],
    past_contacts: Mapping[int, Iterable[date]],
    as_of: date,
    days: int,
) -> Standing:
    """Read what the store knows of the firms of leads; contacts of the last ``days`` with the ``past_contacts``."""
    listed = list(leads)
    companies = sorted({int(lead["company_id"]) for lead in listed})
    since = datetime.combine(as_of - timedelta(days=days), time(), ZONE)
    sent: dict[str, int] = {}
    tasks: dict[int, list[KnownTask]] = defaultdict(list)
    contacts: dict[int, list[tuple[date, bool]]] = defaultdict(list)
    controls: set[int] = set()
    for company, held in past_contacts.items():
        contacts[company] += [(day, False) for day in held]
    for part in _parts([str(lead["lead_id"]) for lead in listed]):
        query = sa.select(TASK_LEADS.c.lead_id, TASK_LEADS.c.task_id).where(TASK_LEADS.c.lead_id.in_(part))
        sent.update((str(row.lead_id), int(row.task_id)) for row in connection.execute(query))
    for firms in _parts(companies):
        for company, task in _tasks(viewer, connection, firms):
            tasks[company].append(task)
        visits = sa.select(
            VISIT_RECORDS.c.company_id, VISIT_RECORDS.c.visited_at, VISIT_RECORDS.c.refused
        ).where(VISIT_RECORDS.c.company_id.in_(firms), VISIT_RECORDS.c.visited_at > since)
        for row in connection.execute(visits):
            contacts[int(row.company_id)].append((today_of(row.visited_at), bool(row.refused)))
        kept = sa.select(CONTROLS.c.company_id).where(CONTROLS.c.company_id.in_(firms))
        controls.update(int(company) for (company,) in connection.execute(kept))
    return Standing(sent, tasks, contacts, frozenset(controls))


def _parts(values: list[Any]) -> Iterator[list[Any]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


def _tasks(viewer: Viewer, connection: Connection, firms: Sequence[int]) -> Iterable[tuple[int, KnownTask]]:
    names = ("task_id", "product", "state", "result", "branch_code", "sub_branch_code", "manager_no")
    query = sa.select(
        *(TASKS.c[name] for name in names),
        TASKS.c.company_id,
        TASKS.c.closed_at,
        sa.case((visible(viewer), 1), else_=0).label("seen"),
    ).where(TASKS.c.company_id.in_(firms))
    for row in connection.execute(query.order_by(TASKS.c.task_id)).mappings():
        closed = today_of(row["closed_at"]) if row["closed_at"] else None
        yield (
            int(row["company_id"]),
            KnownTask(**{name: row[name] for name in names}, closed_on=closed, seen=bool(row["seen"])),
        )


def longest_days(admission: Iterable[AdmissionRule]) -> int:
    """Return how far back the rules look."""
    return max((rule.days for rule in admission), default=0) + 1


def first_refusal(
    lead: Mapping[str, Any], standing: Standing, admission: Iterable[AdmissionRule], as_of: date
) -> Refusal | None:
    """Return the first rule about tasks and contacts that a lead breaks; none where it breaks none."""
    for rule in admission:
        check = _CHECKS.get(rule.check)
        if check is None or not _concerns(rule, lead):
            continue
        ground = check(lead, standing, rule, as_of)
        if ground:
            return Refusal(rule.code, ground)
    return None


def _concerns(rule: AdmissionRule, lead: Mapping[str, Any]) -> bool:
    if rule.applies_to != "all" and bool(lead["is_customer"]) != (rule.applies_to == "customer"):
        return False
    return not rule.origins or lead["origin"] in rule.origins


def _open_task(lead: Mapping[str, Any], standing: Standing, rule: AdmissionRule, as_of: date) -> str:  # noqa: ARG001
    for task in standing.open_tasks(lead["company_id"]):
        # A run's lead of the same product is joined to the open task; what staff choose themselves is not.
        if lead["origin"] != HAND and task.product == (lead["product"] or ""):
            continue
        return f"{task.task_id}号任务正在营销该企业" if task.seen else "其他机构正在营销该企业"
    return ""


def _closed_task(lead: Mapping[str, Any], standing: Standing, rule: AdmissionRule, as_of: date) -> str:
    for task in standing.tasks.get(lead["company_id"], ()):
        recent = task.closed_on is not None and (as_of - task.closed_on).days < rule.days
        if recent and task.result in _UNSUCCESSFUL and task.product == (lead["product"] or ""):
            return f"{task.closed_on}刚结束一次，{rule.days}天内不再下发"
    return ""


def _recent(lead: Mapping[str, Any], standing: Standing, days: int, as_of: date) -> list[tuple[date, bool]]:
    held = standing.contacts.get(lead["company_id"], ())
    return [(day, refused) for day, refused in held if 0 <= (as_of - day).days < days]


def _contacts(lead: Mapping[str, Any], standing: Standing, rule: AdmissionRule, as_of: date) -> str:
    number = len(_recent(lead, standing, rule.days, as_of))
    return f"{rule.days}天内已主动联系{number}次，上限{rule.at_most}次" if number >= rule.at_most else ""


def _refusal(lead: Mapping[str, Any], standing: Standing, rule: AdmissionRule, as_of: date) -> str:
    days = [day for day, refused in _recent(lead, standing, rule.days, as_of) if refused]
    return f"{max(days)}企业表示不愿再被联系" if days else ""


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any], Standing, AdmissionRule, date], str]]] = {
    "open_task": _open_task,
    "closed_task": _closed_task,
    "contacts": _contacts,
    "refusal": _refusal,
}
