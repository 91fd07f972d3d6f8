"""``qiaomen outbox``: messages to the outside world; what is dead, and sending it again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from qiaomen.cli.options import As, Json, viewer_of_command, workspace_of_command

outbox_app = typer.Typer(help="对外消息：查看死信，重发或放弃。", no_args_is_help=True, rich_markup_mode=None)
Numbers = Annotated[list[int], typer.Argument(metavar="MESSAGE...", min=1, help="消息编号，可写多个")]


@outbox_app.command("list")
def list_messages(
    state: Annotated[
        str, typer.Option("--state", help="waiting、leased、done、dead、discarded，可用逗号并列")
    ] = "dead",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="最多几行")] = 100,
    user: As = "",
    as_json: Json = False,
) -> None:
    """列出对外消息（不含内容）；默认只列死信，另给各状态的条数与久等不到前序的来信。"""
    from dataclasses import asdict
    from datetime import timedelta

    from qiaomen.cli.output import print_json, print_table
    from qiaomen.connectors import gaps, outbox_counts, outbox_entries
    from qiaomen.store import reading

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "outbox.list")
    states = [part.strip() for part in state.split(",") if part.strip()]
    with reading(workspace.sql) as connection:
        counts = outbox_counts(viewer, connection)
        rows = [asdict(entry) for entry in outbox_entries(viewer, connection, states, limit=limit)]
        waiting = gaps(viewer, connection, before=datetime.now(UTC) - timedelta(hours=1))
    if as_json:
        print_json({"counts": counts, "messages": rows, "gaps": waiting})
        return
    note = "、".join(f"{name} {number}" for name, number in counts.items()) or "没有消息"
    columns = ("编号", "主题", "键", "状态", "次数", "下次", "错误")
    names = ("message_id", "topic", "key", "state", "attempts", "next_at", "error")
    print_table("对外消息", columns, [[row[name] for name in names] for row in rows], note=note)
    if waiting:
        heads = ("来源", "主题", "对象", "序号", "已到", "收到于")
        print_table("缺前序的来信", heads, [list(row.values()) for row in waiting])


@outbox_app.command("requeue")
def requeue(message_ids: Numbers, user: As = "", as_json: Json = False) -> None:
    """让死信以原来的键重新发送，次数从头计。"""
    from qiaomen.connectors import requeue_messages

    _change(message_ids, requeue_messages, "requeued", user, as_json)


@outbox_app.command("discard")
def discard(message_ids: Numbers, user: As = "", as_json: Json = False) -> None:
    """放弃死信；同一对象后面的消息随之放行。"""
    from qiaomen.connectors import discard_messages

    _change(message_ids, discard_messages, "discarded", user, as_json)


def _change(
    message_ids: Collection[int], change: Callable[..., list[int]], word: str, user: str, as_json: bool
) -> None:
    from qiaomen.cli.output import print_json, say
    from qiaomen.store import writing

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, f"outbox.{word}")
    with writing(workspace.sql) as connection:
        changed: Any = change(viewer, connection, message_ids, now=datetime.now(UTC))
    if as_json:
        print_json({word: changed})
    else:
        say(f"{'已重新排入' if word == 'requeued' else '已放弃'}：{'、'.join(map(str, changed))}")
