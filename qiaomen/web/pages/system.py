"""数据与运行: start a run and watch it, loads with their counts, rejected rows by reason. No customer rows."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import Action
from qiaomen.jobs import ask_run
from qiaomen.registry import LOADS, REJECTS
from qiaomen.store import reading as sql_reading
from qiaomen.store import writing
from qiaomen.web import formats
from qiaomen.web.cells import Cell, ColumnView, TableView, table
from qiaomen.web.figures import Figure
from qiaomen.web.reading import Reading, Record
from qiaomen.web.runs import RunsView, runs_view
from qiaomen.web.visit import Visit, changing, now, signed_in

ROWS: Final = 40

router = APIRouter()


def loads_table(reading: Reading) -> TableView:
    """Newest loads first, with counts that add up."""
    rows = sorted(reading.table(LOADS).to_pylist(), key=lambda row: str(row["loaded_at"]), reverse=True)

    def number(name: str) -> ColumnView[Record]:
        titles = {
            "read": "读入",
            "inserted": "新增",
            "updated": "更新",
            "unchanged": "未变",
            "repeated": "重复",
            "rejected": "退回",
        }
        return ColumnView(titles[name], lambda row: Cell(formats.count(row[name])), align="right")

    columns: tuple[ColumnView[Record], ...] = (
        ColumnView("文件", lambda row: Cell(row["file"] or "", note=row["source"] or "")),
        ColumnView("表", lambda row: Cell(row["table"] or ""), fixed=True),
        *(number(name) for name in ("read", "inserted", "updated", "unchanged", "repeated", "rejected")),
        ColumnView("时间", lambda row: Cell(formats.moment(row["loaded_at"])), fixed=True),
    )
    return table(
        columns,
        rows[:ROWS],
        caption="载入记录",
        empty="还没有载入过数据",
        empty_hint="qiaomen load 来源 文件",
    )


def rejects_table(reading: Reading) -> TableView:
    """Rejected rows by source, column and reason, most first."""
    rows = reading.table(REJECTS).select(["source", "column", "reason"]).to_pylist()
    counts = Counter((row["source"], row["column"] or "整行", row["reason"]) for row in rows)
    columns: tuple[ColumnView[tuple[tuple[str, str, str], int]], ...] = (
        ColumnView("来源", lambda row: Cell(row[0][0]), fixed=True),
        ColumnView("列", lambda row: Cell(row[0][1]), fixed=True),
        ColumnView("原因与办法", lambda row: Cell(row[0][2])),
        ColumnView("行数", lambda row: Cell(formats.count(row[1])), align="right"),
    )
    return table(
        columns,
        counts.most_common(ROWS),
        caption="退回原因",
        empty="没有被退回的行",
        empty_hint="每一行都已入库，或与已有的行重复",
    )


def _runs(visit: Visit) -> RunsView:
    with sql_reading(visit.sql) as connection:
        return runs_view(visit, connection, now())


@router.get("/system")
def show(visit: Annotated[Visit, Depends(signed_in)]) -> Response:
    """Show runs, what was loaded and what was rejected."""
    visit.require(Action.RUN_JOBS)
    reading = visit.reading
    loads = reading.table(LOADS)
    figures = (
        Figure("数据期数", formats.count(reading.number) if reading.number else "", "期", none="尚未运行"),
        Figure("业务日期", formats.day(reading.as_of)),
        Figure("已载入文件", formats.count(loads.num_rows), "个"),
        Figure("退回的行", formats.count(reading.table(REJECTS).num_rows), "行", "明细：qiaomen rejects"),
    )
    return visit.render(
        "system.html",
        key="system",
        title="数据与运行",
        figures=figures,
        view=_runs(visit),
        loads=reading.once(loads_table),
        rejects=reading.once(rejects_table),
    )


@router.get("/system/runs")
def show_runs(
    visit: Annotated[Visit, Depends(signed_in)],
    was: Annotated[str, Query(pattern="^(active)?$")] = "",
) -> Response:
    """Return the part of the page that tells of runs; the whole page is read anew once a run has ended."""
    visit.require(Action.RUN_JOBS)
    view = _runs(visit)
    answer = visit.fragment("system_runs.html", view=view)
    if was and view.progress is None:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/system/run")
def start_run(visit: Annotated[Visit, Depends(changing)]) -> Response:
    """Ask for a run; where one is under way already it is shown."""
    with writing(visit.sql) as connection:
        ask_run(visit.viewer, connection, now())
    if "hx-request" in visit.request.headers:
        return visit.fragment("system_runs.html", view=_runs(visit))
    return RedirectResponse("/system", HTTPStatus.SEE_OTHER)
