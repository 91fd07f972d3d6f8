"""The commands. Slow packages are imported inside, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from qiaomen.cli import output
from qiaomen.cli.accounts import token_app, users_app
from qiaomen.cli.audit import audit_app
from qiaomen.cli.match import match
from qiaomen.cli.options import (
    As,
    Json,
    choose_root,
    root_of_command,
    viewer_of_command,
    workspace_of_command,
)
from qiaomen.cli.outbox import outbox_app
from qiaomen.cli.staff import staff_app

app = typer.Typer(
    help="敲门：找谁、为什么是现在、谁能引荐。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="最多几行")]


@app.callback()
def _options(
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-w", metavar="DIR", help="工作区目录；也可用环境变量 QIAOMEN_WORKSPACE"),
    ] = None,
) -> None:
    chosen = workspace or Path(os.environ.get("QIAOMEN_WORKSPACE", "workspace"))
    choose_root(chosen)


@app.command("init")
def init(
    demo: Annotated[bool, typer.Option("--demo", help="写入示范数据的输入文件（inbox/）")] = False,
    as_json: Json = False,
) -> None:
    """建立工作区；--demo 只写输入文件，不装载。"""
    from qiaomen.jobs import init_demo, init_workspace

    if demo:
        files = init_demo(root_of_command())
    else:
        init_workspace(root_of_command())
        files = {}
    document = {"workspace": str(root_of_command()), "files": files}
    if as_json:
        output.print_json(document)
        return
    if files:
        output.print_table("输入文件", ["文件", "行数"], sorted(files.items()))
    sys.stdout.write(f"工作区：{root_of_command()}\n")
    output.say(
        f"下一步：把文件放进 {root_of_command() / 'inbox'}（列见 docs/sources.md），再执行 load 与 run"
    )


@app.command("load")
def load(
    source: Annotated[
        str | None, typer.Argument(help="来源代码；省略则按文件名识别 inbox/ 中的全部文件")
    ] = None,
    paths: Annotated[list[Path] | None, typer.Argument(help="文件或文件夹")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="有被拒行时退出码为 2")] = False,
    as_json: Json = False,
) -> None:
    """装载文件：每一行要么入库，要么重复，要么进入 rejects 并写明原因。"""
    from qiaomen.cli.progress import watched
    from qiaomen.jobs import load_files

    with watched("装载") as observer:
        report = load_files(workspace_of_command(), source, paths or [], observer)
    if as_json:
        output.print_json(report.document())
    else:
        output.print_table("装载结果", report.HEADER, report.rows(), note=report.summary())
    if strict and report.rejected:
        raise typer.Exit(2)


@app.command("run")
def run(
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="业务日期；默认取设置或当日")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="没有变化也重跑")] = False,
    as_json: Json = False,
) -> None:
    """跑完全程：匹配、分类、商机、图谱、标签、评分、分发。停在哪里都可以再次执行。"""
    from qiaomen.cli.progress import watched
    from qiaomen.jobs import last_report, run_all

    workspace = workspace_of_command()
    day = as_of.date() if as_of else None
    report = None if again else last_report(workspace, day)
    if report is None:
        with watched("运行") as observer:
            report = run_all(workspace, day, observer)
    if as_json:
        output.print_json(report.document())
        return
    output.print_table("运行结果", report.HEADER, report.rows(), note=report.summary())


@app.command("screen")
def screen(
    expression: Annotated[str, typer.Argument(help="筛选表达式，如 tag:high_tech & !customer")],
    form: Annotated[str, typer.Option("--format", help="table、csv、xlsx 或 json")] = "table",
    out: Annotated[Path | None, typer.Option("--out", help="输出文件；xlsx 必填")] = None,
    sort: Annotated[str, typer.Option("--sort", help="排序字段，前加 - 为降序")] = "-priority",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=100_000, help="最多几户；默认 50，导出时 100000")
    ] = None,
    user: As = "",
    as_json: Json = False,
) -> None:
    """按表达式筛选企业；表达式写法见 docs/screening.md，也可写成 JSON。"""
    from qiaomen.cli.screening import show_screen

    workspace = workspace_of_command()
    show_screen(
        workspace,
        viewer_of_command(workspace, user, "screen"),
        expression,
        "json" if as_json else form,
        out,
        sort,
        limit,
    )


@app.command("company")
def company(
    key: Annotated[str, typer.Argument(help="统一社会信用代码、名称或编号")],
    user: As = "",
    as_json: Json = False,
) -> None:
    """看一家企业的全貌。"""
    from qiaomen.cli.companies import show_company

    workspace = workspace_of_command()
    show_company(workspace, viewer_of_command(workspace, user, "company"), key, as_json)


@app.command("reach")
def reach(
    key: Annotated[str, typer.Argument(help="潜客的统一社会信用代码、名称或编号")],
    k: Annotated[int, typer.Option("-k", min=1, max=20, help="几条路径")] = 5,
    diverse: Annotated[bool, typer.Option("--diverse", help="避免多条路径经过同一枢纽")] = False,
    user: As = "",
    as_json: Json = False,
) -> None:
    """找到引荐路径：从潜客到存量客户。"""
    from qiaomen.cli.companies import show_reach

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "reach")
    show_reach(workspace, viewer, key, k, "diverse" if diverse else "best", as_json)


@app.command("opportunities")
def opportunities(
    kind: Annotated[str, typer.Option("--kind", help="商机类型代码或名称")] = "",
    grade: Annotated[str, typer.Option("--grade", help="高、中、低（high、medium、low）")] = "",
    signal: Annotated[str, typer.Option("--signal", help="业务信号代码")] = "",
    region: Annotated[str, typer.Option("--region", help="行政区划代码，含其下级")] = "",
    status: Annotated[str, typer.Option("--status", help="active、expired、ended 或 all")] = "active",
    company: Annotated[str, typer.Option("--company", help="只看一家企业（代码、名称或编号）")] = "",
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="发布日期不早于")
    ] = None,
    text: Annotated[str, typer.Option("--text", help="标题或企业名包含的词，以空格分隔")] = "",
    customers: Annotated[
        bool | None, typer.Option("--customers/--prospects", help="只看存量或只看潜客")
    ] = None,
    sort: Annotated[str, typer.Option("--sort", help="value、newest、amount 或 expiry")] = "value",
    limit: Limit = 50,
    user: As = "",
    as_json: Json = False,
) -> None:
    """列出商机。"""
    from qiaomen.cli.listing import Wanted, show_opportunities

    workspace = workspace_of_command()
    day = since.date() if since else None
    wanted = Wanted(kind, grade, signal, region, status, company, day, text, customers, sort)
    show_opportunities(workspace, viewer_of_command(workspace, user, "opportunities"), wanted, limit, as_json)


@app.command("tasks")
def tasks(
    state: Annotated[
        str,
        typer.Option(
            "--state", help="unclaimed、following、intended、landed、closed，可用逗号并列；默认未结束的"
        ),
    ] = "",
    manager: Annotated[str, typer.Option("--manager", help="客户经理工号")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="只看本人与所代理的人的")] = False,
    institution: Annotated[str, typer.Option("--institution", help="机构代码")] = "",
    text: Annotated[str, typer.Option("--text", help="企业名包含")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="只看已超时的")] = False,
    limit: Limit = 50,
    user: As = "",
    as_json: Json = False,
) -> None:
    """列出任务。"""
    from qiaomen.cli.listing import show_tasks, task_states
    from qiaomen.dispatch import TaskFilter

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "tasks")
    people = frozenset({manager}) if manager else None
    if mine:
        people = viewer.manager_nos if people is None else people & viewer.manager_nos
    filters = TaskFilter(
        states=task_states(state),
        manager_nos=people,
        text=text,
        due_before=workspace.moment if overdue else None,
    )
    show_tasks(workspace, viewer, filters, institution, limit, as_json)


@app.command("rejects")
def rejects(
    load_id: Annotated[str, typer.Option("--load", help="只看一次装载")] = "",
    limit: Limit = 50,
    user: As = "",
    as_json: Json = False,
) -> None:
    """列出被拒绝的行：文件、行、列、原因。"""
    from qiaomen.cli.listing import show_rejects

    workspace = workspace_of_command()
    show_rejects(workspace, viewer_of_command(workspace, user, "rejects"), load_id, limit, as_json)


@app.command("retention")
def retention(
    past: Annotated[bool, typer.Option("--past", help="只列超过留存期限的")] = False,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="只看这个来源，可写多次；已不再声明的来源须写明才删除"),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="删除超过期限的行；不加 --yes 只预览")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="确认删除")] = False,
    user: As = "",
    as_json: Json = False,
) -> None:
    """列出各来源留存的数据：供方、行数、最早装载日、期限，超过期限的标出；--delete 删除超期的行。"""
    from qiaomen.cli.retaining import delete_kept_too_long, show_retention
    from qiaomen.vocab import InputRejected

    if yes and not delete:
        raise InputRejected("--yes 只与 --delete 一起使用", remedy="加上 --delete，或去掉 --yes")
    if delete and past:
        raise InputRejected("--past 与 --delete 只能选一个", remedy="--delete 只涉及超期的行，去掉 --past")
    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "retention")
    if delete:
        delete_kept_too_long(workspace, viewer, source or [], yes, as_json)
    else:
        show_retention(workspace, viewer, source or [], past, as_json)


@app.command("serve")
def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="端口；0 为任选空闲端口")] = 8000,
    host: Annotated[str, typer.Option("--host", help="监听地址")] = "127.0.0.1",
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="是否同时启动一个后台工作进程")] = True,
) -> None:
    """打开网页。"""
    from qiaomen.cli.serving import serve_pages

    serve_pages(workspace_of_command(), host, port, worker)


@app.command("work")
def work(
    once: Annotated[bool, typer.Option("--once", help="做完现有工作就退出")] = False,
    beside: Annotated[int | None, typer.Option("--beside", hidden=True, help="随该父进程结束")] = None,
) -> None:
    """执行页面排入的作业与设置中声明的定时作业，发出待发消息，回收超时任务。"""
    from qiaomen.jobs import work_forever

    work_forever(workspace_of_command(), once=once, beside=beside)


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="备份文件；已存在则拒绝")],
    as_json: Json = False,
) -> None:
    """备份工作区：设置、目录覆盖、最新一代数据、数据库全部行；系统运行中也可执行。"""
    from qiaomen.cli.keeping import show_backup

    show_backup(workspace_of_command(), file, as_json)


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="备份文件")],
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="恢复到这个数据库；默认取备份中的设置")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="替换非空的工作区与数据库；原工作区改名保留，原库的表会被删除")
    ] = False,
    as_json: Json = False,
) -> None:
    """从备份恢复到 --workspace 指定的目录；全部核对无误后才生效。"""
    from qiaomen.cli.keeping import show_restore

    show_restore(root_of_command(), file, database, force, as_json)


@app.command("upgrade")
def upgrade(
    file: Annotated[
        Path | None,
        typer.Option("--backup", metavar="FILE", help="升级前的备份文件；默认在工作区 backups/ 下"),
    ] = None,
    without: Annotated[bool, typer.Option("--no-backup", help="不备份（已另行备份）")] = False,
    as_json: Json = False,
) -> None:
    """把数据库升级到本程序的版本，升级前先备份；不能降级。"""
    from qiaomen.cli.keeping import show_upgrade

    show_upgrade(workspace_of_command(), file, without, as_json)


@app.command("hashes")
def hashes(
    results: Annotated[bool, typer.Option("--results", help="只比较结果：不含日志、时间与随机编号")] = False,
    as_json: Json = False,
) -> None:
    """列出每张表内容的哈希，用于核对两个工作区是否一致。"""
    from qiaomen.cli.keeping import show_hashes

    show_hashes(workspace_of_command(), results, as_json)


@app.command("demo")
def demo(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="端口；0 为任选空闲端口")] = 8000,
    pages: Annotated[bool, typer.Option("--serve/--no-serve", help="跑完后是否打开网页")] = True,
) -> None:
    """示范：写数据、装载、跑全程、打开网页；再次执行只补做没做完的部分。"""
    from qiaomen.cli.demonstration import run_demo

    run_demo(root_of_command(), port, pages)


app.command("match")(match)
app.add_typer(staff_app, name="staff")
app.add_typer(users_app, name="users")
app.add_typer(token_app, name="token")
app.add_typer(audit_app, name="audit")
app.add_typer(outbox_app, name="outbox")
