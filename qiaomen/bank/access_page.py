"""The generated part of ``docs/access.md``: roles, actions, kinds of data, as the policy has them."""

from __future__ import annotations

from typing import Final

from qiaomen.bank.access import POLICY, Action
from qiaomen.bank.classes import CLASS_LABELS, DataKind, data_columns, data_kinds
from qiaomen.bank.masking import CLEAR
from qiaomen.bank.viewers import DELEGABLE
from qiaomen.vocab import ROLE_LABELS, Role

WORDS: Final[dict[Action, str]] = {
    Action.SEE_COMPANIES: "查看企业公开信息",
    Action.SEE_CUSTOMERS: "查看辖内客户",
    Action.SEE_TASKS: "查看辖内任务",
    Action.WORK_TASKS: "办理任务",
    Action.TRANSFER_TASKS: "指派与转交任务",
    Action.DISPATCH: "下发",
    Action.SEE_DASHBOARD: "驾驶舱",
    Action.SCREEN: "筛选",
    Action.EXPORT: "导出",
    Action.SUBSCRIBE: "订阅",
    Action.UPLOAD_CUSTOMERS: "上传客户名单",
    Action.DECIDE_MATCHES: "匹配复核",
    Action.RUN_JOBS: "运行作业",
    Action.APPROVE_MODELS: "审批模型",
    Action.SEE_STAFF: "查看辖内人员与岗位",
    Action.DELEGATE: "登记代理（本人的，或辖内人员的）",
    Action.HAND_OVER: "办理客户与任务交接",
    Action.MANAGE_STAFF: "登记与结束岗位",
    Action.MANAGE_USERS: "管理登录账号",
    Action.MANAGE_TOKENS: "管理接口令牌",
    Action.SEE_AUDIT: "查看审计日志",
    Action.SEE_SETTINGS: "查看设置",
    Action.PUSH_EVENTS: "推送事件",
}


def _grid(head: str, rows: list[tuple[str, list[bool]]]) -> list[str]:
    titles = " | ".join(ROLE_LABELS[role.value] for role in Role)
    lines = [f"| {head} | {titles} |", "| --- |" + " --- |" * len(Role)]
    return lines + [
        f"| {title} | {' | '.join('✓' if cell else '' for cell in cells)} |" for title, cells in rows
    ]


def access_tables() -> str:
    """Return the tables as Markdown."""
    actions = [
        (f"{WORDS.get(action, action.value)} `{action.value}`", [action in POLICY[role] for role in Role])
        for action in Action
    ]
    kinds = data_kinds()
    clear = [
        (f"{kinds[kind].name_zh} `{kind.value}`", [kind in CLEAR[role] for role in Role]) for kind in DataKind
    ]
    counted = {kind: sum(found is kind for found in data_columns().values()) for kind in DataKind}
    described = [
        f"| `{kind.value}` | {row.name_zh} | {CLASS_LABELS[row.data_class.value]} | {row.level} | {counted[kind]} "
        f"| {row.meaning} |"
        for kind, row in kinds.items()
    ]
    delegable = "、".join(ROLE_LABELS[role.value] for role in Role if role in DELEGABLE)
    return "\n".join(
        [
            "## Roles and actions / 角色与操作",
            "",
            *_grid("action / 操作", actions),
            "",
            f"Posts that a deputy may fill / 可代理的岗位：{delegable}",
            "",
            "## Kinds shown in clear / 明文可见的数据",
            "",
            *_grid("kind / 数据种类", clear),
            "",
            "## Kinds, classes and levels / 种类、类别与级别",
            "",
            "| kind | 名称 | 银行保险机构数据安全管理办法 | JR/T 0197 | columns / 列数 | 含义 |",
            "| --- | --- | --- | --- | --- | --- |",
            *described,
            "",
        ]
    )
