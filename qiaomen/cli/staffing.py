"""``staff``: who works where, posts, deputies, and the hand-over of a manager's customers and tasks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from qiaomen.cli.output import print_json, print_table
from qiaomen.vocab import ROLE_LABELS, InputRejected, Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from qiaomen.bank import Delegation, StaffRow, Viewer
    from qiaomen.dispatch import HandOver
    from qiaomen.jobs import Workspace


def read_role(text: str) -> Role:
    """Return the role of a code or a Chinese word."""
    codes = {label: code for code, label in ROLE_LABELS.items()}
    code = codes.get(text.strip(), text.strip())
    if code not in ROLE_LABELS:
        raise InputRejected(f"没有名为“{text}”的角色", remedy=f"可用：{'、'.join(ROLE_LABELS.values())}")
    return Role(code)


def _today(workspace: Workspace) -> date:
    """Return the date that rights follow: the clock's, not the business date of a workspace that stands still."""
    from qiaomen.bank import today_of

    return today_of(workspace.now())


def _person(row: StaffRow) -> dict[str, Any]:
    return {**asdict(row), "posts": [asdict(post) for post in row.posts]}


def _post_rows(row: StaffRow) -> list[tuple[Any, ...]]:
    return [
        (
            row.staff_no,
            row.name,
            post.post_id,
            ROLE_LABELS[post.role.value],
            f"{post.institution}（{post.institution_code}）",
            post.since,
            post.until,
            "在任" if post.in_force else "不在任",
            "名册" if post.origin == "list" else "人工",
        )
        for post in row.posts
    ]


POST_TITLES = ("工号", "姓名", "岗位编号", "角色", "机构", "起", "止", "状态", "来源")


def list_everybody(
    workspace: Workspace, viewer: Viewer, institution: str, everybody: bool, as_json: bool
) -> None:
    """Print the staff whom the viewer governs with their posts."""
    from qiaomen.bank import list_delegations, list_staff
    from qiaomen.store import reading

    day = _today(workspace)
    with reading(workspace.sql) as connection:
        people = list_staff(viewer, connection, day, everybody=everybody)
        deputies = [row for row in list_delegations(viewer, connection, day) if row.in_force]
    if institution:
        people = [row for row in people if any(p.institution_code == institution for p in row.posts)]
    if as_json:
        document = {
            "day": day,
            "staff": [_person(row) for row in people],
            "delegations": [asdict(row) for row in deputies],
        }
        print_json(document)
        return
    note = f"共 {len(people):,} 人" + "".join(f"\n{_said(row)}" for row in deputies)
    print_table("人员与岗位", POST_TITLES, [line for row in people for line in _post_rows(row)], note=note)


def _said(row: Delegation) -> str:
    return (
        f"代理 {row.delegation_id}：{row.deputy}（{row.deputy_no}）代 {row.principal}（{row.principal_no}），"
        f"{row.since} 至 {row.until}，{row.reason}" + ("" if row.in_force else "（不在期内或已结束）")
    )


def show_person(workspace: Workspace, viewer: Viewer, staff_no: str, as_json: bool) -> None:
    """Print one member of staff: posts of all time, delegations, hand-overs."""
    from qiaomen.bank import list_delegations, show_staff
    from qiaomen.dispatch import hand_overs_of
    from qiaomen.store import reading

    day = _today(workspace)
    with reading(workspace.sql) as connection:
        person = show_staff(viewer, connection, staff_no, day)
        deputies = list_delegations(viewer, connection, day, staff_no=staff_no)
        handed = hand_overs_of(viewer, connection, staff_no, day)
    if as_json:
        print_json(
            {
                "day": day,
                "person": _person(person),
                "delegations": [asdict(row) for row in deputies],
                "hand_overs": handed,
            }
        )
        return
    lines = [_said(row) for row in deputies]
    lines += [
        f"交接 {row['hand_over_id']}：{row['from_manager_no']} → {row['to_manager_nos']}，"
        f"{row['customers']} 户、{row['tasks']} 条任务，{row['reason']}"
        for row in handed
    ]
    print_table(person.name, POST_TITLES, _post_rows(person), note="\n".join(lines))


def give_post(
    workspace: Workspace,
    viewer: Viewer,
    staff_no: str,
    role: str,
    institution: str,
    *,
    name: str,
    since: date | None,
    until: date | None,
    capacity: int | None,
    as_json: bool,
) -> None:
    """Give somebody a post, from today unless told otherwise."""
    from qiaomen.bank import add_post
    from qiaomen.store import writing

    with writing(workspace.sql) as connection:
        number = add_post(
            viewer,
            connection,
            staff_no,
            read_role(role),
            institution,
            since=since or _today(workspace),
            until=until,
            capacity=capacity,
            name=name,
            now=workspace.now(),
        )
    _done(as_json, {"post_id": number, "staff_no": staff_no}, f"岗位 {number} 已登记")


def close_post(
    workspace: Workspace, viewer: Viewer, post_id: int, last_day: date | None, as_json: bool
) -> None:
    """End a post; today is its last day unless told otherwise."""
    from qiaomen.bank import end_post
    from qiaomen.store import writing

    day = last_day or _today(workspace)
    with writing(workspace.sql) as connection:
        end_post(viewer, connection, post_id, day, now=workspace.now())
    _done(as_json, {"post_id": post_id, "until": day}, f"岗位 {post_id} 止于 {day}")


def name_deputy(
    workspace: Workspace,
    viewer: Viewer,
    people: tuple[str, str],
    span: tuple[date, date],
    reason: str,
    as_json: bool,
) -> None:
    """Let the second person stand in for the first."""
    from qiaomen.bank import delegate
    from qiaomen.store import writing

    principal, deputy = people
    since, until = span
    with writing(workspace.sql) as connection:
        number = delegate(
            viewer,
            connection,
            principal,
            deputy,
            since=since,
            until=until,
            reason=reason,
            now=workspace.now(),
        )
    words = f"代理 {number} 已登记：{deputy} 代 {principal}，{since} 至 {until}"
    _done(as_json, {"delegation_id": number, "principal_no": principal, "deputy_no": deputy}, words)


def close_delegation(workspace: Workspace, viewer: Viewer, number: int, as_json: bool) -> None:
    """End a delegation at once."""
    from qiaomen.bank import end_delegation
    from qiaomen.store import writing

    with writing(workspace.sql) as connection:
        end_delegation(viewer, connection, number, now=workspace.now())
    _done(as_json, {"delegation_id": number, "ended": True}, f"代理 {number} 已结束")


def hand_everything_over(
    workspace: Workspace,
    viewer: Viewer,
    giver: str,
    receivers: Sequence[str],
    reason: str,
    really: bool,
    as_json: bool,
) -> None:
    """Preview a hand-over, or make it."""
    from qiaomen.jobs import make_hand_over, preview_hand_over

    if really:
        done, applied = make_hand_over(workspace, viewer, giver, receivers, reason)
    else:
        done, applied = preview_hand_over(workspace, viewer, giver, receivers), False
    if as_json:
        print_json({**asdict(done), "made": really, "applied": applied})
        return
    _print_hand_over(done, really, applied)


def _print_hand_over(done: HandOver, really: bool, applied: bool) -> None:
    note = f"共 {done.customers:,} 户、{done.tasks:,} 条任务、{done.asks:,} 条转介请求"
    if done.unmatched:
        note += f"；另有 {done.unmatched:,} 个未匹配或次要客户号一并交接"
    if not really:
        note += "\n以上为预览，没有改动；确认请加 --yes 和 --reason"
    elif not applied:
        note += "\n任务已转移；有运行正在进行，客户归属在它结束后显示"
    print_table(
        f"{'交接' if really else '交接预览'}：{done.from_name}（{done.from_manager_no}）",
        ("接手人", "机构", "客户", "其中换机构", "任务", "原有任务"),
        (
            (
                f"{share.name}（{share.manager_no}）",
                share.institution_code,
                f"{share.customers:,} 户",
                f"{share.moved_customers:,} 户",
                f"{share.tasks:,} 条",
                f"{share.open_tasks_before:,} 条",
            )
            for share in done.shares
        ),
        note=note,
    )


def _done(as_json: bool, document: dict[str, Any], words: str) -> None:
    if as_json:
        print_json(document)
    else:
        print_table("已办理", ("结果",), ((words,),))
