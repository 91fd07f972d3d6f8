"""审计日志: who saw, exported or changed what, filtered, newest first; and whether the chain is whole. For administrators."""

from __future__ import annotations

import datetime as dt
import json
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, field_validator

from qiaomen.bank import (
    Action,
    AuditFilter,
    audit,
    audit_rows,
    newest_row,
    require,
    verify_audit,
)
from qiaomen.store import reading, writing
from qiaomen.web import formats
from qiaomen.web.cells import Cell, ColumnView, TableView, table
from qiaomen.web.figures import Figure
from qiaomen.web.reading import Record
from qiaomen.web.visit import SHANGHAI, Visit, changing, now, signed_in

PAGE_SIZE: Final = 50
# A page checks the end of the log, within a second or two; the command checks all of it.
CHECKED_ROWS: Final = 100_000
CHECKED: Final = "audit.checked"
GROUPS: Final = (
    ("read", "查阅"),
    ("export", "导出"),
    ("task", "任务"),
    ("change", "数据与规则变更"),
    ("cli", "命令行"),
    ("log_in", "登录"),
    ("log_in_failed", "登录失败"),
    ("dispatch", "下发"),
    ("hand_over", "交接"),
    ("decide_match", "匹配确认"),
    ("ask_referral", "申请转介"),
    ("create_token", "签发令牌"),
    ("reset_password", "重置密码"),
    ("audit", "日志校验"),
)
LABELS: Final = dict(GROUPS) | {
    "read.company": "查阅企业",
    "read.reach": "查阅触达路径",
    "read.tasks": "查阅任务",
    "read.task": "查阅任务",
    "read.today": "查阅今日",
    "read.screen": "筛选客户",
    "read.search": "搜索",
    "read.audit": "查阅审计日志",
    "read.opportunities": "查阅商机",
    "read.leads": "查阅线索",
    "read.matches": "查阅匹配",
    "read.staff": "查阅人员与岗位",
    "read.hand_over_plan": "预览交接",
    "read.users": "查阅账号",
    "add_post": "登记岗位",
    "end_post": "结束岗位",
    "delegate": "登记代理",
    "end_delegation": "结束代理",
    "export.screen": "导出筛选结果",
    "export.audit": "导出审计日志",
    "change.load": "装载数据",
    "change.run": "运行",
    "change.rules": "规则或设置变更",
    "change.retention": "删除超期数据",
    "change.retention_failed": "删除超期数据未成",
    "change.opt_out": "登记拒绝联系",
    "change.opt_in": "撤销拒绝联系",
    "task.claim": "认领任务",
    "task.visit": "登记联系",
    CHECKED: "日志校验",
}

DETAILS: Final = {
    "address": "地址",
    "broken_at": "不符的行",
    "by": "途径",
    "changed": "变更的文件",
    "format": "格式",
    "generation": "数据期数",
    "kind": "种类",
    "manager": "经办",
    "ok": "完好",
    "query": "条件",
    "query_sha256": "条件哈希",
    "reason": "原因",
    "rows": "行数",
    "sha256": "文件哈希",
    "state": "状态",
    "status": "应答状态",
    "version": "版本",
    "way": "方式",
}

router = APIRouter()


class Filters(BaseModel):
    """What the form asks for; days are Shanghai's."""

    actor: str = Field("", max_length=100)
    action: str = Field("", max_length=64)
    object: str = Field("", max_length=200)
    since: dt.date | None = None
    until: dt.date | None = None
    before: int | None = Field(None, ge=1, le=2**62)

    @field_validator("since", "until", "before", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    def wanted(self) -> AuditFilter:
        """Return the filter."""
        last = self.until + dt.timedelta(days=1) if self.until and self.until < dt.date.max else None
        return AuditFilter(
            actor=self.actor,
            action=self.action,
            object=self.object,
            since=_midnight(self.since),
            until=_midnight(last),
        )

    def address(self, **changes: Any) -> str:
        """Return the page's address with these filters."""
        values = self.model_dump(mode="json") | changes
        query = urlencode({name: value for name, value in values.items() if value not in (None, "")})
        return f"/audit?{query}" if query else "/audit"


def _midnight(day: dt.date | None) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time(), SHANGHAI) if day else None


def _detail(text: str) -> str:
    values = {name: value for name, value in json.loads(text).items() if value not in (None, "", {})}
    if values.get("status") == HTTPStatus.OK:
        del values["status"]
    return "；".join(f"{DETAILS.get(name, name)} {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def label(action: str) -> str:
    """Say an action in words; an unknown one shows as it is written."""
    return LABELS.get(action) or LABELS.get(action.partition(".")[0], action)


def listing(rows: list[Record]) -> TableView:
    """Lay out rows."""
    columns: tuple[ColumnView[Record], ...] = (
        ColumnView("行号", lambda row: Cell(formats.count(row["number"])), align="right"),
        ColumnView("时间", lambda row: Cell(formats.moment(row["at"])), fixed=True),
        ColumnView("用户", lambda row: Cell(row["actor"]), fixed=True),
        ColumnView("动作", lambda row: Cell(label(row["action"]), note=row["action"]), fixed=True),
        ColumnView("对象", lambda row: Cell(row["object"])),
        ColumnView("详情", lambda row: Cell(_detail(row["detail"]), tone="soft")),
    )
    return table(columns, rows, caption="审计日志", empty="没有符合条件的记录", empty_hint="去掉一个条件")


def figures(newest: Record | None, last: Record | None) -> tuple[Figure, ...]:
    """The length of the log and what the newest check on this page found."""
    found = json.loads(last["detail"]) if last else {}
    state = "" if last is None else "完好" if found["ok"] else f"第 {found['broken_at']} 行起不符"
    note = f"{formats.moment(last['at'])} 校验了末尾 {formats.count(found['rows'])} 行" if last else ""
    return (
        Figure("日志行数", formats.count(newest["number"]) if newest else "0", "行"),
        Figure(
            "最新一行",
            formats.day(newest["at"].astimezone(SHANGHAI).date()) if newest else "",
            note=formats.moment(newest["at"])[-5:] if newest else "",
            none="还没有记录",
        ),
        Figure("哈希链", state, note=note, none="本页还没有校验过"),
    )


@router.get("/audit")
def show(visit: Annotated[Visit, Depends(signed_in)], filters: Annotated[Filters, Query()]) -> Response:
    """Show the log."""
    require(visit.viewer, Action.SEE_AUDIT)
    with reading(visit.sql) as connection:
        rows = audit_rows(
            visit.viewer, connection, filters.wanted(), before=filters.before, limit=PAGE_SIZE + 1
        )
        newest = newest_row(visit.viewer, connection)
        last = newest_row(visit.viewer, connection, CHECKED)
    more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    return visit.render(
        "audit.html",
        key="audit",
        title="审计日志",
        filters=filters,
        groups=GROUPS,
        figures=figures(newest, last),
        broken=last is not None and not json.loads(last["detail"])["ok"],
        reason=json.loads(last["detail"]).get("reason", "") if last else "",
        listing=listing(rows),
        older=filters.address(before=rows[-1]["number"]) if more else "",
        first=filters.address(before=None) if filters.before else "",
    )


@router.post("/audit/check")
def check(visit: Annotated[Visit, Depends(changing)]) -> Response:
    """Check the end of the log and note what was found."""
    require(visit.viewer, Action.SEE_AUDIT)
    with reading(visit.sql) as connection:
        newest = newest_row(visit.viewer, connection)
        since = max(0, (newest["number"] if newest else 0) - CHECKED_ROWS)
        found = verify_audit(connection, since=since)
    detail = {name: found.document()[name] for name in ("ok", "rows", "broken_at", "reason")}
    with writing(visit.sql) as connection:
        audit(connection, visit.viewer, CHECKED, "audit", detail, now=now())
    return RedirectResponse("/audit", HTTPStatus.SEE_OTHER)
