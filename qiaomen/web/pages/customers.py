"""客户盘点 › 上传名单: guessed mapping, dry run with row errors, apply, undo."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from qiaomen.bank import Action, audit
from qiaomen.customers import (
    ListHead,
    Upload,
    guess_mapping,
    read_head,
    save_mapping,
    saved_mapping,
)
from qiaomen.jobs import apply_customer_list, customer_list_source, try_customer_list, undo_customer_list
from qiaomen.registry import LOADS, Source
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected
from qiaomen.web import formats
from qiaomen.web.cells import Cell, ColumnView, TableView, table
from qiaomen.web.figures import Figure
from qiaomen.web.own_lists import own_loads, require_own_load, require_own_rows
from qiaomen.web.reading import Record
from qiaomen.web.tabs import inventory_tabs
from qiaomen.web.visit import Visit, changing, now, signed_in
from qiaomen.web.waiting_lists import forget, keep, note_mapping, noted_mapping, waiting

ERRORS: Final = 30
NOTES: Final = 8
SHOWN: Final = 80
HISTORY: Final = 12
LABELS: Final = {
    "customer_no": "客户号",
    "name": "客户名称",
    "uscc_text": "统一社会信用代码",
    "address": "地址",
    "phone": "电话",
    "contact": "联系人",
    "legal_representative": "法定代表人",
    "capital_text": "注册资本",
    "industry_name": "行业",
    "institution_code": "管户机构",
    "manager_no": "客户经理工号",
    "opened_on": "开户日期",
    "status": "客户状态",
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Choice:
    """One target column and the header that fills it."""

    name: str
    label: str
    required: bool
    header: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An uploaded list that is not applied yet."""

    number: str
    file_name: str
    headers: tuple[str, ...]
    preview: TableView
    choices: tuple[Choice, ...]
    figures: tuple[Figure, ...]
    errors: TableView | None
    notes: tuple[str, ...]
    problem: str


def likely_mapping(visit: Visit, number: str, headers: tuple[str, ...], source: Source) -> dict[str, str]:
    """Return the mapping tried last for this list, or confirmed for such headers before, else a guess."""
    if (tried := noted_mapping(visit, number)) is not None:
        return tried
    with reading(visit.sql) as connection:
        known = saved_mapping(connection, headers)
    return known or guess_mapping(headers, source)


def choices(source: Source, mapping: dict[str, str]) -> tuple[Choice, ...]:
    """Return every target column with its header."""
    rules = next(rule for rule in source.files if rule.tables).tables[0].columns
    return tuple(
        Choice(name, LABELS.get(name, name), rule.required, mapping.get(name, ""))
        for name, rule in rules.items()
        if rule.headers
    )


def preview(head: ListHead) -> TableView:
    """First rows of the list as written; a long cell is cut."""
    columns = [
        ColumnView(title, lambda row, at=at: Cell(formats.shortened(row[at], SHOWN) if at < len(row) else ""))  # type: ignore[misc]
        for at, title in enumerate(head.headers)
    ]
    return table(columns, head.rows, caption="前几行", empty="文件里没有数据行")


def trial_figures(upload: Upload) -> tuple[Figure, ...]:
    """Counts of the dry run; they add up."""
    result = upload.result
    return (
        Figure("读入", formats.count(result.count("read")), "行"),
        Figure("新增", formats.count(result.count("inserted")), "户"),
        Figure("更新", formats.count(result.count("updated")), "户"),
        Figure("未变", formats.count(result.count("unchanged")), "户"),
        Figure("重复", formats.count(result.count("repeated")), "行"),
        Figure("退回", formats.count(result.count("rejected")), "行", "下方列出原因"),
    )


def error_table(upload: Upload) -> TableView | None:
    """First rejected rows with line, column and reason; nothing where all fit."""
    rows = upload.result.rejects.slice(0, ERRORS).to_pylist()
    if not rows:
        return None
    columns: tuple[ColumnView[Record], ...] = (
        ColumnView("行", lambda row: Cell(formats.count(row["line"])), align="right"),
        ColumnView("列", lambda row: Cell(row["column"] or "整行"), fixed=True),
        ColumnView("原因与办法", lambda row: Cell(row["reason"] or "")),
        ColumnView("原值", lambda row: Cell(row["value"] or "", tone="soft")),
    )
    return table(columns, rows, caption="退回的行")


def trial_notes(upload: Upload) -> tuple[str, ...]:
    """Return what is accepted but worth knowing, such as a date that cannot be read and is left empty."""
    found = [
        f"{item.column}：{item.reason}（{item.count:,} 处）"
        if item.column
        else f"{item.reason}（{item.count:,} 处）"
        for item in upload.result.warnings
    ]
    more = len(found) - NOTES
    return tuple(found[:NOTES]) + ((f"另有 {more:,} 种提示",) if more > 0 else ())


def draft(visit: Visit, number: str, mapping: dict[str, str] | None) -> Draft:
    """Read a waiting list, guess or take the mapping, and try it."""
    path, name = waiting(visit, number)
    source = customer_list_source(visit.site.workspace)
    head = read_head(path)
    chosen = likely_mapping(visit, number, head.headers, source) if mapping is None else mapping
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    errors, problem = None, ""
    try:
        upload = try_customer_list(visit.site.workspace, path, name, chosen)
        figures, errors, notes = trial_figures(upload), error_table(upload), trial_notes(upload)
        require_own_rows(visit, upload)
    except InputRejected as error:
        problem = str(error)
    return Draft(
        number, name, head.headers, preview(head), choices(source, chosen), figures, errors, notes, problem
    )


def history(visit: Visit) -> TableView:
    """Lists that were applied, newest first; those with changes can be undone."""
    undoable = visit.reading.once(own_loads)
    loads = visit.reading.table(LOADS)
    rows = [
        row
        for row in loads.to_pylist()
        if row["source"] == "customers"
        and row["load_id"].startswith("U")
        and (visit.viewer.whole_bank or row["load_id"] in undoable)
    ]
    rows.sort(key=lambda row: str(row["loaded_at"]), reverse=True)
    columns: tuple[ColumnView[Record], ...] = (
        ColumnView("文件", lambda row: Cell(row["file"] or "")),
        ColumnView("新增", lambda row: Cell(formats.households(row["inserted"])), align="right"),
        ColumnView("更新", lambda row: Cell(formats.households(row["updated"])), align="right"),
        ColumnView("退回", lambda row: Cell(f"{row['rejected']:,} 行"), align="right"),
        ColumnView("时间", lambda row: Cell(formats.moment(row["loaded_at"])), fixed=True),
        ColumnView(
            "撤销",
            lambda row: (
                Cell("撤销这次上传", href=f"/inventory/upload/undo/{row['load_id']}")
                if row["load_id"] in undoable
                else Cell("已撤销或无改动", tone="soft")
            ),
        ),
    )
    return table(
        columns,
        rows[:HISTORY],
        caption="上传记录",
        empty="还没有上传过名单",
        empty_hint="也可以用命令行 qiaomen load 载入",
    )


def page(visit: Visit, **values: Any) -> Response:
    """Draw the page of uploads."""
    context: dict[str, Any] = {
        "draft": None,
        "done": "",
        "undo": "",
        "problem": "",
        "history": history(visit),
        **values,
    }
    return visit.render(
        "upload.html",
        key="inventory",
        title="客户盘点 · 上传名单",
        tabs=inventory_tabs(visit),
        tab_key="upload",
        **context,
    )


@router.get("/inventory/upload")
def show(visit: Annotated[Visit, Depends(signed_in)], done: str = "") -> Response:
    """Show the form and the lists applied so far."""
    visit.require(Action.UPLOAD_CUSTOMERS)
    return page(visit, done=done[:200])


@router.post("/inventory/upload")
async def receive(visit: Annotated[Visit, Depends(changing)], file: UploadFile) -> Response:
    """Store the list and lead to its dry run; one that cannot be read is refused on the same page."""
    visit.require(Action.UPLOAD_CUSTOMERS)
    try:
        number = await keep(visit, file)
    except InputRejected as error:
        refused = str(error)
        return await run_in_threadpool(
            lambda: page(visit, problem=refused, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        )
    return RedirectResponse(f"/inventory/upload/{number}", HTTPStatus.SEE_OTHER)


@router.get("/inventory/upload/{number}")
def try_out(visit: Annotated[Visit, Depends(signed_in)], number: str) -> Response:
    """Show the guessed mapping and what the list would do."""
    visit.require(Action.UPLOAD_CUSTOMERS)
    return page(visit, draft=draft(visit, number, None))


@router.post("/inventory/upload/{number}")
async def map_or_apply(
    request: Request,
    visit: Annotated[Visit, Depends(changing)],
    number: str,
    step: Annotated[str, Form(pattern="^(try|apply)$")] = "try",
) -> Response:
    """Try another mapping, or apply the list."""
    visit.require(Action.UPLOAD_CUSTOMERS)
    form = await request.form()
    mapping = {
        key.removeprefix("column_"): str(value)
        for key, value in form.items()
        if key.startswith("column_") and value
    }
    if step == "try":
        note_mapping(visit, number, mapping)
        return await run_in_threadpool(lambda: page(visit, draft=draft(visit, number, mapping)))
    return await run_in_threadpool(lambda: apply_list(visit, number, mapping))


def apply_list(visit: Visit, number: str, mapping: dict[str, str]) -> Response:
    """Apply a list, remember its mapping and note it in the audit log."""
    path, name = waiting(visit, number)
    require_own_rows(visit, try_customer_list(visit.site.workspace, path, name, mapping))
    upload = apply_customer_list(visit.site.workspace, path, name, mapping)
    with writing(visit.sql) as connection:
        save_mapping(connection, read_head(path).headers, mapping, by=visit.viewer.login, now=now())
        audit(
            connection,
            visit.viewer,
            "upload_customers",
            upload.result.load_id,
            {"inserted": upload.result.count("inserted"), "updated": upload.result.count("updated")},
            now=now(),
        )
    forget(path)
    counts = upload.result
    done = f"已入库：新增 {counts.count('inserted'):,} 户，更新 {counts.count('updated'):,} 户；匹配与打标在下一次运行后更新"
    fresh = Visit(visit.request, visit.site, visit.viewer, visit.site.readings.current(), visit.secret)
    return page(fresh, done=done)


@router.get("/inventory/upload/{number}/errors.csv")
def errors(visit: Annotated[Visit, Depends(signed_in)], number: str) -> Response:
    """Return all rejected rows as a file that can be corrected and uploaded again."""
    visit.require(Action.UPLOAD_CUSTOMERS)
    path, name = waiting(visit, number)
    source = customer_list_source(visit.site.workspace)
    mapping = likely_mapping(visit, number, read_head(path).headers, source)
    upload = try_customer_list(visit.site.workspace, path, name, mapping)
    rows = upload.error_rows
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows([{key: harmless(value) for key, value in row.items()} for row in rows])
    headers = {"Content-Disposition": 'attachment; filename="errors.csv"'}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def harmless(value: str) -> str:
    """Keep a spreadsheet from reading a cell as a formula."""
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


@router.get("/inventory/upload/undo/{load_id}")
def confirm_undo(visit: Annotated[Visit, Depends(signed_in)], load_id: str) -> Response:
    """Ask before an upload is taken back."""
    visit.require(Action.UPLOAD_CUSTOMERS)
    require_own_load(visit, load_id)
    return page(visit, undo=load_id)


@router.post("/inventory/upload/undo/{load_id}")
def undo(visit: Annotated[Visit, Depends(changing)], load_id: str) -> Response:
    """Take an upload back and list what stays because something later changed it."""
    visit.require(Action.UPLOAD_CUSTOMERS)
    require_own_load(visit, load_id)
    undone = undo_customer_list(visit.site.workspace, load_id)
    with writing(visit.sql) as connection:
        audit(
            connection,
            visit.viewer,
            "undo_upload",
            load_id,
            {"removed": undone.removed, "restored": undone.restored},
            now=now(),
        )
    kept = f"；{len(undone.kept):,} 个值因后来有改动而保留" if undone.kept else ""
    fresh = Visit(visit.request, visit.site, visit.viewer, visit.site.readings.current(), visit.secret)
    return page(fresh, done=f"已撤销：移除 {undone.removed:,} 户，恢复 {undone.restored:,} 户{kept}")
