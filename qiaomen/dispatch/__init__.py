"""Admission, routing, the task's life, hold-outs, funnel."""

from qiaomen.dispatch.admission import AdmissionTables, admit, blacklisted
from qiaomen.dispatch.allocation import DEFERRED, allocate
from qiaomen.dispatch.create import CreateResult, TaskWords, create_tasks, task_words
from qiaomen.dispatch.deadlines import Recycled, overdue, recycle_overdue
from qiaomen.dispatch.facts import CONTACTS, OPEN_TASKS, PLACES, lead_places
from qiaomen.dispatch.flow import EVENT_LABELS, TaskEvent, events_from
from qiaomen.dispatch.funnels import GROUPS, Comparison, FunnelRow, compare_controls, funnel
from qiaomen.dispatch.leads import LeadTables, build_leads
from qiaomen.dispatch.rules import (
    AdmissionRule,
    AllocationRules,
    TaskReason,
    Trait,
    load_admission_rules,
    load_allocation_rules,
    load_deadlines,
    load_openers,
    load_reasons,
    load_traits,
    reason_name,
)
from qiaomen.dispatch.tables import ALLOCATIONS, BLACKLIST_RECORDS, LEADS
from qiaomen.dispatch.tasks import (
    HistoryRow,
    Task,
    TaskFilter,
    TaskPage,
    Visit,
    get_task,
    list_tasks,
    task_history,
    task_visits,
)
from qiaomen.dispatch.visits import CHANNELS, ContactCheck, contacts, may_contact, open_tasks, record_visit
from qiaomen.dispatch.work import advance, allowed_events, claim, transfer

__all__ = [
    "ALLOCATIONS",
    "BLACKLIST_RECORDS",
    "CHANNELS",
    "CONTACTS",
    "DEFERRED",
    "EVENT_LABELS",
    "GROUPS",
    "LEADS",
    "OPEN_TASKS",
    "PLACES",
    "AdmissionRule",
    "AdmissionTables",
    "AllocationRules",
    "Comparison",
    "ContactCheck",
    "CreateResult",
    "FunnelRow",
    "HistoryRow",
    "LeadTables",
    "Recycled",
    "Task",
    "TaskEvent",
    "TaskFilter",
    "TaskPage",
    "TaskReason",
    "TaskWords",
    "Trait",
    "Visit",
    "admit",
    "advance",
    "allocate",
    "allowed_events",
    "blacklisted",
    "build_leads",
    "claim",
    "compare_controls",
    "contacts",
    "create_tasks",
    "events_from",
    "funnel",
    "get_task",
    "lead_places",
    "list_tasks",
    "load_admission_rules",
    "load_allocation_rules",
    "load_deadlines",
    "load_openers",
    "load_reasons",
    "load_traits",
    "may_contact",
    "open_tasks",
    "overdue",
    "reason_name",
    "record_visit",
    "recycle_overdue",
    "task_history",
    "task_visits",
    "task_words",
    "transfer",
]
