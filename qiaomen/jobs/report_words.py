"""What the printed report of a run says in words: its steps, the counts that people ask for, and what needs a look.

Every other count stands in the JSON document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Counts = Mapping[str, Mapping[str, int]]

STEP_WORDS: Final = {
    "identify": "登记企业",
    "relate": "解析关系",
    "match": "匹配客户",
    "book": "客户台账",
    "classify": "产业链分类",
    "supply": "供应链",
    "parks": "园区",
    "mine": "挖掘商机",
    "opportunities": "商机定级",
    "graph": "图谱",
    "tags": "标签",
    "reach": "触达",
    "marketable": "可营销企业",
    "indicators": "指标",
    "scores": "评分",
    "tiers": "分层与推荐",
    "long_list": "拓客长名单",
    "leads": "线索与分配",
    "introduce": "敲门话术",
    "index": "筛选索引",
    "tasks": "任务",
}
COUNT_WORDS: Final[dict[str, dict[str, str]]] = {
    "identify": {
        "companies": "企业",
        "merged": "合并",
        "contradicted_codes": "代码与名称矛盾",
        "shared_names": "重名",
    },
    "relate": {"persons": "人员", "relations": "关系", "unresolved": "一端未认出", "rings": "循环持股"},
    "match": {
        "rows": "客户行",
        "verified": "已核实",
        "matched": "已匹配",
        "ambiguous": "待人工确认",
        "unmatched": "未匹配",
    },
    "book": {
        "customers": "存量客户",
        "dealings": "业务往来",
        "cashflows": "流水月份",
        "outcomes": "营销结果",
    },
    "classify": {"nodes": "产业链节点", "classified": "归链企业", "company_goods": "企业产品"},
    "supply": {"pairs": "供应关系", "core_enterprises": "核心企业"},
    "parks": {"parks": "园区", "residents": "在园企业"},
    "mine": {
        "feed_found": "接入",
        "text_found": "文本",
        "registry_change_found": "工商变更",
        "expiry_found": "到期",
        "in_bank_found": "行内",
        "feed_unknown_kind": "类型不认识",
        "feed_unresolved": "企业未认出",
        "feed_future": "日期晚于数据日期",
        "feed_undated": "没有日期",
    },
    "opportunities": {"opportunities": "商机", "joined": "归并", "signals": "业务信号"},
    "graph": {"nodes": "节点"},
    "tags": {"declared": "标签种类", "rows": "企业标签"},
    "reach": {"companies": "可触达企业"},
    "marketable": {"companies": "企业", "marketable": "可营销"},
    "indicators": {"declared": "指标", "companies": "企业"},
    "scores": {"strategies": "策略", "learned": "其中学得", "rows": "评分"},
    "tiers": {"companies": "分层企业", "offers": "产品推荐"},
    "long_list": {"rows": "企业与理由"},
    "leads": {"leads": "线索", "allocated": "已分配"},
    "introduce": {"introductions": "话术"},
    "index": {"memberships": "筛选条目"},
    "tasks": {"created": "新建", "updated": "更新", "held_out": "对照组", "deferred": "暂缓"},
}
UNKNOWN_KIND: Final = "feed_unknown_kind:"
MOST: Final = 5


def report_rows(counts: Counts) -> list[tuple[str, str]]:
    """Return step and counts in words; a count of zero is not shown."""
    rows = []
    for step, found in counts.items():
        words = COUNT_WORDS.get(step, {})
        shown = [f"{words[name]} {found[name]:,}" for name in words if found.get(name)]
        rows.append((STEP_WORDS.get(step, step), "，".join(shown) or "无"))
    return rows


def report_hints(counts: Counts) -> list[str]:
    """Return what was loaded and could not be used, with the remedy."""
    hints = []
    mined = counts.get("mine", {})
    unknown = {
        name.removeprefix(UNKNOWN_KIND): count
        for name, count in mined.items()
        if name.startswith(UNKNOWN_KIND)
    }
    if unknown:
        most = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
        listed = "、".join(f"{name} {count:,} 条" for name, count in most[:MOST])
        more = " 等" if len(most) > MOST else ""
        hints.append(
            f"提示：商机类型不在目录，没有成为商机：{listed}{more}。"
            "处理办法：改用 docs/opportunity-kinds.md 中的名称或代码"
        )
    if ambiguous := counts.get("match", {}).get("ambiguous", 0):
        hints.append(f"提示：{ambiguous:,} 行客户待人工确认。处理办法：网页 客户盘点 › 匹配复核")
    return hints
