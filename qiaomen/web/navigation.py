"""Which pages a viewer is led to: the menu, and the page after signing in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from qiaomen.bank import Action, Viewer, may
from qiaomen.vocab import Role


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu."""

    key: str
    title: str
    icon: str
    href: str
    shown: Callable[[Viewer], bool]


def _can(action: Action) -> Callable[[Viewer], bool]:
    return lambda viewer: may(viewer, action)


def _has_own_customers(viewer: Viewer) -> bool:
    return bool(viewer.manager_nos)


ENTRIES: Final[tuple[Entry, ...]] = (
    Entry("today", "今日", "home", "/today", _has_own_customers),
    Entry("cockpit", "营销驾驶舱", "gauge", "/cockpit", _can(Action.SEE_DASHBOARD)),
    Entry("board", "任务看板", "layout-kanban", "/tasks", _can(Action.SEE_TASKS)),
    Entry("opportunities", "商机中心", "target-arrow", "/opportunities", _can(Action.SEE_COMPANIES)),
    Entry("dispatch", "下发", "send", "/dispatch", _can(Action.DISPATCH)),
    Entry("inventory", "客户盘点", "users", "/inventory/screen", _can(Action.SCREEN)),
    Entry("chains", "产业链图谱", "sitemap", "/chains", _can(Action.SEE_COMPANIES)),
    Entry("parks", "园区", "building-community", "/parks", _can(Action.SEE_COMPANIES)),
    Entry("map", "营销地图", "map-pin", "/map", _can(Action.SEE_COMPANIES)),
    Entry("reach", "触达路径", "route", "/reach", _can(Action.SEE_COMPANIES)),
    Entry("system", "数据与运行", "history", "/system", _can(Action.RUN_JOBS)),
    Entry("staff", "人员与岗位", "users-group", "/staff", _can(Action.SEE_STAFF)),
    Entry("audit", "审计日志", "shield-check", "/audit", _can(Action.SEE_AUDIT)),
)

ROLE_ORDER: Final[tuple[Role, ...]] = (
    Role.ANALYST,
    Role.BRANCH_ADMIN,
    Role.SUB_BRANCH_ADMIN,
    Role.MANAGER,
    Role.ADMINISTRATOR,
    Role.INTEGRATOR,
)


def menu(viewer: Viewer) -> tuple[Entry, ...]:
    """Return the entries that the viewer may open."""
    return tuple(entry for entry in ENTRIES if entry.shown(viewer))


def home(viewer: Viewer) -> str:
    """Return the first page of a viewer."""
    # A deputy's own post leads: an administrator who stands in for a manager begins with the cockpit all the same.
    own = bool(viewer.roles) and not viewer.has(Role.MANAGER)
    entries = sorted(menu(viewer), key=lambda entry: own and entry.key == "today")
    return entries[0].href if entries else "/nothing"


def leading_role(viewer: Viewer) -> Role | None:
    """Return the widest role that a viewer holds."""
    return next((role for role in ROLE_ORDER if viewer.has(role)), None)
