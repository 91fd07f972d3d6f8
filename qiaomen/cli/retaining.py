"""``retention``: what each source holds, what is kept too long, and its deletion."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from qiaomen.cli.output import print_json, print_table
from qiaomen.vocab import InputRejected

if TYPE_CHECKING:
    from qiaomen.bank import Viewer
    from qiaomen.jobs import Deletion, Workspace
    from qiaomen.registry import Retention

HEADER: Final = ("来源", "名称", "供方", "表", "行数", "最早装载", "期限（天）", "超期行数")


def show_retention(
    workspace: Workspace, viewer: Viewer, wanted: Collection[str], past: bool, as_json: bool
) -> None:
    """Print what each source holds and which rows are older than it allows."""
    from qiaomen.bank import Action, require
    from qiaomen.jobs import retention_of

    require(viewer, Action.RUN_JOBS)
    every = retention_of(workspace)
    known = sorted({row.source for row in every})
    if unknown := sorted(set(wanted) - set(known)):
        raise InputRejected(
            f"没有来源“{unknown[0]}”的数据", remedy=f"可用：{'、'.join(known) or '（还没有装载数据）'}"
        )
    held = [row for row in every if not wanted or row.source in wanted]
    rows = [row for row in held if row.is_past or not past]
    if as_json:
        print_json({"as_of": workspace.as_of, "sources": [asdict(row) for row in rows]})
        return
    over = sum(row.is_past for row in rows)
    note = f"{over} 处超过期限；删除用 --delete，先预览" if over else "没有超过期限的数据"
    print_table("数据留存", HEADER, _lines(rows), note=note)


def delete_kept_too_long(
    workspace: Workspace, viewer: Viewer, wanted: Collection[str], really: bool, as_json: bool
) -> None:
    """Say what would be deleted, or delete it."""
    from qiaomen.jobs import delete_past

    done = delete_past(workspace, viewer, wanted=wanted, really=really)
    if as_json:
        print_json(
            {
                "as_of": workspace.as_of,
                "sources": [asdict(row) for row in done.rows],
                "deletion": {
                    "done": done.generation is not None,
                    "generation": done.generation,
                    "rows": done.deleted,
                    "messages": done.messages,
                    "undeclared": [asdict(row) for row in done.undeclared],
                    "inbox": list(done.inbox),
                },
            }
        )
        return
    title = "已删除" if done.generation is not None else "将删除（预览）"
    print_table(title, HEADER, _lines(done.rows), note="\n".join(_notes(workspace, done)))


def _notes(workspace: Workspace, done: Deletion) -> Iterable[str]:
    if done.messages:
        verb = "已清空" if done.generation is not None else "将清空"
        yield f"{verb} {done.messages:,} 条已处理的推送消息的内容（保留编号与哈希以识别重复）"
    if not done.rows:
        yield "没有超过期限的数据行"
    elif done.generation is None:
        yield f"共 {done.deleted:,} 行超过期限。以上为预览，没有改动；确认请加 --yes"
    else:
        keep = workspace.settings.keep_generations
        yield f"已删除 {done.deleted:,} 行，第 {done.generation} 期不再含有。接着执行 qiaomen run，由它们算出的结果随之更新"
        yield f"更早的期仍含这些行：清理只留最近 {keep} 期，届时删除；备份与原始文件须另行删除"
    for row in done.undeclared:
        yield f"来源 {row.source} 已不再声明，表 {row.table} 的 {row.past_rows:,} 行未列入；删除请加 --source {row.source}"
    if done.inbox:
        yield f"这些文件还在 inbox，再次装载会重新入库：{'、'.join(done.inbox)}"


def _lines(rows: Iterable[Retention]) -> Iterable[tuple[Any, ...]]:
    return (
        (
            row.source,
            row.name,
            row.supplier,
            row.table,
            row.rows,
            row.oldest_on,
            row.retention_days,
            row.past_rows,
        )
        for row in rows
    )
