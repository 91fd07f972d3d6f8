"""Writes ``docs/opportunity-kinds.md`` from the catalogue; a test keeps the file equal to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from qiaomen.mining.kinds import EXPIRES_ON, OpportunityKind, RoleNeeds
from qiaomen.vocab import POLARITY_LABELS, SIGNAL_LABELS

_DETECTORS: Final = {
    "text": "文本",
    "registry_change": "变更",
    "expiry": "到期",
    "in_bank": "行内",
    "feed": "接入",
}


def _role(role: RoleNeeds, kind: OpportunityKind) -> str:
    if role.context:
        return f"{role.role}（对方）"
    words = [SIGNAL_LABELS[need] for need in role.needs]
    if role.polarity != kind.polarity:
        words.append(POLARITY_LABELS[role.polarity])
    return f"{role.role}：{'、'.join(words)}" if words else role.role


def _ends(kind: OpportunityKind, kinds: Mapping[str, OpportunityKind]) -> str:
    parts = [f"半衰期 {kind.half_life_days} 天"] if kind.half_life_days else []
    parts += ["到期日" if code == EXPIRES_ON else kinds[code].name for code in kind.ends_on]
    return "；".join(parts)


def _rows(own: Iterable[OpportunityKind], kinds: Mapping[str, OpportunityKind]) -> list[str]:
    rows = []
    for kind in own:
        cells = (
            f"{kind.name}{'（批量主题）' if kind.batch else ''}",
            f"`{kind.code}`",
            POLARITY_LABELS[kind.polarity] + (f"·{kind.severity}" if kind.severity else ""),
            "<br>".join(_role(role, kind) for role in kind.role_needs),
            _ends(kind, kinds),
            "、".join(_DETECTORS[name] for name in kind.detectors),
            kind.source_access,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def kinds_page(kinds: Mapping[str, OpportunityKind]) -> str:
    """Return the page: one table per group, in catalogue order."""
    place = {
        group: number for number, group in enumerate(dict.fromkeys(kind.group for kind in kinds.values()))
    }
    ordered = sorted(kinds.values(), key=lambda kind: place[kind.group])
    lines = [
        "# Opportunity kinds / 商机种类",
        "",
        f"{len(kinds)} kinds, written from `qiaomen/catalog/data/opportunity_kinds.csv`; see `opportunities.md`.",
        "由目录文件生成，请勿手改；说明见 `opportunities.md`。",
    ]
    for group, own in groupby(ordered, key=lambda kind: kind.group_name):
        lines += [
            "",
            f"## {group}",
            "",
            "| 种类 | 代码 | 性质 | 角色与需求 | 何时结束 | 来源方式 | 数据来源 |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *_rows(own, kinds),
        ]
    return "\n".join(lines) + "\n"
