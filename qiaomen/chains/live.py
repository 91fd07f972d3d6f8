"""Which companies are live: registered in their own name and not struck off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

ENDED_WORDS: Final = ("注销", "吊销", "撤销", "清算", "停业", "歇业", "除名", "解散", "关闭")
"""Words of a registration status that end a company; 迁出 only moves it."""


def live_companies(companies: ir.Table) -> ir.Table:
    """Return the companies that have a registry record of their own and no ended status (unknown counts as live)."""
    return companies.filter(
        companies.origin == "registry", ~portable.contains_any(companies.status, ENDED_WORDS)
    )
